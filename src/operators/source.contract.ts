// What every source guarantees, and the small driver that stands for the task loop in tests of sources.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Env } from "../base/env.ts";
import { SeededRandom } from "../base/seeded-random.ts";
import type {
  InvalidRow,
  PollResult,
  Source,
  SourceOutput,
  SourceReader,
  SourceSplit,
  SplitEnumerator,
} from "./source.ts";

/** Where a source is read: an environment, and how to let what is asynchronous go on. */
export type World = { readonly env: Env; readonly settle: () => Promise<void> };

export type ReadOptions = {
  readonly parallelism?: number;
  /** Seed of everything that may vary: limits, full outputs, the order of polls. */
  readonly seed?: number;
  /**
   * Snapshot, throw everything away and restore, each time so many records were emitted; again at another parallelism.
   */
  readonly restartAfter?: number;
};

export type ReadResult<T> = { readonly records: T[]; readonly invalid: InvalidRow[]; readonly perReader: T[][] };

/** Reads a bounded source to its end. */
export async function readAll<T>(source: Source<T>, world: World, options: ReadOptions = {}): Promise<ReadResult<T>> {
  const random = new SeededRandom(options.seed ?? 1);
  const result: ReadResult<T> = { records: [], invalid: [], perReader: [] };
  let parallelism = options.parallelism ?? 1;
  let snapshot: string | null = null;
  for (;;) {
    const run = new ReadRun(source, world, parallelism, random, result);
    snapshot = await run.read(snapshot, options.restartAfter ?? Number.POSITIVE_INFINITY);
    if (snapshot === null) return result;
    parallelism = 1 + random.below(4);
  }
}

const PATIENCE_MS = 100_000; // Of real time, before a test that waits for nothing fails.

/** One attempt: an enumerator and its readers, from a snapshot to the end or to the next snapshot. */
class ReadRun<T> {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #result: ReadResult<T>;
  readonly #enumerator: SplitEnumerator;
  readonly #readers: TestReader<T>[] = [];
  #emitted = 0;

  constructor(source: Source<T>, world: World, parallelism: number, random: SeededRandom, result: ReadResult<T>) {
    this.#world = world;
    this.#random = random;
    this.#result = result;
    const { env } = world;
    this.#enumerator = source.createEnumerator({ env, disk: env.disk, uid: "source", parallelism, wake: () => {} });
    for (let index = 0; index < parallelism; index += 1) {
      this.#readers.push(new TestReader(source, env, index, parallelism));
      result.perReader[index] ??= [];
    }
  }

  /** Null: all was read. */
  async read(snapshot: string | null, restartAfter: number): Promise<string | null> {
    try {
      await this.#start(snapshot);
      let progressMs = performance.now();
      while (this.#readers.some((reader) => !reader.ended)) {
        if (this.#emitted >= restartAfter) return this.#snapshot();
        if (this.#turn()) {
          progressMs = performance.now();
          continue;
        }
        assert.ok(performance.now() - progressMs < PATIENCE_MS, "S2: everybody waits and nobody wakes");
        await this.#world.settle();
      }
      return null;
    } finally {
      await this.#waitFor(
        Promise.all([this.#enumerator.close(), ...this.#readers.map((reader) => reader.reader.close())]),
      );
    }
  }

  async #start(snapshot: string | null): Promise<void> {
    const state = snapshot === null ? null : (JSON.parse(snapshot) as { enumerator: never; splits: SourceSplit[] });
    if (state !== null) this.#enumerator.restore(state.enumerator);
    await this.#waitFor(this.#enumerator.start());
    if (state !== null && state.splits.length > 0) this.#enumerator.addBack(state.splits);
  }

  #snapshot(): string {
    const splits = this.#readers.flatMap(({ reader }) => reader.snapshot());
    return JSON.stringify({ enumerator: this.#enumerator.snapshot(), splits });
  }

  /** Polls whoever is awake, in a random order. False: nobody is. */
  #turn(): boolean {
    const awake = this.#readers.filter((reader) => !reader.ended && (reader.isAwake || reader.wantsSplit));
    const reader = awake[this.#random.below(Math.max(1, awake.length))];
    if (reader === undefined) return false;
    if (reader.wantsSplit) {
      const split = this.#enumerator.next(reader.index);
      if (split !== "wait") reader.answer(split);
      else if (!reader.isAwake) return false;
    }
    if (reader.isAwake) this.#emitted += reader.poll(this.#random, this.#result);
    return true;
  }

  async #waitFor(promise: Promise<unknown>): Promise<void> {
    let over = false;
    const watched = promise.finally(() => {
      over = true;
    });
    watched.catch(() => {}); // Thrown by the await below.
    const startMs = performance.now();
    while (!over && performance.now() - startMs < PATIENCE_MS) await this.#world.settle();
    assert.ok(over, "a promise of the source never settles");
    await watched;
  }
}

class TestReader<T> {
  readonly index: number;
  readonly reader: SourceReader<T>;
  isAwake = true;
  wantsSplit = true;
  ended = false;
  readonly #entered = new Set<string>();

