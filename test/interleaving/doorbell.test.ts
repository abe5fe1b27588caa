// Sleeping and being woken, step by step (D1 to D3 of doorbell.ts, U1 of turn-loop.ts).

import assert from "node:assert/strict";
import { test } from "node:test";
import { DOORBELL_WORDS } from "../../src/network/doorbell.ts";
import type { DoorbellData } from "./doorbell-actors.ts";
import { type Bounds, explore, type Scenario } from "./explore.ts";

/** Its counter changes its sign when it is rung. */
function bellMemory(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(DOORBELL_WORDS * 4);
  new Int32Array(memory)[0] = 2 ** 31 - 1;
  return memory;
}

function scenario(actors: readonly string[], pieces: number, sleepMs = Infinity): Scenario {
  const data: DoorbellData = { pieces, sleepMs };
  return {
    module: new URL("./doorbell-actors.ts", import.meta.url),
    actors,
    memories: { bell: bellMemory(), work: new SharedArrayBuffer(8) },
    stepped: { bell: [[0, DOORBELL_WORDS]], work: [[0, 2]] },
    data,
    check: ({ timeouts }) => (timeouts === 0 ? null : `woken by the time alone, ${timeouts} times`),
  };
}

async function explored(of: Scenario, bounds: Bounds): Promise<void> {
  const { schedules, steps } = await explore(of, bounds);
  assert.ok(schedules > 30 && steps > schedules * 10, `${schedules} schedules with ${steps} steps`);
}

test("a slot that falls asleep is woken for work that is given to it at any of its steps", async () => {
  await explored(scenario(["sleeper", "twice"], 2), { preemptions: 3 });
});

test("a slot whose sleep may end by its time, at any step of who rings it, is woken for what comes then", async () => {
  await explored(scenario(["sleeper", "twice"], 2, 5), { preemptions: 2, late: 2 });
});

test("two that ring at a time wake a slot, in whatever order their steps come", async () => {
  await explored(scenario(["sleeper", "first", "second"], 2), { preemptions: 2 });
});

test("a bell can be rung after somebody has ended at any step of ringing it", async () => {
  const mortal = { ...scenario(["sleeper", "first", "heir"], 2), mortal: ["first"] };
  await explored(mortal, { preemptions: 1, deaths: 1 });
});
