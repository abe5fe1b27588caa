// What a seed makes of the world in which a job is started until it ends: its faults, settings and parallelisms. All of
// it can be less, so that a failure can be made smaller.

import { SeededRandom } from "../../src/base/seeded-random.ts";
import { faultPlanOf, needsOf, withoutDrains } from "../../src/testing/sim-fault-plan.ts";
import { type FaultCells, SimFaults } from "../../src/testing/sim-faults.ts";
import type { Starts, StartsOptions } from "../../src/testing/simulate-starts.ts";
import { checkpointsConfig } from "./checkpoints-config.ts";

/** What is left out of a world. */
export type Less = {
  /** By their places in the plan. */
  readonly faults: readonly number[];
  /** Of a random graph: operators, by their places. */
  readonly nodes: readonly number[];
  /** How often the number of rows is halved. */
  readonly halvings: number;
};

export const NOTHING_LESS: Less = { faults: [], nodes: [], halvings: 0 };

/** `f0,f3,n2,h1`: as an option of `npm run simulate`. */
export function lessText({ faults, nodes, halvings }: Less): string {
  const halved = halvings === 0 ? [] : [`h${halvings}`];
  return [...faults.map((at) => `f${at}`), ...nodes.map((at) => `n${at}`), ...halved].join(",");
}

/** Throws when the text is none. */
export function lessOf(text: string): Less {
  const parts = text === "" ? [] : text.split(",");
  const wrong = parts.find((part) => !/^[fnh]\d+$/.test(part));
  if (wrong !== undefined) throw new Error(`"${wrong}" of ${text} is none of f0, n0 and h1`);
  const of = (kind: string): number[] =>
    parts.filter((part) => part.startsWith(kind)).map((part) => Number(part.slice(1)));
  return { faults: of("f"), nodes: of("n"), halvings: of("h")[0] ?? 0 };
}

/** What there is that can be less. */
export type WorldSize = { readonly faults: number; readonly nodes: number };

export type Crashed = Starts & { readonly cells: FaultCells };

/** What came out of a world is wrong. */
export class WorldFailed extends Error {
  readonly size: WorldSize;

  constructor(seed: number, { what, size, cause }: { what: readonly unknown[]; size: WorldSize; cause: unknown }) {
    const lines = what.map((each) => (typeof each === "string" ? each : JSON.stringify(each)));
    super([`SEED=${seed}`, ...lines].join("\n"), { cause });
    this.size = size;
  }
}

/** A job, its world and what is checked of it, as a function of a seed. */
export type Crashing = (seed: number, less?: Less) => Promise<Crashed>;

type World = Pick<StartsOptions, "seed" | "faults" | "realLinks" | "config" | "parallelism">;

export type WorldOptions = {
  readonly seed: number;
  readonly random: SeededRandom;
  readonly less: Less;
  /** It can be said what the job has to give when its input ends early. */
  readonly drains: boolean;
};

export function worldOf({ seed, random, less, drains }: WorldOptions): World & { readonly planned: number } {
  const drawn = faultPlanOf(random, seed);
  const plan = drains ? drawn : withoutDrains(drawn);
  const faults = new SimFaults(
    plan.filter((_, index) => !less.faults.includes(index)),
    new SeededRandom(seed ^ 0xfa017),
  );
  const first = 1 + random.below(4);
  const changes = random.next() < 0.6;
  const later = Array.from({ length: 8 }, () => 1 + random.below(4));
  return {
    ...{ seed, faults, planned: plan.length },
    realLinks: seed % 5 === 0,
    config: checkpointsConfig(random, needsOf(plan)),
    parallelism: (start) => (changes ? (later[start - 1] ?? first) : first),
  };
}
