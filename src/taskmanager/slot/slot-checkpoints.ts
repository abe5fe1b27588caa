// The part of a slot in checkpoints: what its tasks and coordinators keep goes to storage, beside their work, and what
// becomes of it is told.
//
//   Z1. A task's state is acknowledged when it is durable, and not before.
//   Z2. What cannot be written or snapshotted is declined, with the reason; the tasks go on.

import type { Clock } from "../../base/env.ts";
import type { CheckpointId } from "../../base/ids.ts";
import { checkpointFolder } from "../../checkpoint/completed-store.ts";
import { snapshotsEnd, snapshotsWrite, type WriteOptions } from "../../checkpoint/format/subtask-state.ts";
import { packsOf } from "../../checkpoint/shared-files.ts";
import type { CheckpointStorage } from "../../checkpoint/storage/checkpoint-storage.ts";
import { errorData } from "../../protocol/error-data.ts";
import type { CheckpointMessage, FromSlot, TaskDescriptor } from "../../protocol/slot-messages.ts";
import type { SourceCoordinator } from "../drivers/source-coordinator.ts";
import type { Task } from "../task/task.ts";
import type { TakenSnapshot } from "../task/task-checkpoints.ts";

export type SlotCheckpointsOptions = Omit<WriteOptions, "name" | "packs"> & {
  readonly clock: Clock;
  readonly storage: CheckpointStorage;
  readonly send: (message: FromSlot) => void;
};

/** That of a source whose first subtask is in the slot. */
export type SlotCoordinator = {
  readonly vertex: number;
  readonly uid: string;
  readonly coordinator: SourceCoordinator;
};

export class SlotCheckpoints {
  readonly #options: SlotCheckpointsOptions;
  readonly #writing = new Set<TakenSnapshot>();

  get storage(): CheckpointStorage {
    return this.#options.storage;
  }

  constructor(options: SlotCheckpointsOptions) {
    this.#options = options;
  }

  onMessage(message: CheckpointMessage, tasks: readonly Task[], coordinators: readonly SlotCoordinator[]): void {
    switch (message.kind) {
      case "coordinate":
        for (const each of coordinators) this.#coordinate(message.checkpoint, each);
        break;
      case "goOn":
        for (const { coordinator } of coordinators) coordinator.goOn();
        break;
      case "checkpoint":
        for (const task of tasks) task.checkpoint(message);
        break;
      case "checkpointAborted":
        for (const task of tasks) task.abortCheckpoint(message.checkpoint);
        this.#giveUp(message.checkpoint);
        break;
      default:
        for (const { coordinator } of coordinators) coordinator.completed(message.checkpoint);
        for (const task of tasks) task.checkpointCompleted(message.checkpoint);
    }
  }

  /** A task has made its snapshot. */
  taken(descriptor: TaskDescriptor, taken: TakenSnapshot): void {
    const checkpoint = taken.checkpoint as CheckpointId;
    const { prepared } = taken;
    this.#options.send({ kind: "checkpointTaken", checkpoint, task: descriptor.id, prepared });
    void this.#write(descriptor, checkpoint, taken);
  }

  /** Nobody wants what is still to be written for it. */
  #giveUp(checkpoint: number): void {
    for (const taken of this.#writing) if (taken.checkpoint === checkpoint) snapshotsEnd(taken.snapshots);
  }

  #coordinate(checkpoint: CheckpointId, { vertex, uid, coordinator }: SlotCoordinator): void {
    const state = coordinator.snapshot(checkpoint);
    this.#options.send({ kind: "coordinated", checkpoint, vertex, uid, state });
  }

  /** Z1, Z2 */
  async #write({ id: task }: TaskDescriptor, checkpoint: CheckpointId, taken: TakenSnapshot): Promise<void> {
    const { storage, clock, send, ...options } = this.#options;
    const startedMs = clock.monotonicMs();
    const own = task.replaceAll("/", "-");
    const names = { name: `${checkpointFolder(checkpoint)}/${own}`, packs: packsOf(checkpoint, own) };
    this.#writing.add(taken);
    try {
      if (taken.failure !== null) throw taken.failure;
      const written = await snapshotsWrite(storage, taken.snapshots, { ...options, ...names });
      const timing = { alignment: taken.alignmentMs, sync: taken.syncMs, async: clock.monotonicMs() - startedMs };
      send({ kind: "checkpointAcknowledged", checkpoint, task, written, timing });
    } catch (error) {
      send({ kind: "checkpointDeclined", checkpoint, task, error: errorData(error) });
    } finally {
      this.#writing.delete(taken);
    }
  }
}
