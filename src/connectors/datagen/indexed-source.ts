// A source whose n-th record is a pure function of n: its splits, and a reader for those who do not compile it into
// their loop.

import type { TimerHandle } from "../../base/env.ts";
import { UserError } from "../../base/errors.ts";
import type {
  IndexedSource,
  Json,
  PollResult,
  SourceOutput,
  SourceReader,
  SourceReaderContext,
  SourceSplit,
  SplitEnumerator,
} from "../../operators/source.ts";
import { checkOptions, NUMBER, type OptionKind } from "../../types/check-options.ts";
import type { TypeSpec } from "../../types/type-spec.ts";

export type IndexedOptions = {
  /** Records in all; without it the source never ends. */
  readonly count?: number;
  /** Records per second over all subtasks; without it as fast as possible. */
  readonly rate?: number;
  /** Other seeds give other records. */
  readonly seed?: number;
};

/** `more`: options that only this source has. */
export function checkIndexedOptions(
  of: string,
  given: unknown,
  more: Readonly<Record<string, OptionKind | true>>,
): void {
  const takes = { count: true, rate: true, seed: NUMBER, ...more } as const;
  checkOptions({ of, given, takes, code: "DATAGEN_INVALID" });
}

export function indexedSource<T>(
  kind: string,
  options: IndexedOptions,
  { type, describe, generate }: { type: TypeSpec | null; describe: Json; generate: (index: number) => T },
): IndexedSource<T> {
  const count = options.count ?? Number.POSITIVE_INFINITY;
  const ratePerSecond = options.rate ?? Number.POSITIVE_INFINITY;
  const isCount = count === Number.POSITIVE_INFINITY || (Number.isSafeInteger(count) && count >= 0);
  if (!isCount || !(typeof ratePerSecond === "number" && ratePerSecond > 0)) {
    throw new UserError("DATAGEN_INVALID", `${kind}: count ${String(count)}, rate ${String(ratePerSecond)}`, {
      fix: "count is a whole number of records, rate a number of records per second",
    });
  }
  const source: IndexedSource<T> = {
    kind,
    type,
    bounded: count !== Number.POSITIVE_INFINITY,
    invalid: "fail",
    count,
    ratePerSecond,
    generate,
    describe: () => describe,
    createEnumerator: ({ parallelism }) => new IndexedSplits(parallelism),
    createReader: (context) => new IndexedReader(source, context),
  };
  return source;
}

/**
 * Split k of p owns the indexes k, k + p, k + 2p, …: see `IndexedSource`. It waits for subtask k, however late that
 * starts: who read one split after the other would go through event time twice, and all of the second would be late.
 */
class IndexedSplits implements SplitEnumerator {
  readonly #parallelism: number;
  #splits: SourceSplit[];

  constructor(parallelism: number) {
    this.#parallelism = parallelism;
    this.#splits = Array.from({ length: parallelism }, (_, index) => ({
      id: `${index}/${parallelism}`,
      position: index,
    }));
  }

  async start(): Promise<void> {}

  next(subtaskIndex: number): SourceSplit | null {
    const at = this.#splits.findIndex(({ id }) => Number.parseInt(id, 10) % this.#parallelism === subtaskIndex);
    return at === -1 ? null : (this.#splits.splice(at, 1)[0] ?? null);
  }

  addBack(splits: readonly SourceSplit[]): void {
    this.#splits.unshift(...splits);
  }

  snapshot(): Json {
    return this.#splits;
  }

  restore(state: Json): void {
    this.#splits = [...(state as SourceSplit[])];
  }

  async close(): Promise<void> {}
}

type Range = { readonly id: string; next: number; readonly step: number; entered: boolean };

class IndexedReader<T> implements SourceReader<T> {
  readonly #source: IndexedSource<T>;
  readonly #context: SourceReaderContext;
  readonly #ranges: Range[] = [];
  #noMore = false;
  /** When record 0 was due, on the monotonic clock: so that the first record of all is due at once. */
  #startMs = Number.NaN;
  #timer: TimerHandle | null = null;

  constructor(source: IndexedSource<T>, context: SourceReaderContext) {
    this.#source = source;
    this.#context = context;
  }

  addSplit(split: SourceSplit): void {
    const step = Number(split.id.split("/")[1]);
    this.#ranges.push({ id: split.id, next: split.position as number, step, entered: false });
    this.#context.wake();
  }

  noMoreSplits(): void {
    this.#noMore = true;
    this.#context.wake();
  }

  poll(output: SourceOutput<T>, limit: number): PollResult {
    const { generate, count } = this.#source;
    const nowMs = this.#nowMs();
    for (let emitted = 0; emitted < limit; emitted += 1) {
      const range = this.#first();
      if (range === null) return this.#noMore ? "end" : "wait";
      if (!range.entered) output.enterSplit(range.id);
      range.entered = true;
      if (range.next >= count) {
        this.#ranges.splice(this.#ranges.indexOf(range), 1);
        output.leaveSplit(range.id);
        continue;
      }
      if (this.#startMs + this.#atMs(range.next) > nowMs) return this.#sleep(range.next);
      const index = range.next;
      range.next += range.step;
      if (!output.offer(generate(index), Number.NaN)) break;
    }
    return "more";
  }

  snapshot(): readonly SourceSplit[] {
    return this.#ranges.map(({ id, next }) => ({ id, position: next }));
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
  }

  /**
   * The range that is furthest behind: after a restore with fewer subtasks there are several, and they go on in step.
   */
  #first(): Range | null {
    let first: Range | null = null;
    for (const range of this.#ranges) if (first === null || range.next < first.next) first = range;
    return first;
  }

  /** The time up to which records are due; Infinity when there is no rate. */
  #nowMs(): number {
    const first = this.#first();
    if (this.#source.ratePerSecond === Number.POSITIVE_INFINITY || first === null) return Number.POSITIVE_INFINITY;
    const nowMs = this.#context.env.clock.monotonicMs();
    if (Number.isNaN(this.#startMs)) this.#startMs = nowMs - this.#atMs(first.next - (first.next % first.step));
    return nowMs;
  }

  #atMs(index: number): number {
    return (index / this.#source.ratePerSecond) * 1_000;
  }

  #sleep(index: number): PollResult {
    const { clock, timers } = this.#context.env;
    this.#timer?.cancel();
    this.#timer = timers.after(this.#startMs + this.#atMs(index) - clock.monotonicMs(), () => this.#context.wake());
    return "wait";
  }
}
