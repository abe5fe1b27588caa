// The source side of file connectors: one reader per subtask, one split at a time.

import type { Disk } from "../../../base/disk.ts";
import type {
  InvalidPolicy,
  PollResult,
  SourceOutput,
  SourceReader,
  SourceReaderContext,
  SourceSplit,
} from "../../../operators/source.ts";
import type { FileCoding } from "../bytes/byte-stream.ts";
import type { RecordFormat, RecordParser } from "../format/record-format.ts";
import { type FilePosition, SplitReader } from "./split-reader.ts";

export type FileReaderOptions<T> = {
  readonly format: RecordFormat<T>;
  readonly invalid: InvalidPolicy;
  readonly chunkBytes: number;
  readonly recordBytesMax: number;
  readonly codingOf: (file: string) => FileCoding;
};

export class FileReader<T> implements SourceReader<T> {
  readonly #context: SourceReaderContext;
  readonly #options: FileReaderOptions<T>;
  readonly #queue: SourceSplit[] = [];
  #current: { readonly id: string; readonly reader: SplitReader<T>; entered: boolean } | null = null;
  #noMore = false;
  /** Splits read to their end, whose files are closing. */
  readonly #closing = new Set<Promise<boolean>>();
  #parser: { readonly first: string; readonly parser: RecordParser<T> } | null = null;

  constructor(context: SourceReaderContext, options: FileReaderOptions<T>) {
    this.#context = context;
    this.#options = options;
  }

  addSplit(split: SourceSplit): void {
    this.#queue.push(split);
    this.#openNext();
    this.#context.wake();
  }

  noMoreSplits(): void {
    this.#noMore = true;
    this.#context.wake();
  }

  poll(output: SourceOutput<T>, limit: number): PollResult {
    const current = this.#current;
    if (current === null) return this.#noMore ? "end" : "wait";
    if (!current.entered) {
      current.entered = true;
      output.enterSplit(current.id);
    }
    const result = current.reader.poll(output, limit);
    if (result !== "done") return result;
    this.#current = null;
    this.#retire(current.reader);
    this.#openNext();
    output.leaveSplit(current.id);
    return "more";
  }

  snapshot(): readonly SourceSplit[] {
    const current = this.#current;
    const first = current === null ? [] : [{ id: current.id, position: current.reader.position() }];
    return [...first, ...this.#queue];
  }

  async close(): Promise<void> {
    if (this.#current !== null) this.#retire(this.#current.reader);
    this.#current = null;
    await Promise.all(this.#closing);
  }

  #openNext(): void {
    if (this.#current !== null) return;
    const split = this.#queue.shift();
    if (split === undefined) return;
    const reader = this.#open(split.position as FilePosition, this.#context.disk);
    this.#current = { id: split.id, reader, entered: false };
  }

  #open(position: FilePosition, disk: Disk): SplitReader<T> {
    const { format, invalid, chunkBytes, recordBytesMax, codingOf } = this.#options;
    return new SplitReader(position, {
      format,
      parserFor: (first, file) => this.#parserFor(first, file),
      stream: { disk, coding: codingOf(position.file), chunkBytes },
      recordBytesMax,
      policy: invalid,
      wake: () => this.#context.wake(),
      onBytes: (count) => this.#context.metrics.count("numBytesIn", count),
    });
  }

  /** Files with the same header share a parser: its generated function is compiled and warm already. */
  #parserFor(first: Buffer | null, file: string): RecordParser<T> {
    const key = first?.toString("latin1") ?? "";
    if (this.#parser?.first !== key) {
      this.#parser = { first: key, parser: this.#options.format.createParser(first, file) };
    }
    return this.#parser.parser;
  }

  #retire(reader: SplitReader<T>): void {
    const forget = (): boolean => this.#closing.delete(closed);
    const closed = reader.close().then(forget, forget); // A file that was only read loses nothing when closing fails.
    this.#closing.add(closed);
  }
}
