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

export const noBreaks = (): SimBreaks => ({ cuts: 0, lost: 0, late: 0 });

export type SimTransportOptions = {
  readonly env: Pick<Env, "timers" | "clock">;
  readonly random: SeededRandom;
  readonly delayMaxMs: number;
  readonly cuts?: SimCuts;
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

function simLine({
  env,
  random,
  delayMaxMs,
  cuts,
  parted = () => false,
  breaks = noBreaks(),
}: SimTransportOptions): Line {
  const delayed = (): number => random.next() * delayMaxMs;
  const down = new SimPipe(env.timers, { delayed, parted, breaks });
  const up = new SimPipe(env.timers, { delayed, parted, breaks });
  const line = { down: down.put, up: up.put };
  if (cuts === undefined || random.next() >= cuts.chance) return line;
  const lateMs = (): number => (random.next() < 0.5 ? random.next() * cuts.halfOpenMaxMs : delayed());
  const breaking = (tellNear: () => void, tellFar: () => void): void => {
    breaks.cuts += 1;
    down.cut(random, lateMs());
    up.cut(random, lateMs());
    env.timers.after(lateMs(), tellNear);
    env.timers.after(lateMs(), tellFar);
  };
  // In the background: a line on which nothing happens any more need not break for the world to come to rest.
  const soon = (withinMs: number, cut: () => void): void =>
    void env.timers.after(random.next() * withinMs, cut, { background: true });
  return cuts.messagesMax === undefined || random.next() < 0.5
    ? { ...line, breaks: (...tell) => soon(cuts.withinMs, () => breaking(...tell)) }
    : breakingAt(random.below(cuts.messagesMax), line, (...tell) => soon(delayMaxMs, () => breaking(...tell)));
}

/** Breaks with the message that `before` others have gone before, or the first after the connection is made. */
function breakingAt(before: number, { down, up }: Line, breaks: NonNullable<Line["breaks"]>): Line {
  let cut: (() => void) | null = null;
  let left = before;
  const counted =
    (put: Pipe): Pipe =>
    (arrive) => {
      put(arrive);
      left -= 1;
      if (left >= 0 || cut === null) return;
      cut();
      cut = null;
    };
  return {
    down: counted(down),
    up: counted(up),
    breaks: (...tell) => {
      cut = () => breaks(...tell);
    },
  };
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
