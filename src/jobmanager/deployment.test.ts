import assert from "node:assert/strict";
import { test } from "node:test";
import type { JobGraph, JobVertex } from "../graph/job-graph.ts";
import { checkSlots } from "./deployment.ts";

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
