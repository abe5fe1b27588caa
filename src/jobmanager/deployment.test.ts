import assert from "node:assert/strict";
import { test } from "node:test";
import type { JobEdge, JobGraph, JobVertex } from "../graph/job-graph.ts";
import { checkSlots, deploymentOf } from "./deployment.ts";

const vertex = (parallelism: number, slotGroup = "default") => ({ parallelism, slotGroup }) as JobVertex;

test("too few slots are refused with what each group needs, and with the parallelism that would do", () => {
  const graph = { vertices: [vertex(3), vertex(2, "heavy")] } as unknown as JobGraph;
  assert.equal(checkSlots(graph, 5).slots, 5);
  assert.throws(() => checkSlots(graph, 4), {
    code: "SLOTS_MISSING",
    message: /needs 5 slots, .*\("default" 3, "heavy" 2\), and \S*numberOfTaskSlots says 4$/,
    fix: /numberOfTaskSlots to 5, or leave it out: .* --parallelism 2, and operators that say \.parallelism\(n\)/,
  });
  assert.throws(() => checkSlots(graph, 1), { fix: /--parallelism 1,/ });
});

test("more slots than there can be are refused with the parallelism that would do, and no advice to have as many", () => {
  const needing = (...parallelisms: number[]) =>
    ({ vertices: parallelisms.map((each, group) => vertex(each, `${group}`)) }) as unknown as JobGraph;
  assert.equal(checkSlots(needing(256), null).slots, 256);
  assert.throws(() => checkSlots(needing(500), null), {
    code: "SLOTS_MISSING",
    message: /needs 500 slots, .* and there are 256 at most$/,
    fix: /^run with --parallelism 256, and operators that say \.parallelism\(n\) with no more$/,
  });
  assert.throws(() => checkSlots(needing(200, 200), 256), { fix: /^run with --parallelism 128,/ });
});

test("tasks name their channels alike at both ends, with the sender's attempt and the other end's slot, in plain data", () => {
  const edges = [{ index: 0, fromVertex: 0, toVertex: 1, edge: { partitioner: { kind: "hash" } } }] as JobEdge[];
  const named = (name: string, parallelism: number) => ({ ...vertex(parallelism), name });
  const { tasks } = deploymentOf({ vertices: [named("in", 2), named("out", 1)], edges } as unknown as JobGraph, 3);
  assert.deepEqual(tasks, JSON.parse(JSON.stringify(tasks)));
  const channel = (from: number, peer: number) => ({ edge: 0, from, to: 0, attempt: 3, peer });
  assert.deepEqual(
    tasks.map((ofSlot) => ofSlot.map(({ id, name, inputs, outputs }) => [id, name, inputs, outputs])),
    [
      [
        ["0/0/3", "in (1/2)", [], [{ edge: 0, channels: [channel(0, 0)] }]],
        ["1/0/3", "out (1/1)", [{ edge: 0, channels: [channel(0, 0), channel(1, 1)] }], []],
      ],
      [["0/1/3", "in (2/2)", [], [{ edge: 0, channels: [channel(1, 0)] }]]],
    ],
  );
});
