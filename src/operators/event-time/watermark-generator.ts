// Watermarks from the event times of records, with a bound on how late a record may come: Flink's bounded
// out-of-orderness.
//
//   B1. The watermark is the least, over the active splits, of the greatest event time seen, minus the bound, minus 1
//       ms. It never goes back.
//   B2. A split that has given no record for `idleMs` is idle and holds nothing back until its next record. When all
//       are idle, so is the generator, and the watermark is where the furthest of all has been, whichever fell idle
//       last.
//   B3. A split that was left is forgotten; one that was given and has no record yet holds everything back.
//   B4. Before the first split and after the last departure there is a split of no name. Of an endless source B2
//       applies to it as well: who waits long for a split is idle, until it gets one.
//   B5. While it is held there is no watermark, and nobody is idle.
//   B6. A bounded source has all of its input: who waits for a split is about to get some, and a split that gives
//       nothing waits for a disk. Both hold everything back.

type SplitClock = {
  greatest: number;
  touched: boolean;
  activeMs: number;
  idle: boolean;
  /** Event time at which `reached` is to be asked: for who asks among the records. */
  nextStepMs: number;
  /** Event time that the splits before it have left behind; -Infinity where splits do not follow one another. */
  readonly floor: number;
  /** Records at or before that. */
  behind: number;
  /** The split that came furthest of those before it. */
  readonly after: string;
};

/** Records that came after event time had passed them in the splits before theirs. */
export type Behind = {
  readonly count: number;
  /** The split before that has come furthest, and how far. */
  readonly after: string;
  readonly afterMs: number;
};

/** The split of records that come without one (B4). */
const WHOLE = "";

export type WatermarkOptions = {
  readonly outOfOrderMs: number;
  /** Infinity: never idle. */
  readonly idleMs: number;
  /** All input is there: B6. Default: false. */
  readonly bounded?: boolean;
  /** Held from the start, until `release`. Default: false. */
  readonly held?: boolean;
  /** Each split goes on in event time where the one before it ended. Default: false. */
  readonly follows?: boolean;
};

export class WatermarkGenerator {
  readonly #options: WatermarkOptions;
  /** B2, B6. Infinity: never idle. */
  readonly #idleMs: number;
  readonly #splits = new Map<string, SplitClock>();
  /** Clock of the split that records belong to now. A plain field: `observe` runs once per record. */
  current: SplitClock;
  #watermark = -Infinity;
  #idle = false;
  #held: boolean;
  /** Greatest event time of the splits that were left. */
  #left = -Infinity;
  /** The split that it is from. */
  #furthest = WHOLE;

  constructor(options: WatermarkOptions) {
    this.#options = options;
    this.#idleMs = options.bounded === true ? Infinity : options.idleMs;
    this.#held = options.held === true;
    this.current = this.#enter(WHOLE);
  }

  /** Budget: 2 ns. */
  observe(timestampMs: number): void {
    const { current } = this;
    if (timestampMs > current.greatest) current.greatest = timestampMs;
    else if (timestampMs <= current.floor) current.behind += 1;
    current.touched = true;
  }

  /** The source has got `split`. A reader that does not say which split its records belong to has one only. */
  addSplit(split: string): void {
    const isFirst = this.#splits.delete(WHOLE);
    const clock = this.#splits.get(split) ?? this.#enter(split);
    if (isFirst) this.current = clock;
  }

  /** The following records belong to `split`. */
  enterSplit(split: string): void {
    this.#splits.delete(WHOLE);
    this.current = this.#splits.get(split) ?? this.#enter(split);
  }

  leaveSplit(split: string): void {
    const clock = this.#splits.get(split);
    if (clock !== undefined) {
      if (!this.#held) this.#advance(); // What it has seen counts, before it is forgotten.
      if (clock.greatest > this.#left) {
        this.#left = clock.greatest;
        this.#furthest = split;
      }
    }
    this.#splits.delete(split);
    if (this.#splits.size === 0) this.current = this.#enter(WHOLE);
  }

  /** Of an open split; null when it has no such records. */
  behind(split: string): Behind | null {
    const clock = this.#splits.get(split);
    if (clock === undefined || clock.behind === 0) return null;
    return { count: clock.behind, after: clock.after, afterMs: clock.floor + this.#options.outOfOrderMs + 1 };
  }

  /** Nothing has to be waited for any more but what the splits say. */
  release(): void {
    this.#held = false;
  }

  /** Greatest event time that was observed, in whatever split; -Infinity for none. */
  get greatest(): number {
    let greatest = this.#left;
    for (const clock of this.#splits.values()) greatest = Math.max(greatest, clock.greatest);
    return greatest;
  }

  /** Whether no event time has been observed yet. */
  get isUntouched(): boolean {
    return this.greatest === -Infinity;
  }

  get idle(): boolean {
    return this.#idle;
  }

  /** The watermark at `nowMs`, of a clock that stands still while the source cannot be polled. */
  watermark(nowMs: number): number {
    if (this.#held) return this.#watermark;
    this.#noteActivity(nowMs);
    this.#advance();
    return this.#watermark;
  }

  /** As `watermark`, without a look at who is idle. The current split's next step is `stepMs` later. */
  reached(stepMs: number): number {
    const { current } = this;
    current.nextStepMs = current.greatest + stepMs;
    if (!this.#held) this.#advance();
    return this.#watermark;
  }

  /** When a further split may turn idle, on the clock of `watermark`; Infinity: none. */
  nextCheckMs(): number {
    let next = Infinity; // Of a generator that is held nobody has been seen to be active.
    for (const { idle, activeMs } of this.#splits.values()) {
      if (!idle && !Number.isNaN(activeMs)) next = Math.min(next, activeMs + this.#idleMs);
    }
    return next;
  }

  #enter(split: string): SplitClock {
    const before = this.#options.follows === true ? this.#left : -Infinity;
    const clock: SplitClock = {
      greatest: before,
      touched: false,
      activeMs: NaN,
      idle: false,
      nextStepMs: -Infinity,
      floor: before - this.#options.outOfOrderMs - 1,
      behind: 0,
      after: this.#furthest,
    };
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
      } else if (nowMs - clock.activeMs >= this.#idleMs) {
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
    const reached = least === Infinity ? this.greatest : least; // Nobody is active: B2.
    const watermark = reached - this.#options.outOfOrderMs - 1;
    if (watermark > this.#watermark) this.#watermark = watermark;
  }
}
