import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { OperatorDriver } from "../../../../test/operators/operator-driver.ts";
import {
  byEnd,
  commonOptions,
  compareStream,
  interruptions,
  modelResult,
  type Result,
  type Row,
  type Step,
  type StreamCase,
  streamCases,
  type WindowModel,
} from "../../../../test/operators/window-streams.ts";
import { ROW_KIND, type RowKind } from "../../../types/bytes/row-kind.ts";
import { session } from "../time/window-spec.ts";
import { SessionWindowOperator } from "./session-window-operator.ts";

type Session = { readonly key: string; start: number; end: number; rows: Row[]; fired: boolean };

/** Every session with its records. */
class SessionModel implements WindowModel {
  readonly endBelongs = true;
  readonly late: Row[] = [];
  readonly #gapMs: number;
  readonly #case: StreamCase;
  #sessions: Session[] = [];
  /** Those that nothing can change any more. */
  readonly #over: Session[] = [];
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
    if (touched.length === 0 && joined.end + this.#case.latenessMs <= this.#watermark) {
      this.late.push(row);
      return [];
    }
    touched.sort((left, right) => left.start - right.start);
    for (const each of touched) {
      joined.start = Math.min(joined.start, each.start);
      joined.end = Math.max(joined.end, each.end);
    }
    joined.rows = [...touched.flatMap((each) => each.rows), row].sort((left, right) => left.id - right.id);
    joined.fired = joined.end <= this.#watermark;
    this.#sessions = [...this.#sessions.filter((each) => !touched.includes(each)), joined];
    const isSame = ({ start, end }: Session) => start === joined.start && end === joined.end;
    const given = touched.filter(({ fired }) => fired);
    const gone = given.filter((each) => !isSame(each)).map((each) => this.#result(each, ROW_KIND.delete));
    const kind = given.some(isSame) ? ROW_KIND.updateAfter : ROW_KIND.insert;
    return joined.fired ? [...gone, this.#result(joined, kind)] : gone;
  }

  watermark(watermark: number): Result[] {
    this.#watermark = watermark;
    const due = this.#sessions.filter(({ end, fired }) => !fired && end <= watermark);
    for (const each of due) each.fired = true;
    const isKept = ({ end }: Session) => end + this.#case.latenessMs > watermark;
    this.#over.push(...this.#sessions.filter((each) => !isKept(each)));
    this.#sessions = this.#sessions.filter(isKept);
    return due.map((each) => this.#result(each));
  }

  table(): Result[] {
    return this.#over.map((each) => this.#result(each));
  }

  #result(session: Session, kind?: RowKind): Result {
    return modelResult(this.#case.wanted, session, session.rows, kind);
  }
}

type DriverCase = Parameters<typeof commonOptions>[0] & { readonly room: () => number; readonly pauses?: () => number };

function driverOf(gapMs: number, { room, pauses = () => Infinity, ...testCase }: DriverCase): OperatorDriver {
  const window = session(`${gapMs}ms`);
  return new OperatorDriver(
    {
      make: () => new SessionWindowOperator({ ...commonOptions(testCase), window }),
      keyType: { kind: "string" },
      keyOf: (record) => (record as Row).key,
      overrun: 2,
      room,
      pauses,
    },
    1,
  );
}

function send(driver: OperatorDriver, rows: readonly Row[]): void {
  driver.records(
    rows.map((record) => ({ record, timestampMs: record.ts })),
    null,
  );
}

function check(gapMs: number, testCase: StreamCase): void {
  const driver = driverOf(gapMs, { ...testCase, ...interruptions(testCase) });
  compareStream(testCase, new SessionModel(gapMs, testCase), driver);
}

type Draft = { readonly key: string; readonly pause: number; readonly early: number; readonly hold: number };

/** Records and the watermarks between them, of which none makes a later record late. */
function onTime(drafts: readonly Draft[]): Step[] {
  let now = 0;
  const rows = drafts.map(({ key, pause, early }, id): Row => {
    now += pause;
    return { key, value: id, id, ts: now - early };
  });
  let least = Infinity;
  const steps: Step[] = [];
  for (const [at, row] of [...rows.entries()].reverse()) {
    steps.unshift({ rows: [row] });
    least = Math.min(least, row.ts);
    const { hold } = drafts[at] as Draft;
    if (hold < 4) steps.unshift({ watermark: least - 1 - hold });
  }
  return steps;
}

/** What the documentation says: records of a key at most `gapMs` apart belong together. */
function sessionsOf(steps: readonly Step[], gapMs: number): unknown[] {
  const rows = steps.flatMap((step) => ("rows" in step ? step.rows : [])).toSorted((a, b) => a.ts - b.ts);
  const open = new Map<string, { key: string; start: number; end: number; n: number }>();
  const all = [];
  for (const { key, ts } of rows) {
    const before = open.get(key);
    const joined = before !== undefined && ts <= before.end ? before : { key, start: ts, end: 0, n: 0 };
    if (joined !== before) all.push(joined);
    joined.end = ts + gapMs;
    joined.n += 1;
    open.set(key, joined);
  }
  return all.sort((a, b) => a.end - b.end || (a.key < b.key ? -1 : 1));
}

describe("session windows", () => {
  test("W1: records that are on time give the same sessions whatever watermarks come in between", () => {
    const draft = fc.record({
      key: fc.constantFrom("a", "b"),
      pause: fc.oneof(fc.nat(4), fc.integer({ min: 9, max: 12 })),
      early: fc.nat(6),
      hold: fc.nat(7),
    });
    const gaps = fc.oneof(fc.integer({ min: 1, max: 11 }), fc.integer({ min: 60, max: 70 }));
    const drafts = fc.array(draft, { maxLength: 30, size: "max" });
    fc.assert(
      fc.property(gaps, drafts, fc.boolean(), fc.nat(12), (gapMs, records, isScaled, latenessMs) => {
        const scale = isScaled ? gapMs : 1; // With large gaps nearly all would be one session.
        const steps = onTime(records.map((each) => ({ ...each, pause: Math.ceil((each.pause * scale) / 8) })));
        const driver = driverOf(gapMs, { latenessMs, lateOutput: false, wanted: "unordered", room: () => 3 });
        for (const step of [...steps, { watermark: Infinity }]) {
          if ("rows" in step) send(driver, step.rows);
          else if ("watermark" in step) driver.watermark(step.watermark);
        }
        const given = driver.emitted.map(({ row: { key, start, end, n } }) => ({ key, start, end, n }));
        assert.deepEqual(byEnd(given), sessionsOf(steps, gapMs));
        assert.equal(driver.counters.get("numLateRecordsDropped") ?? 0, 0);
      }),
      { numRuns: 400 },
    );
  });

  test("W1: a record exactly a gap after the last one is of its session when the watermark is just before it", () => {
    const given = (watermark: number) => {
      const driver = driverOf(10_000, { latenessMs: 0, lateOutput: false, wanted: "unordered", room: () => 100 });
      send(driver, [{ key: "a", value: 1, id: 1, ts: 0 }]);
      driver.watermark(watermark);
      send(driver, [{ key: "a", value: 1, id: 2, ts: 10_000 }]);
      driver.watermark(Infinity);
      return driver.emitted.map(({ row, timestampMs }) => [row.start, row.end, row.n, timestampMs]);
    };
    for (const watermark of [-1, 0, 9_998, 9_999]) assert.deepEqual(given(watermark), [[0, 20_000, 2, 20_000]]);
    assert.deepEqual(given(10_000), [
      [0, 10_000, 1, 10_000],
      [10_000, 20_000, 1, 20_000],
    ]);
  });

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
    fc.assert(fc.property(fc.integer({ min: 1, max: 12 }), scattered, check), { numRuns: 60 });
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
