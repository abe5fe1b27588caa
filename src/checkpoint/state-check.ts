// Whether what a checkpoint holds of an operator fits the operator as the job has it now: pure, from both plans, before
// any task starts.
//
//   S1. What is accepted here is taken over by tasks, and nothing is misread: what has no types of its own in the
//       snapshot (rows of windows and aggregates, what connectors keep) has to be declared as it was.
//   S2. State whose name is gone is dropped only when the user says so.

import { canonicalJson } from "../base/canonical-json.ts";
import { UserError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { isInOrder, optionsOf, type PlanOperator } from "../graph/plan.ts";
import type { NamedAggregate } from "../operators/aggregates/aggregate-spec.ts";
import { WAITING } from "../operators/in-order/in-order-operator.ts";
import type { WindowSpec } from "../operators/windows/time/window-spec.ts";
import type { DeclaredState } from "../state/contract/keyed-state.ts";
import { stateChange, storedText } from "../state/contract/state-change.ts";
import { specText } from "../types/spec/spec-text.ts";
import type { TypeSpec } from "../types/spec/type-spec.ts";

export type CheckedOperator = {
  /** Of the checkpoint, for people. */
  readonly where: string;
  readonly before: PlanOperator;
  readonly now: PlanOperator;
};

/** Names of states that are dropped, as the user allows. Throws a UserError for what does not fit. */
export function stateCheck(checked: CheckedOperator, allowNonRestored: boolean): readonly string[] {
  const { before, now } = checked;
  // Combiners have sent all that they held; whom they sent it to is checked.
  if (now.kind === "preAggregate") return [];
  checkKeys(checked);
  if (isInOrder(before) && !isInOrder(now)) throw changed(checked, "it waited for event time, and does not any more");
  if (isAggregating(now)) checkAggregates(checked);
  if (now.kind === "source" || now.kind === "sink") checkConnector(checked);
  const named = before.state.filter((state) => !isOfAggregates(now, state));
  return named.flatMap((saved) => (isTaken(checked, saved, allowNonRestored) ? [] : saved.name));
}

/** What the plan tells of the rows of aggregates: they have no types of their own in a snapshot. */
function isOfAggregates(operator: PlanOperator, state: DeclaredState): boolean {
  return isAggregating(operator) && state.kind === "aggregating";
}

function isAggregating({ kind }: PlanOperator): boolean {
  return kind === "aggregate" || kind === "window";
}

function isTaken(checked: CheckedOperator, saved: DeclaredState, allowNonRestored: boolean): boolean {
  const { where, before, now } = checked;
  const declared = now.state.find(({ name }) => name === saved.name);
  if (declared === undefined) {
    if (!allowNonRestored) throw leftOver(checked, saved.name);
    return false;
  }
  const change = stateChange(saved, declared);
  if (change.kind === "taken") return true;
  const { uid } = now;
  throw new UserError(
    "CHECKPOINT_STATE_CHANGED",
    `state "${saved.name}" of "${uid}" is ${storedText(declared)} now, and was ${storedText(saved)} when ${where} was taken: ${change.reason}`,
    { operator: uid, fix: fixOf(before, saved.name) },
  );
}

function fixOf({ kind }: PlanOperator, state: string): string {
  if (kind === "process" && !state.startsWith(WAITING)) {
    return "say what becomes of the values that are stored: migrate: { from: <the type it had>, with: (old) => … } of the state";
  }
  return "leave the type of its records as it was, or give the operator another uid and start with --allow-non-restored, which drops its state";
}

function leftOver({ where, before, now }: CheckedOperator, state: string): UserError {
  const had = new Set(before.state.map(({ name }) => name));
  const near = nearest(
    state,
    now.state.map(({ name }) => name).filter((name) => !had.has(name)),
  );
  const renamed = near === null ? "" : `; was it renamed to "${near}"?`;
  return new UserError(
    "CHECKPOINT_STATE_LEFT_OVER",
    `${where} has the state "${state}" of "${now.uid}", which declares none of that name${renamed}`,
    {
      operator: now.uid,
      fix: "give the state its name back, or start with --allow-non-restored, which drops it; if two operators have changed uids, change them back",
    },
  );
}

function checkKeys(checked: CheckedOperator): void {
  const { before, now } = checked;
  const pairs = [
    [before.key?.type, now.key?.type, "key"],
    [rightKey(before), rightKey(now), "key of the second input"],
  ] as const;
  for (const [from, to, what] of pairs) {
    if (canonicalJson(from ?? ANY) === canonicalJson(to ?? ANY)) continue;
    throw new UserError(
      "CHECKPOINT_KEY_CHANGED",
      `the ${what} of "${now.uid}" is of type ${typeText(to)} now, and was ${typeText(from)} when ${checked.where} was taken`,
      {
        operator: now.uid,
        fix: "key by the same type, or give the operator another uid and start with --allow-non-restored, which drops its state",
      },
    );
  }
}

const ANY: TypeSpec = { kind: "any" };

function rightKey(operator: PlanOperator): TypeSpec | null | undefined {
  return optionsOf<{ rightKey?: { readonly type: TypeSpec | null } }>(operator).rightKey?.type;
}

function typeText(type: TypeSpec | null | undefined): string {
  return specText(type ?? ANY);
}

type Aggregating = {
  readonly window?: WindowSpec | null;
  readonly allowedLatenessMs?: number;
  readonly aggregates: readonly NamedAggregate[];
};

/** Their rows are words without names: what they mean follows from the declaration alone. */
function checkAggregates(checked: CheckedOperator): void {
  const before = optionsOf<Aggregating>(checked.before);
  const now = optionsOf<Aggregating>(checked.now);
  const differs = (left: unknown, right: unknown): boolean => canonicalJson(left) !== canonicalJson(right);
  if (differs(before.window ?? null, now.window ?? null)) throw changed(checked, "its windows are others");
  if (now.window?.kind === "session" && differs(before.allowedLatenessMs, now.allowedLatenessMs)) {
    throw changed(checked, "its sessions are kept for another time for late records");
  }
  if (differs(before.aggregates.map(specOf), now.aggregates.map(specOf))) {
    throw changed(checked, "it computes other aggregates, or in another order");
  }
  if (differs(accumulatorsOf(checked.before), accumulatorsOf(checked.now))) {
    throw changed(checked, "the types of the fields that it aggregates are others");
  }
}

/** Without the name of the result. */
function specOf({ spec }: NamedAggregate): unknown {
  return spec;
}

/** Types of its accumulators in their order: names are those of results. */
function accumulatorsOf({ state }: PlanOperator): unknown {
  return state.flatMap((each) => {
    const isStruct = each.kind === "aggregating" && each.accumulator.kind === "struct";
    return isStruct ? each.accumulator.fields.map(({ type }) => type) : [];
  });
}

function checkConnector(checked: CheckedOperator): void {
  const of = (operator: PlanOperator): string | null => {
    const { source = null, sink = null } = optionsOf<{ source?: string; sink?: string }>(operator);
    return source ?? sink;
  };
  const [before, now] = [of(checked.before), of(checked.now)];
  if (before === now || before === null || now === null) return;
  throw operatorChanged(checked, `is ${now} now, and was ${before}`);
}

export function operatorChanged({ where, now }: Pick<CheckedOperator, "where" | "now">, what: string): UserError {
  return new UserError("CHECKPOINT_OPERATOR_CHANGED", `"${now.uid}" ${what} when ${where} was taken`, {
    operator: now.uid,
    fix: "give the new operator a uid of its own, and the old one its uid back",
  });
}

function changed({ where, now }: CheckedOperator, what: string): UserError {
  return new UserError(
    "CHECKPOINT_STATE_CHANGED",
    `"${now.uid}" cannot go on with what it had when ${where} was taken: ${what}`,
    {
      operator: now.uid,
      fix: "declare it as it was, or give the operator another uid and start with --allow-non-restored, which drops its state",
    },
  );
}
