// When a task takes its snapshot: once the barrier of a checkpoint has come by every input channel.
//
//   B1. Exactly once: what comes by a channel after its barrier waits until the snapshot is taken, so that the snapshot
//       holds the effect of what came before the barriers and of nothing else. At least once: nothing waits.
//   B2. A channel that has ended needs no barrier.
//   B3. A barrier of a later checkpoint ends the wait for an earlier one, which is given up; one of an earlier
//       checkpoint than the last that was taken, begun or given up is passed over.

export type CheckpointingMode = "exactly-once" | "at-least-once";

export class BarrierAligner {
  readonly #mode: CheckpointingMode;
  readonly #ended: boolean[];
  readonly #arrived: boolean[];
  /** Whose barriers are waited for; 0: none. */
  #id = 0;
  /** The last that was begun, taken or given up. */
  #last = 0;

  constructor(channels: number, mode: CheckpointingMode) {
    this.#mode = mode;
    this.#ended = new Array<boolean>(channels).fill(false);
    this.#arrived = new Array<boolean>(channels).fill(false);
  }

  /** The checkpoint whose barriers are waited for; 0: none. */
  get aligning(): number {
    return this.#id;
  }

  /** Whether nothing is to be taken from this channel for now (B1). */
  isBlocked(channel: number): boolean {
    return this.#id !== 0 && this.#arrived[channel] === true && this.#mode === "exactly-once";
  }

  /** The checkpoint to take a snapshot for now; 0: none yet. */
  onBarrier(channel: number, id: number): number {
    if (id < this.#last || (id === this.#last && this.#id !== id)) return 0; // B3
    if (this.#id !== id) this.#begin(id);
    this.#arrived[channel] = true;
    return this.#takenIfAligned();
  }

  /** As `onBarrier`. */
  onEnd(channel: number): number {
    this.#ended[channel] = true;
    return this.#id === 0 ? 0 : this.#takenIfAligned();
  }

  /** The checkpoint is given up: nothing waits for it, whether its barriers come or not. */
  onAbort(id: number): void {
    if (this.#id === id) this.#stop();
    this.#last = Math.max(this.#last, id);
  }

  #begin(id: number): void {
    this.#stop();
    this.#id = id;
    this.#last = id;
  }

  #stop(): void {
    this.#id = 0;
    this.#arrived.fill(false);
  }

  #takenIfAligned(): number {
    const id = this.#id;
    for (const [channel, arrived] of this.#arrived.entries()) {
      if (!arrived && this.#ended[channel] !== true) return 0;
    }
    this.#stop();
    return id;
  }
}
