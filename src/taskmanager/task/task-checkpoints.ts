// The part of a task in checkpoints: when its barriers are through, what it keeps is taken, and the barrier goes on.
//
//   Q1. The snapshot is taken between two calls of operators, with nothing pending in the task (operator.ts, O5), and
//       before anything that came after the barriers is touched. The barrier goes out before anything that is made
//       afterwards.
//       What combiners hold goes out first: with another parallelism there may be none.
//   Q2. Sinks prepare before the task goes on: what they write afterwards is of the next checkpoint. What they keep
//       back is part of the snapshot.
//   Q3. After the snapshot of a final checkpoint the task does nothing more.
//   Q4. Snapshots are taken one after the other: whoever reads the task's output finds the barrier of each, in order.
//   Q5. What cannot be taken, because it is too large for example, fails its checkpoint and not the task: the barrier
//       goes on, and sinks prepare as ever.

import type { Clock } from "../../base/env.ts";
import { type SubtaskSnapshot, WRITER_PART } from "../../checkpoint/format/subtask-state.ts";
import type { InputGate } from "../../network/input-gate.ts";
import type { ResultPartition } from "../../network/result-partition.ts";
import type { PreparedSink } from "../../protocol/slot-messages.ts";
import type { PrepareMoment, SinkDriver } from "../drivers/sink-driver.ts";
import { type Barrier, barrierOf, barrierValue } from "./barrier.ts";
import { BarrierAligner, type CheckpointingMode } from "./barrier-aligner.ts";

export type TakenSnapshot = {
  readonly checkpoint: number;
  readonly snapshots: readonly SubtaskSnapshot[];
  /** Why there are none (Q5); null: there are. */
  readonly failure: unknown;
  /** By sinks: what makes visible what they wrote since they were last asked. */
  readonly prepared: readonly PreparedSink[];
  /** From the first barrier to the last. */
  readonly alignmentMs: number;
  /** In which the task did nothing else. */
  readonly syncMs: number;
};

export type TaskCheckpointsOptions = {
  readonly clock: Clock;
  readonly mode: CheckpointingMode;
  readonly gate: InputGate | null;
  readonly partitions: readonly ResultPartition[];
  readonly sinks: readonly SinkDriver[];
  readonly subtask: number;
  /** Sends what is only held back for others to come. False: there is more, once the task has made room. */
  readonly release: () => boolean;
  readonly snapshot: (barrier: Barrier) => readonly SubtaskSnapshot[];
  readonly taken: (snapshot: TakenSnapshot) => void;
  /** The task can go on. */
  readonly wake: () => void;
};

type Taking = Barrier & {
  readonly snapshots: readonly SubtaskSnapshot[];
  readonly failure: unknown;
  readonly alignmentMs: number;
  readonly startedMs: number;
  /** Partitions that its barrier has gone out by. */
  sent: number;
};

export class TaskCheckpoints {
  readonly #options: TaskCheckpointsOptions;
  readonly #aligner: BarrierAligner;
  /** Their snapshots are to be taken, by age; more than one at a source alone. */
  #due: number[] = [];
  /** Of them, and of those whose barriers come. */
  readonly #barriers = new Map<number, Barrier>();
  #alignedSinceMs = NaN;
  #taking: Taking | null = null;
  #isPreparing = false;
  #isFinal = false;
  #failure: unknown = null;

  constructor(options: TaskCheckpointsOptions) {
    this.#options = options;
    this.#aligner = new BarrierAligner(options.gate?.channels.length ?? 0, options.mode);
  }

  /** Of a source: there is no barrier to wait for. */
  trigger(barrier: Barrier): void {
    this.#barriers.set(barrier.checkpoint, barrier);
    this.#due.push(barrier.checkpoint);
  }

  abort(checkpoint: number): void {
    this.#aligner.onAbort(checkpoint);
    this.#barriers.delete(checkpoint);
    this.#due = this.#due.filter((due) => due !== checkpoint);
    this.#block();
  }

