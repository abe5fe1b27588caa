// The sink contract: a writer per subtask, two-phase commit for those that can.
//
//   K1. `write` always takes the record and never blocks: it buffers. False means the buffer is full now: the task
//       stops, calls `flush`, and goes on once that has resolved. A call may go over the bound by one record, no more.
//   K2. `flush` resolves when everything written so far has reached the system outside, though perhaps not visibly.
//   K3. `prepareCommit` gives committables that make everything written so far visible; `commit` does it, is
//       idempotent, and is called only for what is certain to be needed (a completed checkpoint, or the end of the
//       job).
//   K4. `abort` leaves nothing visible of what was not committed, and never touches another attempt's work.
//   K5. After a restore, all committables of the restored checkpoint are committed, by whichever writers, before any
//       writer of the new attempt is opened. `commit` may therefore come before `open`, and `open` may sweep what
//       earlier attempts left.

import type { Disk } from "../base/disk.ts";
import type { Env } from "../base/env.ts";
import type { TypeSpec } from "../types/type-spec.ts";
import type { OperatorMetrics } from "./operator.ts";
import type { Json } from "./source.ts";

export interface SinkWriterContext {
  readonly env: Env;
  readonly disk: Disk;
  readonly uid: string;
  readonly jobId: string;
  readonly subtaskIndex: number;
  readonly parallelism: number;
  /** Attempt of this subtask, for names that no other attempt uses. */
  readonly attempt: number;
  /** The job goes on from a checkpoint or savepoint, of this run or another: what was committed before it stays. */
  readonly restored: boolean;
  /** Type of the records, where it is declared. */
  readonly recordType?: TypeSpec | null;
  readonly metrics: OperatorMetrics;
  /** Lines for the user's terminal (the print sink). Never blocks. */
  print(line: string): void;
}

export type Committable = Json;

export interface SinkWriter<in T> {
  open(): Promise<void>;
  write(record: T, timestampMs: number): boolean;
  flush(): Promise<void>;
  prepareCommit(): Promise<readonly Committable[]>;
  commit(committables: readonly Committable[]): Promise<void>;
  abort(): Promise<void>;
  close(): Promise<void>;
}

export interface Sink<in T> {
  readonly kind: string;
  describe(): Json;
  /** What a crash can do to the output, for `explain` and the docs. */
  readonly guarantee: "exactly-once" | "at-least-once";
  createWriter(context: SinkWriterContext): SinkWriter<T>;
}
