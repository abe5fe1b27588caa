import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { OperatorDriver } from "../../testing/operator-driver.ts";
import { compileBatchCodec } from "../../types/batch-codec.ts";
import { t } from "../../types/t.ts";
import { aggregateSet, collect, count, distinctCount, last, min, quantile, sum } from "../aggregates/aggregate.ts";
import { fieldTypes } from "../expressions/field-types.ts";
import { PaneWindowOperator } from "./pane-window-operator.ts";
import { sliding, tumbling, type WindowOptions } from "./window-spec.ts";

type Row = { key: string; value: number; id: number; ts: number };

const ROW = t.struct({ key: t.string, value: t.f64, id: t.f64, ts: t.timestamp });
const CODEC = compileBatchCodec(ROW.spec, { timestamps: true, extraFields: "refuse" });
const FIXED = { n: count(), total: sum("value"), least: min("value"), latest: last("id") };
const OBJECTS = { ids: collect("id"), middle: quantile("value", 0.5), distinct: distinctCount("value") };
const AGGREGATES = { all: { ...FIXED, ...OBJECTS }, fixed: FIXED };

type Frame = { readonly sizeMs: number; readonly slideMs: number; readonly offsetMs: number };
type Step = { readonly rows: readonly Row[] } | { readonly watermark: number } | { readonly restart: number };
type Result = Record<string, unknown>;

/** What the documentation says, done the slow way: every window of every key with its records. */
class Model {
  readonly #frame: Frame;
  readonly #latenessMs: number;
  readonly #wanted: readonly string[];
  readonly #windows = new Map<string, { key: string; start: number; rows: Row[] }>();
  #watermark = -Infinity;
  late: Row[] = [];

  constructor(frame: Frame, latenessMs: number, wanted: readonly string[]) {
    this.#frame = frame;
    this.#latenessMs = latenessMs;
    this.#wanted = wanted;
  }

  add(row: Row): Result[] {
    const { sizeMs, slideMs, offsetMs } = this.#frame;
    const emitted: Result[] = [];
    let taken = false;
    const lastStart = Math.floor((row.ts - offsetMs) / slideMs) * slideMs + offsetMs;
    for (let start = lastStart; start > row.ts - sizeMs; start -= slideMs) {
      if (start + sizeMs - 1 + this.#latenessMs <= this.#watermark) continue;
      taken = true;
      const id = `${start} ${row.key}`;
      const window = this.#windows.get(id) ?? { key: row.key, start, rows: [] };
      this.#windows.set(id, window);
      window.rows.push(row);
      if (start + sizeMs - 1 <= this.#watermark) emitted.unshift(this.#result(window));
    }
    if (!taken) this.late.push(row);
    return emitted;
  }

  watermark(watermark: number): Result[] {
    const due = [...this.#windows.values()].filter(({ start }) => {
      const last = start + this.#frame.sizeMs - 1;
      return last > this.#watermark && last <= watermark;
    });
    this.#watermark = watermark;
    return due.sort((left, right) => left.start - right.start).map((window) => this.#result(window));
  }

  #result({ key, start, rows }: { key: string; start: number; rows: readonly Row[] }): Result {
    const timed = rows.toSorted((left, right) => left.ts - right.ts);
    const values = rows.map((row) => row.value).sort((left, right) => left - right);
    const all: Result = {
      n: rows.length,
      total: values.reduce((total, value) => total + value, 0),
      least: values[0],
      latest: timed.at(-1)?.id,
      ids: timed.map((row) => row.id),
      middle: values[Math.floor(0.5 * (values.length - 1))],
      distinct: new Set(values).size,
    };
    const wanted = Object.fromEntries(this.#wanted.map((name) => [name, all[name]]));
    return { key, start, end: start + this.#frame.sizeMs, ...wanted };
  }
}

/** Keys come in no defined order, windows in the order of their ends. */
function sorted(results: readonly Result[]): Result[] {
  return results.toSorted(
    (left, right) => Number(left.end) - Number(right.end) || (`${left.key}` < `${right.key}` ? -1 : 1),
  );
}

type Case = {
  readonly frame: Frame;
  readonly latenessMs: number;
  readonly lateOutput: boolean;
  readonly aggregates: keyof typeof AGGREGATES;
  readonly rooms: readonly number[];
  readonly columns: boolean;
  readonly steps: readonly Step[];
};

function operatorOf({
  frame,
  latenessMs,
  lateOutput,
  aggregates,
}: Omit<Case, "rooms" | "columns" | "steps">): PaneWindowOperator {
  const { sizeMs, slideMs, offsetMs } = frame;
  const options: WindowOptions = { offset: `${offsetMs}ms` };
  return new PaneWindowOperator({
    window: (sizeMs === slideMs
      ? tumbling(`${sizeMs}ms`, options)
      : sliding(`${sizeMs}ms`, `${slideMs}ms`, options)) as never,
    allowedLatenessMs: latenessMs,
    lateOutput,
    partials: false,
    key: { field: "key", of: null, type: { kind: "string" } },
    keyName: "key",
    set: aggregateSet(AGGREGATES[aggregates] as never, ["key", "start", "end"]),
    fields: fieldTypes(ROW.spec),
  });
}

function driverOf(testCase: Omit<Case, "columns" | "steps">): OperatorDriver {
  let turn = 0;
  return new OperatorDriver(
    {
      make: () => operatorOf(testCase),
      keyType: { kind: "string" },
      keyOf: (record) => (record as Row).key,
      overrun: 6,
      room: () => testCase.rooms[turn++ % testCase.rooms.length] as number,
    },
    1,
  );
}

function check(testCase: Case): void {
  const model = new Model(testCase.frame, testCase.latenessMs, Object.keys(AGGREGATES[testCase.aggregates]));
  const driver = driverOf(testCase);
  let watermark = -Infinity;
  for (const step of [...testCase.steps, { watermark: Number.POSITIVE_INFINITY }]) {
    let expected: Result[] = [];
    driver.emitted.length = 0;
    if ("rows" in step) {
      expected = step.rows.flatMap((row) => model.add(row));
      driver.records(
        step.rows.map((row) => ({ record: row, timestampMs: row.ts })),
        testCase.columns ? CODEC : null,
      );
    } else if ("watermark" in step) {
      watermark = Math.max(watermark, step.watermark);
      expected = model.watermark(watermark);
      driver.watermark(watermark);
    } else {
      driver.restart(step.restart);
    }
    const actual = driver.emitted.map(({ row, timestampMs }) => {
      assert.equal(timestampMs, Number(row.end) - 1);
      return row;
    });
    assert.deepEqual(
      "rows" in step ? stable(actual) : sorted(actual),
      "rows" in step ? stable(expected) : sorted(expected),
    );
    if ("watermark" in step) assertEnds(actual);
  }
  if (testCase.lateOutput) {
    assert.deepEqual(new Set(driver.side.map(({ row }) => row.id)), new Set(model.late.map((row) => row.id)));
    assert.equal(driver.side.length, model.late.length);
  } else assert.equal(driver.counters.get("numLateRecordsDropped") ?? 0, model.late.length);
  assert.equal(driver.objectBytes, 0);
}

/** Updates by key, each key's in the order in which they came: subtasks run side by side. */
function stable(results: readonly Result[]): Record<string, Result[]> {
  return Object.fromEntries(Object.entries(Object.groupBy(results, (result) => `${result.key}`)).sort()) as Record<
    string,
    Result[]
  >;
}

function assertEnds(results: readonly Result[]): void {
  // One subtask after the other, each in order.
  const descents = results.filter((result, i) => i > 0 && Number(result.end) < Number(results[i - 1]?.end)).length;
  assert.ok(descents <= 2, `windows out of order: ${results.map((result) => result.end).join()}`);
}

const frames = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 12 }), fc.nat(12))
    .map(([size, offset]) => ({ sizeMs: size, slideMs: size, offsetMs: offset % size })),
  fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 3 }), fc.nat(12))
    .map(([width, step, unit, offset]) => ({
      sizeMs: Math.max(width, step) * unit,
      slideMs: Math.min(width, step) * unit,
      offsetMs: offset % (Math.min(width, step) * unit),
    })),
);

