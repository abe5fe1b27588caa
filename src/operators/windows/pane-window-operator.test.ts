import { describe, test } from "node:test";
import fc from "fast-check";
import { OperatorDriver } from "../../testing/operator-driver.ts";
import {
  commonOptions,
  compareStream,
  modelResult,
  type Result,
  type Row,
  type StreamCase,
  streamCases,
  type WindowModel,
} from "../../testing/window-streams.ts";
import { PaneWindowOperator } from "./pane-window-operator.ts";
import { sliding, tumbling, type WindowOptions } from "./window-spec.ts";

type Frame = { readonly sizeMs: number; readonly slideMs: number; readonly offsetMs: number };
type Window = { readonly key: string; readonly start: number; readonly end: number; readonly rows: Row[] };

/** Every window of every key with its records. */
class PaneModel implements WindowModel {
  readonly late: Row[] = [];
  readonly #frame: Frame;
  readonly #case: StreamCase;
  readonly #windows = new Map<string, Window>();
  #watermark = -Infinity;

  constructor(frame: Frame, testCase: StreamCase) {
    this.#frame = frame;
    this.#case = testCase;
  }

  add(row: Row): Result[] {
    const { sizeMs, slideMs, offsetMs } = this.#frame;
    const updates: Result[] = [];
    let taken = false;
    const lastStart = Math.floor((row.ts - offsetMs) / slideMs) * slideMs + offsetMs;
    for (let start = lastStart; start > row.ts - sizeMs; start -= slideMs) {
      const end = start + sizeMs;
      if (end - 1 + this.#case.latenessMs <= this.#watermark) continue;
      taken = true;
      const id = `${start} ${row.key}`;
      const window = this.#windows.get(id) ?? { key: row.key, start, end, rows: [] };
      this.#windows.set(id, window);
      window.rows.push(row);
      if (end - 1 <= this.#watermark) updates.unshift(modelResult(this.#case.wanted, window, window.rows));
    }
    if (!taken) this.late.push(row);
    return updates;
  }

  watermark(watermark: number): Result[] {
    const due = [...this.#windows.values()].filter(({ end }) => end - 1 > this.#watermark && end - 1 <= watermark);
    this.#watermark = watermark;
    return due.map((window) => modelResult(this.#case.wanted, window, window.rows));
  }
}

function check(frame: Frame, testCase: StreamCase): void {
  const { sizeMs, slideMs, offsetMs } = frame;
  const options: WindowOptions = { offset: `${offsetMs}ms` };
  const isTumbling = sizeMs === slideMs;
  const window = isTumbling ? tumbling(`${sizeMs}ms`, options) : sliding(`${sizeMs}ms`, `${slideMs}ms`, options);
  let turn = 0;
  const driver = new OperatorDriver(
    {
      make: () => new PaneWindowOperator({ ...commonOptions(testCase), window, partials: false }),
      keyType: { kind: "string" },
      keyOf: (record) => (record as Row).key,
      overrun: 6,
      room: () => testCase.rooms[turn++ % testCase.rooms.length] as number,
    },
    1,
  );
  compareStream(testCase, new PaneModel(frame, testCase), driver);
}

const frames: fc.Arbitrary<Frame> = fc.oneof(
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

describe("tumbling and sliding windows", () => {
  test("agree with a naive model over random streams, lateness, outputs that are full, snapshots and rescaling", () => {
    fc.assert(fc.property(frames, streamCases, check), { numRuns: 300 });
  });
});
