// Drives one sink writer from the task loop: records in synchronously, flushes one at a time in the background.
//
//   D1. At most one flush is in flight. While the writer's buffer is full, the task does not run.
//   D2. A failed flush fails the task at its next turn; nothing is dropped silently.
//   D3. A commit that fails is tried again, for what failed outside may pass; at last it fails with the sink, its
//       subtask, and how often it was tried.

import type { Timers } from "../../base/env.ts";
import { EngineError } from "../../base/errors.ts";
import type { Committable, SinkWriter } from "../../operators/sink.ts";
import type { RowKind } from "../../types/bytes/row-kind.ts";
import { connectorFailure } from "../failures/user-failure.ts";

export type SinkDriverOptions = {
  readonly uid: string;
  readonly writer: SinkWriter<unknown>;
  readonly wake: () => void;
  readonly subtask: number;
  readonly parallelism: number;
  readonly timers: Timers;
  /** Times that a commit is tried again. */
  readonly commitRetries: number;
};

/** Before the second try; each later one waits twice as long. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 10_000;

export class SinkDriver {
  readonly uid: string;
  full = false;
  failure: unknown = null;
  readonly #options: SinkDriverOptions;
  readonly #writer: SinkWriter<unknown>;
  readonly #wake: () => void;
  #dirty = false;
  #flushing: Promise<void> | null = null;

  constructor(options: SinkDriverOptions) {
    this.#options = options;
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

  /** D3 */
  async commit(committables: readonly Committable[]): Promise<void> {
    const { commitRetries } = this.#options;
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#named(() => this.#writer.commit(committables));
        return;
      } catch (error) {
        if (tries > commitRetries || !(error instanceof EngineError && error.retryable)) {
          throw this.#uncommitted(error, tries);
        }
        await this.#delay(Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** (tries - 1)));
      }
    }
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

  #uncommitted(error: unknown, tries: number): unknown {
    const { uid, subtask, parallelism } = this.#options;
    if (error instanceof EngineError) {
      error.message +=
        `; what subtask ${subtask + 1} of ${parallelism} of the sink "${uid}" has written is not visible, ` +
        `or not all of it, after ${tries === 1 ? "one try" : `${tries} tries`} to commit it; that of other subtasks may be`;
    }
    return error;
  }

  #delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.timers.after(ms, resolve);
    });
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
