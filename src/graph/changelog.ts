// Which kinds of rows travel over each edge of a plan: inserts alone, updates by a key, or retractions. Pure.
//
//   H1. An edge of inserts alone is run by code that knows of no kinds.
//   H2. By a key that is known, the rows of one key come in order, and the last one that is no delete is the row of
//       the key. Whatever breaks that (a function that makes other records, a redistribution of rows) loses the key.
//   H3. A filter behind which somebody keeps rows by their key turns an update that does not pass into a delete: the
//       row before it may have passed.
//   H4. What an operator or a sink cannot take is refused before the job runs, at the user's line.
//   H5. A sink that is given each change gets those of one key in their order. Where rows that belong together may have
//       overtaken one another it is refused: the last one that it has would not be the last there was.

import { UserError } from "../base/errors.ts";
import type { Changelog, SinkTakes } from "../operators/changelog.ts";
import { type ExprSpec, exprFields } from "../operators/expressions/expr-spec.ts";
import type { WindowSpec } from "../operators/windows/time/window-spec.ts";
import { edgesInto, keyFields, optionsOf, type Plan, type PlanEdge, type PlanOperator } from "./plan.ts";

/** Why rows of one key may have overtaken one another; without it they have not. */
type Disorder = { readonly disorder?: string };

/** `key` null: rows are updates of others, by a key that is not known; `lost` says why. */
type Upsert = Disorder & {
  readonly kind: "upsert";
  readonly key: readonly string[] | null;
  readonly deletes: boolean;
  readonly lost?: string;
};

type Retract = Disorder & { readonly kind: "retract" };

export type EdgeChangelog = Extract<Changelog, { kind: "append" }> | Retract | Upsert;

export type Changelogs = ReadonlyMap<PlanEdge, EdgeChangelog>;

type Planned = Pick<Plan, "mode" | "operators" | "edges">;

const APPEND: EdgeChangelog = { kind: "append" };

/** Operators are in topological order. */
export function changelogsOf(plan: Planned): Changelogs {
  const byUid = new Map(plan.operators.map((operator) => [operator.uid, operator]));
  const changelogs = new Map<PlanEdge, EdgeChangelog>();
  for (const operator of plan.operators) {
    const inputs = edgesInto(plan, operator.uid).map((edge) => changelogs.get(edge) ?? APPEND);
    const given = outputChangelog(plan, operator, united(inputs));
    for (const edge of plan.edges) {
      if (edge.from !== operator.uid) continue;
      changelogs.set(edge, edge.output === "" ? travelled(given, edge, [operator, byUid.get(edge.to)]) : APPEND);
    }
  }
  return changelogs;
}

/** What an operator gives, of what it gets. */
function outputChangelog(plan: Planned, operator: PlanOperator, input: EdgeChangelog): EdgeChangelog {
  const { kind, name, key } = operator;
  const fields = key === null ? null : keyFields(key);
  switch (kind) {
    case "source":
      return optionsOf<{ changelog?: Changelog }>(operator).changelog ?? APPEND;
    case "aggregate":
      return plan.mode === "batch" ? APPEND : upsert(fields ?? ["key"]);
    case "window":
      return windowChangelog(plan, operator, fields ?? ["key"]);
    case "reduce":
      return fields === null ? lost(upsert([]), `the key of reduce "${name}" is a function`) : upsert(fields);
    case "map":
    case "flatMap":
    case "parse":
      return lost(input, `${kind} "${name}" makes other records of them`);
    case "eventTime":
      return operator.onError === "fail" ? input : lost(input, `eventTime "${name}" leaves out what has no time`);
    case "filter": // What its function fails on, and is to be skipped, does not pass.
      return input.kind === "upsert" && filterDeletes(plan, operator, input) ? { ...input, deletes: true } : input;
    default:
      return APPEND;
  }
}

