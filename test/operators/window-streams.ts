// Random keyed streams with event times, and the comparison of a window operator with a naive model of it.

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  aggregateSet,
  collect,
  count,
  distinctCount,
  first,
  last,
  min,
  quantile,
  sum,
} from "../../src/operators/aggregates/aggregate.ts";
import { fieldTypes } from "../../src/operators/expressions/field-types.ts";
import { compileBatchCodec } from "../../src/types/batch/batch-codec.ts";
import { ROW_KIND, type RowKind } from "../../src/types/bytes/row-kind.ts";
import { t } from "../../src/types/t.ts";
import type { OperatorDriver } from "./operator-driver.ts";

export type Row = { key: string; value: number; id: number; ts: number };
export type Result = Record<string, unknown>;

export const ROW = t.struct({ key: t.string, value: t.f64, id: t.f64, ts: t.timestamp });
const CODEC = compileBatchCodec(ROW.spec, { timestamps: true, extraFields: "refuse" });
const ORDERED = { earliest: first("id"), latest: last("id") };
const LISTED = { ids: collect("id"), opening: first(), closing: last() };
/** Whose results do not depend on the order of arrival. */
const UNORDERED = { n: count(), total: sum("value"), least: min("value") };
const SKETCHES = { middle: quantile("value", 0.5), distinct: distinctCount("value") };
const FIXED = { ...UNORDERED, ...ORDERED };
const OBJECTS = { ...LISTED, ...SKETCHES };
const AGGREGATES = { all: { ...FIXED, ...OBJECTS }, fixed: FIXED, unordered: { ...UNORDERED, ...SKETCHES } };

/** Numbers only, with objects beside them, or what a combiner can compute. */
export type Wanted = keyof typeof AGGREGATES;

export type Step = { readonly rows: readonly Row[] } | { readonly watermark: number } | { readonly restart: number };

export type StreamCase = {
  readonly latenessMs: number;
  readonly lateOutput: boolean;
  readonly wanted: Wanted;
  readonly rooms: readonly number[];
  /** Rows after which a turn is over. */
  readonly pauses: readonly number[];
  readonly columns: boolean;
  readonly steps: readonly Step[];
};

/** What the documentation says, done the slow way. */
export interface WindowModel {
  /** Whether a window's end belongs to it. */
  readonly endBelongs?: boolean;
  /** Updated results that a record gives at once. */
  add(row: Row): Result[];
  watermark(watermark: number): Result[];
  readonly late: readonly Row[];
  /** The rows of all windows that were given, as they are at the end. */
  table(): Result[];
}

/** Options that all window operators have, for a case. */
export function commonOptions({
  latenessMs,
  lateOutput,
  wanted,
}: Pick<StreamCase, "latenessMs" | "lateOutput" | "wanted">) {
  return {
    allowedLatenessMs: latenessMs,
    lateOutput,
    key: { field: "key", of: null, type: { kind: "string" } },
    keyName: "key",
    set: aggregateSet(AGGREGATES[wanted] as never, ["key", "start", "end"]),
    fields: fieldTypes(ROW.spec),
  } as const;
}

export function modelResult(
  wanted: Wanted,
  window: { key: string; start: number; end: number },
  rows: readonly Row[],
  kind: RowKind = ROW_KIND.insert,
): Result {
  const timed = rows.toSorted((left, right) => left.ts - right.ts);
  const values = rows.map((row) => row.value).sort((left, right) => left - right);
  const all: Result = {
    n: rows.length,
    total: values.reduce((total, value) => total + value, 0),
    least: values[0],
    earliest: timed[0]?.id,
    latest: timed.at(-1)?.id,
    ids: timed.map((row) => row.id),
    opening: timed[0],
    closing: timed.at(-1),
    middle: values[Math.floor(0.5 * (values.length - 1))],
    distinct: new Set(values).size,
  };
  const { key, start, end } = window;
  return {
    kind,
    key,
    start,
    end,
    ...Object.fromEntries(Object.keys(AGGREGATES[wanted]).map((name) => [name, all[name]])),
  };
}

/** When the outputs of a case are full and its turns over, for a driver. */
export function interruptions({ rooms, pauses }: StreamCase): { room: () => number; pauses: () => number } {
  let [fillings, turns] = [0, 0];
  return {
    room: () => rooms[fillings++ % rooms.length] as number,
    pauses: () => pauses[turns++ % pauses.length] as number,
  };
}

