// Watermarks from the event times of records, with a bound on how late a record may come: Flink's bounded
// out-of-orderness.
//
//   B1. The watermark is the least, over the active splits, of the greatest event time seen, minus the bound, minus 1
//       ms. It never goes back.
//   B2. A split that has given no record for `idleMs` is idle and holds nothing back until its next record. When all
//       are idle, so is the generator.
//   B3. A split that was left is forgotten; one that was entered and has given no record yet holds everything back.
//   B4. Before the first split and after the last departure there is a split of no name, to which B2 applies as well:
//       who waits long for a split is idle, until it gets one.

type SplitClock = { greatest: number; touched: boolean; activeMs: number; idle: boolean };

/** The split of records that come without one (B4). */
const WHOLE = "";

export type WatermarkOptions = {
  readonly outOfOrderMs: number;
  /** Infinity: never idle. */
  readonly idleMs: number;
};

export class WatermarkGenerator {
  readonly #options: WatermarkOptions;
  readonly #splits = new Map<string, SplitClock>();
  /** Clock of the split that records belong to now. A plain field: `observe` runs once per record. */
  current: SplitClock;
  #watermark = -Infinity;
  #idle = false;

  constructor(options: WatermarkOptions) {
    this.#options = options;
    this.current = this.#enter(WHOLE);
  }

  /** Budget: 2 ns. */
  observe(timestampMs: number): void {
    const { current } = this;
    if (timestampMs > current.greatest) current.greatest = timestampMs;
    current.touched = true;
  }

  /** The following records belong to `split`. */
  enterSplit(split: string): void {
    this.#splits.delete(WHOLE);
    this.current = this.#splits.get(split) ?? this.#enter(split);
  }

  leaveSplit(split: string): void {
    const clock = this.#splits.get(split);
    if (clock !== undefined) this.#advance(); // What it has seen counts, before it is forgotten.
    this.#splits.delete(split);
    if (this.#splits.size === 0) this.current = this.#enter(WHOLE);
  }

  /** Whether no event time has been observed yet. */
  get isUntouched(): boolean {
    if (this.#watermark > -Infinity) return false;
    return [...this.#splits.values()].every(({ greatest }) => greatest === -Infinity);
  }

  get idle(): boolean {
    return this.#idle;
  }

  /** The watermark at processing time `nowMs`. */
  watermark(nowMs: number): number {
    this.#noteActivity(nowMs);
    this.#advance();
    return this.#watermark;
  }

  /** Processing time at which a further split may turn idle; Infinity: none. */
  nextCheckMs(): number {
    let next = Infinity;
    for (const clock of this.#splits.values()) {
      if (!clock.idle && !Number.isNaN(clock.activeMs)) next = Math.min(next, clock.activeMs + this.#options.idleMs);
    }
    return next;
  }

  #enter(split: string): SplitClock {
    const clock: SplitClock = { greatest: -Infinity, touched: false, activeMs: NaN, idle: false };
    this.#splits.set(split, clock);
    return clock;
  }

  #noteActivity(nowMs: number): void {
    let active = 0;
    for (const clock of this.#splits.values()) {
      if (clock.touched || Number.isNaN(clock.activeMs)) {
        clock.activeMs = nowMs;
        clock.touched = false;
        clock.idle = false;
      } else if (nowMs - clock.activeMs >= this.#options.idleMs) {
        clock.idle = true;
      }
      if (!clock.idle) active += 1;
    }
    this.#idle = active === 0;
  }

  #advance(): void {
    let least = Infinity;
    for (const { idle, touched, greatest } of this.#splits.values()) {
      if ((!idle || touched) && greatest < least) least = greatest;
    }
    if (least === Infinity) return;
    const watermark = least - this.#options.outOfOrderMs - 1;
    if (watermark > this.#watermark) this.#watermark = watermark;
  }
}
