// Drives one sink writer from the task loop: records in synchronously, flushes one at a time in the background.
//
//   D1. At most one flush is in flight. While the writer's buffer is full, the task does not run.
//   D2. A failed flush fails the task at its next turn; nothing is dropped silently.

import type { Committable, SinkWriter } from "../../operators/sink.ts";
import type { RowKind } from "../../types/bytes/row-kind.ts";
import { connectorFailure } from "../failures/user-failure.ts";

export class SinkDriver {
  readonly uid: string;
  full = false;
  failure: unknown = null;
  readonly #writer: SinkWriter<unknown>;
  readonly #wake: () => void;
  #dirty = false;
  #flushing: Promise<void> | null = null;

  constructor(options: { uid: string; writer: SinkWriter<unknown>; wake: () => void }) {
    this.uid = options.uid;
    this.#writer = options.writer;
    this.#wake = options.wake;
  }

  open(): Promise<void> {
    return this.#named(() => this.#writer.open());
  }

  write(record: unknown, timestampMs: number, kind?: RowKind): boolean {
    this.#dirty = true;
    if (this.#writer.write(record, timestampMs, kind)) return true;
    this.full = true;
    return false;
  }

  /** Starts a flush when there is something to flush and none is under way. */
  flushSome(): void {
    if (!this.#dirty || this.#flushing !== null || this.failure !== null) return;
    this.#dirty = false;
    this.#flushing = this.#named(() => this.#writer.flush()).then(
      () => this.#flushed(null),
      (error: unknown) => this.#flushed(error),
    );
  }

  /** Everything written so far is out, and what makes it visible is known. */
  async prepareCommit(): Promise<readonly Committable[]> {
    await this.#flushing;
    if (this.failure !== null) throw this.failure;
    await this.#named(() => this.#writer.flush());
    return this.#named(() => this.#writer.prepareCommit());
  }

  commit(committables: readonly Committable[]): Promise<void> {
    return this.#named(() => this.#writer.commit(committables));
  }

  async abort(): Promise<void> {
    await this.#flushing;
    await this.#named(() => this.#writer.abort());
  }

  discard(committables: readonly Committable[]): Promise<void> {
    return this.#named(async () => this.#writer.discard?.(committables));
  }

  close(): Promise<void> {
    return this.#named(() => this.#writer.close());
  }

  #flushed(error: unknown): void {
    this.#flushing = null;
    this.full = false;
    this.failure ??= error;
    this.#wake();
  }

  /** A failure says which sink it is, whether the method rejects or throws. */
  async #named<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw connectorFailure("sink", this.uid, error);
    }
  }
}
