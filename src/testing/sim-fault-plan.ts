// What goes wrong in the life of a job that is started until it ends: drawn from the seed, all of it beforehand, as
// plain data, so that it can be printed and made smaller. Each fault happens once: in the end the job gets through.

import type { SeededRandom } from "../base/seeded-random.ts";
import type { FromSlot } from "../protocol/slot-messages.ts";
import type { DiskOperation } from "./sim-disk.ts";
import { spread } from "./sim-machine.ts";
import { PHASES, type Phase } from "./sim-phases.ts";

export const FAULT_KINDS = [
  "process", // Ends between two events; what was written stays.
  "power", // The machine does, and with it what was not synced.
  "stop", // Its user asks for it.
  "slot", // A thread ends.
  "hang", // A thread does nothing more, and the watchdog ends it.
  "throw", // User code does, the next time that it is called.
  "io", // Operations of the disk fail.
  "fsync", // What was written is gone.
  "full",
  "slow",
  "flip", // Files of checkpoints read differently: once, or for good.
  "clock", // The wall clock jumps.
  "cut", // The connection between job master and TaskManager breaks.
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export type FaultMoment =
  /** In the phase, when it is there for that time, after so many events of it. */
  | { readonly phase: Phase; readonly visit: number; readonly events: number }
  /** When this operation of the disk on a path like this is done, for that time. */
  | { readonly operation: DiskOperation; readonly path: string; readonly nth: number }
  /** When a slot says this, for that time: before it is heard, or afterwards. */
  | { readonly says: FromSlot["kind"]; readonly nth: number; readonly heard: boolean };

export type Fault = {
  readonly kind: FaultKind;
  readonly at: FaultMoment;
  /** How much of it, from 0 to 1: operations that fail, time that passes, which of several. */
  readonly size: number;
};

/** Nothing of it is there: threads, user code that is called, connections, somebody who could stop, operations. */
const IMPOSSIBLE: Readonly<Partial<Record<FaultKind, readonly Phase[]>>> = {
  stop: ["opening", "stopping", "failing", "ending", "forgetting"],
  slot: ["opening", "waiting", "forgetting"],
  hang: ["opening", "waiting", "forgetting"],
  throw: ["opening", "deploying", "restoring", "stopping", "failing", "waiting", "ending", "forgetting"],
  cut: ["opening", "waiting", "forgetting"],
  // Where nothing is written, or only now and then.
  io: ["stopping"],
  fsync: ["stopping", "waiting", "ending"],
  full: ["opening", "coordinating", "completing", "stopping", "waiting", "ending", "forgetting"],
  slow: ["completing", "stopping", "ending"],
  flip: ["stopping"],
};

export type FaultCell = { readonly kind: FaultKind; readonly phase: Phase };

/** All pairs of a fault and a phase in which it can happen. */
export const FAULT_CELLS: readonly FaultCell[] = FAULT_KINDS.flatMap((kind) =>
  PHASES.filter((phase) => IMPOSSIBLE[kind]?.includes(phase) !== true).map((phase) => ({ kind, phase })),
);

/** The moments at which a crash is likeliest to show a mistake: around the pointer, metadata, claims and commits. */
const OPERATIONS: readonly (readonly [DiskOperation, string])[] = [
  ["rename", "latest"],
  ["sync", "/chk-\\d+$"],
  ["rename", "_metadata"],
  ["rename", "part-"],
  ["rename", "\\.millrace-"],
  ["open", "\\.millrace-"],
  ["remove", "\\.millrace-"],
  ["remove", "part-"],
  ["append", "\\.part-"],
  ["sync", "\\.part-"],
  ["read", "part-"],
  ["remove", "latest"],
  ["remove", "chk-"],
];
const MESSAGES: readonly FromSlot["kind"][] = [
  "deployed",
  "coordinated",
  "checkpointTaken",
  "checkpointAcknowledged",
  "prepared",
  "committed",
  "closed",
];
const FAULTS_MAX = 6;

/**
 * Each world has some kinds of faults and not others: what hides behind one shows without it. One of its faults is that
 * of the cell `aim`, so that a few hundred worlds try all.
 */
export function faultPlanOf(random: SeededRandom, aim: number): readonly Fault[] {
  if (random.next() < 0.05) return [];
  const kinds = new Set(FAULT_KINDS.filter(() => random.next() < 0.6));
  const cells = FAULT_CELLS.filter(({ kind }) => kinds.has(kind));
  const count = cells.length === 0 ? 0 : random.below(FAULTS_MAX);
  const drawn = Array.from({ length: count }, () => cells[random.below(cells.length)]!);
  const faultOf = ({ kind, phase }: FaultCell): Fault => ({
    ...{ kind, at: momentOf(random, kind, phase) },
    size: Number(random.next().toFixed(3)),
  });
  const aimed = FAULT_CELLS[aim % FAULT_CELLS.length]!;
  return [...enabling(random, aimed), inPhase(random, aimed), ...drawn.map(faultOf)];
}

/** What has to happen before, for a job to be in that phase. */
function enabling(random: SeededRandom, { kind, phase }: FaultCell): Fault[] {
  const at = { phase: "running", visit: 1 + random.below(3), events: random.below(20) } as const;
  const size = Number(random.next().toFixed(3));
  if (phase === "stopping" && kind !== "stop") return [{ kind: "stop", at, size }];
  if (phase === "failing" || phase === "waiting" || phase === "restoring") return [{ kind: "slot", at, size }];
  return [];
}

/** At once, or nearly. */
function inPhase(random: SeededRandom, { kind, phase }: FaultCell): Fault {
  const events = random.next() < 0.7 ? 0 : random.below(6);
  return { kind, at: { phase, visit: 1 + random.below(2), events }, size: Number(random.next().toFixed(3)) };
}

function momentOf(random: SeededRandom, kind: FaultKind, phase: Phase): FaultMoment {
  const draw = random.next();
  const nth = Math.floor(spread(random, 1, 30));
  if (draw < 0.35 && (kind === "process" || kind === "power")) {
    const [operation, path] = OPERATIONS[random.below(OPERATIONS.length)]!;
    return { operation, path, nth };
  }
  if (draw < 0.4 && kind === "slot") {
    return { says: MESSAGES[random.below(MESSAGES.length)]!, nth, heard: random.next() < 0.5 };
  }
  const events = random.next() < 0.5 ? 0 : Math.floor(spread(random, 1, 20));
  return { phase, visit: Math.floor(spread(random, 1, 5)), events };
}
