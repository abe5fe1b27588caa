import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OperatorDriver } from "../../../test/operators/operator-driver.ts";
import { compileBatchCodec } from "../../types/batch/batch-codec.ts";
import { t } from "../../types/t.ts";
import { type ProcessContext, type ProcessFunctions, ProcessOperator } from "../process/process-operator.ts";
import { type StateHandles, state } from "../process/state-declaration.ts";
import { InOrderOperator } from "./in-order-operator.ts";

type Reading = { key: string; id: number; at: number };
/** One line of what a key's function was called with. */
type Line = { key: string; what: string; at: number; watermark: number; silences: number };

const READING = t.struct({ key: t.string, id: t.f64, at: t.f64 });
const CODEC = compileBatchCodec(READING.spec, { timestamps: true, extraFields: "refuse" });
const SILENT_MS = 10;

const STATE = { silences: state.value(t.f64, { init: () => 0 }) };
const silencesOf = (context: ProcessContext) => (context.state as StateHandles<typeof STATE>).silences;

/** A state machine: a key that is silent for 10 ms is told, again and again, until its next record. */
const WATCH: ProcessFunctions = {
  onRecord(record, context) {
    const { key, id, at } = record as Reading;
    context.timers.set("silent", at + SILENT_MS);
    if (id % 3 === 0) context.timers.set("at once", at);
    if (id % 4 === 0) context.timers.set("past", at - 3);
    emit(context, key, `record ${id}`, at);
  },
  onTimer({ name, at, key }, context) {
    if (name === "silent" && context.watermark !== Infinity) {
      silencesOf(context).set(silencesOf(context).get() + 1);
      context.timers.set("silent", at + SILENT_MS);
    }
    emit(context, key as string, name, at);
  },
};

function emit(context: ProcessContext, key: string, what: string, at: number): void {
  context.emit({ key, what, at, watermark: context.watermark, silences: silencesOf(context).get() });
}

/** What a key's function sees of records that are all there, the slow way; nothing comes after `endMs`. */
function oracle(key: string, readings: readonly Reading[], endMs: number): Line[] {
  const sorted = readings.toSorted((left, right) => left.at - right.at);
  const timers = new Map<string, number>();
  const lines: Line[] = [];
  let silences = 0;
  const fire = (isDue: (at: number) => boolean, watermarkAt: (at: number) => number): void => {
    for (;;) {
      const [next] = [...timers].sort(([one, left], [other, right]) => left - right || (one < other ? -1 : 1));
      if (next === undefined || !isDue(next[1])) return;
      const [name, at] = next;
      timers.delete(name);
      const watermark = watermarkAt(at);
      if (name === "silent" && watermark !== Infinity) {
        silences += 1;
        timers.set("silent", at + SILENT_MS);
      }
      lines.push({ key, what: name, at, watermark, silences });
    }
  };
  for (const { id, at } of sorted) {
    fire(
      (due) => due < at,
      (due) => due,
    );
    lines.push({ key, what: `record ${id}`, at, watermark: Math.ceil(at) - 1, silences });
    timers.set("silent", at + SILENT_MS);
    if (id % 3 === 0) timers.set("at once", at);
    if (id % 4 === 0) {
      lines.push({ key, what: "past", at: at - 3, watermark: Math.ceil(at) - 1, silences });
    }
  }
  fire(
    (due) => due <= endMs,
    (due) => due,
  );
  fire(
    () => true,
    () => Infinity,
  );
  return lines;
}

type Changes = { readonly functions?: ProcessFunctions; readonly freeze?: (record: unknown) => void };

const operator = (lateOutput: boolean, { functions = WATCH, freeze }: Changes = {}): InOrderOperator =>
  new InOrderOperator({
    inner: new ProcessOperator({
      functions,
      state: STATE,
      sides: [],
      freeze: null,
      onThrow: null,
      onTimerThrow: (error) => {
        throw error;
      },
    }),
    types: [READING.spec],
    lateOutput,
    freeze: freeze ?? null,
    failure: (error) => error,
  });

type Order = {
  readonly parallelism: number;
  readonly lateOutput: boolean;
  readonly columns: boolean;
  readonly rooms: readonly number[];
  readonly pauses: readonly number[];
  /** Records with what they lag behind the youngest so far; now and then a watermark, or a restart. */
  readonly steps: readonly { readonly readings: readonly Reading[]; readonly watermark: number; restart: number }[];
};

const OUT_OF_ORDER_MS = 12;