/** Windows that take late records give their rows again; those of sessions that grow are others, and replace them. */
function windowChangelog({ mode }: Planned, operator: PlanOperator, key: readonly string[]): EdgeChangelog {
  const { window, allowedLatenessMs } = optionsOf<{ window: WindowSpec; allowedLatenessMs: number }>(operator);
  if (allowedLatenessMs === 0 || mode === "batch") return APPEND;
  return { ...upsert([...key, "start", "end"]), deletes: window.kind === "session" };
}

function upsert(key: readonly string[]): Upsert {
  return { kind: "upsert", key, deletes: false };
}

function lost<C extends EdgeChangelog>(changelog: C, why: string): C {
  return changelog.kind !== "upsert" || changelog.key === null ? changelog : { ...changelog, key: null, lost: why };
}

/** Several streams as one. */
function united(inputs: readonly EdgeChangelog[]): EdgeChangelog {
  const [first = APPEND] = inputs;
  if (inputs.length <= 1 || inputs.every(({ kind }) => kind === "append")) return first;
  const disorder = inputs.map((input) => disorderOf(input)).find((why) => why !== undefined);
  const upserts = inputs.filter((input) => input.kind === "upsert");
  if (upserts.length === 0) return { kind: "retract", ...(disorder !== undefined && { disorder }) };
  const deletes = upserts.some((input) => input.deletes);
  const lost = "rows of several streams may have one key";
  return { kind: "upsert", key: null, deletes, lost, ...(disorder !== undefined && { disorder }) };
}

function disorderOf(changelog: EdgeChangelog): string | undefined {
  return changelog.kind === "append" ? undefined : changelog.disorder;
}

/** What arrives at the other end of an edge. */
function travelled(
  given: EdgeChangelog,
  { partitioner }: PlanEdge,
  [from, to]: readonly [PlanOperator, PlanOperator | undefined],
): EdgeChangelog {
  const spreads =
    partitioner.kind === "forward"
      ? from.parallelism !== to?.parallelism
      : ["rebalance", "rescale", "custom"].includes(partitioner.kind);
  if (!spreads || to?.parallelism === 1 || given.kind === "append") return given;
  const why = `rows of one key may overtake one another on the way from "${from.name}" to "${to?.name}"`;
  // A function of the user may well send the rows of a key one way: that it does nobody knows.
  const after = lost(given, why);
  return partitioner.kind === "custom" ? after : { disorder: why, ...after };
}

/** Whether a filter turns updates that do not pass into deletes (H3). */
export function filterDeletes(plan: Planned, filter: PlanOperator, input: EdgeChangelog): boolean {
  if (input.kind !== "upsert") return false;
  const { expression } = optionsOf<{ expression?: ExprSpec }>(filter);
  const { key } = input;
  if (key !== null && expression !== undefined && exprFields(expression).every((field) => key.includes(field)))
    return false; // All rows of a key pass, or none.
  return asksForDeletes(plan, filter.uid);
}

const CARRY_ON: ReadonlySet<string> = new Set(["map", "filter", "flatMap", "parse", "eventTime"]);

/** Whether a sink that takes deletes, and may keep rows by their key, gets what this operator gives. */
export function asksForDeletes(plan: Planned, uid: string): boolean {
  return plan.edges.some((edge) => {
    if (edge.from !== uid || edge.output !== "") return false;
    const to = plan.operators.find((operator) => operator.uid === edge.to);
    if (to?.kind === "sink") return takesOf(to) !== "rows";
    return to !== undefined && CARRY_ON.has(to.kind) && asksForDeletes(plan, to.uid);
  });
}

/** What an operator gets by one of its inputs. */
export function inputChangelog(
  plan: Planned,
  changelogs: Changelogs,
  { uid, input = 0 }: { readonly uid: string; readonly input?: 0 | 1 },
): EdgeChangelog {
  const edges = edgesInto(plan, uid).filter((edge) => edge.input === input);
  return united(edges.map((edge) => changelogs.get(edge) ?? APPEND));
}

