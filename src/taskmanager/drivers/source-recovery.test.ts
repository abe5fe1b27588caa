// What a source gives over checkpoints, failures of single readers and restores of all with other numbers of subtasks:
// the real coordinator, enumerators, drivers and readers, in any order that a run can have.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { SeededRandom } from "../../base/seeded-random.ts";
import { collection } from "../../connectors/collection/index.ts";
import { generate } from "../../connectors/datagen/index.ts";
import { csv, jsonl } from "../../connectors/files/index.ts";
import { multiset } from "../../operators/source.contract.ts";
import type { Json, PollResult, Source, SourceReader, SourceSplit } from "../../operators/source.ts";
import type { SimEnv } from "../../testing/sim-env.ts";
import { simWorld } from "../../testing/world.ts";
import { type RestoredSource, SourceCoordinator, type SplitRequest } from "./source-coordinator.ts";
import { SourceDriver } from "./source-driver.ts";

/** What a subtask had when its barrier came. */
type Taken = { readonly splits: readonly SourceSplit[]; readonly emitted: number };

/** Taken by all: what everybody had, and the records that count once it is restored. */
type Checkpoint = { readonly id: number; readonly coordinator: Json; readonly taken: readonly Taken[] };

type Case = {
  readonly source: () => Source<unknown>;
  readonly files?: Readonly<Record<string, string>>;
  readonly expected: readonly unknown[];
  /** Each reader gives records in this order. */
  readonly rising?: (record: unknown) => number;
};

/** One subtask of one attempt: its driver, and the messages on their way to it. */
class Subtask {
  readonly inbox: (() => void)[] = [];
  readonly emitted: unknown[];
  readonly driver: SourceDriver;
  readonly #rising: Case["rising"];
  #highest = -Infinity;
  ended = false;

