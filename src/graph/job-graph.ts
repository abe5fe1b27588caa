// From the plan to what is deployed: operators fused into chains, edges between chains as exchanges.
//
// Pure: plan and settings in, graph out. A chain is a tree of operators that one task runs in one generated loop.
//
//   J1. Two operators are chained exactly when `chainObstacle` finds nothing against it; the reason is kept for
//       `explain`.
//   J2. Vertices are in topological order; ids are 32 hex digits, a hash of the head's uid, so that they survive
//       restarts.

import { canonicalHash } from "../base/canonical-json.ts";
import { assert, UserError } from "../base/errors.ts";
import { type Changelogs, changelogsOf } from "./changelog.ts";
import { PLAN_VERSION, type Plan, type PlanEdge, type PlanOperator } from "./plan.ts";

export type JobVertex = {
  readonly id: string;
  /** Names of the chain's operators, joined for people. */
  readonly name: string;
  /** Head first, then in the order of the plan. */
  readonly operators: readonly PlanOperator[];
  /** Edges inside the chain. */
  readonly chained: readonly PlanEdge[];
  readonly parallelism: number;
  readonly maxParallelism: number;
  readonly slotGroup: string;
};

export type JobEdge = {
  readonly index: number;
  readonly edge: PlanEdge;
  readonly fromVertex: number;
  readonly toVertex: number;
  /** Why it is an exchange and not a call inside a chain. */
  readonly obstacle: string;
};

export type JobGraph = {
  readonly plan: Plan;
  readonly vertices: readonly JobVertex[];
  readonly edges: readonly JobEdge[];
  /** Kinds of the rows on each edge of the plan. */
  readonly changelogs: Changelogs;
};

export type ChainSettings = { readonly chaining: boolean };

/** Throws what `planValidate` finds. */
export function jobGraphOf(plan: Plan, settings: ChainSettings): JobGraph {
  planValidate(plan);
  const incoming = new Map<string, PlanEdge[]>();
  for (const edge of plan.edges) incoming.set(edge.to, [...(incoming.get(edge.to) ?? []), edge]);
  const obstacles = obstaclesOf(plan, incoming, settings);
  const heads = new Map<string, string>();
  for (const operator of plan.operators) {
    const [first] = incoming.get(operator.uid) ?? [];
    const chained = first !== undefined && obstacles.get(first) === null;
    heads.set(operator.uid, chained ? (heads.get(first.from) ?? "") : operator.uid);
  }
  const vertices = vertexList(plan, heads, obstacles);
  const vertexOf = new Map<string, number>();
  vertices.forEach((vertex, index) => {
    for (const operator of vertex.operators) vertexOf.set(operator.uid, index);
  });
  const edges: JobEdge[] = [];
  for (const edge of plan.edges) {
    const obstacle = obstacles.get(edge);
    if (obstacle === null || obstacle === undefined) continue;
    edges.push({
      index: edges.length,
      edge,
      fromVertex: vertexOf.get(edge.from) ?? -1,
      toVertex: vertexOf.get(edge.to) ?? -1,
      obstacle,
    });
  }
  return { plan, vertices, edges, changelogs: changelogsOf(plan) };
}

/** Why the operators of each edge are not chained; null where they are. */
function obstaclesOf(
  plan: Plan,
  incoming: ReadonlyMap<string, readonly PlanEdge[]>,
  settings: ChainSettings,
): ReadonlyMap<PlanEdge, string | null> {
  const byUid = new Map(plan.operators.map((operator) => [operator.uid, operator]));
  const obstacles = new Map<PlanEdge, string | null>();
  for (const edge of plan.edges) {
    const from = byUid.get(edge.from);
    const to = byUid.get(edge.to);
    assert(from !== undefined && to !== undefined, `edge ${edge.from} -> ${edge.to} has no operator`);
    obstacles.set(edge, chainObstacle({ edge, from, to, inputs: incoming.get(edge.to)?.length ?? 0, settings }));
  }
  return obstacles;
}