/** Runs a case through the operator and the model, and compares after each step. */
export function compareStream(testCase: StreamCase, model: WindowModel, driver: OperatorDriver): void {
  let watermark = -Infinity;
  const table = new ChangedTable();
  for (const step of [...testCase.steps, { watermark: Number.POSITIVE_INFINITY }]) {
    driver.emitted.length = 0;
    if ("rows" in step) {
      const expected = step.rows.flatMap((row) => model.add(row));
      const records = step.rows.map((row) => ({ record: row, timestampMs: row.ts }));
      driver.records(records, testCase.columns ? CODEC : null);
      assert.deepEqual(byKey(emitted(driver, model)), byKey(expected));
    } else if ("watermark" in step) {
      watermark = Math.max(watermark, step.watermark);
      const expected = model.watermark(watermark);
      driver.watermark(watermark);
      assert.deepEqual(byEnd(emitted(driver, model)), byEnd(expected));
    } else {
      driver.restart(step.restart);
      assert.deepEqual(driver.emitted, []);
    }
    for (const { row, kind } of driver.emitted) table.change(row, kind);
  }
  assert.deepEqual(table.sizes(), byEnd(model.table()).map(sizeOf));
  const late = testCase.lateOutput ? driver.side.map(({ row }) => row) : driver.counters.get("numLateRecordsDropped");
  const id = (row: Result) => Number(row.id);
  if (testCase.lateOutput) {
    assert.deepEqual((late as Result[]).map(id).sort(), model.late.map((row) => row.id).sort());
  } else assert.equal(late ?? 0, model.late.length);
  assert.equal(driver.objectBytes, 0);
  assert.equal(driver.entries, 0);
  assert.equal(driver.close(), 0);
}

export function emitted(driver: OperatorDriver, { endBelongs = false }: Pick<WindowModel, "endBelongs">): Result[] {
  return driver.emitted.map(({ row: { ...row }, timestampMs, kind }) => {
    assert.equal(timestampMs, Number(row.end) - (endBelongs ? 0 : 1));
    // Groups of more than a few values are estimated, and all values are whole.
    return { kind, ...row, ...("middle" in row && { middle: Math.round(Number(row.middle)) }) };
  });
}

/** What a store by key, start and end has of a window. */
function sizeOf({ key, start, end, n, total, least }: Result): readonly unknown[] {
  return [key, start, end, n, total, least];
}

/** A store by key, start and end, to which each change comes that can come, and no other. */
class ChangedTable {
  readonly #rows = new Map<string, Result>();

  change(row: Result, kind: RowKind): void {
    const id = `${row.start} ${row.end} ${row.key}`;
    const before = this.#rows.get(id);
    assert.equal(before !== undefined, kind !== ROW_KIND.insert, `change ${kind} of ${id}`);
    if (kind !== ROW_KIND.delete) this.#rows.set(id, row);
    else {
      assert.deepEqual(sizeOf(row), sizeOf(before ?? {}), "a row is deleted as it was");
      this.#rows.delete(id);
    }
  }

  sizes(): (readonly unknown[])[] {
    return byEnd([...this.#rows.values()]).map(sizeOf);
  }
}

/** Each key's updates in the order in which they came: subtasks run side by side. */
export function byKey(results: readonly Result[]): [string, Result[] | undefined][] {
  return Object.entries(Object.groupBy(results, (result) => `${result.key}`)).sort(([left], [right]) =>
    left < right ? -1 : 1,
  );
}

/** Keys come in no defined order. Windows that end where clocks are put forward end together. */
export function byEnd(results: readonly Result[]): Result[] {
  return results.toSorted((left, right) => {
    const ends = Number(left.end) - Number(right.end);
    if (ends !== 0 || left.key !== right.key) return ends || (`${left.key}` < `${right.key}` ? -1 : 1);
    return Number(left.start) - Number(right.start);
  });
}

/** Time goes on in small steps, now and then in large ones; records come up to 15 ms before and after it. */
export const streamCases: fc.Arbitrary<StreamCase> = fc.record({
  latenessMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 20 })),
  lateOutput: fc.boolean(),
  wanted: fc.constantFrom<Wanted>("all", "fixed"),
  rooms: fc.array(fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(1_000)), { minLength: 1, maxLength: 5 }),
  pauses: fc.array(fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(1_000)), { minLength: 1, maxLength: 5 }),
  columns: fc.boolean(),
  steps: fc
    .array(
      fc.tuple(
        fc.oneof(
          { weight: 6, arbitrary: records() },
          { weight: 4, arbitrary: fc.integer({ min: -6, max: 3 }).map((lag) => ({ lag })) },
          { weight: 1, arbitrary: fc.constantFrom(1, 2, 3).map((restart) => ({ restart })) },
        ),
        fc.oneof({ weight: 6, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(40) }),
      ),
      { maxLength: 40, size: "max" },
    )
    .map((shapes) => timed(shapes)),
});

type Shape =
  | { readonly drafts: readonly (readonly [string, number, number])[] }
  | { readonly lag: number }
  | { readonly restart: number };

function records(): fc.Arbitrary<Shape> {
  const draft = fc.tuple(
    fc.constantFrom("a", "b", "a key of more than sixteen bytes"),
    fc.integer({ min: -15, max: 15 }),
    fc.nat(9),
  );
  return fc.array(draft, { minLength: 1, maxLength: 8 }).map((drafts) => ({ drafts }));
}

function timed(shapes: readonly (readonly [Shape, number])[]): Step[] {
  let now = 30;
  let id = 0;
  return shapes.map(([shape, passed]): Step => {
    now += passed;
    if ("restart" in shape) return shape;
    if ("lag" in shape) return { watermark: now + shape.lag };
    return {
      rows: shape.drafts.map(([key, distance, value]) => {
        id += 1;
        return { key, value, id, ts: now + distance };
      }),
    };
  });
}