  onBarrier(channel: number, value: number): void {
    const { clock } = this.#options;
    const barrier = barrierOf(value);
    const { checkpoint } = barrier;
    if (this.#aligner.aligning !== checkpoint) this.#alignedSinceMs = clock.monotonicMs();
    const due = this.#aligner.onBarrier(channel, checkpoint);
    if (due === checkpoint || this.#aligner.aligning === checkpoint) this.#barriers.set(checkpoint, barrier);
    this.#onAligned(due);
  }

  onEnd(channel: number): void {
    this.#onAligned(this.#aligner.onEnd(channel));
  }

  /**
   * To be called whenever nothing is pending in the task, before it takes anything further. "again": when that is so
   * again; "blocked": the barrier has no room yet; "waits": for its sinks, or for ever after the final checkpoint.
   */
  run(): "done" | "again" | "blocked" | "waits" {
    if (this.#failure !== null) throw this.#failure;
    while (!this.#isPreparing) {
      if (this.#taking === null && this.#due.length > 0 && !this.#options.release()) return "again";
      this.#taking ??= this.#next();
      if (this.#taking === null) return this.#isFinal ? "waits" : "done";
      if (!this.#sendBarriers(this.#taking)) return "blocked";
      this.#prepare(this.#taking);
    }
    return "waits";
  }

  /** False: there is no room yet. */
  #sendBarriers(taking: Taking): boolean {
    const { partitions } = this.#options;
    for (; taking.sent < partitions.length; taking.sent += 1) {
      if (partitions[taking.sent]?.barrier(barrierValue(taking)) === false) return false;
    }
    return true;
  }

  /** Takes the snapshot that is due; null: none is. */
  #next(): Taking | null {
    const { clock } = this.#options;
    const checkpoint = this.#due.shift();
    if (checkpoint === undefined) return null;
    const startedMs = clock.monotonicMs();
    const alignmentMs = Number.isNaN(this.#alignedSinceMs) ? 0 : startedMs - this.#alignedSinceMs;
    this.#alignedSinceMs = NaN;
    const barrier = this.#barriers.get(checkpoint)!;
    this.#barriers.delete(checkpoint);
    return { ...barrier, ...this.#snapshot(barrier), alignmentMs, startedMs, sent: 0 };
  }

  /** Q5 */
  #snapshot(barrier: Barrier): Pick<Taking, "snapshots" | "failure"> {
    try {
      return { snapshots: this.#options.snapshot(barrier), failure: null };
    } catch (failure) {
      return { snapshots: [], failure };
    }
  }

  #onAligned(due: number): void {
    if (due !== 0) this.#due.push(due);
    this.#block();
  }

  /** Q2 */
  #prepare(taking: Taking): void {
    const { sinks } = this.#options;
    this.#taking = null;
    if (sinks.length === 0) {
      this.#told(taking, []);
      return;
    }
    this.#isPreparing = true;
    this.#keptBack(taking).then(
      ([prepared, kept]) => {
        this.#isPreparing = false;
        this.#told({ ...taking, snapshots: withKept(taking.snapshots, kept, this.#options.subtask) }, prepared);
        this.#options.wake();
      },
      (error: unknown) => {
        this.#failure = error;
        this.#isPreparing = false;
        this.#options.wake();
      },
    );
  }

  async #keptBack(taking: Taking): Promise<[readonly PreparedSink[], readonly KeptBack[]]> {
    const { sinks } = this.#options;
    const prepared = await preparedBy(sinks, momentOf(taking));
    const kept = await Promise.all(sinks.map(async (sink) => ({ uid: sink.uid, state: await sink.snapshot() })));
    return [prepared, kept];
  }

  #told(taking: Taking, prepared: readonly PreparedSink[]): void {
    const { taken, clock } = this.#options;
    const { checkpoint, snapshots, failure, alignmentMs, startedMs } = taking;
    this.#isFinal = taking.isFinal;
    taken({ checkpoint, snapshots, failure, alignmentMs, prepared, syncMs: clock.monotonicMs() - startedMs });
  }

  #block(): void {
    for (const [index, channel] of (this.#options.gate?.channels ?? []).entries()) {
      channel.blocked = this.#aligner.isBlocked(index);
    }
  }
}

function momentOf({ isFinal, canonical }: Barrier): PrepareMoment {
  if (isFinal) return "stop";
  return canonical ? "savepoint" : "checkpoint";
}

/** What the writer of a sink has; null: nothing. */
type KeptBack = { readonly uid: string; readonly state: Uint8Array | null };

/** A sink may have other parts of state as well: one snapshot has them all. */
function withKept(
  snapshots: readonly SubtaskSnapshot[],
  kept: readonly KeptBack[],
  subtask: number,
): readonly SubtaskSnapshot[] {
  const byUid = new Map(snapshots.map((snapshot) => [snapshot.uid, snapshot]));
  for (const { uid, state } of kept) {
    if (state === null) continue;
    const before = byUid.get(uid) ?? { uid, subtask, parts: {}, keyed: null, splits: [] };
    byUid.set(uid, { ...before, parts: { ...before.parts, [WRITER_PART]: state } });
  }
  return [...byUid.values()];
}

/** What those sinks that have something to commit wait with. */
export async function preparedBy(
  sinks: readonly SinkDriver[],
  moment: PrepareMoment,
): Promise<readonly PreparedSink[]> {
  const prepared = sinks.map(async (sink) => ({ sink: sink.uid, committables: await sink.prepareCommit(moment) }));
  return (await Promise.all(prepared)).filter(({ committables }) => committables.length > 0);
}
