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
  /** It has no state of key groups: there is one subtask. */
  readonly ungrouped?: boolean;
  /** What was given of a call that has more to do is in no snapshot: none is taken then. Default: false. */
  readonly whole?: boolean;
  /** What it gives does not depend on what other key groups have come to: tested with those of two subtasks. */
  readonly merges?: boolean;
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
  if (subject.merges) mergeContract(name, subject);
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

/** After which step two subtasks become one; and which of them each watermark before that goes to. */
type Merge = { readonly at: number; readonly turns: readonly (0 | 1)[] };

const merges: fc.Arbitrary<Merge> = fc.record({
  at: fc.nat(30),
  turns: fc.array(fc.constantFrom(0, 1), { minLength: 1, maxLength: 5 }),
});

/**
 * Key groups of two subtasks whose watermarks differ are restored into one: none is given anything twice, nothing is
 * left out, and late is what would have been late, had they stayed apart.
 */
function mergeContract(name: string, subject: OperatorSubject): void {
  test(`${name}: key groups of two subtasks that have got differently far go on together, each where it was`, () => {
    let apart = 0;
    fc.assert(
      fc.property(streamCases, merges, (testCase, merge) => {
        const run = new MergeRun(subject, testCase, merge, true);
        assert.deepEqual(run.outcomes(), new MergeRun(subject, testCase, merge, false).outcomes());
        apart += run.isApart ? 1 : 0;
      }),
      { numRuns: SNAPSHOT_RUNS },
    );
    assert.ok(apart > 0, "they had never got differently far");
  });
}

/** Two subtasks that are merged, or that stay apart and do not go back either. */
class MergeRun {
  /** Whether they had got differently far. */
  isApart = false;
  readonly #driver: OperatorDriver;
  readonly #case: StreamCase;
  readonly #at: number;
  readonly #turn: () => 0 | 1;
  readonly #merges: boolean;
  /** Where the two were when they were merged. */
  readonly #reached: [number, number] = [-Infinity, -Infinity];
  /** Where the input has come since. */
  #watermark = -Infinity;

  constructor(subject: OperatorSubject, testCase: StreamCase, { at, turns }: Merge, isMerged: boolean) {
    this.#case = testCase;
    this.#at = Math.min(at, testCase.steps.length);
    this.#turn = cycle(turns);
    this.#merges = isMerged;
    this.#driver = new OperatorDriver(
      {
        make: () => subject.make(testCase),
        keyType: { kind: "string" },
        keyOf: (record) => (record as Row).key,
        room: () => Infinity,
        overrun: Infinity,
      },
      2,
    );
  }

  outcomes(): unknown[] {
    const driver = this.#driver;
    const { steps } = this.#case;
    const outcomes = steps.map((step, index) => {
      if (index === this.#at) this.#merge();
      return this.#outcome(() => this.#step(step, index));
    });
    if (this.#at === steps.length) this.#merge();
    outcomes.push(this.#outcome(() => this.#advance(Infinity)));
    outcomes.push([...driver.counters]);
    assert.equal(driver.close(), 0);
    return outcomes;
  }

  #merge(): void {
    this.isApart = this.#reached[0] !== this.#reached[1];
    if (!this.#merges) return;
    this.#driver.restart(1);
    this.#driver.restart(1); // A snapshot of groups that are at different places keeps them there.
  }

  #step(step: Step, index: number): void {
    if ("restart" in step) return;
    if ("rows" in step) {
      const records = step.rows.map((row) => ({ record: row, timestampMs: row.ts }));
      this.#driver.records(records, this.#case.columns ? CODEC : null);
    } else if (index >= this.#at) {
      this.#advance(Math.max(this.#watermark, step.watermark));
    } else {
      const subtask = this.#turn();
      this.#reached[subtask] = Math.max(this.#reached[subtask], step.watermark);
      this.#driver.watermark(this.#reached[subtask], subtask);
    }
  }

  #advance(watermark: number): void {
    this.#watermark = watermark;
    if (this.#merges) this.#driver.watermark(watermark);
    else
      this.#reached.forEach((reached, subtask) => void this.#driver.watermark(Math.max(reached, watermark), subtask));
  }

  #outcome(step: () => void): unknown {
    const driver = this.#driver;
    driver.emitted.length = 0;
    driver.side.length = 0;
    step();
    return { rows: byKey(driver.emitted), side: byKey(driver.side) };
  }
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
  const rows = emitted.map(({ row, timestampMs, kind }) => ({
    kind,
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
