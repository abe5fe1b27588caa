// `collection(…)`: the items of an array as a source, for tests and small fixed inputs.

import type {
  Json,
  PollResult,
  Source,
  SourceOutput,
  SourceReader,
  SourceReaderContext,
  SourceSplit,
  SplitEnumerator,
} from "../../operators/source.ts";
import { checkOptions, checkValue, type OptionKind } from "../../types/check-options.ts";
import { checkedLayout } from "../../types/spec/schema-spec.ts";
import type { Type } from "../../types/t.ts";

/** The items of an array. Each subtask reads one piece of it, in order; with one subtask that is the whole array. */
export function collection<T>(items: readonly T[], options: { readonly type?: Type<T> } = {}): Source<T> {
  const code = "CONNECTOR_OPTION_INVALID";
  checkValue({ what: "the first argument of collection", value: items, kind: ITEMS, code });
  checkOptions({ of: "collection", given: options, takes: { type: true }, code });
  return {
    kind: "collection",
    type: options.type === undefined ? null : checkedLayout(options.type, "the type of collection"),
    bounded: true,
    streams: "one",
    invalid: "fail",
    describe: () => ({ count: items.length }),
    createEnumerator: ({ parallelism }) => new CollectionSplits(items.length, parallelism),
    createReader: (context) => new CollectionReader(items, context),
  };
}

const ITEMS: OptionKind = { takes: "an array of records", accepts: Array.isArray };

/** Where a piece goes on and where it ends. */
type Piece = { readonly next: number; readonly end: number };

class CollectionSplits implements SplitEnumerator {
  #splits: SourceSplit[] = [];

  constructor(count: number, parallelism: number) {
    for (let index = 0; index < parallelism; index += 1) {
      const next = Math.floor((count * index) / parallelism);
      const end = Math.floor((count * (index + 1)) / parallelism);
      if (next < end) this.#splits.push({ id: `${next}-${end}`, position: { next, end } });
    }
  }

  async start(): Promise<void> {}

  next(): SourceSplit | null {
    return this.#splits.shift() ?? null;
  }

  addBack(splits: readonly SourceSplit[]): void {
    this.#splits = [...splits, ...this.#splits].sort((left, right) => firstOf(left) - firstOf(right));
  }

  snapshot(): Json {
    return [...this.#splits];
  }

  restore(state: Json): void {
    this.#splits = [...(state as SourceSplit[])];
  }

  async close(): Promise<void> {}
}

function firstOf({ position }: SourceSplit): number {
  return (position as Piece).next;
}

class CollectionReader<T> implements SourceReader<T> {
  readonly #items: readonly T[];
  readonly #context: SourceReaderContext;
  #splits: SourceSplit[] = [];
  #entered = false;
  #noMore = false;

  constructor(items: readonly T[], context: SourceReaderContext) {
    this.#items = items;
    this.#context = context;
  }

  addSplit(split: SourceSplit): void {
    this.#splits.push(split);
    this.#context.wake();
  }

  noMoreSplits(): void {
    this.#noMore = true;
    this.#context.wake();
  }

  poll(output: SourceOutput<T>, limit: number): PollResult {
    const [split] = this.#splits;
    if (split === undefined) return this.#noMore ? "end" : "wait";
    if (!this.#entered) output.enterSplit(split.id);
    this.#entered = true;
    let { next, end } = split.position as Piece;
    const stop = Math.min(end, next + limit);
    let goOn = true;
    while (next < stop && goOn) {
      goOn = output.offer(this.#items[next]!, Number.NaN);
      next += 1;
    }
    if (next < end) {
      this.#splits[0] = { id: split.id, position: { next, end } };
    } else {
      this.#splits.shift();
      this.#entered = false;
      output.leaveSplit(split.id);
    }
    return "more";
  }

  snapshot(): readonly SourceSplit[] {
    return [...this.#splits];
  }

  async close(): Promise<void> {}
}
