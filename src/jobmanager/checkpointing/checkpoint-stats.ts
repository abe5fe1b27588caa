// What is known of a job's checkpoints over all its attempts, as metrics by Flink's names (CheckpointStatsTracker).

import type { CheckpointId } from "../../base/ids.ts";
import type { CompletedCheckpoint } from "./checkpoint-driver.ts";

export class CheckpointStats {
  #completed = 0;
  #failed = 0;
  #last: CompletedCheckpoint | null = null;
  #restored: { readonly id: CheckpointId; readonly atMs: number } | null = null;

  onCompleted(checkpoint: CompletedCheckpoint): void {
    this.#completed += 1;
    // One that was stored late, after a newer one, is not what a job goes on from.
    if (this.#last === null || checkpoint.id > this.#last.id) this.#last = checkpoint;
  }

  onFailed(): void {
    this.#failed += 1;
  }

  /** An attempt begins from it. `atMs`: wall clock. */
  onRestored(id: CheckpointId, atMs: number): void {
    this.#restored = { id, atMs };
  }

  /** What there was none of is left out. */
  metrics(inProgress: number): Readonly<Record<string, number>> {
    return {
      numberOfCompletedCheckpoints: this.#completed,
      numberOfFailedCheckpoints: this.#failed,
      numberOfInProgressCheckpoints: inProgress,
      totalNumberOfCheckpoints: this.#completed + this.#failed + inProgress,
      ...(this.#last !== null && {
        lastCompletedCheckpointId: this.#last.id,
        lastCheckpointCompletedTimestamp: this.#last.atMs,
        lastCheckpointDuration: this.#last.durationMs,
        lastCheckpointSize: this.#last.bytes,
        lastCheckpointFullSize: this.#last.fullBytes,
      }),
      ...(this.#restored !== null && {
        lastRestoredCheckpointId: this.#restored.id,
        lastCheckpointRestoreTimestamp: this.#restored.atMs,
      }),
    };
  }
}
