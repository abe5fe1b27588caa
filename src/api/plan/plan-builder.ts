// Collects what a job's builder declares, and turns it into a plan plus the table of user functions.
//
// Owns: nodes in order of declaration, uids, validation of the graph. Knows nothing of types: all generics live in the
// stream classes. One builder per run of a job's builder function; it is dropped when the plan is made.

import { canonicalHash } from "../../base/canonical-json.ts";
import { type SourceLocation, UserError } from "../../base/errors.ts";
import { checkChangelogs } from "../../graph/changelog.ts";
import { PLAN_VERSION, type Plan, type PlanEdge, type PlanOperator } from "../../graph/plan.ts";
import { sourceEnds } from "../../graph/time-order.ts";
import type { Json } from "../../operators/source.ts";
import { defaultMaxParallelism } from "../../state/keys/key-groups.ts";
import { callSite } from "../checks/call-site.ts";
import { checkedParallelism } from "../checks/check-parallelism.ts";
import { derivedUids } from "./derived-uid.ts";
import { checkEffects } from "./option-effects.ts";
import type { KeyedStep, NodeDeclaration, OperatorFunctions, PlanNode } from "./plan-node.ts";
import { withCombiners } from "./pre-aggregation.ts";

/** What the configuration decides about a plan. */
export type PlanDefaults = {
  readonly parallelism: number;
  /** Null: derived from the parallelism as Flink does. */
  readonly maxParallelism: number | null;
  /** Whether aggregates are computed in parts before exchanges, where they can be. */
  readonly preAggregation: boolean;
};

export type JobDeclaration = {
  readonly name: string;
  readonly mode: "stream" | "batch";
  readonly params: Json;
  readonly unread: "fail" | "allow";
};

export type BuiltPlan = { readonly plan: Plan; readonly functions: ReadonlyMap<string, OperatorFunctions> };

const UID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** `example`: how a call with a uid looks. */
export function uidCheck(uid: unknown, what: string, example = `"${what.split(" ")[0]}-1"`): string {
  const location = callSite();
  if (uid === undefined || uid === null || uid === "") {
    throw new UserError("UID_MISSING", `${what} has no uid`, {
      fix: `give it a uid that stays the same when the job changes, for example ${example}`,
      ...(location && { location }),
    });
  }
  if (typeof uid !== "string" || !UID_PATTERN.test(uid)) {
    throw new UserError("UID_MALFORMED", `not a uid for ${what}: ${JSON.stringify(uid)}`, {
      fix: "use letters, digits, '.', '_' and '-', at most 128, starting with a letter or a digit",
      ...(location && { location }),
    });
  }
  return uid;
}

/** What has to follow a call on the way to an operator. */
const CALLED_ON: Record<KeyedStep["kind"], string> = {
  keyBy: "aggregate({ … })",
  window: "aggregate({ … })",
  inOrder: "process({ … })",
  connect: "process({ … })",
};

export class PlanBuilder {
  readonly #nodes: PlanNode[] = [];
  readonly #steps: KeyedStep[] = [];
  readonly #defaults: PlanDefaults;

  constructor(defaults: PlanDefaults) {
    this.#defaults = defaults;
  }

  add(declaration: NodeDeclaration): PlanNode {
    const node: PlanNode = {
      kind: declaration.kind,
      explicitUid: declaration.explicitUid ?? null,
      signature: declaration.signature ?? null,
      name: declaration.name ?? null,
      options: declaration.options ?? null,
      output: declaration.output ?? null,
      sides: declaration.sides ?? [],
      key: declaration.key ?? null,
      state: declaration.state ?? [],
      inputs: declaration.inputs ?? [],
      functions: declaration.functions ?? {},
      parallelism: declaration.parallelism == null ? null : checkedParallelism(declaration.parallelism),
      maxParallelism: declaration.maxParallelism ?? null,
      slotGroup: declaration.slotGroup ?? null,
      chaining: declaration.chaining ?? "always",
      onError: declaration.onError ?? "fail",
      location: callSite(),
    };
    this.#nodes.push(node);
    return node;
  }

  /** Who calls something on what the step gives marks it as read. */
  addStep(kind: KeyedStep["kind"], inputs: KeyedStep["inputs"]): KeyedStep {
    const step: KeyedStep = { kind, inputs, location: callSite(), isRead: false };
    this.#steps.push(step);
    return step;
  }

