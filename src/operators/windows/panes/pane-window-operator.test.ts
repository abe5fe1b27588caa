import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { OperatorDriver } from "../../../../test/operators/operator-driver.ts";
import { PaneModel, type PaneSizes, paneSizes, windowOf } from "../../../../test/operators/pane-model.ts";
import {
  commonOptions,
  compareStream,
  interruptions,
  type Row,
  type StreamCase,
  streamCases,
} from "../../../../test/operators/window-streams.ts";
import { zonedCases } from "../../../../test/operators/zone-model.ts";
import { aggregate, aggregateSet } from "../../aggregates/aggregate.ts";
import { PaneWindowOperator } from "./pane-window-operator.ts";

function check(sizes: PaneSizes, testCase: StreamCase): void {
  const driver = new OperatorDriver(
    {
      make: () => new PaneWindowOperator({ ...commonOptions(testCase), window: windowOf(sizes), partials: false }),
      keyType: { kind: "string" },
      keyOf: (record) => (record as Row).key,
      overrun: Math.ceil(sizes.sizeMs / sizes.slideMs),
      ...interruptions(testCase),
    },
    1,
  );
  compareStream(testCase, new PaneModel(sizes, testCase), driver);
}

/** Late records for panes that no window is still to come for, between windows that are: found by chance, seldom. */
const LATE_BEHIND: [PaneSizes, StreamCase][] = [
  [{ sizeMs: 2, slideMs: 1, offsetMs: 0 }, lateCase(9, [42, 30], 52, [43])],
  [{ sizeMs: 5, slideMs: 1, offsetMs: 0 }, lateCase(6, [35, 30], 48, [39, 53])],
  [{ sizeMs: 6, slideMs: 1, offsetMs: 0 }, lateCase(1, [41, 32, 30], 48, [43, 52])],
];

function lateCase(
  latenessMs: number,
  times: readonly number[],
  watermark: number,
  late: readonly number[],
): StreamCase {
  const rows = (from: number, all: readonly number[]): Row[] =>
    all.map((ts, index) => ({ key: "a", value: 0, id: from + index, ts }));
  const steps = [{ rows: rows(1, times) }, { watermark }, { rows: rows(1 + times.length, late) }];
  return { latenessMs, lateOutput: false, wanted: "all", rooms: [1_000], pauses: [1_000], columns: false, steps };
}

/** Each record once more for each of many keys. */
function manyKeys(testCase: StreamCase): StreamCase {
  const copies = Array.from({ length: 40 }, (_, copy) => copy);
  const steps = testCase.steps.map((step) => {
    if (!("rows" in step)) return step;
    const rows = step.rows.flatMap((row) =>
      copies.map((copy) => ({ ...row, key: `${row.key} ${copy}`, id: row.id * copies.length + copy })),
    );
    return { rows };
  });
  return { ...testCase, steps };
}

/** Windows of many panes, and times that are as far apart. */
const wideCases: fc.Arbitrary<[PaneSizes, StreamCase]> = fc
  .record({ width: fc.integer({ min: 8, max: 40 }), step: fc.integer({ min: 1, max: 3 }), testCase: streamCases })
  .map(({ width, step, testCase }) => [{ sizeMs: width, slideMs: step, offsetMs: 0 }, stretched(testCase)]);

function stretched(testCase: StreamCase): StreamCase {
  const steps = testCase.steps.map((step) => {
    if ("rows" in step) return { rows: step.rows.map((row) => ({ ...row, ts: row.ts * 4 + (row.id % 4) })) };
    return "watermark" in step ? { watermark: step.watermark * 4 } : step;
  });
  return { ...testCase, latenessMs: testCase.latenessMs * 4, steps };
}

describe("tumbling and sliding windows", () => {
  test("agree with a naive model over random streams, lateness, full outputs, pauses, snapshots and rescaling", () => {
    fc.assert(fc.property(paneSizes, streamCases, check), { numRuns: 200, examples: LATE_BEHIND });
  });

  test("agree with it when the rows of a pane are too many for one go", () => {
    fc.assert(fc.property(paneSizes, streamCases.map(manyKeys), check), { numRuns: 15 });
  });

  test("agree with it in time zones, where clocks are put forward and back", () => {
    fc.assert(
      fc.property(zonedCases, ({ sizes, testCase }) => check(sizes, testCase)),
      { numRuns: 150 },
    );
  });

  test("agree with it when late records are of many windows", () => {
    fc.assert(
      fc.property(wideCases, ([sizes, testCase]) => check(sizes, testCase)),
      { numRuns: 100 },
    );
  });

  test("merge a few rows for each window that a late record updates, however many there are", () => {
    const panes = 500;
    let merges = 0;
    const counted = aggregate({
      create: () => 0,
      add: (n: number, _row: Row) => n + 1,
      merge: (left: number, right: number) => {
        merges += 1;
        return left + right;
      },
      result: (n: number) => n,
    });
    const options = {
      ...commonOptions({ latenessMs: panes, lateOutput: false, wanted: "all" }),
      set: aggregateSet({ n: counted }, []),
    };
    const window = windowOf({ sizeMs: panes, slideMs: 1, offsetMs: 0 });
    const driver = new OperatorDriver(
      {
        make: () => new PaneWindowOperator({ ...options, window, partials: false }),
        keyType: { kind: "string" },
        keyOf: (record) => (record as Row).key,
        room: () => Infinity,
        overrun: 0,
      },
      1,
    );
    const send = (times: readonly number[]) =>
      driver.records(
        times.map((ts) => ({ record: { key: "a", value: 1, id: ts, ts }, timestampMs: ts })),
        null,
      );
    send(Array.from({ length: 2 * panes }, (_, ts) => ts));
    driver.watermark(2 * panes - 1);
    driver.emitted.length = 0;
    merges = 0;
    send([panes]);
    assert.deepEqual(
      driver.emitted.map(({ row }) => [row.start, row.n]),
      Array.from({ length: panes }, (_, n) => [n + 1, panes + 1]),
    );
    assert.ok(merges <= 4 * panes, `${merges} merges`);
  });
});