const orders: fc.Arbitrary<Order> = fc.record({
  parallelism: fc.integer({ min: 1, max: 4 }),
  lateOutput: fc.boolean(),
  columns: fc.boolean(),
  rooms: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
  pauses: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
  steps: fc
    .array(
      fc.record({
        drafts: fc.array(
          fc.record({
            key: fc.constantFrom("a", "b", "c", "a key of more than sixteen bytes"),
            passed: fc.oneof(fc.nat(3), fc.nat(40)),
            // A few come too late.
            lag: fc.oneof({ weight: 9, arbitrary: fc.nat(OUT_OF_ORDER_MS) }, { weight: 1, arbitrary: fc.nat(40) }),
            half: fc.boolean(),
          }),
          { maxLength: 12 },
        ),
        back: fc.nat(20),
        restart: fc.oneof(
          { weight: 5, arbitrary: fc.constant(0) },
          { weight: 1, arbitrary: fc.integer({ min: 1, max: 4 }) },
        ),
      }),
      { maxLength: 12, size: "max" },
    )
    .map((steps) => {
      let now = -20; // Times before 1970 are times.
      let id = 0;
      return steps.map(({ drafts, back, restart }) => {
        const readings = drafts.map(({ key, passed, lag, half }): Reading => {
          now += passed;
          id += 1;
          return { key, id, at: now - lag + (half ? 0.5 : 0) };
        });
        return { readings, watermark: now - OUT_OF_ORDER_MS - 1 - back, restart };
      });
    }),
});

/** Plays an order; gives what is on time and what is late by the watermarks that the records met. */
function play(order: Order, driver: OperatorDriver): { onTime: Reading[]; late: number[]; endMs: number } {
  const onTime: Reading[] = [];
  const late: number[] = [];
  let [watermark, endMs] = [-Infinity, -Infinity];
  for (const step of order.steps) {
    for (const reading of step.readings) {
      if (reading.at <= watermark) late.push(reading.id);
      else onTime.push(reading);
      endMs = Math.max(endMs, reading.at);
    }
    const records = step.readings.map((record) => ({ record, timestampMs: record.at }));
    driver.records(records, order.columns ? CODEC : null);
    watermark = Math.max(watermark, step.watermark);
    driver.watermark(watermark);
    if (step.restart > 0) driver.restart(step.restart);
  }
  endMs = Math.max(endMs, watermark);
  driver.watermark(endMs);
  driver.watermark(Infinity);
  return { onTime, late, endMs };
}

test("what a key's function sees, and what is late, are those of a sorted stream, at every parallelism", () => {
  const check = (order: Order): void => {
    let [fillings, turns] = [0, 0];
    const driver = new OperatorDriver(
      {
        make: () => operator(order.lateOutput),
        keyType: { kind: "string" },
        keyOf: (record) => (record as Reading).key,
        room: () => order.rooms[fillings++ % order.rooms.length] as number,
        pauses: () => order.pauses[turns++ % order.pauses.length] as number,
        overrun: 0,
      },
      order.parallelism,
    );
    const { onTime, late, endMs } = play(order, driver);
    const expected = Object.entries(Object.groupBy(onTime, ({ key }) => key)).map(([key, readings = []]) => {
      return [key, oracle(key, readings, endMs)];
    });
    const seen = Object.groupBy(
      driver.emitted.map(({ row }) => row),
      ({ key }) => String(key),
    );
    assert.deepEqual({ ...seen }, Object.fromEntries(expected));
    if (order.lateOutput) assert.deepEqual(driver.side.map(({ row }) => row.id).toSorted(), late.toSorted());
    else assert.equal(driver.counters.get("numLateRecordsDropped") ?? 0, late.length);
    assert.equal(driver.close(), 0);
  };
  fc.assert(fc.property(orders, check), { numRuns: 200 });
});

/** One subtask with room and time without end; `channel` is that of the records at hand. */
function driven({ limitBytes = 4 * 1024 * 1024, parallelism = 1 } = {}): OperatorDriver {
  return new OperatorDriver(
    {
      make: () => operator(false),
      keyType: { kind: "string" },
      keyOf: (record) => (record as Reading).key,
      room: () => Infinity,
      overrun: 0,
      limitBytes,
    },
    parallelism,
  );
}