  /** Checks the graph and makes the plan. */
  build({ unread, ...job }: JobDeclaration): BuiltPlan {
    this.#checkGraph(job);
    if (unread === "fail") this.#checkRead();
    const uids = derivedUids(this.#nodes);
    const operators: PlanOperator[] = [];
    const edges: PlanEdge[] = [];
    const functions = new Map<string, OperatorFunctions>();
    const locations: Record<string, SourceLocation> = {};
    // Somebody reads the late records of a window, and those are whole.
    const needsWholeRecords = new Set(
      this.#nodes.flatMap((node) => node.inputs.filter((edge) => edge.output === "late").map((edge) => edge.from)),
    );
    for (const node of this.#nodes) {
      const uid = uids.get(node) ?? "";
      operators.push(this.#operator(node, uid));
      functions.set(uid, node.functions);
      if (node.location) locations[uid] = node.location;
      for (const { from, ...edge } of node.inputs) {
        const fields = needsWholeRecords.has(node) ? null : edge.fields;
        edges.push({ from: uids.get(from) ?? "", to: uid, ...edge, fields });
      }
    }
    const declared = { mode: job.mode, operators, edges, functions, locations };
    checkChangelogs(declared);
    const planned = this.#defaults.preAggregation ? withCombiners(declared) : declared;
    const content = { version: PLAN_VERSION, ...job, operators: planned.operators, edges: planned.edges } as const;
    const plan = { ...content, hash: canonicalHash(content), locations: planned.locations };
    return { plan, functions: planned.functions };
  }

  #operator(node: PlanNode, uid: string): PlanOperator {
    const first = node.inputs[0]?.from;
    const parallelism = this.#parallelism(node);
    const maxParallelism = node.maxParallelism ?? this.#defaults.maxParallelism ?? defaultMaxParallelism(parallelism);
    checkParallelism(node, uid, parallelism, maxParallelism);
    return {
      uid,
      name: node.name ?? node.explicitUid ?? node.kind,
      kind: node.kind,
      options: node.options,
      output: node.output,
      sides: [...node.sides].sort((a, b) => (a.name < b.name ? -1 : 1)),
      key: node.key,
      state: node.state,
      parallelism,
      maxParallelism,
      slotGroup: node.slotGroup ?? (first ? this.#slotGroup(first) : "default"),
      chaining: node.chaining,
      onError: node.onError,
    };
  }

  #parallelism(node: PlanNode): number {
    return node.parallelism ?? this.#defaults.parallelism;
  }

  #slotGroup(node: PlanNode): string {
    for (let at: PlanNode | undefined = node; at; at = at.inputs[0]?.from)
      if (at.slotGroup !== null) return at.slotGroup;
    return "default";
  }

  /** Every operator leads to a sink if all but sinks are read by somebody. */
  #checkRead(): void {
    const readers = [...this.#nodes, ...this.#steps];
    const read = new Set(readers.flatMap(({ inputs }) => inputs.map(({ from }) => from)));
    const [first, ...others] = [
      ...this.#nodes.filter((node) => node.kind !== "sink" && !read.has(node)),
      ...this.#steps.filter(({ isRead }) => !isRead),
    ];
    if (first === undefined) return;
    const more = others.length === 0 ? "" : `, nor what ${others.map(declared).join(", ")} gives`;
    throw new UserError("STREAM_UNREAD", `nobody reads what ${declared(first)} gives${more}`, {
      fix:
        `${"isRead" in first ? `call .${CALLED_ON[first.kind]} on it, and ` : ""}end the stream in a sink, ` +
        'for example .to("out", print()), or leave it out; ' +
        'job({ name, unread: "allow" }, …) runs it all the same',
      ...(first.location && { location: first.location }),
    });
  }

  #checkGraph({ name: jobName, mode }: { readonly name: string; readonly mode: "stream" | "batch" }): void {
    if (this.#nodes.length === 0) {
      throw new UserError("JOB_EMPTY", `job "${jobName}" declares nothing`, {
        fix: "start with env.from(uid, source) and end with .to(uid, sink)",
      });
    }
    if (!this.#nodes.some((node) => node.kind === "sink")) {
      const location = this.#nodes.at(-1)?.location;
      throw new UserError("JOB_WITHOUT_SINK", `job "${jobName}" has no sink, so it would do nothing`, {
        fix: 'end at least one stream with .to("uid", sink), for example .to("out", print())',
        ...(location && { location }),
      });
    }
    const endless = this.#nodes.find((node) => node.kind === "source" && !sourceEnds(node));
    if (mode === "batch" && endless !== undefined) throw batchEndless(jobName, endless);
    checkEffects(this.#nodes, mode);
  }
}

/** Batch mode waits for the end of the input. */
function batchEndless(jobName: string, { explicitUid, location }: PlanNode): UserError {
  return new UserError(
    "BATCH_ENDLESS",
    `job "${jobName}" has mode: "batch", and its source "${explicitUid}" never ends: there would never be a result`,
    {
      fix: 'give the source an end (generated records: a count), or leave out mode: "batch"',
      ...(explicitUid !== null && { operator: explicitUid }),
      ...(location && { location }),
    },
  );
}

/** An operator, or a call on the way to one, as its declaration reads. */
function declared(of: PlanNode | KeyedStep): string {
  if ("isRead" in of) return `${of.kind}(…)`;
  const called = of.explicitUid ?? of.name;
  return called === null ? `${/^[aeiou]/.test(of.kind) ? "an" : "a"} ${of.kind}` : `the ${of.kind} "${called}"`;
}

function checkParallelism(node: PlanNode, uid: string, parallelism: number, maxParallelism: number): void {
  const detail = { operator: uid, ...(node.location && { location: node.location }) };
  if (parallelism > maxParallelism) {
    throw new UserError(
      "PARALLELISM_ABOVE_MAXIMUM",
      `parallelism of "${uid}" is ${parallelism}, its maximum parallelism only ${maxParallelism}`,
      {
        fix: "lower .parallelism(n), or raise .maxParallelism(n) (which is fixed for the life of the state)",
        ...detail,
      },
    );
  }
}
