import { describe, test } from "node:test";
import fc from "fast-check";
import { OperatorDriver } from "../../../test/operators/operator-driver.ts";
import { PaneModel, type PaneSizes, paneSizes, windowOf } from "../../../test/operators/pane-model.ts";
import {
  commonOptions,
  compareStream,
  type Row,
  type StreamCase,
  streamCases,
} from "../../../test/operators/window-streams.ts";
import { PaneWindowOperator } from "./pane-window-operator.ts";

function check(sizes: PaneSizes, testCase: StreamCase): void {
  let turn = 0;
  const driver = new OperatorDriver(
    {
      make: () => new PaneWindowOperator({ ...commonOptions(testCase), window: windowOf(sizes), partials: false }),
      keyType: { kind: "string" },
      keyOf: (record) => (record as Row).key,
      overrun: 6,
      room: () => testCase.rooms[turn++ % testCase.rooms.length] as number,
    },
    1,
  );
  compareStream(testCase, new PaneModel(sizes, testCase), driver);
}

describe("tumbling and sliding windows", () => {
  test("agree with a naive model over random streams, lateness, outputs that are full, snapshots and rescaling", () => {
    fc.assert(fc.property(paneSizes, streamCases, check), { numRuns: 200 });
  });
});
