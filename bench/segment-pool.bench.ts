// CPU time of the segment pool's calls, for docs/internals/memory.md.
//
// node --conditions=millrace-source bench/segment-pool.bench.ts

import { once } from "node:events";
import { isMainThread, parentPort, threadId, Worker, workerData } from "node:worker_threads";
import type { OwnerId } from "../src/memory/pool-report.ts";
import { SegmentPool } from "../src/memory/segment-pool.ts";

const RUNS = 7;

function ownerOf(pool: SegmentPool): OwnerId {
  return pool.registerOwner({ job: "bench", task: "bench", purpose: "bench" });
}

/** Median CPU nanoseconds of one of `count` steps, after two runs to warm up. */
function measure(count: number, step: () => void): number {
  const runs: number[] = [];
  for (let run = -2; run < RUNS; run += 1) {
    const start = process.threadCpuUsage();
    for (let index = 0; index < count; index += 1) step();
    const used = process.threadCpuUsage(start);
    if (run >= 0) runs.push(((used.user + used.system) * 1000) / count);
  }
  return runs.sort((left, right) => left - right)[RUNS >> 1]!;
}

function one(pool: SegmentPool, owner: OwnerId): () => void {
  return () => {
    const segment = pool.tryAllocateOne(owner);
    if (segment >= 0) pool.release(owner, segment, pool.generation(segment));
  };
}

function many(pool: SegmentPool, owner: OwnerId, count: number): () => void {
  return () => {
    const segments = pool.allocate(owner, count);
    for (let index = 0; index < count; index += 1) {
      pool.release(owner, segments[index]!, pool.generation(segments[index]!));
    }
  };
}

async function main(): Promise<void> {
  const pool = SegmentPool.create({ name: "bench", configKey: "none", segments: 8192, segmentSize: 32_768 });
  const owner = ownerOf(pool);
  const print = (what: string, ns: number) => console.log(`${what.padEnd(50)} ${ns.toFixed(1).padStart(7)} ns`);
  print("tryAllocateOne, generation, release", measure(1_000_000, one(pool, owner)));
  for (const count of [8, 256]) {
    print(`allocate ${count}, release, per segment`, measure(1_000_000 / count, many(pool, owner, count)) / count);
  }
  const workers = [1, 2].map(() => new Worker(new URL(import.meta.url), { workerData: pool.handle }));
  for (const [ns] of await Promise.all(workers.map((worker) => once(worker, "message")))) {
    print("one, by two threads at a time", ns as number);
  }
}

if (isMainThread) {
  await main();
} else {
  const pool = SegmentPool.attach(workerData, threadId);
  parentPort!.postMessage(measure(1_000_000, one(pool, ownerOf(pool))));
}
