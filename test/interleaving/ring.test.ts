// Rings between slots, step by step (R1 to R4 of ring-link.ts, S1 of segment-stock.ts).

import assert from "node:assert/strict";
import { test } from "node:test";
import { DOORBELL_WORDS } from "../../src/network/doorbell.ts";
import { ringLinkMemory, SEGMENTS_IN_FLIGHT_MAX } from "../../src/network/ring-link.ts";
import { type Bounds, explore, type Scenario } from "./explore.ts";
import type { RingData } from "./ring-actors.ts";

const ALL: readonly [number, number] = [0, 1 << 20];
const SEGMENT_SIZE = 256;
const ONE_SEGMENT = { segmentSize: SEGMENT_SIZE, segments: 1, segmentsMax: 1, sleepMs: Infinity, before: 0 };
/** Counters of rings change their sign with the second element. */
const START = 2 ** 31 - 1;
const PAIR = ["sender", "receiver"];

function scenario(actors: readonly string[], data: RingData): Scenario {
  const rings = Object.fromEntries(actors.slice(1).map((_, channel) => [`ring${channel}`, ringLinkMemory(START)]));
  const bells = new SharedArrayBuffer(actors.length * DOORBELL_WORDS * 4);
  const region = new SharedArrayBuffer((data.segments + 1) * data.segmentSize);
  const nobodys = new Uint8Array(region, 0, data.segmentSize);
  const stepped = Object.fromEntries([...Object.keys(rings), "bells"].map((name) => [name, [ALL]]));
  return {
    module: new URL("./ring-actors.ts", import.meta.url),
    actors,
    memories: { ...rings, bells, region },
    stepped,
    data,
    check: ({ timeouts }) => {
      if (timeouts > 0) return `woken by the time alone, ${timeouts} times`;
      return nobodys.every((byte) => byte === 0) ? null : "somebody wrote into a segment that is not of the stock";
    },
  };
}

async function explored(of: Scenario, bounds: Bounds): Promise<void> {
  const { schedules, steps } = await explore(of, bounds);
  assert.ok(schedules > 50 && steps > schedules * 20, `${schedules} schedules with ${steps} steps`);
}

test("batches through one segment arrive whole and in order, and neither side sleeps for ever", async () => {
  await explored(scenario(PAIR, { ...ONE_SEGMENT, plan: [10, 20] }), { preemptions: 2 });
});

test("sleep that may end by its time, at any step of the other side, loses and doubles nothing", async () => {
  const limited = { ...ONE_SEGMENT, sleepMs: 5 };
  await explored(scenario(PAIR, { ...limited, plan: [10, 20] }), { preemptions: 1, late: 1 });
  const plan = ["watermark", "watermark when free"] as const;
  await explored(scenario(PAIR, { ...limited, plan }), { preemptions: 1, late: 1 });
});

test("batches and watermarks through one segment, in orders drawn", async () => {
  const drawn = { runs: 1_000, seed: 1, preemptions: 12 };
  await explored(scenario(PAIR, { ...ONE_SEGMENT, plan: [10, "watermark", 20, 30, "watermark"] }), {
    preemptions: 0,
    drawn,
  });
});

test("a batch of several segments arrives whole", async () => {
  await explored(scenario(PAIR, { ...ONE_SEGMENT, plan: [2 * SEGMENT_SIZE] }), { preemptions: 2 });
});

test("a full ring takes more once its receiver has made room", async () => {
  const before = SEGMENTS_IN_FLIGHT_MAX - 1;
  await explored(scenario(PAIR, { ...ONE_SEGMENT, before, plan: ["watermark", "watermark"] }), { preemptions: 1 });
});

test("two receivers of one sender's segments do not keep each other from getting theirs", async () => {
  const data = { ...ONE_SEGMENT, segments: 3, segmentsMax: 2, plan: [10, 20] };
  await explored(scenario(["forTwo", "receiver", "second"], data), { preemptions: 1 });
});

test("what waits until its receiver is free is sent once it is", async () => {
  const plan = ["watermark", "watermark when free"] as const;
  await explored(scenario(PAIR, { ...ONE_SEGMENT, plan }), { preemptions: 2 });
});

test("what was sent before its sender ended, at any step, is whole", async () => {
  const mortal = { mortal: ["sender"], stuckAllowed: true };
  await explored({ ...scenario(PAIR, { ...ONE_SEGMENT, plan: [10, 20] }), ...mortal }, { preemptions: 1, deaths: 1 });
});