  constructor(reader: SourceReader<unknown>, env: SimEnv, before: readonly unknown[], options: Options) {
    this.emitted = [...before];
    this.#rising = options.rising;
    this.driver = new SourceDriver({
      uid: "in",
      clock: env.clock,
      reader,
      indexed: null,
      policy: "fail",
      bounded: true,
      batch: false,
      output: { offer: (record) => this.#take(record) },
      invalid: { offer: () => assert.fail("a row that is not valid") },
      counts: { add: () => undefined },
      splits: { add: () => {}, enter: () => {}, leave: () => {}, release: () => {} },
      requestSplit: options.request,
    });
  }

  poll(limit: number): PollResult {
    const result = this.driver.poll(limit);
    if (result === "end") this.ended = true;
    return result;
  }

  #take(record: unknown): boolean {
    this.emitted.push(record);
    if (this.#rising === undefined) return true;
    const at = this.#rising(record);
    assert.ok(at > this.#highest, `a reader gives ${at} after ${this.#highest}`);
    this.#highest = at;
    return true;
  }
}

type Options = { readonly rising: Case["rising"]; readonly request: () => void };

const FAILURES_MAX = 12;
const STEPS_MAX = 50_000;

/** A source over all its attempts. */
class History {
  readonly #env: SimEnv;
  readonly #settle: () => Promise<void>;
  readonly #random: SeededRandom;
  readonly #case: Case;
  readonly #source: Source<unknown>;
  #coordinator!: SourceCoordinator;
  #subtasks: Subtask[] = [];
  /** On their way to the coordinator. */
  #requests: (() => void)[] = [];
  /** Records of attempts before the last restore of all, which count. */
  #settled: unknown[] = [];
  /** What this attempt of all began with. */
  #restored: RestoredSource | null = null;
  /** The last checkpoint of this attempt of all. */
  #last: Checkpoint | null = null;
  #pending: { id: number; coordinator: Json; taken: (Taken | undefined)[] } | null = null;
  #checkpoints = 0;
  #failures = 0;

  constructor(of: Case, seed: number) {
    const { env, settle } = simWorld(seed);
    for (const [path, content] of Object.entries(of.files ?? {})) env.disk.put(path, content);
    this.#env = env;
    this.#settle = settle;
    this.#random = new SeededRandom(seed);
    this.#case = of;
    this.#source = of.source();
  }

  async run(): Promise<readonly unknown[]> {
    await this.#startAll();
    for (let step = 0; this.#subtasks.some(({ ended }) => !ended); step += 1) {
      assert.ok(step < STEPS_MAX, "somebody waits, and nobody answers");
      await this.#step();
    }
    return [...this.#settled, ...this.#subtasks.flatMap(({ emitted }) => emitted)];
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const chosen = random.below(100);
    if (chosen < 25) this.#requests.shift()?.();
    else if (chosen < 50) this.#pick().inbox.shift()?.();
    else if (chosen < 85) this.#poll(this.#pick());
    else if (chosen < 92) await this.#settle();
    else if (chosen < 95) this.#checkpoint();
    else if (chosen < 96) this.#giveUp();
    else if (this.#failures < FAILURES_MAX) await this.#fail();
  }

  #pick(): Subtask {
    return this.#subtasks[this.#random.below(this.#subtasks.length)]!;
  }

  #poll(subtask: Subtask): void {
    if (!subtask.ended) subtask.poll(1 + this.#random.below(4));
  }

  #checkpoint(): void {
    if (this.#pending !== null) return;
    this.#checkpoints += 1;
    const id = this.#checkpoints;
    const coordinator = copyOf(this.#coordinator.snapshot(id));
    this.#pending = { id, coordinator, taken: this.#subtasks.map(() => undefined) };
    for (const [index, subtask] of this.#subtasks.entries()) subtask.inbox.push(() => this.#onBarrier(index, id));
  }

  #onBarrier(index: number, id: number): void {
    const pending = this.#pending;
    if (pending?.id !== id) return; // Given up.
    const { driver, emitted } = this.#subtasks[index]!;
    pending.taken[index] = { splits: copyOf(driver.snapshot()), emitted: emitted.length };
    if (pending.taken.includes(undefined)) return;
    this.#last = pending as Checkpoint;
    this.#pending = null;
    const splits = this.#last.taken.flatMap((each) => each.splits.map((split) => split.id));
    assert.equal(new Set(splits).size, splits.length, "a split is with one reader");
    this.#coordinator.completed(id);
    this.#coordinator.goOn();
  }

  #giveUp(): void {
    if (this.#pending === null) return;
    this.#pending = null;
    this.#coordinator.goOn();
  }

  async #fail(): Promise<void> {
    this.#failures += 1;
    if (this.#random.below(2) === 0) this.#failOne();
    else await this.#failAll();
  }

  /** One reader starts again from the last checkpoint, which may be that of the last restore. */
  #failOne(): void {
    const id = this.#last?.id ?? this.#restored?.checkpoint;
    if (id === undefined) return;
    const index = this.#random.below(this.#subtasks.length);
    const { splits, emitted } = this.#last?.taken[index] ?? { splits: this.#restored!.splits, emitted: 0 };
    this.#giveUp();
    this.#subtasks[index] = this.#subtask(index, this.#subtasks[index]!.emitted.slice(0, emitted));
    this.#coordinator.giveBack(index, id, splits);
    this.#subtasks[index].driver.start();
  }

  async #failAll(): Promise<void> {
    const closed = Promise.all(
      [this.#coordinator, ...this.#subtasks.map(({ driver }) => driver)].map((each) => each.close()),
    );
    await this.#settle();
    await closed;
    if (this.#last !== null) {
      const { id, coordinator, taken } = this.#last;
      this.#settled.push(...taken.flatMap(({ emitted }, index) => this.#subtasks[index]!.emitted.slice(0, emitted)));
      this.#restored = { checkpoint: id, coordinator, splits: taken.flatMap(({ splits }) => splits) };
    }
    await this.#startAll();
  }

  async #startAll(): Promise<void> {
    this.#last = null;
    this.#pending = null;
    const parallelism = 1 + this.#random.below(4);
    const context = { env: this.#env, disk: this.#env.disk, uid: "in", parallelism };
    const coordinator: SourceCoordinator = new SourceCoordinator({
      enumerator: this.#source.createEnumerator({ ...context, wake: () => coordinator.retry() }),
      source: this.#source,
      operator: "in",
      failed: (error) => {
        throw error;
      },
    });
    this.#coordinator = coordinator;
    this.#requests = [];
    this.#subtasks = Array.from({ length: parallelism }, (_, index) => this.#subtask(index, [], parallelism));
    const starting = coordinator.start(this.#restored && copyOf(this.#restored));
    await this.#settle();
    await starting;
    for (const { driver } of this.#subtasks) driver.start();
  }

  #subtask(index: number, before: readonly unknown[], parallelism = this.#subtasks.length): Subtask {
    const env = this.#env;
    const reader = this.#source.createReader({
      env,
      disk: env.disk,
      uid: "in",
      subtaskIndex: index,
      parallelism,
      metrics: { count: () => {}, gauge: () => {}, mark: () => {}, observe: () => {} },
      wake: () => {},
    });
    const request = (): void => {
      const isOfThis = (): boolean => this.#subtasks[index] === subtask; // Messages of past attempts are dropped.
      const asked: SplitRequest = {
        subtask: index,
        answer: (splits) => void subtask.inbox.push(() => subtask.driver.onSplits(splits?.map(copyOf) ?? null)),
        release: () => void subtask.inbox.push(() => subtask.driver.release()),
      };
      this.#requests.push(() => isOfThis() && this.#coordinator.request(asked));
    };
    const subtask = new Subtask(reader, env, before, { rising: this.#case.rising, request });
    return subtask;
  }
}

function copyOf<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const lines = (from: number, to: number): string =>
  indexes(to)
    .slice(from)
    .map((n) => `{"n":${n}}\n`)
    .join("");
const rows = indexes(60).map((n) => ({ n }));
const FILES = { "/in/1": lines(0, 25), "/in/2": lines(25, 30), "/in/10": lines(30, 60) };
const nOf = (record: unknown): number => (record as { n: number }).n;

const CASES: Readonly<Record<string, Case>> = {
  "a collection": { source: () => collection(indexes(60)), expected: indexes(60), rising: Number },
  "generated records": { source: () => generate(60, (index) => index), expected: indexes(60) },
  "files cut into ranges": { source: () => jsonl("/in", { splitSize: 80 }), files: FILES, expected: rows },
  "files in time order": {
    source: () => jsonl("/in", { splitSize: 80, inTimeOrder: true }),
    files: FILES,
    expected: rows,
    rising: nOf,
  },
  "files that are scanned": {
    source: () => csv("/in", { splitSize: 50, readSize: 16 }) as Source<unknown>,
    files: {
      "/in/1": `t\n${indexes(40)
        .map((n) => `"${n}\n"\n`)
        .join("")}`,
      "/in/2": "t\na\nb\n",
    },
    expected: [...indexes(40).map((n) => ({ t: `${n}\n` })), { t: "a" }, { t: "b" }],
  },
  "an enumerator that wakes from within, and has several splits for a reader": {
    source: wakeful,
    expected: indexes(60),
  },
};

/** The records of a collection, in splits that come by ones and twos, each after a "wait". */
function wakeful(): Source<unknown> {
  const base = collection(indexes(60));
  return {
    ...base,
    streams: "several",
    createEnumerator: (context) => {
      const splits = base.createEnumerator({ ...context, parallelism: 12 });
      let asked = 0;
      return {
        start: () => splits.start(),
        next: (subtask) => {
          asked += 1;
          if (asked % 3 !== 2) context.wake();
          if (asked % 3 === 0) return "wait";
          const next = splits.next(subtask);
          const more = asked % 2 === 0 ? splits.next(subtask) : null;
          return next === null || more === null ? next : ([next, more] as SourceSplit[]);
        },
        addBack: (back) => splits.addBack(back),
        snapshot: () => splits.snapshot(),
        restore: (state) => splits.restore(state),
        close: () => splits.close(),
      };
    },
  };
}

describe("over checkpoints, failures and restores with other numbers of subtasks, every record counts once", () => {
  for (const [name, of] of Object.entries(CASES)) {
    test(name, async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(), async (seed) => {
          const records = await new History(of, seed).run();
          assert.deepEqual(multiset(records), multiset(of.expected));
        }),
        { numRuns: 25 },
      );
    });
  }
});
