// What every operator with state guarantees, as tests for one of them: its results are those of one long turn into an
// output that is never full, wherever it was made to stop, and whenever a fresh instance took over from a snapshot.
//
// Streams are those of the windows' tests (test/operators/window-streams.ts). What keys give one after the other is
// compared step by step; in which order keys come is not defined.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Emitted, OperatorDriver } from "../../test/operators/operator-driver.ts";
import { ROW, type Row, type Step, type StreamCase, streamCases } from "../../test/operators/window-streams.ts";
import type { KeyedStore, KeyedStoreOptions } from "../state/store/keyed-store.ts";
import { compileBatchCodec } from "../types/batch/batch-codec.ts";
import type { Operator } from "./operator.ts";

export type OperatorSubject = {
  readonly make: (testCase: StreamCase) => Operator;
  /** The most that one record may give, less the one for which there is room. */
  readonly overrun: number;
  /** Default: 1. Of two, records with odd ids go to the second. */
  readonly inputs?: 1 | 2;
  readonly store?: (options: KeyedStoreOptions) => KeyedStore;
  /** State is of no key group, so that there is one subtask. */
  readonly ungrouped?: boolean;
  /** What was given of a call that has more to do is in no snapshot: none is taken then. Default: false. */
  readonly whole?: boolean;
  /** What counts of the rows given so far once event time has come to a watermark. Default: each, in its step. */
  readonly outcome?: (rows: readonly Emitted[], watermark: number) => unknown;
};

/** What an operator is subjected to; each list is gone through again and again. */
type Limits = {
  readonly rooms: readonly number[];
  readonly pauses: readonly number[];
  /** Whether a fresh operator goes on after a stop. */
  readonly replaces: readonly boolean[];
  /** Steps that restart everything count. */
  readonly restarts: boolean;
};

const ENDLESS: Limits = { rooms: [Infinity], pauses: [Infinity], replaces: [false], restarts: false };
const CODEC = compileBatchCodec(ROW.spec, { timestamps: true, extraFields: "refuse" });
const RUNS = 8;
/** In few of them an operator of whole firings stops where a snapshot can be taken. */
const SNAPSHOT_RUNS = 40;

const few = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
const often = fc.array(fc.boolean(), { minLength: 1, maxLength: 6 });

const LIMITS: Readonly<Record<string, fc.Arbitrary<Limits>>> = {
  "with an output that every record, or every other, fills": fc
    .constantFrom([1], [2], [1, 2])
    .map((rooms) => ({ ...ENDLESS, rooms })),
  "with turns of a few rows": few.map((pauses) => ({ ...ENDLESS, pauses })),
  "with a fresh instance, from a snapshot, for each few stops": fc
    .tuple(few, often)
    .map(([rooms, replaces]) => ({ ...ENDLESS, rooms, replaces: [...replaces, true] })),
  "with all of it, and other parallelisms": fc
    .tuple(few, few, often)
    .map(([rooms, pauses, replaces]) => ({ rooms, pauses, replaces, restarts: true })),
};

/** The tests of one operator. */
export function operatorContract(name: string, subject: OperatorSubject): void {
  describe(`${name}: the same results`, () => {
    for (const [how, limits] of Object.entries(LIMITS)) {
      test(how, () => {
        let replaced = 0;
        const check = (testCase: StreamCase, limited: Limits): void => {
          const run = new ContractRun(subject, testCase, limited);
          assert.deepEqual(run.outcomes(), new ContractRun(subject, testCase, ENDLESS).outcomes());
          replaced += run.driver.replaced;
        };
        const snapshots = how.includes("snapshot");
        fc.assert(fc.property(streamCases, limits, check), { numRuns: snapshots ? SNAPSHOT_RUNS : RUNS });
        if (snapshots) assert.ok(replaced > 0, "it was never replaced");
      });
    }
  });
}

class ContractRun {
  readonly driver: OperatorDriver;
  readonly #subject: OperatorSubject;
  readonly #case: StreamCase;
  readonly #limits: Limits;
  readonly #rows: Emitted[] = [];
  #watermark = -Infinity;

  constructor(subject: OperatorSubject, testCase: StreamCase, limits: Limits) {
    const { overrun, store, ungrouped, make } = subject;
    this.#subject = subject;
    this.#case = testCase;
    this.#limits = limits;
    const replaces = cycle(limits.replaces);
    this.driver = new OperatorDriver(
      {
        make: () => make(testCase),
        keyType: { kind: "string" },
        keyOf: (record) => (record as Row).key,
        room: cycle(limits.rooms),
        pauses: cycle(limits.pauses),
        replaces: (halfWay) => !(subject.whole && halfWay) && replaces(),
        overrun: limits === ENDLESS ? Infinity : overrun,
        ...(store !== undefined && { store }),
        ...(ungrouped && { maxParallelism: 1 }),
      },
      1,
    );
  }

  /** What each step gives; nothing may be left of the operators in the end. */
  outcomes(): unknown[] {
    const { driver } = this;
    const outcomes = this.#case.steps.map((step, index) => this.#outcome(() => this.#step(step, 30 + index * 2)));
    outcomes.push(this.#outcome(() => this.#advance(Infinity)));
    outcomes.push(this.#outcome(() => driver.end()));
    outcomes.push([...driver.counters]);
    assert.equal(driver.close(), 0);
    return outcomes;
  }

  #step(step: Step, nowMs: number): void {
    const { driver } = this;
    if ("restart" in step) {
      if (this.#limits.restarts) driver.restart(this.#subject.ungrouped ? 1 : step.restart);
      return;
    }
    driver.time(nowMs);
    if ("watermark" in step) {
      this.#advance(Math.max(this.#watermark, step.watermark));
      if (step.watermark % 5 === 0) driver.idle();
      return;
    }
    const { inputs = 1 } = this.#subject;
    const records = step.rows.map((row) => {
      const input: 0 | 1 = inputs === 2 && row.id % 2 === 1 ? 1 : 0;
      return { record: row, timestampMs: row.ts, input };
    });
    driver.records(records, this.#case.columns ? CODEC : null);
  }

  #advance(watermark: number): void {
    this.#watermark = watermark;
    this.driver.watermark(watermark);
  }

  #outcome(step: () => void): unknown {
    const { driver } = this;
    driver.emitted.length = 0;
    driver.side.length = 0;
    step();
    this.#rows.push(...driver.emitted);
    const { outcome } = this.#subject;
    if (outcome !== undefined) return outcome(this.#rows, this.#watermark);
    return { rows: byKey(driver.emitted), side: byKey(driver.side) };
  }
}

/** What each key has given, in order. Quantiles are estimates. */
function byKey(emitted: readonly Emitted[]): Partial<Record<string, unknown[]>> {
  const rows = emitted.map(({ row, timestampMs }) => ({
    ...row,
    ...("middle" in row && { middle: Math.round(Number(row.middle)) }),
    "its time": timestampMs,
  }));
  return { ...Object.groupBy(rows, (row) => String((row as Record<string, unknown>).key)) };
}

function cycle<T>(values: readonly T[]): () => T {
  let turn = 0;
  return () => values[turn++ % values.length] as T;
}
