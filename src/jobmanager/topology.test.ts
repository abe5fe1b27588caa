import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JobEdge, JobGraph, JobVertex } from "../graph/job-graph.ts";
import type { PartitionerSpec } from "../graph/plan.ts";
import { channelOrigins, channelTargets, isPointwise, slotAssignment } from "./topology.ts";

const vertex = (parallelism: number, slotGroup = "default") => ({ parallelism, slotGroup }) as JobVertex;
const edge = (kind: "forward" | "rescale" | "rebalance" | "broadcast") =>
  ({ edge: { partitioner: { kind } as PartitionerSpec } }) as JobEdge;
const sizes = fc.record({ from: fc.integer({ min: 1, max: 40 }), to: fc.integer({ min: 1, max: 40 }) });
const kinds = fc.constantFrom("forward", "rescale", "rebalance", "broadcast");

test("T2: both ends of an edge agree on who is connected, in ascending order", () => {
  fc.assert(
    fc.property(sizes, kinds, ({ from, to }, kind) => {
      const ends = [edge(kind), vertex(from), vertex(to)] as const;
      const bySender = new Set<string>();
      for (let origin = 0; origin < from; origin += 1) {
        const targets = channelTargets(...ends, origin);
        assert.deepEqual(
          targets,
          [...new Set(targets)].sort((a, b) => a - b),
        );
        for (const target of targets) bySender.add(`${origin}-${target}`);
      }
      const byReceiver = new Set<string>();
      for (let target = 0; target < to; target += 1) {
        const origins = channelOrigins(...ends, target);
        assert.deepEqual(
          origins,
          [...new Set(origins)].sort((a, b) => a - b),
        );
        for (const origin of origins) byReceiver.add(`${origin}-${target}`);
      }
      assert.deepEqual([...byReceiver].sort(), [...bySender].sort());
    }),
  );
});

test("a pointwise edge reaches every subtask, each through its fair share, and everything else is all-to-all", () => {
  fc.assert(
    fc.property(sizes, kinds, ({ from, to }, kind) => {
      const ends = [edge(kind), vertex(from), vertex(to)] as const;
      const targets = Array.from({ length: from }, (_, origin) => channelTargets(...ends, origin));
      assert.equal(new Set(targets.flat()).size, to, "every receiver is reached");
      for (const reached of targets) {
        assert.ok(reached.length > 0, "every sender has a receiver");
        if (!isPointwise(...ends)) assert.equal(reached.length, to);
        else if (from >= to) assert.equal(reached.length, 1);
        else assert.ok(reached.length >= Math.floor(to / from) && reached.length <= Math.ceil(to / from));
      }
      if (isPointwise(...ends) && from === to)
        assert.deepEqual(
          targets,
          targets.map((_, index) => [index]),
        );
    }),
  );
});

test("T1: subtasks of one slot-sharing group share slots by their index; groups have slots of their own", () => {
  const graph = { vertices: [vertex(2), vertex(3, "heavy"), vertex(4), vertex(1, "heavy")] } as unknown as JobGraph;
  const { groups, slots, slotOf } = slotAssignment(graph);
  assert.equal(slots, 7);
  assert.deepEqual(groups, [
    { name: "default", first: 0, slots: 4 },
    { name: "heavy", first: 4, slots: 3 },
  ]);
  assert.deepEqual([slotOf(0, 1), slotOf(2, 1), slotOf(1, 1), slotOf(3, 0)], [1, 1, 5, 4]);
});
