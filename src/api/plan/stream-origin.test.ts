import assert from "node:assert/strict";
import { test } from "node:test";
import { blackhole, generate, job, type Stream, t } from "../../index.ts";
import { testJob } from "../../testing/index.ts";
import { jobBuild } from "../job.ts";

type Row = { readonly n: number };
const Row = t.struct({ n: t.f64 });

/** The streams "a" and "b" through `join` into "out". */
const joined = (join: (a: Stream<Row>, b: Stream<Row>) => Stream<Row>) =>
  job({ name: "joined" }, (env) => {
    const source = (uid: string) =>
      env.from(
        uid,
        generate(3, (n) => ({ n }), { type: Row }),
      );
    join(source("a"), source("b"))
      .map((row) => row)
      .uid("m")
      .to("out", blackhole());
  });

async function partitioners(join: Parameters<typeof joined>[0]) {
  const { plan } = await jobBuild(joined(join), {}, { parallelism: 2, maxParallelism: null } as never);
  return plan.edges.filter(({ to }) => to === "m").map(({ from, partitioner }) => [from, partitioner]);
}

test("each stream of a union keeps its own partitioning", async () => {
  assert.deepEqual(await partitioners((a, b) => a.union(b.broadcast())), [
    ["a", { kind: "forward" }],
    ["b", { kind: "broadcast" }],
  ]);
  assert.deepEqual(await partitioners((a, b) => a.global().union(b)), [
    ["a", { kind: "global" }],
    ["b", { kind: "forward" }],
  ]);
});

test("partitioning after a union holds for all of it", async () => {
  assert.deepEqual(await partitioners((a, b) => a.union(b).rescale()), [
    ["a", { kind: "rescale" }],
    ["b", { kind: "rescale" }],
  ]);
});

test("functions of partitionBy are told apart, and each is kept once", async () => {
  const [first, last] = [() => 0, (_: Row, subtasks: number) => subtasks - 1];
  assert.deepEqual(await partitioners((a, b) => a.partitionBy(first).union(b.partitionBy(last))), [
    ["a", { kind: "custom", function: "partition" }],
    ["b", { kind: "custom", function: "partition2" }],
  ]);
  assert.deepEqual(await partitioners((a, b) => a.union(b).partitionBy(last)), [
    ["a", { kind: "custom", function: "partition" }],
    ["b", { kind: "custom", function: "partition" }],
  ]);
});

test("every record of a union goes where its own stream says", async () => {
  const seen = async (join: Parameters<typeof joined>[0]) => {
    await using run = await testJob(joined(join), { parallelism: 2 });
    run.source<Row>("a").push({ n: 1 }, { n: 2 });
    run.source<Row>("b").push({ n: 10 }, { n: 20 });
    const rows = await run.sink("out").rows<Row>();
    return rows.map(({ n }) => n).sort((left, right) => left - right);
  };
  assert.deepEqual(await seen((a, b) => a.union(b.broadcast())), [1, 2, 10, 10, 20, 20]);
  assert.deepEqual(await seen((a, b) => a.broadcast().union(b)), [1, 1, 2, 2, 10, 20]);
});
