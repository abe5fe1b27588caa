// Combines the watermarks of a task's input channels into one.
//
//   W1. The result is the least watermark of the channels that are neither idle nor finished. It never goes back.
//   W2. A finished channel holds nothing back, and does not drag the others to the end of time.
//   W3. Idle means: no channel is active and at least one is idle. Then the watermark is the greatest that any channel
//       has reached, finished ones included: idle channels hold nothing back, whichever fell idle last.

type ChannelState = { watermark: number; idle: boolean; ended: boolean };

export class WatermarkCombiner {
  readonly #channels: ChannelState[];
  #watermark = -Infinity;
  #idle = false;

  constructor(channels: number) {
    this.#channels = Array.from({ length: channels }, () => ({ watermark: -Infinity, idle: false, ended: false }));
  }

  get watermark(): number {
    return this.#watermark;
  }

  /** The greatest watermark of any channel. */
  get greatest(): number {
    return this.#channels.reduce((greatest, { watermark }) => Math.max(greatest, watermark), -Infinity);
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

  #combine(): void {
    let least = Infinity;
    let greatest = -Infinity;
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