  constructor(source: Source<T>, env: Env, index: number, parallelism: number) {
    this.index = index;
    this.reader = source.createReader({
      env,
      disk: env.disk,
      uid: "source",
      subtaskIndex: index,
      parallelism,
      metrics: { count: () => {}, gauge: () => {}, mark: () => {}, observe: () => {} },
      wake: () => {
        this.isAwake = true;
      },
    });
  }

  answer(splits: SourceSplit | readonly SourceSplit[] | null): void {
    this.wantsSplit = false;
    if (splits === null) this.reader.noMoreSplits();
    else for (const split of [splits].flat()) this.addSplit(split);
    this.isAwake = true;
  }

  addSplit(split: SourceSplit): void {
    this.reader.addSplit(JSON.parse(JSON.stringify(split)) as SourceSplit);
  }

  /** Records emitted. */
  poll(random: SeededRandom, result: ReadResult<T>): number {
    const limit = 1 + random.below(random.next() < 0.5 ? 3 : 1_000);
    let emitted = 0;
    let full = false;
    const take = (): boolean => {
      assert.ok(!full, "nothing is emitted after the output said that it is full");
      assert.ok(this.#entered.size > 0, "a record belongs to a split that was entered");
      emitted += 1;
      full = random.next() < 0.1;
      return !full;
    };
    const output: SourceOutput<T> = {
      offer: (record, timestampMs) => {
        assert.equal(typeof timestampMs, "number");
        result.records.push(record);
        result.perReader[this.index]!.push(record);
        return take();
      },
      invalid: (row) => {
        result.invalid.push(row);
        return take();
      },
      enterSplit: (split) => {
        this.#entered.add(split);
      },
      leaveSplit: (split) => {
        assert.ok(this.#entered.delete(split), `${split} was entered before it is left`);
        this.wantsSplit = true;
      },
    };
    const answer: PollResult = this.reader.poll(output, limit);
    assert.ok(emitted <= limit, `poll emitted ${emitted} of at most ${limit}`);
    assert.ok(!full || answer !== "wait", "a full output is no reason to wait");
    if (answer === "wait") this.isAwake = false;
    if (answer === "end") {
      this.ended = true;
      assert.equal(this.#entered.size, 0, "S4: every split was left at the end");
      assert.equal(this.reader.poll(output, 1), "end", "S4: the end is the end");
      assert.deepEqual(this.reader.snapshot(), [], "S3: nothing is left after the end");
    }
    return emitted;
  }
}

export type SourceCase<T> = {
  readonly source: Source<T>;
  readonly world: World;
  /** All records, in any order. */
  readonly expected: readonly T[];
  /** Throws when something the source opened is still open. */
  readonly checkClosed?: () => void;
};

export function sourceContract<T>(name: string, make: () => SourceCase<T> | Promise<SourceCase<T>>): void {
  const reads = async (options: ReadOptions): Promise<void> => {
    const { source, world, expected, checkClosed } = await make();
    const { records, invalid } = await readAll(source, world, options);
    assert.deepEqual(invalid, []);
    assert.deepEqual(multiset(records), multiset(expected), JSON.stringify(options));
    checkClosed?.();
  };
  describe(`source contract: ${name}`, () => {
    test("one reader emits every record once, whatever the limits and however full the output is", async () => {
      for (let seed = 1; seed <= 5; seed += 1) await reads({ seed });
    });
    test("any number of readers emit every record once together", async () => {
      for (const parallelism of [2, 3, 7]) await reads({ parallelism, seed: parallelism });
    });
    test("snapshot and restore at any point, at any parallelism, lose and double nothing", async () => {
      for (let seed = 1; seed <= 8; seed += 1)
        await reads({ parallelism: 1 + (seed % 3), seed, restartAfter: 1 + seed * 7 });
    });
    test("two reads with the same seed give the same records in the same order at each reader", async () => {
      const runs = [];
      for (let run = 0; run < 2; run += 1) {
        const { source, world } = await make();
        runs.push((await readAll(source, world, { parallelism: 1, seed: 3 })).records);
      }
      assert.deepEqual(runs[0], runs[1]);
    });
    test("the description is plain data and the same each time", async () => {
      const [one, two] = [(await make()).source.describe(), (await make()).source.describe()];
      assert.deepEqual(JSON.parse(JSON.stringify(one)), one);
      assert.deepEqual(one, two);
    });
  });
}

/** Sorted by their text, so that two of them can be compared. */
export function multiset(records: readonly unknown[]): unknown[] {
  return records
    .map((record) => ({ record, key: keyOf(record) }))
    .sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0))
    .map(({ record }) => record);
}

function keyOf(record: unknown): string {
  return JSON.stringify(record, (_name, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}
