import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { jobGraphOf, planParse } from "./job-graph.ts";
import { PLAN_VERSION, type Plan, type PlanEdge, type PlanOperator } from "./plan.ts";

function operator(uid: string, settings: Partial<PlanOperator> = {}): PlanOperator {
  return {
    uid,
    name: uid,
    kind: "map",
    options: null,
    output: null,
    sides: [],
    key: null,
    state: [],
    parallelism: 2,
    maxParallelism: 128,
    slotGroup: "default",
    chaining: "always",
    onError: "fail",
    ...settings,
  };
}

function edge(from: string, to: string, settings: Partial<PlanEdge> = {}): PlanEdge {
  return { from, output: "", to, input: 0, partitioner: { kind: "forward" }, fields: null, ...settings };
}

function plan(operators: readonly PlanOperator[], edges: readonly PlanEdge[]): Plan {
  return {
    version: PLAN_VERSION,
    name: "job",
    mode: "stream",
    params: {},
    operators,
    edges,
    hash: "",
    locations: {},
  };
}

const source = operator("in", { kind: "source" });

type Case = {
  readonly what: string;
  readonly from?: Partial<PlanOperator>;
  readonly to?: Partial<PlanOperator>;
  readonly edge?: Partial<PlanEdge>;
  readonly chaining?: boolean;
  /** Null: chained. */
  readonly obstacle: string | null;
};

const CASES: readonly Case[] = [
  { what: "nothing against it", obstacle: null },
  { what: "a side output", edge: { output: "late" }, obstacle: null },
  ...(["rebalance", "rescale", "broadcast", "global"] as const).map((kind) => ({
    what: kind,
    edge: { partitioner: { kind } },
    obstacle: `records are redistributed (${kind})`,
  })),
  {
    what: "a key",
    edge: { partitioner: { kind: "hash", key: { field: "k", type: null } } },
    obstacle: "records are redistributed (hash)",
  },
  { what: "parallelism", to: { parallelism: 3 }, obstacle: "parallelism differs (2 and 3)" },
  { what: "maximum parallelism", to: { maxParallelism: 64 }, obstacle: "maximum parallelism differs (128 and 64)" },
  { what: "slot group", to: { slotGroup: "b" }, obstacle: 'slot-sharing groups differ ("default" and "b")' },
  { what: "slot group before", from: { slotGroup: "b" }, obstacle: 'slot-sharing groups differ ("b" and "default")' },
  { what: "chaining is off", chaining: false, obstacle: "pipeline.operator-chaining.enabled is false" },
  { what: "startNewChain", to: { chaining: "head" }, obstacle: '"b" asked for a new chain' },
  { what: "startNewChain before", from: { chaining: "head" }, obstacle: null },
  { what: "disableChaining", to: { chaining: "never" }, obstacle: '"b" asked not to be chained' },
  { what: "disableChaining before", from: { chaining: "never" }, obstacle: '"a" asked not to be chained' },
];

describe("two operators are chained, or it is said why not", () => {
  for (const { what, from, to, edge: settings, chaining = true, obstacle } of CASES) {
    test(`${what}: ${obstacle ?? "chained"}`, () => {
      const operators = [operator("a", { kind: "source", ...from }), operator("b", to)];
      const graph = jobGraphOf(plan(operators, [edge("a", "b", settings)]), { chaining });
      assert.deepEqual(
        graph.edges.map((found) => found.obstacle),
        obstacle === null ? [] : [obstacle],
      );
      assert.deepEqual(
        graph.vertices.map((vertex) => vertex.operators.map(({ uid }) => uid)),
        obstacle === null ? [["a", "b"]] : [["a"], ["b"]],
      );
    });
  }

  test("an operator with two inputs is the head of a chain", () => {
    const operators = [source, operator("other", { kind: "source" }), operator("both"), operator("next")];
    const edges = [edge("in", "both"), edge("other", "both"), edge("both", "next")];
    const graph = jobGraphOf(plan(operators, edges), { chaining: true });
    assert.deepEqual(
      graph.vertices.map(({ name }) => name),
      ["in", "other", "both -> next"],
    );
    assert.deepEqual(
      graph.edges.map(({ obstacle, fromVertex, toVertex }) => [obstacle, fromVertex, toVertex]),
      [
        ['"both" has 2 inputs', 0, 2],
        ['"both" has 2 inputs', 1, 2],
      ],
    );
  });

  test("a chain is a tree, named by its head: what stands behind may change", () => {
    const short = jobGraphOf(plan([source, operator("a")], [edge("in", "a")]), { chaining: true });
    const tree = jobGraphOf(
      plan([source, operator("a"), operator("b"), operator("c")], [edge("in", "a"), edge("in", "b"), edge("b", "c")]),
      { chaining: true },
    );
    assert.deepEqual(
      tree.vertices.map(({ name, chained }) => [name, chained.length]),
      [["in -> a -> b -> c", 3]],
    );
    assert.equal(tree.vertices[0]?.id, short.vertices[0]?.id);
    assert.match(short.vertices[0]?.id ?? "", /^[0-9a-f]{32}$/);
  });
});

describe("a plan from anywhere", () => {
  const chain = plan([source, operator("a"), operator("b")], [edge("in", "a"), edge("a", "b")]);
  const broken: readonly [what: string, code: string, plan: Plan, message: RegExp][] = [
    ["of another version", "PLAN_VERSION", { ...chain, version: 2 as never }, /has version 2, .* reads version 1/],
    ["without a version", "PLAN_VERSION", { ...chain, version: undefined as never }, /has version undefined/],
    [
      "with a cycle",
      "PLAN_CYCLE",
      { ...chain, edges: [...chain.edges, edge("b", "a")] },
      /"b" feeds "a", which comes before it/,
    ],
    ["with an operator that feeds itself", "PLAN_CYCLE", { ...chain, edges: [edge("a", "a")] }, /"a" feeds "a"/],
    [
      "with one uid twice",
      "UID_DUPLICATE",
      { ...chain, operators: [...chain.operators, operator("a")] },
      /two operators with the uid "a"/,
    ],
    [
      "with an edge that leads nowhere",
      "PLAN_EDGE_UNKNOWN",
      { ...chain, edges: [edge("in", "gone")] },
      /from "in" to "gone"/,
    ],
  ];
  for (const [what, code, wrong, message] of broken) {
    test(`${what} is refused, as text and as an object: ${code}`, () => {
      assert.throws(() => jobGraphOf(wrong, { chaining: true }), { code, message, domain: "user" });
      assert.throws(() => planParse(JSON.stringify(wrong)), { code, message });
    });
  }

  test("a sound one is what it was", () => {
    assert.deepEqual(planParse(JSON.stringify(chain)), chain);
  });
});
