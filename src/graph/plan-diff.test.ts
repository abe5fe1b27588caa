import assert from "node:assert/strict";
import { test } from "node:test";
import type { Plan, PlanEdge, PlanOperator } from "./plan.ts";
import { firstDifference, planDiff } from "./plan-diff.ts";

const operator = (uid: string, change: Partial<PlanOperator> = {}): PlanOperator => ({
  uid,
  name: uid,
  kind: "map",
  options: { window: { sizeMs: 1 }, fields: ["a"] },
  output: null,
  sides: [],
  key: null,
  state: [],
  parallelism: 1,
  maxParallelism: 128,
  slotGroup: "default",
  chaining: "always",
  onError: "fail",
  ...change,
});
const edge = (from: string, to: string): PlanEdge => ({
  from,
  output: "",
  to,
  input: 0,
  partitioner: { kind: "forward" },
  fields: null,
});
const plan = (operators: PlanOperator[], edges: PlanEdge[] = []): Plan => ({
  version: 1,
  name: "job",
  mode: "stream",
  params: { n: "1" },
  operators,
  edges,
  hash: "",
  locations: {},
});

test("equal plans have no difference", () => {
  const [left, right] = [plan([operator("a")]), plan([operator("a")])];
  assert.equal(planDiff(left, right), "no difference in the plans' content");
  assert.equal(firstDifference(left, right), null);
});

test("a difference is told where it is, however deep", () => {
  const changed = operator("b", { options: { window: { sizeMs: 2 }, fields: ["a", "c"] }, parallelism: 3 });
  assert.equal(
    planDiff(plan([operator("a"), operator("b")]), plan([operator("a"), changed])),
    `~ operator "b", options.window.sizeMs: 1 became 2
~ operator "b", options.fields.1: null became "c"
~ operator "b", parallelism: 1 became 3`,
  );
});

test("a difference of the job itself is told of: its name, its mode, its parameters", () => {
  const left = plan([operator("a")]);
  const right: Plan = { ...left, name: "other", mode: "batch", params: { n: "2" } };
  assert.equal(
    planDiff(left, right),
    '~ job name: "job" became "other"\n~ job mode: "stream" became "batch"\n~ job params.n: "1" became "2"',
  );
});

test("operators and edges that came or went are told of", () => {
  assert.equal(
    planDiff(
      plan([operator("a"), operator("b")], [edge("a", "b")]),
      plan([operator("a"), operator("c")], [edge("a", "c")]),
    ),
    `- operator "b" (map) is missing
+ operator "c" (map) is new
- edge a -> b, input 0 is missing
+ edge a -> c, input 0 is new`,
  );
});

test("the first operator that differs is named", () => {
  const before = plan([operator("a"), operator("b"), operator("c")]);
  assert.equal(firstDifference(before, plan([operator("a"), operator("x"), operator("c")])), "b");
  assert.equal(firstDifference(before, { ...before, name: "other" }), null);
});

test("a long list of differences ends with how many more there are", () => {
  const many = (name: string) => plan(Array.from({ length: 30 }, (_, index) => operator(`${name}${index}`)));
  const lines = planDiff(many("a"), many("b")).split("\n");
  assert.equal(lines.length, 21);
  assert.equal(lines.at(-1), "… and 40 more");
});