/** Refuses what cannot be taken (H4). */
export function checkChangelogs(plan: Planned & Pick<Plan, "locations">): void {
  const changelogs = changelogsOf(plan);
  for (const operator of plan.operators) {
    const { uid } = operator;
    const kinds = new Set(edgesInto(plan, uid).map((edge) => changelogs.get(edge)?.kind));
    if (kinds.has("upsert") && kinds.has("retract")) throw refusal(plan, operator, MIXED);
    for (const input of [0, 1] as const) {
      const why = refused(operator, inputChangelog(plan, changelogs, { uid, input }));
      if (why !== null) throw refusal(plan, operator, why);
    }
  }
}

type Refusal = { readonly takes: string; readonly gets: string; readonly fix: string };

const MIXED: Refusal = {
  takes: "cannot tell updates by a key from those that take back a row before",
  gets: "one of its streams has the former, another the latter",
  fix: "take the streams apart: give each an operator, or a sink, of its own",
};
const FINAL = "aggregate in a window without allowLate before it, so that each row is given once and stays";
const OWN_FILTER =
  "take it from where there are only updates: a filter gives deletes if any sink behind it takes them, so give each its own filter, and session windows give none without allowLate";
const IN_ORDER =
  "give both the same parallelism and leave out what redistributes the rows between them; or send them all to one subtask (global, or parallelism 1 of what follows); or send those of a key one way, by partitionBy; or, if their order does not matter, use a sink that takes updates as rows, without op: true";
const OP = 'csv, jsonl and print do with the option op: true, which adds the kind of each row as the field "op"';

function refused(operator: PlanOperator, changelog: EdgeChangelog): Refusal | null {
  if (changelog.kind === "append" || CARRY_ON.has(operator.kind)) return null;
  const updates = changelogText(changelog);
  if (["aggregate", "reduce", "window"].includes(operator.kind)) {
    return {
      takes: "would count each update as a record of its own",
      gets: `its input is ${updates}`,
      fix: `${FINAL}; if each update is meant to count, pass them on by a process function, whose records stand for themselves`,
    };
  }
  const isPlain = changelog.kind === "upsert" && !changelog.deletes;
  if (operator.kind !== "sink") {
    if (isPlain) return null;
    return {
      takes: "takes no deletes",
      gets: `its input is ${updates}`,
      fix: OWN_FILTER,
    };
  }
  const takes = takesOf(operator);
  if (takes === "changes") return disordered(changelog);
  if (takes === "rows" && isPlain) return null;
  if (takes === "rows") {
    return {
      takes: "takes no deletes",
      gets: `its input is ${updates}`,
      fix: `use a sink that does: ${OP}; or ${OWN_FILTER}`,
    };
  }
  if (changelog.kind === "upsert" && changelog.key !== null) return null;
  const why = changelog.kind === "upsert" ? `: ${changelog.lost}` : "";
  return {
    takes: "keeps one row per key",
    gets: `the key of its input is not known${why}`,
    fix: `connect it to what has the key, without another operator or redistribution in between, or use a sink that takes every change: ${OP}`,
  };
}

/** H5 */
function disordered(changelog: EdgeChangelog): Refusal | null {
  const disorder = disorderOf(changelog);
  return disorder === undefined ? null : { takes: "takes changes in their order", gets: disorder, fix: IN_ORDER };
}

function refusal({ locations }: Pick<Plan, "locations">, { uid, kind, name }: PlanOperator, why: Refusal): UserError {
  const location = locations[uid];
  return new UserError("CHANGELOG_NOT_TAKEN", `${kind} "${name}" ${why.takes}, and ${why.gets}`, {
    fix: why.fix,
    operator: uid,
    ...(location && { location }),
  });
}

/** In words, for people. */
export function changelogText(changelog: EdgeChangelog): string {
  if (changelog.kind === "append") return "inserts alone";
  const order = changelog.disorder === undefined ? "" : ", in any order";
  if (changelog.kind === "retract") return `changes that take back the row before (retract)${order}`;
  const { key, deletes } = changelog;
  const by = key === null ? "a key that is not known" : key.join(", ");
  return `updates${deletes ? " and deletes" : ""} by ${by} (upsert)${order}`;
}

function takesOf(sink: PlanOperator): SinkTakes {
  return optionsOf<{ takes?: SinkTakes }>(sink).takes ?? "rows";
}