function vertexList(
  plan: Plan,
  heads: ReadonlyMap<string, string>,
  obstacles: ReadonlyMap<PlanEdge, string | null>,
): JobVertex[] {
  const members = new Map<string, PlanOperator[]>();
  for (const operator of plan.operators) {
    const head = heads.get(operator.uid) ?? operator.uid;
    members.set(head, [...(members.get(head) ?? []), operator]);
  }
  return [...members].map(([head, operators]) => {
    const [first] = operators;
    assert(first !== undefined, `chain of ${head} is empty`);
    const uids = new Set(operators.map((operator) => operator.uid));
    return {
      id: canonicalHash({ vertex: head }).slice(0, 32),
      name: operators.map((operator) => operator.name).join(" -> "),
      operators,
      chained: plan.edges.filter((edge) => uids.has(edge.from) && uids.has(edge.to) && obstacles.get(edge) === null),
      parallelism: first.parallelism,
      maxParallelism: first.maxParallelism,
      slotGroup: first.slotGroup,
    };
  });
}

type Candidate = {
  readonly edge: PlanEdge;
  readonly from: PlanOperator;
  readonly to: PlanOperator;
  readonly inputs: number;
  readonly settings: ChainSettings;
};

/** Why `to` cannot run in the loop of `from`, in words for `explain`; null: it can. */
function chainObstacle({ edge, from, to, inputs, settings }: Candidate): string | null {
  if (to.kind === "preAggregate") return null; // Part of the exchange behind it: of no use in a task of its own.
  if (edge.partitioner.kind !== "forward") return `records are redistributed (${edge.partitioner.kind})`;
  if (inputs > 1) return `"${to.name}" has ${inputs} inputs`;
  if (from.parallelism !== to.parallelism) return `parallelism differs (${from.parallelism} and ${to.parallelism})`;
  if (from.maxParallelism !== to.maxParallelism)
    return `maximum parallelism differs (${from.maxParallelism} and ${to.maxParallelism})`;
  if (from.slotGroup !== to.slotGroup) return `slot-sharing groups differ ("${from.slotGroup}" and "${to.slotGroup}")`;
  if (!settings.chaining) return "pipeline.operator-chaining.enabled is false";
  if (to.chaining === "head") return `"${to.name}" asked for a new chain`;
  if (to.chaining === "never") return `"${to.name}" asked not to be chained`;
  if (from.chaining === "never") return `"${from.name}" asked not to be chained`;
  return null;
}

/** The plan in a text that another process wrote. */
export function planParse(text: string): Plan {
  const plan = JSON.parse(text) as Plan;
  planValidate(plan);
  return plan;
}

/** Checks what every plan must fulfil, wherever it comes from: known version, known operators, order, no cycle. */
function planValidate(plan: Plan): void {
  if (plan.version !== PLAN_VERSION) {
    const versions = `version ${String(plan.version)}, this Millrace reads version ${PLAN_VERSION}`;
    throw new UserError("PLAN_VERSION", `the plan has ${versions}`, {
      fix: "build the plan with the same version of Millrace that runs it",
    });
  }
  const position = new Map<string, number>();
  for (const { uid } of plan.operators) {
    if (position.has(uid)) {
      throw new UserError("UID_DUPLICATE", `the plan has two operators with the uid "${uid}"`, {
        fix: "give each operator a uid of its own",
        operator: uid,
      });
    }
    position.set(uid, position.size);
  }
  for (const edge of plan.edges) {
    const from = position.get(edge.from);
    const to = position.get(edge.to);
    if (from === undefined || to === undefined) {
      throw new UserError(
        "PLAN_EDGE_UNKNOWN",
        `an edge leads from "${edge.from}" to "${edge.to}", and the plan does not have both`,
        { fix: "build the plan again: this one was changed by hand or cut off" },
      );
    }
    if (from >= to) {
      throw new UserError(
        "PLAN_CYCLE",
        `"${edge.from}" feeds "${edge.to}", which comes before it: the plan has a cycle`,
        {
          fix: "streams flow one way; write results to a system outside and read them back as a source",
          operator: edge.to,
        },
      );
    }
  }
}
