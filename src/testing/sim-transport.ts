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
  /** How late an end learns of it at most; how late messages still arrive there. */
  readonly halfOpenMaxMs: number;
};

export type SimTransportOptions = {
  readonly env: Pick<Env, "timers" | "clock">;
  readonly random: SeededRandom;
  readonly delayMaxMs: number;
  readonly cuts?: SimCuts;
  /** Nothing that is sent once this holds arrives, by whatever connection, and no end is told. It holds for good. */
  readonly parted?: () => boolean;
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

function simLine({ env, random, delayMaxMs, cuts, parted = () => false }: SimTransportOptions): Line {
  const delayed = (): number => random.next() * delayMaxMs;
  const down = new SimPipe(env.timers, delayed, parted);
  const up = new SimPipe(env.timers, delayed, parted);
  const line = { down: down.put, up: up.put };
  if (cuts === undefined || random.next() >= cuts.chance) return line;
  const lateMs = (): number => (random.next() < 0.5 ? random.next() * cuts.halfOpenMaxMs : delayed());
  return {
    ...line,
    breaks: (tellNear, tellFar) => {
      const cut = (): void => {
        down.cut(random, lateMs());
        up.cut(random, lateMs());
        env.timers.after(lateMs(), tellNear);
        env.timers.after(lateMs(), tellFar);
      };
      // In the background: a line on which nothing happens any more need not break for the world to come to rest.
      env.timers.after(random.next() * cuts.withinMs, cut, { background: true });
    },
  };
}

class SimPipe {
  readonly #timers: Timers;
  readonly #delayed: () => number;
  readonly #parted: () => boolean;
  readonly #underWay: (() => void)[] = [];
  #isCut = false;
  #heldMs = 0;

  constructor(timers: Timers, delayed: () => number, parted: () => boolean) {
    this.#parted = parted;
    this.#timers = timers;
    this.#delayed = delayed;
  }

  readonly put: Pipe = (arrive) => {
    if (this.#isCut || this.#parted()) return;
    this.#underWay.push(arrive);
    this.#timers.after(this.#delayed(), () => this.#deliver());
  };

  /** N1 */
  cut(random: SeededRandom, heldMs: number): void {
    this.#isCut = true;
    this.#heldMs = heldMs;
    this.#underWay.length = random.below(this.#underWay.length + 1);
  }

  #deliver(): void {
    if (this.#heldMs === 0) {
      this.#underWay.shift()?.();
      return;
    }
    this.#timers.after(this.#heldMs, () => this.#underWay.shift()?.());
  }
}