const cases: fc.Arbitrary<Case> = frames.chain((frame) =>
  fc.record({
    frame: fc.constant(frame),
    latenessMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 20 })),
    lateOutput: fc.boolean(),
    aggregates: fc.constantFrom<keyof typeof AGGREGATES>("all", "fixed"),
    rooms: fc.array(fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(1_000)), { minLength: 1, maxLength: 5 }),
    columns: fc.boolean(),
    steps: steps(),
  }),
);

/** Time goes on while steps go by; records come up to 15 ms before and after it. */
function steps(): fc.Arbitrary<Step[]> {
  const shape = fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .array(
          fc.tuple(
            fc.constantFrom("a", "b", "a key of more than sixteen bytes"),
            fc.integer({ min: -15, max: 15 }),
            fc.nat(9),
          ),
          { minLength: 1, maxLength: 8 },
        )
        .map((rows) => ({ rows })),
    },
    { weight: 4, arbitrary: fc.integer({ min: -6, max: 3 }).map((lag) => ({ lag })) },
    { weight: 1, arbitrary: fc.constantFrom(1, 2, 3).map((restart) => ({ restart })) },
  );
  return fc
    .array(fc.tuple(shape, fc.oneof({ weight: 6, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(40) })), {
      maxLength: 40,
      size: "max",
    })
    .map((shapes) => {
      let now = 30;
      let id = 0;
      return shapes.map(([each, passed]): Step => {
        now += passed;
        if ("restart" in each) return each;
        if ("lag" in each) return { watermark: now + each.lag };
        return {
          rows: each.rows.map(([key, distance, value]) => {
            id += 1;
            return { key, value, id, ts: Math.max(0, now + distance) };
          }),
        };
      });
    });
}

describe("tumbling and sliding windows", () => {
  test("agree with a naive model over random streams, lateness, outputs that are full, snapshots and rescaling", () => {
    fc.assert(fc.property(cases, check), { numRuns: Number(process.env.RUNS ?? 600) });
  });
});
