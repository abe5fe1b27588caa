import assert from "node:assert/strict";
import { test } from "node:test";
import type { JobGraph } from "../../graph/job-graph.ts";
import { pipelinedRegions } from "./regions.ts";

function regions(vertices: number, edges: readonly (readonly [from: number, to: number])[]): readonly number[][] {
  const graph = {
    vertices: Array.from({ length: vertices }, () => ({})),
    edges: edges.map(([fromVertex, toVertex]) => ({ fromVertex, toVertex })),
  } as unknown as JobGraph;
  return pipelinedRegions(graph);
}

test("G1: vertices that exchanges link in whatever direction are one region, others are apart", () => {
  assert.deepEqual(regions(1, []), [[0]]);
  assert.deepEqual(
    regions(5, [
      [0, 1],
      [2, 3],
    ]),
    [[0, 1], [2, 3], [4]],
  );
  // Two sources that meet in one sink, beside another pipeline in between.
  assert.deepEqual(
    regions(6, [
      [0, 4],
      [1, 3],
      [2, 4],
      [3, 5],
    ]),
    [
      [0, 2, 4],
      [1, 3, 5],
    ],
  );
});
