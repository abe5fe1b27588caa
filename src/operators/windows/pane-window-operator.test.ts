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
    fc.assert(fc.property(paneSizes, streamCases, check), { numRuns: 200 });
  });

  test("agree with it when the rows of a pane are too many for one go", () => {
    fc.assert(fc.property(paneSizes, streamCases.map(manyKeys), check), { numRuns: 15 });
  });

  test("agree with it in time zones, where clocks are put forward and back", () => {
    fc.assert(
      fc.property(zonedCases, ({ sizes, testCase }) => check(sizes, testCase)),
      { numRuns: 200 },
    );
  });
});
