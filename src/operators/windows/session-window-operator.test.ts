import { describe, test } from "node:test";
import fc from "fast-check";
import { OperatorDriver } from "../../../test/operators/operator-driver.ts";
import {
  commonOptions,
  compareStream,
  interruptions,
  modelResult,
  type Result,
  type Row,
  type StreamCase,
  streamCases,
  type WindowModel,
} from "../../../test/operators/window-streams.ts";
import { SessionWindowOperator } from "./session-window-operator.ts";
import { session } from "./window-spec.ts";

type Session = { readonly key: string; start: number; end: number; rows: Row[]; fired: boolean };

/** Every session with its records. */
class SessionModel implements WindowModel {
  readonly late: Row[] = [];
  readonly #gapMs: number;
  readonly #case: StreamCase;
  #sessions: Session[] = [];
  #watermark = -Infinity;

  constructor(gapMs: number, testCase: StreamCase) {
    this.#gapMs = gapMs;
    this.#case = testCase;
  }

  add(row: Row): Result[] {
    const joined: Session = { key: row.key, start: row.ts, end: row.ts + this.#gapMs, rows: [row], fired: false };
    const touched = this.#sessions.filter(
      ({ key, start, end }) => key === row.key && start <= joined.end && end >= joined.start,
    );
    if (touched.length === 0 && joined.end - 1 + this.#case.latenessMs <= this.#watermark) {
      this.late.push(row);
      return [];
    }
    for (const each of touched) {
      joined.start = Math.min(joined.start, each.start);
      joined.end = Math.max(joined.end, each.end);
    }
    joined.rows = [...touched.flatMap((each) => each.rows), row].sort((left, right) => left.id - right.id);
    joined.fired = joined.end - 1 <= this.#watermark;
    this.#sessions = [...this.#sessions.filter((each) => !touched.includes(each)), joined];
    return joined.fired ? [modelResult(this.#case.wanted, joined, joined.rows)] : [];
  }

  watermark(watermark: number): Result[] {
    this.#watermark = watermark;
    const due = this.#sessions.filter(({ end, fired }) => !fired && end - 1 <= watermark);
    for (const each of due) each.fired = true;
    this.#sessions = this.#sessions.filter(({ end }) => end - 1 + this.#case.latenessMs > watermark);
    return due.map((each) => modelResult(this.#case.wanted, each, each.rows));
  }
}

function check(gapMs: number, testCase: StreamCase): void {
  const window = session(`${gapMs}ms`);
  const driver = new OperatorDriver(
    {
      make: () => new SessionWindowOperator({ ...commonOptions(testCase), window }),
      keyType: { kind: "string" },
      keyOf: (record) => (record as Row).key,
      overrun: 1,
      ...interruptions(testCase),
    },
    1,
  );
  compareStream(testCase, new SessionModel(gapMs, testCase), driver);
}

describe("session windows", () => {
  test("agree with a naive model over random streams, lateness, full outputs, pauses, snapshots and rescaling", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 12 }), streamCases, check), { numRuns: 200 });
  });

  test("agree with the model when each key has many sessions open, whatever the order in which they come", () => {
    const scattered = streamCases.map((testCase): StreamCase => {
      const steps = testCase.steps.map((step) => {
        if (!("rows" in step)) return step;
        const rows = step.rows.flatMap((row) =>
          Array.from({ length: 12 }, (_, copy) => {
            const id = row.id * 12 + copy;
            return { ...row, id, ts: row.ts + ((id * 7_919) % 1_500) };
          }),
        );
        return { rows };
      });
      return { ...testCase, steps };
    });
    fc.assert(fc.property(fc.integer({ min: 1, max: 12 }), scattered, check), { numRuns: 30 });
  });

  test("agree with the model when gaps have many grains", () => {
    const gaps = fc.integer({ min: 65, max: 400 });
    const spread = streamCases.map(
      (testCase): StreamCase => ({
        ...testCase,
        latenessMs: testCase.latenessMs * 30,
        steps: testCase.steps.map((step) => {
          if ("rows" in step) return { rows: step.rows.map((row) => ({ ...row, ts: row.ts * 30 })) };
          return "watermark" in step ? { watermark: step.watermark * 30 } : step;
        }),
      }),
    );
    fc.assert(fc.property(gaps, spread, check), { numRuns: 200 });
  });
});
