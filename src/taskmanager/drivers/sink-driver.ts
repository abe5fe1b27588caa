// Drives one sink writer from the task loop: records in synchronously, flushes one at a time in the background.
//
//   D1. At most one flush is in flight. While the writer's buffer is full, the task does not run.
//   D2. A failed flush fails the task at its next turn; nothing is dropped silently.
//   D3. What a writer has prepared is plain data and has a committer, or is refused: whoever commits it may be in
//       another thread or process, and later. What it keeps back for a checkpoint is plain data as well.

import { UserError } from "../../base/errors.ts";
import { isJson } from "../../base/json.ts";
import type { Committable, SinkWriter } from "../../operators/sink.ts";
import type { RowKind } from "../../types/bytes/row-kind.ts";
import { connectorFailure } from "../failures/user-failure.ts";

/**
 * "savepoint": a checkpoint that is to need nothing but itself, where its job shows what was prepared. "stop": the user
 * ends the job, with a last checkpoint. "end": of the input, or of an endless job without any.
 */
export type PrepareMoment = "checkpoint" | "savepoint" | "stop" | "end";

export type SinkDriverOptions = {
  readonly uid: string;
  readonly writer: SinkWriter<unknown>;
  /** The sink has committers. */
  readonly commits: boolean;
  /** Only its end shows what it has written. */
  readonly bounded: boolean;
  readonly wake: () => void;
};

export class SinkDriver {
  readonly uid: string;
  full = false;
  failure: unknown = null;
  readonly #commits: boolean;
  readonly #bounded: boolean;
  readonly #writer: SinkWriter<unknown>;
  readonly #wake: () => void;
  #dirty = false;
  #flushing: Promise<void> | null = null;

  constructor(options: SinkDriverOptions) {
    this.uid = options.uid;
    this.#commits = options.commits;
    this.#bounded = options.bounded;
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

  /** Everything written so far is out, and what makes it visible is known, or kept back for `snapshot`. */
  async prepareCommit(moment: PrepareMoment): Promise<readonly Committable[]> {
    await this.#flushing;
    if (this.failure !== null) throw this.failure;
    await this.#named(() => this.#writer.flush());
    // A bounded job that is stopped shows nothing: whoever goes on with it goes on with what is kept back.
    const isLast = moment === "end" || (moment !== "checkpoint" && !this.#bounded);
    const committables = await this.#named(() => this.#writer.prepareCommit(isLast));
    this.#check(committables);
    return committables;
  }

  /** What the writer keeps back; null: nothing. */
  async snapshot(): Promise<Uint8Array | null> {
    const state = await this.#named(async () => (await this.#writer.snapshot?.()) ?? null);
    if (state === null) return null;
    if (isJson(state)) return Buffer.from(JSON.stringify(state));
    const what = `what the sink "${this.uid}" keeps back for a checkpoint is not plain data`;
    const fix = "let snapshot give objects, lists, texts, finite numbers, booleans and nulls: it is kept as JSON";
    throw new UserError("SINK_STATE_INVALID", what, { fix, operator: this.uid });
  }

  async abort(): Promise<void> {
    await this.#flushing;
    await this.#named(() => this.#writer.abort());
  }

  close(): Promise<void> {
    return this.#named(() => this.#writer.close());
  }

  /** D3 */
  #check(committables: readonly Committable[]): void {
    const operator = this.uid;
    if (!Array.isArray(committables) || !isJson(committables)) {
      const what = `what the sink "${operator}" has prepared is not plain data`;
      const fix =
        "let prepareCommit give a list of objects, lists, texts, finite numbers, booleans and nulls: it travels as JSON";
      throw new UserError("SINK_COMMITTABLE_INVALID", what, { fix, operator });
    }
    if (committables.length === 0 || this.#commits) return;
    throw new UserError("SINK_COMMITTER_MISSING", `nobody can commit what the sink "${operator}" has prepared`, {
      fix: "give the sink a createCommitter, or let prepareCommit give an empty list",
      operator,
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
