// Reads one split of a file: from bytes on a disk to records, without ever waiting inside `poll`.
//
//   opening ──▶ reading ◀──▶ counting lines   (for a bad row, when the range began somewhere in the file)
//                  ▲│
//                  │▼
//               skipping a record that is too long (its bytes are not kept)
//
//   R1. A record belongs to the range that its first byte lies in. Every byte of the file belongs to one range, so
//       every record is read by exactly one split, however the file was cut.
//   R2. `position` names the first record not yet emitted, between any two calls.
//   R3. Memory is bounded by one record (`recordBytesMax`, doubled) and two chunks.

import { assert, UserError } from "../../../base/errors.ts";
import type { InvalidPolicy, SourceOutput } from "../../../operators/source.ts";
import { byteStream, fileShrunk, isPlain, ReadAhead, type StreamOptions } from "../bytes/byte-stream.ts";
import {
  LineCounter,
  linesIssue,
  type RecordBoundary,
  type RecordFormat,
  type RecordParser,
  type RecordWindow,
  tooLong,
} from "../format/record-format.ts";
import { firstRecord, firstRecordOf, lineAt, nextRecordStart } from "./file-probe.ts";

/** A range of a file and how far it was read. Plain data: it is the position of a `SourceSplit`. */
export type FilePosition = {
  readonly file: string;
  /** The file's place among those that were found: splits that are given back go out in that order. */
  readonly place: number;
  /** Where to go on: the start of a record, unless `cut`. */
  readonly offset: number;
  /** `offset` is where the file was cut: the first record is the one that starts there or after. */
  readonly cut: boolean;
  /** Line at `offset`, null when nobody has counted yet. */
  readonly line: number | null;
  /** Records that start here or after belong to the next range; null: none do. */
  readonly end: number | null;
  /** A pipe or the like: read once, from start to end. */
  readonly stream?: true;
};

export type SplitReaderOptions<T> = {
  readonly format: RecordFormat<T>;
  /**
   * The parser for a file's first record; shared between the splits of a reader, so that equal headers compile once.
   */
  readonly parserFor: (first: Buffer | null, file: string) => RecordParser<T>;
  readonly stream: Omit<StreamOptions, "signal" | "onBytes">;
  readonly recordBytesMax: number;
  readonly policy: InvalidPolicy;
  readonly wake: () => void;
  readonly onBytes: (count: number) => void;
};

type Skip = {
  readonly boundary: RecordBoundary;
  readonly lines: LineCounter;
  readonly offset: number;
  row: ReturnType<typeof tooLong> | null;
};

const SCANNED_AGAIN_MAX = 4 * 1024;

async function* following(
  first: Uint8Array,
  chunks: AsyncGenerator<Uint8Array, void, void>,
): AsyncGenerator<Uint8Array, void, void> {
  if (first.length > 0) yield first;
  yield* chunks;
}

function streamGone(file: string): UserError {
  return new UserError("STREAM_NOT_REPEATABLE", `${file} is a stream, and what was read of it cannot be read again`, {
    fix: "write it to a file, and read that: then the job can go on from a snapshot",
  });
}

export class SplitReader<T> {
  readonly #options: SplitReaderOptions<T>;
  readonly #stream: StreamOptions;
  readonly #closing = new AbortController();
  readonly #start: FilePosition;
  readonly #window: RecordWindow;
  /** Offset in the file of the window's first byte. */
  #base: number;
  #parser: RecordParser<T> | null = null;
  #ahead: ReadAhead | null = null;
  #skip: Skip | null = null;
  /** Bytes that the window must hold before it is worth parsing again: grows with a record that does not end. */
  #wanted = 0;
  #working: Promise<void> | null = null;
  #failure: { error: unknown } | null = null;

