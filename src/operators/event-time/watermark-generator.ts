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
//   B7. Splits go to any subtask after a restore. So a generator restores the snapshots of all that there were: its
//       watermark begins with the least of theirs, and a split goes on with its own clock wherever it is added.

import {
  readByte,
  readCount,
  readF64,
  readString,
  writeByte,
  writeF64,
  writeString,
  writeU32,
} from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";

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
  /** Greatest event time of the splits that were left, or that were there when a snapshot was taken. */
  #left = -Infinity;
  /** Where splits that follow go on: the greatest event time of those that were left here, the least after B7. */
  #end = -Infinity;
  /** The split that it is from. */
  #furthest = WHOLE;
  /** Clocks of snapshots, of splits that have not come here since. Null: nothing was restored. */
  #restored: Map<string, SplitClock> | null = null;

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
      if (clock.greatest > this.#left) this.#left = clock.greatest;
      if (clock.greatest > this.#end) {
        this.#end = clock.greatest;
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

  snapshot(out: ByteWriter): void {
    for (const value of [this.#watermark, this.greatest, this.#end]) writeF64(out, value);
    writeString(out, this.#furthest);
    const splits = [...this.#splits].filter(([split]) => split !== WHOLE);
    writeU32(out, splits.length);
    for (const [split, { greatest, nextStepMs, floor, behind, after, idle, touched }] of splits) {
      writeString(out, split);
      for (const value of [greatest, nextStepMs, floor, behind]) writeF64(out, value);
      writeString(out, after);
      writeByte(out, idle && !touched ? 1 : 0);
    }
  }

  /** Before any split is added; may be called for several snapshots (B7). `splits`: they keep their names. */
  restore(input: ByteReader, { splits = true }: { readonly splits?: boolean } = {}): void {
    const isFirst = this.#restored === null;
    const restored = this.#restored ?? new Map<string, SplitClock>();
    this.#restored = restored;
    const watermark = readF64(input);
    if (isFirst || watermark < this.#watermark) this.#watermark = watermark;
    this.#left = Math.max(this.#left, readF64(input));
    const end = readF64(input);
    const furthest = readString(input);
    if (isFirst || end < this.#end) {
      this.#end = end;
      this.#furthest = furthest;
    }
    for (let left = readCount(input); left > 0; left -= 1) {
      const split = readString(input);
      const clock = this.#readClock(input);
      if (splits) restored.set(split, clock);
    }
  }

  #readClock(input: ByteReader): SplitClock {
    const [greatest, nextStepMs, floor, behind] = [readF64(input), readF64(input), readF64(input), readF64(input)];
    const after = readString(input);
    const idle = readByte(input) === 1 && this.#idleMs < Infinity;
    // Who was not idle has all the time to give something again; clocks of the old run say nothing here.
    const activeMs = idle ? -Infinity : NaN;
    return { greatest, touched: false, activeMs, idle, nextStepMs, floor, behind, after };
  }

  #enter(split: string): SplitClock {
    const clock = this.#restored?.get(split) ?? this.#newClock();
    this.#restored?.delete(split);
    this.#splits.set(split, clock);
    return clock;
  }

  #newClock(): SplitClock {
    const before = this.#options.follows === true ? this.#end : -Infinity;
    return {
      greatest: before,
      touched: false,
      activeMs: NaN,
      idle: false,
      nextStepMs: -Infinity,
      floor: before - this.#options.outOfOrderMs - 1,
      behind: 0,
      after: this.#furthest,
    };
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
