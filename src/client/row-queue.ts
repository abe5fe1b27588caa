// Rows of one sink between the job that sends them and the program that reads them.
//
//   Q1. Each row is given once, and rows wait until they are read: one reader at a time, the next one goes on where the
//       last one stopped.
//   Q2. A batch is reported as read when its last row is given, so that what waits here stays bounded.
//   Q3. The end comes after the rows that arrived before it: done, or the job's error for every reader.

import { assert, UserError } from "../base/errors.ts";
import { rowsOf } from "../connectors/rows/row-batch.ts";
import type { FromJob } from "../protocol/job-messages.ts";

export type RowsFromJob = Extract<FromJob, { readonly kind: "rows" }>;

type Waiter = {
  readonly resolve: (result: IteratorResult<unknown, undefined>) => void;
  readonly reject: (error: Error) => void;
};

const DONE: IteratorResult<unknown, undefined> = { done: true, value: undefined };

export class RowQueue {
  readonly #uid: string;
  readonly #onRead: (batch: RowsFromJob) => void;
  #batches: RowsFromJob[] = [];
  /** Of the first batch, what is left. */
  #rows: Iterator<unknown> | null = null;
  #reader: RowReader | null = null;
  #end: { readonly error: Error | null } | null = null;
  #wasRead = false;

  constructor(uid: string, onRead: (batch: RowsFromJob) => void) {
    this.#uid = uid;
    this.#onRead = onRead;
  }

  /** Somebody has begun to read. */
  get wasRead(): boolean {
    return this.#wasRead;
  }

  get waitingBytes(): number {
    return this.#batches.reduce((bytes, { rows }) => bytes + rows.byteLength, 0);
  }

  add(batch: RowsFromJob): void {
    this.#batches.push(batch);
    this.#reader?.serve();
  }

  /** Nothing follows. `drop`: what waits is not to be read any more. */
  end(error: Error | null, drop: boolean): void {
    this.#end = { error };
    if (drop) this.#batches = [];
    this.#reader?.serve();
  }

  /** The next row; null when there is none now. */
  next(): IteratorResult<unknown, undefined> | null {
    for (;;) {
      const [batch] = this.#batches;
      if (batch === undefined) break;
      this.#rows ??= rowsOf(batch.rows);
      const { done, value } = this.#rows.next();
      if (done !== true) return { done: false, value };
      this.#rows = null;
      this.#batches.shift();
      this.#onRead(batch);
    }
    if (this.#end === null) return null;
    if (this.#end.error !== null) throw this.#end.error;
    return DONE;
  }

  read(): AsyncIterableIterator<unknown, undefined> {
    return new RowReader(this);
  }

  take(reader: RowReader): void {
    if (this.#reader === reader) return;
    if (this.#reader !== null) {
      throw new UserError("ROWS_BEING_READ", `the rows of "${this.#uid}" are being read already`, {
        fix: "each row is given once: read them in one place, and hand them on from there",
      });
    }
    this.#reader = reader;
    this.#wasRead = true;
  }

  leave(reader: RowReader): void {
    if (this.#reader === reader) this.#reader = null;
  }
}

/** Written out, for an async generator hears of `return` only once a row has come. */
class RowReader implements AsyncIterableIterator<unknown, undefined> {
  readonly #queue: RowQueue;
  readonly #waiting: Waiter[] = [];
  #closed = false;

  constructor(queue: RowQueue) {
    this.#queue = queue;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.serve();
    });
  }

  async return(): Promise<IteratorResult<unknown, undefined>> {
    this.#close();
    return DONE;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  /** Gives what there is to who waits. */
  serve(): void {
    while (this.#waiting.length > 0) {
      if (this.#closed) {
        this.#waiting.shift()?.resolve(DONE);
        continue;
      }
      try {
        this.#queue.take(this);
        const result = this.#queue.next();
        if (result === null) return;
        if (result.done === true) this.#close();
        this.#waiting.shift()?.resolve(result);
      } catch (error) {
        assert(error instanceof Error, "what a queue throws is an error");
        const waiter = this.#waiting.shift();
        this.#close();
        waiter?.reject(error);
      }
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.leave(this);
    this.serve();
  }
}
