// The pool's lock and what it guards, step by step (P1 to P6 of segment-pool.ts, L1 to L5 of pool-control.ts).

import assert from "node:assert/strict";
import { test } from "node:test";
import { LOCK, OWNER_FREE } from "../../src/memory/pool-control.ts";
import { SegmentPool } from "../../src/memory/segment-pool.ts";
import { type Bounds, explore, type Scenario } from "./explore.ts";

const SEGMENTS = 3;

/** `takes`: segments that each takes; `sleeps`: for the lock, too, which nothing but time wakes it from. */
function scenario(actors: readonly string[], takes: Readonly<Record<string, number>>, sleeps = false): Scenario {
  const pool = SegmentPool.create({ name: "memory", configKey: "key", segments: SEGMENTS, segmentSize: 8 });
  const { handle } = pool;
  return {
    module: new URL("./pool-actors.ts", import.meta.url),
    actors,
    memories: { control: handle.control, holders: new SharedArrayBuffer(SEGMENTS * 4), region: handle.region },
    // The lock and the counts. What owners and segments have is written between two of their steps.
    stepped: { control: [[LOCK, OWNER_FREE]] },
    data: { handle, takes },
    check: ({ dead, timeouts }) => {
      if (timeouts > 0 && dead.length === 0 && !sleeps) return `${timeouts} waits for the lock ran out of time`;
      for (const thread of [1, 2]) {
        const wrong = pool.verify();
        if (wrong.length > 0) return wrong.join("; ");
        pool.threadEnded(thread);
      }
      const { free } = pool.stats();
      return free !== SEGMENTS ? `${free} of ${SEGMENTS} are free in the end` : null;
    },
  };
}

async function explored(of: Scenario, bounds: Bounds): Promise<void> {
  const { schedules, steps } = await explore(of, bounds);
  assert.ok(schedules > 50 && steps > schedules * 10, `${schedules} schedules with ${steps} steps`);
}

test("two threads that take and give at a time never hold the same segment, and the pool stays sound", async () => {
  await explored(scenario(["first", "second"], { first: 1, second: 1 }), { preemptions: 2 });
});

test("a thread that waits for the lock until its time is over takes it from nobody who is at work", async () => {
  await explored(scenario(["first", "second"], { first: 1, second: 1 }, true), { preemptions: 1, late: 2 });
});

test("several segments are had together or not at all, whoever else takes some meanwhile", async () => {
  await explored(scenario(["first", "second"], { first: 2, second: 2 }), { preemptions: 1 });
});

test("a thread that has ended is cleaned up after while another one is at any of its steps", async () => {
  await explored(scenario(["main", "first", "second"], { first: 1, second: 1 }), { preemptions: 1 });
});

test("a thread that ends at any step keeps nobody from the pool, and what it held is free again", async () => {
  const mortal = { ...scenario(["main", "first", "second"], { first: 2, second: 1 }), mortal: ["first"] };
  await explored(mortal, { preemptions: 0, deaths: 1 });
});
