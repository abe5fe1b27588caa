// Control messages over virtual time: each takes a delay from the seed, and those of one direction keep their order.
// Connections may break as those of TCP do:
//
//   N1. What is sent after the cut is lost. Of what was under way a first part still arrives, late: perhaps after a new
//       connection was made.
//   N2. Each end learns of the cut at a time of its own. One that is half-open for long goes on sending meanwhile.

import type { Env, Timers } from "../base/env.ts";
import type { SeededRandom } from "../base/seeded-random.ts";
import { type Line, type Pipe, pairTransport } from "../network/direct-transport.ts";
import type { Transport } from "../network/transport.ts";

export type SimCuts = {
  /** Of each connection, that it breaks: below 1, or nothing ever gets done. */
  readonly chance: number;
  /** How long one that breaks lasts at most. */
  readonly withinMs: number;
  /**
   * Of the connections that break, every other one does so while a message is under way: one of the first so many.
   * Default: at any time.
   */
  readonly messagesMax?: number;
  /** How late an end learns of it at most; how late messages still arrive there. */
  readonly halfOpenMaxMs: number;
};

/** What became of connections, counted as it happens. */
export type SimBreaks = {
  /** Connections that broke. */
  cuts: number;
  /** Messages that their end never saw. */
  lost: number;
  /** Messages that arrived after the cut. */
  late: number;
};

/** Breaks the lines that there are at a moment of somebody's choice. */
export class SimCutter {
  readonly #lines = new Set<() => void>();

  /** Lines that are left. */
  get count(): number {
    return this.#lines.size;
  }

  add(cut: () => void): void {
    this.#lines.add(cut);
  }

  gone(cut: () => void): void {
    this.#lines.delete(cut);
  }

  cutAll(): void {
    for (const cut of [...this.#lines]) cut();
  }

  /** The process has ended, and with it what it had. */
  clear(): void {
    this.#lines.clear();
  }
}

export const noBreaks = (): SimBreaks => ({ cuts: 0, lost: 0, late: 0 });

export type SimTransportOptions = {
  readonly env: Pick<Env, "timers" | "clock">;
  readonly random: SeededRandom;
  readonly delayMaxMs: number;
  readonly cuts?: SimCuts;
  /** Breaks them besides. Half-open for as long as `cuts` says, or not at all. */
  readonly cutter?: SimCutter;
  /** Nothing that is sent once this holds arrives, by whatever connection, and no end is told. It holds for good. */
  readonly parted?: () => boolean;
  /** Told what the cuts did. */
  readonly breaks?: SimBreaks;
  readonly messageBytesMax?: number;
};

export function simTransport(options: SimTransportOptions): Transport {
  const { env, messageBytesMax } = options;
  return pairTransport({
    timers: env.timers,
    ...(messageBytesMax !== undefined && { messageBytesMax }),
    line: () => simLine(options),
  });
}

function simLine(options: SimTransportOptions): Line {
  const { env, random, delayMaxMs, cuts, cutter, parted = () => false, breaks = noBreaks() } = options;
  const delayed = (): number => random.next() * delayMaxMs;
  const down = new SimPipe(env.timers, { delayed, parted, breaks });
  const up = new SimPipe(env.timers, { delayed, parted, breaks });
  if (cuts === undefined && cutter === undefined) return { down: down.put, up: up.put };
  const lateMs = (): number => (random.next() < 0.5 ? random.next() * (cuts?.halfOpenMaxMs ?? 0) : delayed());
  const moment = momentOf(random, cuts);
  // In the background: a line on which nothing happens any more need not break for the world to come to rest.
  const soon = (withinMs: number, cut: () => void): void =>
    void env.timers.after(random.next() * withinMs, cut, { background: true });
  let left = moment.messages;
  let cut: (() => void) | null = null;
  const counted =
    (put: Pipe): Pipe =>
    (arrive) => {
      put(arrive);
      left -= 1;
      if (left < 0 && cut !== null) soon(delayMaxMs, cut);
    };
  const breaking = (tellNear: () => void, tellFar: () => void): void => {
    if (cut === null) return;
    cutter?.gone(cut);
    cut = null;
    breaks.cuts += 1;
    down.cut(random, lateMs());
    up.cut(random, lateMs());
    env.timers.after(lateMs(), tellNear);
    env.timers.after(lateMs(), tellFar);
  };
  return {
    down: counted(down.put),
    up: counted(up.put),
    breaks: (...tell) => {
      cut = () => breaking(...tell);
      cutter?.add(cut);
      if (moment.withinMs !== Infinity) soon(moment.withinMs, cut);
    },
  };
}

/** After so many messages, or within a time, or not at all. */
function momentOf(random: SeededRandom, cuts: SimCuts | undefined): { messages: number; withinMs: number } {
  const never = { messages: Infinity, withinMs: Infinity };
  if (cuts === undefined || random.next() >= cuts.chance) return never;
  const { messagesMax, withinMs } = cuts;
  if (messagesMax === undefined || random.next() < 0.5) return { ...never, withinMs };
  return { ...never, messages: random.below(messagesMax) };
}

type PipeOptions = {
  readonly delayed: () => number;
  readonly parted: () => boolean;
  readonly breaks: SimBreaks;
};

class SimPipe {
  readonly #timers: Timers;
  readonly #line: PipeOptions;
  readonly #underWay: (() => void)[] = [];
  #isCut = false;
  #heldMs = 0;

  constructor(timers: Timers, line: PipeOptions) {
    this.#timers = timers;
    this.#line = line;
  }

  readonly put: Pipe = (arrive) => {
    if (this.#isCut || this.#line.parted()) {
      this.#line.breaks.lost += 1;
      return;
    }
    this.#underWay.push(arrive);
    this.#timers.after(this.#line.delayed(), () => this.#deliver());
  };

  /** N1 */
  cut(random: SeededRandom, heldMs: number): void {
    this.#isCut = true;
    this.#heldMs = heldMs;
    const arriving = random.below(this.#underWay.length + 1);
    this.#line.breaks.lost += this.#underWay.length - arriving;
    this.#underWay.length = arriving;
  }

  #deliver(): void {
    if (!this.#isCut) {
      this.#underWay.shift()?.();
      return;
    }
    this.#timers.after(this.#heldMs, () => {
      const arrive = this.#underWay.shift();
      if (arrive === undefined) return;
      this.#line.breaks.late += 1;
      arrive();
    });
  }
}
