import assert from "node:assert/strict";
import { test } from "node:test";
import { InputGate } from "../../network/input-gate.ts";
import { APPETITE_AT_FIRST } from "../../network/output-channel.ts";
import { InputAppetite } from "./input-appetite.ts";

/** A task with so many channels, and what their senders were told last. */
class Eater {
  readonly told: number[];
  readonly gate: InputGate;
  readonly #appetite: InputAppetite;
  #nowMs = 1_000;
  #taken = 0;

  constructor(channels = 1, targetMs = 200, periodMs = 100) {
    this.told = Array.from({ length: channels }, () => 0);
    const receivers = this.told.map((_, index) => ({
      poll: () => null,
      release: () => undefined,
      inUsage: () => 0,
      setAppetite: (records: number) => {
        this.told[index] = records;
      },
    }));
    this.gate = new InputGate(
      receivers.map((receiver) => ({ receiver, port: 0, codec: null })),
      () => assert.fail(),
    );
    this.#appetite = new InputAppetite(this.gate, { targetMs, periodMs });
  }

  pause(ms: number): this {
    this.#nowMs += ms;
    return this;
  }

  turn(records: number, ms: number, isDry = false): this {
    const beganMs = this.#nowMs;
    this.#nowMs += ms;
    this.#taken += records;
    this.#appetite.onTurn({ beganMs, endedMs: this.#nowMs, taken: this.#taken, isDry });
    return this;
  }
}

test("what a task gets through in the target time is wanted, divided among its channels that are open", () => {
  const eater = new Eater(4);
  for (let turn = 0; turn < 1_000; turn += 1) eater.turn(4, 2);
  assert.deepEqual(eater.told, [100, 100, 100, 100]);
  eater.gate.onEnd(eater.gate.channels[1]!);
  for (let turn = 0; turn < 1_000; turn += 1) eater.turn(1, 2);
  assert.deepEqual(eater.told, [33, 100, 33, 33], "an end of its channel is told nothing any more");
});

test("A1: it is not slow for having nothing to do, but for what keeps it from going on", () => {
  const starved = new Eater();
  for (let turn = 0; turn < 1_000; turn += 1) starved.turn(10, 1, true).pause(99);
  assert.deepEqual(starved.told, [2_000], "ten records in a millisecond, and then nothing to take");
  const held = new Eater();
  for (let turn = 0; turn < 1_000; turn += 1) held.turn(10, 1).pause(99);
  assert.deepEqual(held.told, [20], "ten records in a tenth of a second");
});

test("A2: a sink that takes many and then waits counts with its waits, however long they are", () => {
  for (const [records, waitMs] of [
    [20, 10],
    [2_000, 1_000],
    [60_000, 30_000],
  ] as const) {
    const eater = new Eater();
    for (let cycle = 0; cycle < 50; cycle += 1) {
      for (let turn = 0; turn < 10; turn += 1) eater.turn(records / 10, 0);
      // Others of the slot have turns meanwhile, and so has this task.
      for (let turn = 0; turn < 10; turn += 1) eater.pause(waitMs / 10).turn(0, 0);
    }
    const [told] = eater.told;
    assert.ok(Math.abs(400 - told!) <= told! / 4, `${records} records, then ${waitMs} ms: ${told}`);
  }
});

test("A3: before it is measured it wants little, and more each time it has got through that", () => {
  const stuck = new Eater();
  stuck
    .turn(APPETITE_AT_FIRST - 1, 0)
    .pause(60_000)
    .turn(0, 0);
  assert.deepEqual(stuck.told, [0], "what senders begin with is told to nobody");
  const fast = new Eater(2);
  for (let turn = 0; turn < 40; turn += 1) fast.turn(1_000_000, 0);
  assert.deepEqual(fast.told, [2 ** 20, 2 ** 20]);
});

test("small differences are told to nobody; the least is one record, the most is bounded", () => {
  const eater = new Eater();
  for (let turn = 0; turn < 200; turn += 1) eater.turn(10, 2);
  assert.deepEqual(eater.told, [1_000]);
  for (let turn = 0; turn < 200; turn += 1) eater.turn(8, 2);
  assert.deepEqual(eater.told, [1_000]);
  for (let turn = 0; turn < 200; turn += 1) eater.turn(5, 2);
  assert.deepEqual(eater.told, [500]);
  for (let turn = 0; turn < 5; turn += 1) eater.turn(1, 60_000);
  assert.deepEqual(eater.told, [1]);
  for (let turn = 0; turn < 200; turn += 1) eater.turn(100_000, 2);
  assert.deepEqual(eater.told, [2 ** 20]);
});
