import { describe, test } from "node:test";
import fc from "fast-check";
import { OperatorDriver } from "../../../test/operators/operator-driver.ts";
import { PaneModel, type PaneSizes, paneSizes, windowOf } from "../../../test/operators/pane-model.ts";
import {
  commonOptions,
  compareStream,
  interruptions,
  type Row,
  type StreamCase,
  streamCases,
} from "../../../test/operators/window-streams.ts";
import { zonedCases } from "../../../test/operators/zone-model.ts";
import { PaneWindowOperator } from "./pane-window-operator.ts";

function check(sizes: PaneSizes, testCase: StreamCase): void {
  const driver = new OperatorDriver(
    {
      make: () => new PaneWindowOperator({ ...commonOptions(testCase), window: windowOf(sizes), partials: false }),
      keyType: { kind: "string" },
      keyOf: (record) => (record as Row).key,
      overrun: 6,
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
});
