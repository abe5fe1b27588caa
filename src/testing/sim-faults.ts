// What goes wrong in the life of a job that is started until it ends: drawn from the seed, all of it beforehand, so
// that it can be printed. Every fault happens so many times and not more: in the end the job gets through.

import type { SeededRandom } from "../base/seeded-random.ts";
import type { FromSlot } from "../protocol/slot-messages.ts";
import type { DiskErrorCode } from "../storage/disk-error.ts";
import type { DiskOperation } from "./sim-disk.ts";
import { spread } from "./sim-machine.ts";
import type { SlotDeath } from "./sim-slots.ts";

/** How a process ends, unless its job does so before. */
export type ProcessEnd = {
  /** "stop": its user asks for it, `at` milliseconds after the start. */
  readonly how: "process" | "power" | "stop";
  /** With the event of this number, or with this operation of the disk on a path like this, once it is done. */
  readonly at: number | { readonly operation: DiskOperation; readonly path: RegExp; readonly nth: number };
};

type DiskFault = {
  readonly operations: readonly DiskOperation[];
  readonly path: RegExp;
  /** The first operation that fails, and how many do. */
  readonly nth: number;
  readonly times: number;
  readonly code: DiskErrorCode;
};

type Death = { readonly message: FromSlot["kind"]; readonly nth: number; readonly how: "heard" | "unheard" };

export type FaultPlan = {
  readonly ends: readonly ProcessEnd[];
  readonly deaths: readonly Death[];
  /** Calls of user functions that throw. */
  readonly throwsAt: readonly number[];
  readonly disk: readonly DiskFault[];
};

/** How often each happened. */
export type FaultCounts = {
  process: number;
  power: number;
  stop: number;
  slot: number;
  thrown: number;
  disk: number;
};

export const noFaults = (): FaultCounts => ({ process: 0, power: 0, stop: 0, slot: 0, thrown: 0, disk: 0 });

/** The moments at which a crash is likeliest to show a mistake: around the pointer, metadata, claims and commits. */
const MOMENTS: readonly (readonly [DiskOperation, RegExp])[] = [
  ["rename", /latest/],
  ["sync", /\/chk-\d+$/],
  ["rename", /_metadata/],
  ["rename", /part-/],
  ["rename", /\.millrace-/],
  ["open", /\.millrace-/],
  ["remove", /\.millrace-/],
  ["remove", /part-/],
  ["append", /\.part-/],
  ["sync", /\.part-/],
  ["read", /part-/],
  ["remove", /latest/],
  ["remove", /chk-/],
];
/** A process whose moment does not come dies all the same: that of a job without an end. */
const EVENTS_MAX = 20_000;
const MESSAGES: readonly FromSlot["kind"][] = [
  "deployed",
  "coordinated",
  "checkpointTaken",
  "checkpointAcknowledged",
  "prepared",
  "committed",
  "closed",
];

export function faultPlanOf(random: SeededRandom): FaultPlan {
  const some = <T>(chance: number, most: number, make: () => T): T[] =>
    random.next() < chance ? Array.from({ length: 1 + random.below(most) }, make) : [];
  return {
    ends: some(0.9, 4, () => endOf(random)),
    deaths: some(0.3, 2, () => ({
      message: MESSAGES[random.below(MESSAGES.length)]!,
      nth: 1 + random.below(20),
      how: random.next() < 0.5 ? "heard" : "unheard",
    })),
    throwsAt: some(0.4, 3, () => Math.floor(spread(random, 1, 1_500))),
    disk: some(0.4, 2, () => diskFaultOf(random)),
  };
}

function endOf(random: SeededRandom): ProcessEnd {
  const draw = random.next();
  if (draw < 0.2) return { how: "stop", at: spread(random, 1, 1_000) };
  const how = random.next() < 0.5 ? "process" : "power";
  if (draw < 0.6) return { how, at: Math.floor(spread(random, 1, 10_000)) };
  const [operation, path] = MOMENTS[random.below(MOMENTS.length)]!;
  return { how, at: { operation, path, nth: Math.floor(spread(random, 1, 40)) } };
}

function diskFaultOf(random: SeededRandom): DiskFault {
  const path = random.next() < 0.6 ? /^\/checkpoints/ : /^\/out/;
  const nth = Math.floor(spread(random, 1, 300));
  const times = Math.floor(spread(random, 1, 30));
  if (random.next() < 0.4) return { operations: ["append", "open"], path, nth, times, code: "DISK_FULL" };
  const operations: DiskOperation[] = (["append", "sync", "rename", "open", "remove"] as const).filter(
    () => random.next() < 0.5,
  );
  return { operations, path, nth, times, code: "DISK_IO" };
}

/** Lets happen what the plan says, and counts it. */
export class SimFaults {
  readonly plan: FaultPlan;
  readonly counts: FaultCounts = noFaults();
  readonly #deaths = new Map<Death, number>();
  readonly #disk = new Map<DiskFault, number>();
  #calls = 0;
  #end: ProcessEnd | null = null;
  #events = 0;
  #operations = 0;
  #isDue = false;

  constructor(plan: FaultPlan) {
    this.plan = plan;
  }

  /** A process starts; null: it is not ended from outside any more. */
  begin(start: number): ProcessEnd | null {
    this.#end = this.plan.ends[start] ?? null;
    this.#events = 0;
    this.#operations = 0;
    this.#isDue = false;
    return this.#end;
  }

  /** To be called between two events: whether the process dies now. */
  dies(): boolean {
    this.#events += 1;
    if (this.#end === null || this.#end.how === "stop") return false;
    return this.#isDue || this.#events > (typeof this.#end.at === "number" ? this.#end.at : EVENTS_MAX);
  }

  /** Within a user's function. */
  readonly pass = (): void => {
    this.#calls += 1;
    if (!this.plan.throwsAt.includes(this.#calls)) return;
    this.counts.thrown += 1;
    throw new Error(`user code gives up at call ${this.#calls}`);
  };

  readonly death: SlotDeath = ({ kind }) => {
    for (const death of this.plan.deaths) {
      if (death.message !== kind) continue;
      const seen = 1 + (this.#deaths.get(death) ?? 0);
      this.#deaths.set(death, seen);
      if (seen !== death.nth) continue;
      this.counts.slot += 1;
      return death.how;
    }
    return null;
  };

  readonly fail = (operation: DiskOperation, path: string): DiskErrorCode | null => {
    for (const fault of this.plan.disk) {
      if (!fault.operations.includes(operation) || !fault.path.test(path)) continue;
      const seen = 1 + (this.#disk.get(fault) ?? 0);
      this.#disk.set(fault, seen);
      if (seen < fault.nth || seen >= fault.nth + fault.times) continue;
      this.counts.disk += 1;
      return fault.code;
    }
    this.#watch(operation, path);
    return null;
  };

  #watch(operation: DiskOperation, path: string): void {
    if (this.#end === null || typeof this.#end.at === "number") return;
    const { at } = this.#end;
    if (at.operation !== operation || !at.path.test(path)) return;
    this.#operations += 1;
    if (this.#operations === at.nth) this.#isDue = true;
  }
}
