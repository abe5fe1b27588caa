// Real threads on one pool: this file is both the test and the worker.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isMainThread, parentPort, threadId, Worker, workerData } from "node:worker_threads";
import type { EngineError } from "../base/errors.ts";
import type { OwnerId } from "./pool-report.ts";
import type { SegmentPoolHandle } from "./segment-pool.ts";
import { SegmentPool } from "./segment-pool.ts";

const SEGMENTS = 64;
const SEGMENT_SIZE = 4096;

type Order = { handle: SegmentPoolHandle; group: number; rounds: number };

function poolCreate(): SegmentPool {
  return SegmentPool.create({
    name: "m",
    configKey: "k",
    segments: SEGMENTS,
    segmentSize: SEGMENT_SIZE,
    groupLimits: [40, 40],
  });
}

/** Takes and gives back, by every way there is; each segment it holds bears its mark from first to last. */
function work({ handle, group, rounds }: Order): void {
  const pool = SegmentPool.attach(handle, threadId);
  const owner = pool.registerOwner({ job: "job", task: `thread ${threadId}`, purpose: "test" }, group);
  parentPort?.postMessage("started");
  for (let round = 0; round < rounds; round += 1) {
    const segments = obtain(pool, owner, 1 + ((round * 7) % 30));
    hold(pool, segments);
    for (const segment of segments) pool.release(owner, segment, pool.generation(segment));
  }
  assert.equal(pool.closeOwner(owner), 0);
}

function obtain(pool: SegmentPool, owner: OwnerId, count: number): Int32Array {
  if (count === 1) return Int32Array.of(pool.tryAllocateOne(owner)).filter((segment) => segment >= 0);
  try {
    return pool.allocate(owner, count);
  } catch (error) {
    assert.equal((error as EngineError).code, "MEMORY_EXHAUSTED");
    return new Int32Array(0);
  }
}

function hold(pool: SegmentPool, segments: Int32Array): void {
  const { i32 } = pool.view;
  for (const segment of segments) i32[pool.offset(segment) / 4] = threadId;
  for (const segment of segments) i32[pool.offset(segment) / 4 + 1] = threadId;
  for (const segment of segments) {
    const marks = [i32[pool.offset(segment) / 4], i32[pool.offset(segment) / 4 + 1]];
    assert.deepEqual(marks, [threadId, threadId], `segment ${segment} has two holders`);
  }
}

function started(order: Order): { worker: Worker; thread: number; exit: Promise<unknown> } {
  const worker = new Worker(new URL(import.meta.url), { workerData: order });
  return { worker, thread: worker.threadId, exit: once(worker, "exit") };
}

async function stressWhole(): Promise<void> {
  const pool = poolCreate();
  const threads = [1, 2, 1].map((group) => started({ handle: pool.handle, group, rounds: 8_000 }));
  for (const { exit } of threads) assert.deepEqual(await exit, [0]);
  assert.deepEqual(pool.verify(), []);
  assert.deepEqual(pool.report(), []);
  assert.equal(pool.stats().free, SEGMENTS);
}

async function stressTerminated(): Promise<void> {
  const pool = poolCreate();
  let leaked = 0;
  const survivor = started({ handle: pool.handle, group: 1, rounds: Number.POSITIVE_INFINITY });
  // Until one was ended that held something: which one that is nobody can say.
  for (let round = 0; round < 15 || leaked === 0; round += 1) {
    const { worker, thread } = started({ handle: pool.handle, group: 2, rounds: Number.POSITIVE_INFINITY });
    await once(worker, "message");
    await delay((round * 5) % 7);
    await worker.terminate();
    assert.equal(pool.stats().repairs, 0, "no thread ends in a section, and none keeps the lock from others");
    for (const row of pool.threadEnded(thread)) {
      assert.equal(row.task, `thread ${thread}`);
      leaked += row.segments;
    }
    assert.deepEqual(pool.verify(), []);
  }
  await survivor.worker.terminate();
  pool.threadEnded(survivor.thread);
  assert.equal(pool.stats().free, SEGMENTS);
  assert.deepEqual(pool.report(), []);
}

if (isMainThread) {
  test("no segment has two holders, whatever threads do at a time", stressWhole);
  test("threads that are terminated at any moment freeze nobody, and what they held comes back", stressTerminated);
} else {
  work(workerData as Order);
}
