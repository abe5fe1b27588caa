// A source whose n-th record is a pure function of n: its splits, and a reader for those who do not compile it into
// their loop.

import type { TimerHandle } from "../../base/env.ts";
import { UserError } from "../../base/errors.ts";
import { IndexedRanges } from "../../operators/indexed-ranges.ts";
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
import { describe as describeValue } from "../../types/spec/describe.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";

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
  if (!isCount) throw invalid(kind, "count", { value: count, takes: "a whole number of records of at least 0" });
  if (!(typeof ratePerSecond === "number" && ratePerSecond > 0))
    throw invalid(kind, "rate", { value: ratePerSecond, takes: "a number of records per second above 0" });
  const source: IndexedSource<T> = {
    kind,
    type,
    bounded: count !== Number.POSITIVE_INFINITY,
    live: ratePerSecond !== Number.POSITIVE_INFINITY,
    streams: "one",
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

function invalid(kind: string, option: string, is: { readonly value: unknown; readonly takes: string }): UserError {
  return new UserError("DATAGEN_INVALID", `the ${option} of ${kind} is ${describeValue(is.value)}`, {
    fix: `${option} is ${is.takes}`,
  });
}

/**
 * Split k of p owns the indexes k, k + p, k + 2p, …: see `IndexedSource`. It waits for subtask k, however late that
 * starts, and after a restore for k modulo the number there is then, which gets all of its splits at once: who read one
 * after the other would go through event time twice, and all of the second would be late.
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

  next(subtaskIndex: number): readonly SourceSplit[] | null {
    const isIts = ({ id }: SourceSplit): boolean => Number.parseInt(id, 10) % this.#parallelism === subtaskIndex;
    const its = this.#splits.filter(isIts);
    this.#splits = this.#splits.filter((split) => !isIts(split));
    return its.length === 0 ? null : its;
  }

  addBack(splits: readonly SourceSplit[]): void {
    this.#splits = [...splits, ...this.#splits];
  }

  snapshot(): Json {
    return this.#splits;
  }

  restore(state: Json): void {
    this.#splits = [...(state as SourceSplit[])];
  }

  async close(): Promise<void> {}
}

class IndexedReader<T> implements SourceReader<T> {
  readonly #source: IndexedSource<T>;
  readonly #context: SourceReaderContext;
  readonly #ranges: IndexedRanges;
  #noMore = false;
  #timer: TimerHandle | null = null;

  constructor(source: IndexedSource<T>, context: SourceReaderContext) {
    this.#source = source;
    this.#context = context;
    this.#ranges = new IndexedRanges(source, context.env.clock);
  }

  addSplit(split: SourceSplit): void {
    this.#ranges.add(split);
    this.#context.wake();
  }

  noMoreSplits(): void {
    this.#noMore = true;
    this.#context.wake();
  }

  poll(output: SourceOutput<T>, limit: number): PollResult {
    const { generate } = this.#source;
    const result = this.#ranges.poll(limit, {
      enter: (split) => output.enterSplit(split),
      emit: ({ next, step }, to) => {
        let index = next;
        for (let room = true; room && index < to; index += step) room = output.offer(generate(index), Number.NaN);
        return index;
      },
      leave: (split) => output.leaveSplit(split),
    });
    if (result === "none") return this.#noMore ? "end" : "wait";
    if (result === "wait") this.#sleep();
    return result;
  }

  snapshot(): readonly SourceSplit[] {
    return this.#ranges.snapshot();
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
  }

  #sleep(): void {
    this.#timer?.cancel();
    this.#timer = this.#context.env.timers.after(this.#ranges.waitMs(), () => this.#context.wake());
  }
}