test("records of equal times go by the channel they came by, and those of one channel as they came", () => {
  const driver = driven();
  for (const [id, channel] of [2, 1, 0, 1, 2, 0].entries()) {
    driver.channel = channel;
    driver.records([{ record: { key: "a", id: 100 * channel + id + 1, at: 5 }, timestampMs: 5 }], null);
  }
  driver.watermark(5);
  const records = driver.emitted.map(({ row }) => String(row.what)).filter((what) => what.startsWith("record"));
  assert.deepEqual(records, ["record 3", "record 6", "record 102", "record 104", "record 201", "record 205"]);
});

test("after rescaling, timers find event time at their own times, though other keys were further", () => {
  for (const ahead of [0, 1]) {
    const driver = driven({ parallelism: 2 });
    const keys = Array.from({ length: 20 }, (_, index) => `key ${index}`);
    driver.records(
      keys.map((key) => ({ record: { key, id: 1, at: 0 }, timestampMs: 0 })),
      null,
    );
    driver.watermark(95, ahead);
    driver.watermark(15, 1 - ahead);
    driver.restart(1);
    driver.watermark(95);
    const silences = driver.emitted.map(({ row }) => row).filter(({ what }) => what === "silent");
    assert.equal(silences.length, 9 * keys.length);
    for (const { at, watermark } of silences) assert.equal(watermark, at);
    assert.equal(driver.close(), 0);
  }
});

test("after one restore and another records are late as before the first, whatever has come between", () => {
  const driver = driven();
  driver.watermark(100);
  for (let restores = 0; restores < 3; restores += 1) driver.restart(1);
  driver.records([{ record: { key: "a", id: 1, at: 50 }, timestampMs: 50 }], null);
  assert.equal(driver.counters.get("numLateRecordsDropped"), 1);
  driver.records([{ record: { key: "a", id: 2, at: 101 }, timestampMs: 101 }], null);
  driver.watermark(101);
  assert.deepEqual(
    driver.emitted.map(({ row }) => row.what),
    ["record 2"],
  );
});

test("after restores a record is late where its key's group was, though other groups were not so far", () => {
  const driver = driven({ parallelism: 2 });
  driver.watermark(100, 0);
  driver.watermark(50, 1);
  const lateNow = (): number => {
    const before = driver.counters.get("numLateRecordsDropped") ?? 0;
    driver.records(
      Array.from({ length: 20 }, (_, id) => ({ record: { key: `key ${id}`, id, at: 80 }, timestampMs: 80 })),
      null,
    );
    return driver.counters.get("numLateRecordsDropped")! - before;
  };
  const late = lateNow();
  assert.ok(late > 0 && late < 20, `${late} of 20 keys are of the subtask that was ahead`);
  for (const parallelism of [1, 1, 2]) {
    driver.restart(parallelism);
    assert.equal(lateNow(), late);
  }
});

test("what waits is part of the state's budget, and is refused beyond it with the operator and the key to raise", () => {
  const driver = driven({ limitBytes: 128 * 1024 });
  let stored = 0;
  const fill = (): void => {
    for (; stored < 100_000; stored += 1) {
      driver.records([{ record: { key: `k${stored % 7}`, id: stored, at: stored }, timestampMs: stored }], null);
    }
  };
  assert.throws(fill, { code: "STATE_BUDGET_EXCEEDED", message: /^state "waiting" of operator "op" / });
  assert.ok(stored > 100);
  assert.equal(driver.entries, stored);
  assert.equal(driver.close(), 0);
});

test("a record that has waited cannot be changed where records are checked, and can where nobody checks", () => {
  const seen: boolean[] = [];
  const functions: ProcessFunctions = {
    onRecord(record) {
      seen.push(Object.isFrozen(record));
    },
  };
  for (const freeze of [Object.freeze, undefined]) {
    const make = (): InOrderOperator => operator(false, { functions, ...(freeze && { freeze }) });
    const keyOf = (record: unknown): string => (record as Reading).key;
    const options = { make, keyType: { kind: "string" }, keyOf, room: () => Infinity, overrun: 0 } as const;
    const driver = new OperatorDriver(options, 1);
    driver.records([{ record: { key: "a", id: 1, at: 5 }, timestampMs: 5 }], null);
    driver.watermark(5);
  }
  assert.deepEqual(seen, [true, false]);
});

test("a record without event time is refused", () => {
  const driver = driven();
  const untimed = { record: { key: "a", id: 1, at: 1 }, timestampMs: Number.NaN };
  assert.throws(() => driver.records([untimed], null), { code: "TIMESTAMP_MISSING" });
});