  constructor(position: FilePosition, options: SplitReaderOptions<T>) {
    this.#options = options;
    this.#stream = { ...options.stream, signal: this.#closing.signal };
    this.#start = position;
    this.#base = position.offset;
    this.#window = {
      file: position.file,
      bytes: Buffer.alloc(2 * options.stream.chunkBytes + 1),
      position: 0,
      end: 0,
      final: false,
      stopAt: Number.POSITIVE_INFINITY,
      line: position.line ?? 0,
      lineKnown: position.line !== null,
      recordBytesMax: options.recordBytesMax,
      text: null,
    };
    this.#work(() => this.#open());
  }

  position(): FilePosition {
    if (this.#parser === null) return this.#start;
    const { line, lineKnown, position } = this.#window;
    const offset = this.#skip?.offset ?? this.#base + position;
    return { ...this.#start, offset, cut: false, line: lineKnown ? line : null };
  }

  /** "more": the limit was reached or the output is full. */
  poll(output: SourceOutput<T>, limit: number): "more" | "wait" | "done" {
    let left = limit;
    for (;;) {
      if (this.#failure !== null) throw this.#failure.error;
      if (this.#working !== null || this.#parser === null) return "wait";
      const result = this.#skip === null ? this.#parse(this.#parser, output, left) : this.#skipOn(output);
      if (typeof result === "string") return result;
      left -= result;
      if (left <= 0) return "more";
    }
  }

  /** How many records and bad rows were emitted, when there is more to do at once. */
  #parse(parser: RecordParser<T>, output: SourceOutput<T>, limit: number): number | "more" | "wait" | "done" {
    if (this.#isStalled()) return this.#fill() ? 0 : "wait";
    const status = parser.parse(this.#window, output, limit);
    if (status === "limit") return "more";
    if (status === "data") return this.#fill() ? parser.emitted : "wait";
    if (status === "line") this.#work(() => this.#countLines());
    return status === "line" ? "wait" : "done";
  }

  /**
   * A long record that does not end is scanned again only when twice its bytes are there, so that it costs no squared
   * time. A short one at once: of a stream nobody knows when more will come.
   */
  #isStalled(): boolean {
    return !this.#window.final && this.#window.end - this.#window.position < this.#wanted;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#working;
    await this.#ahead?.close();
  }

  /** Runs something that has to wait, one at a time; `poll` says "wait" meanwhile. */
  #work(task: () => Promise<void>): void {
    assert(this.#working === null, `${this.#start.file}: one task at a time`);
    this.#working = task()
      .catch((error: unknown) => {
        this.#failure = { error }; // For `poll`, which throws it.
      })
      .then(() => {
        this.#working = null;
        this.#options.wake();
      });
  }

  async #open(): Promise<void> {
    const { format, recordBytesMax } = this.#options;
    const stream = this.#stream;
    const { file, offset, cut, end } = this.#start;
    if (this.#start.stream) return this.#openStream();
    await this.#checkSize();
    let at = cut ? await nextRecordStart(file, offset, format, stream) : offset;
    let first: Buffer | null = null;
    if (offset === 0 || format.first !== "plain" || format.skipLines > 0) {
      const { head, start } = await firstRecord(file, format, recordBytesMax, stream);
      if (start < head.length) first = head.subarray(start);
      const begin = format.first === "header" ? head.length : start;
      if (offset === 0) at = this.#begin(head, begin);
      else at = Math.max(at, begin); // The file may have been cut within the lines to skip.
    }
    this.#base = at;
    this.#window.stopAt = end === null ? Number.POSITIVE_INFINITY : end - at;
    const counted = { ...stream, onBytes: this.#options.onBytes };
    this.#ahead = new ReadAhead(byteStream(file, at, counted), this.#options.wake);
    this.#parser = this.#options.parserFor(first, file);
  }

  /** What was read to find the first record cannot be read again. */
  async #openStream(): Promise<void> {
    const { format, recordBytesMax, wake, parserFor, onBytes } = this.#options;
    const stream = this.#stream;
    const { file, offset } = this.#start;
    if (offset > 0) throw streamGone(file);
    const chunks = byteStream(file, 0, { ...stream, onBytes });
    const options = { file, format, recordBytesMax, coding: stream.coding };
    const { head, start, held } = await firstRecordOf(chunks, options).catch(async (error: unknown) => {
      await chunks.return();
      throw error;
    });
    this.#base = this.#begin(head, format.first === "header" ? head.length : start);
    this.#ahead = new ReadAhead(following(held.subarray(this.#base), chunks), wake);
    this.#parser = parserFor(start < head.length ? head.subarray(start) : null, file);
  }

  /** Begins at the start of the file, behind its first `offset` bytes. */
  #begin(head: Buffer, offset: number): number {
    const counter = new LineCounter();
    counter.add(head, 0, offset);
    this.#window.line = 1 + counter.lines;
    return offset;
  }

  /** A restored position must still be inside the file. */
  async #checkSize(): Promise<void> {
    const { file, offset } = this.#start;
    if (offset === 0 || !isPlain(this.#stream.coding)) return;
    const stat = await this.#stream.disk.stat(file);
    // A missing file fails with a better message when it is opened.
    if (stat !== null && stat.size < offset) throw fileShrunk(file, offset);
  }

  async #countLines(): Promise<void> {
    const { file } = this.#start;
    this.#window.line = await lineAt(file, this.#base + this.#window.position, this.#stream);
    this.#window.lineKnown = true;
  }

  /** Gets more bytes into the window, or learns that there are none. False: nothing is there now. */
  #fill(): boolean {
    const window = this.#window;
    if (window.end - window.position > window.recordBytesMax + 1) return this.#skipStart();
    const held = window.end - window.position;
    if (!this.#isStalled()) this.#wanted = held < SCANNED_AGAIN_MAX ? held + 1 : 2 * held + 1;
    while (this.#isStalled()) {
      const chunk = this.#ahead!.take();
      if (chunk !== null) this.#append(chunk);
      else if (this.#ahead!.ended) window.final = true;
      else return false;
    }
    return true;
  }

  #append(chunk: Uint8Array): void {
    const window = this.#window;
    const held = window.end - window.position;
    const size = held + chunk.length + 1;
    const target = size <= window.bytes.length ? window.bytes : Buffer.alloc(2 * size);
    window.bytes.copy(target, 0, window.position, window.end);
    target.set(chunk, held);
    target[held + chunk.length] = 10; // The sentinel.
    this.#base += window.position;
    window.stopAt -= window.position;
    window.bytes = target;
    window.position = 0;
    window.end = held + chunk.length;
    window.text = null;
  }

  /** The record at `position` does not end within the bound. */
  #skipStart(): boolean {
    const { bytes, position, end, recordBytesMax } = this.#window;
    if (!this.#window.lineKnown) {
      this.#work(() => this.#countLines());
      return false;
    }
    this.#wanted = 0;
    this.#skip = {
      boundary: this.#options.format.createBoundary(),
      lines: new LineCounter(),
      offset: this.#base + position,
      row: tooLong(bytes, position, end, recordBytesMax),
    };
    return true;
  }

  /** One bad row, when the record was skipped to its end. */
  #skipOn(output: SourceOutput<T>): number | "more" | "wait" {
    const window = this.#window;
    const skip = this.#skip!;
    // A job that fails on bad rows need not read on to the end of this one.
    if (this.#options.policy === "fail") this.#reportSkipped(output, skip);
    for (;;) {
      const found = skip.boundary.next(window.bytes, window.position, window.end);
      const to = found < 0 ? window.end : found;
      skip.lines.add(window.bytes, window.position, to);
      window.position = to;
      if (found >= 0 || window.final) break;
      const chunk = this.#ahead!.take();
      if (chunk !== null) this.#append(chunk);
      else if (this.#ahead!.ended) window.final = true;
      else return "wait";
    }
    const goOn = this.#reportSkipped(output, skip);
    window.line += skip.lines.lines;
    this.#skip = null;
    return goOn ? 1 : "more";
  }

  #reportSkipped(output: SourceOutput<T>, skip: Skip): boolean {
    const { row, lines } = skip;
    const { line } = this.#window;
    skip.row = null;
    if (row === null) return true;
    const issues = [...row.issues, ...linesIssue(line, lines.inside)];
    return output.invalid({ ...row, issues, file: this.#start.file, line });
  }
}
