// What stands in for a source in tests: it emits what the test pushes, in that order, and gives the watermarks the test says.
//
//   S1. Records pushed before a watermark are emitted, and have left the source's task, before that watermark.
//   S2. It describes itself as the source it stands for, so that the plan keeps its hash.

import { UserError } from "../base/errors.ts";
import type { Json, InvalidPolicy, InvalidRow, PollResult, Source, SourceOutput } from "../operators/source.ts";
import type { SourceReader, SourceReaderContext, SplitEnumerator } from "../operators/source.ts";
import type { TypeSpec } from "../types/type-spec.ts";

type Item =
  | { readonly kind: "record"; readonly record: unknown }
  | { readonly kind: "invalid"; readonly row: InvalidRow }
  | { readonly kind: "watermark"; readonly atMs: number }
  | { readonly kind: "end" };

const NO_SPLITS: SplitEnumerator = {
  start: async () => undefined,
  next: () => null,
  addBack: () => undefined,
  snapshot: () => null,
  restore: () => undefined,
  close: async () => undefined,
};

/** What one subtask of the source has to emit. */
class StubReader implements SourceReader<unknown> {
  wake: () => void = () => undefined;
  #items: Item[] = [];
  #next = 0;
  #watermark = -Infinity;
  #ended = false;

  get ended(): boolean {
    return this.#ended;
  }

  get lastWatermark(): number {
    return this.#items.reduce((last, item) => (item.kind === "watermark" ? item.atMs : last), this.#watermark);
  }

  push(item: Item): void {
    if (item.kind === "end") this.#ended = true;
    this.#items.push(item);
    this.wake();
  }

  addSplit(): void {
    // There are none.
  }

  noMoreSplits(): void {
    // The test says when the input ends.
  }

  poll(output: SourceOutput<unknown>, limit: number): PollResult {
    for (let emitted = 0; emitted < limit; emitted += 1) {
      const item = this.#items[this.#next];
      if (item === undefined) {
        this.#items = [];
        this.#next = 0;
        return "wait";
      }
      if (item.kind === "end") return "end";
      this.#next += 1;
      if (item.kind === "watermark") {
        this.#watermark = item.atMs; // The task delivers it before it polls again (S1).
        return "more";
      }
      const room = item.kind === "record" ? output.offer(item.record, Number.NaN) : output.invalid(item.row);
      if (!room) return "more";
    }
    return "more";
  }

  watermark(): number {
    return this.#watermark;
  }

  snapshot(): [] {
    return [];
  }

  async close(): Promise<void> {
    this.wake = () => undefined;
  }
}

export class StubSource implements Source<unknown> {
  readonly kind: string;
  readonly type: TypeSpec | null;
  readonly bounded: boolean;
  readonly invalid: InvalidPolicy;
  readonly #uid: string;
  readonly #original: Source<unknown>;
  readonly #readers: StubReader[];
  /** Subtask that gets the records; every subtask gets the watermarks. */
  readonly #target: number;

  constructor(uid: string, original: Source<unknown>, options: { parallelism: number; target: number }) {
    this.kind = original.kind;
    this.type = original.type;
    this.bounded = original.bounded;
    this.invalid = original.invalid;
    this.#uid = uid;
    this.#original = original;
    this.#readers = Array.from({ length: options.parallelism }, () => new StubReader());
    this.#target = options.target % options.parallelism;
  }

  describe(): Json {
    return this.#original.describe();
  }

  createEnumerator(): SplitEnumerator {
    return NO_SPLITS;
  }

  createReader(context: SourceReaderContext): SourceReader<unknown> {
    const reader = this.#reader(context.subtaskIndex);
    reader.wake = context.wake;
    return reader;
  }

  push(records: readonly unknown[], subtask: number = this.#target): void {
    for (const record of records) this.#add(this.#reader(subtask), { kind: "record", record });
  }

  pushInvalid(row: InvalidRow): void {
    this.#add(this.#reader(this.#target), { kind: "invalid", row });
  }

  watermark(atMs: number): void {
    for (const reader of this.#readers) {
      if (!(atMs >= reader.lastWatermark)) {
        throw new UserError("TEST_WATERMARK_BACK", `the watermark of "${this.#uid}" cannot go back to ${atMs}`, {
          fix: `event time has reached ${reader.lastWatermark} already; give a later time`,
        });
      }
      this.#add(reader, { kind: "watermark", atMs });
    }
  }

  end(): void {
    for (const reader of this.#readers) if (!reader.ended) reader.push({ kind: "end" });
  }

  #reader(subtask: number): StubReader {
    const reader = this.#readers[subtask];
    if (reader === undefined) {
      throw new UserError("TEST_SUBTASK_UNKNOWN", `"${this.#uid}" has no subtask ${subtask}`, {
        fix: `use 0 to ${this.#readers.length - 1}`,
      });
    }
    return reader;
  }

  #add(reader: StubReader, item: Item): void {
    if (reader.ended) {
      throw new UserError("TEST_SOURCE_ENDED", `source "${this.#uid}" has ended, nothing can follow`, {
        fix: "push before end()",
      });
    }
    reader.push(item);
  }
}

/** A source that is declared and never read. */
export const emptySource: Source<unknown> = {
  kind: "empty",
  type: null,
  bounded: true,
  invalid: "fail",
  describe: () => null,
  createEnumerator: () => NO_SPLITS,
  createReader: () => new StubReader(),
};
