// Combines the watermarks of a task's input channels into one.
//
//   W1. The result is the least watermark of the channels that are neither idle nor finished. It never goes back.
//   W2. A finished channel holds nothing back, and does not drag the others to the end of time.
//   W3. Idle means: no channel is active and at least one is idle. Then the watermark is the greatest that any channel
//       has reached, finished ones included: idle channels hold nothing back, whichever fell idle last.
//   W4. A snapshot holds how far event time has come, not the channels, which are others at another parallelism: who is
//       restored says again where it is, and whether it is idle. Of several snapshots the least counts.

import { readF64, writeF64 } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";

type ChannelState = { watermark: number; idle: boolean; ended: boolean };

export class WatermarkCombiner {
  readonly #channels: ChannelState[];
  #watermark = -Infinity;
  #idle = false;
  /** The greatest watermark of any channel before a restore; null: nothing was restored. */
  #reached: number | null = null;

  constructor(channels: number) {
    this.#channels = Array.from({ length: channels }, () => ({ watermark: -Infinity, idle: false, ended: false }));
  }

  get watermark(): number {
    return this.#watermark;
  }

  /** The greatest watermark of any channel. */
  get greatest(): number {
    return this.#channels.reduce(
      (greatest, { watermark }) => Math.max(greatest, watermark),
      this.#reached ?? -Infinity,
    );
  }

  get idle(): boolean {
    return this.#idle;
  }

  onWatermark(channel: number, watermark: number): void {
    const state = this.#channels[channel]!;
    if (watermark > state.watermark) state.watermark = watermark;
    state.idle = false;
    this.#combine();
  }

  onIdle(channel: number, idle: boolean): void {
    this.#channels[channel]!.idle = idle;
    this.#combine();
  }

  onEnd(channel: number): void {
    this.#channels[channel]!.ended = true;
    this.#combine();
  }

  snapshot(out: ByteWriter): void {
    writeF64(out, this.#watermark);
    writeF64(out, this.greatest);
  }

  /** Before anything comes through the channels; may be called for several snapshots (W4). */
  restore(input: ByteReader): void {
    const watermark = readF64(input);
    if (this.#reached === null || watermark < this.#watermark) this.#watermark = watermark;
    this.#reached = Math.max(this.#reached ?? -Infinity, readF64(input));
  }

  #combine(): void {
    let least = Infinity;
    let greatest = this.#reached ?? -Infinity;
    let active = 0;
    let idle = 0;
    for (const channel of this.#channels) {
      if (channel.watermark > greatest) greatest = channel.watermark;
      if (channel.ended) continue;
      if (channel.idle) {
        idle += 1;
        continue;
      }
      active += 1;
      if (channel.watermark < least) least = channel.watermark;
    }
    this.#idle = active === 0 && idle > 0;
    const reached = this.#idle ? greatest : least;
    if (active + idle > 0 && reached > this.#watermark) this.#watermark = reached;
  }
}
