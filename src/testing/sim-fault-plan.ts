// What goes wrong in the life of a job that is started until it ends: drawn from the seed, all of it beforehand, as
// plain data, so that it can be printed and made smaller. Each fault happens once: in the end the job gets through.
//
// A pair of a fault and a phase is a cell. Each world aims at some, in turn: such a fault waits for its phase, and
// happens at the first chance that the phase gives it.

import type { SeededRandom } from "../base/seeded-random.ts";
import type { FromSlot } from "../protocol/slot-messages.ts";
import type { DiskOperation } from "./sim-disk.ts";
import { spread } from "./sim-machine.ts";
import { PHASES, type Phase } from "./sim-phases.ts";

export const FAULT_KINDS = [
  "process", // Ends between two events; what was written stays.
  "power", // The machine does, and with it what was not synced.
  "stop", // Its user asks for it.
  "savepoint", // Its user asks for one, and the job goes on.
  "move", // Its user stops it with a savepoint, removes its checkpoints, and starts it from that.
  "drain", // Its user ends its input where it is; the smaller half with a savepoint.
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
  /** As soon as it can happen in the phase, whenever that is. */
  | { readonly aim: Phase }
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

const NO_JOB = "there is no job yet, or none any more";
const NO_THREADS = "no thread runs a job";
const NO_CALLS = "no task reads or works";
const NOTHING_APPENDED = "nothing is written";
const LEFT_OVERS = "tasks have written all before; what older checkpoints leave may still be removed, now and then";

type Reasons = Readonly<Partial<Record<Phase, string>>>;

/** Cells that cannot be, and why: they are neither drawn nor counted. All others have to be filled by a campaign. */
const IMPOSSIBLE: Readonly<Partial<Record<FaultKind, Reasons>>> = {
  stop: { opening: NO_JOB, forgetting: NO_JOB },
  savepoint: { opening: NO_JOB, forgetting: NO_JOB },
  move: { opening: NO_JOB, forgetting: NO_JOB },
  drain: { opening: NO_JOB, forgetting: NO_JOB },
  slot: { opening: NO_THREADS, forgetting: NO_THREADS },
  hang: { opening: NO_THREADS, forgetting: NO_THREADS },
  throw: { opening: NO_CALLS, stopping: NO_CALLS, forgetting: NO_CALLS },
  cut: { opening: "there is no connection", forgetting: "there is no connection" },
  io: { stopping: LEFT_OVERS },
  fsync: { stopping: LEFT_OVERS },
  full: {
    opening: NOTHING_APPENDED,
    stopping: NOTHING_APPENDED,
    forgetting: "nothing is written but a savepoint that was asked for just before, now and then",
  },
};

export type FaultCell = { readonly kind: FaultKind; readonly phase: Phase };

/** All pairs of a fault and a phase in which it can happen. */
export const FAULT_CELLS: readonly FaultCell[] = FAULT_KINDS.flatMap((kind) =>
  PHASES.filter((phase) => IMPOSSIBLE[kind]?.[phase] === undefined).map((phase) => ({ kind, phase })),
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
/** Those of them after which nobody can say what is durable, when the disk fails then. */
const UNSURE = OPERATIONS.slice(0, 3);
const MESSAGES: readonly FromSlot["kind"][] = [
  "deployed",
  "coordinated",
  "checkpointTaken",
  "checkpointAcknowledged",
  "prepared",
  "committed",
  "closed",
];
const FAULTS_MAX = 4;
/** Cells that a world aims at. Two that follow each other are far apart in the table. */
const AIMS = 2;
const AIM_STRIDE = 89;

/**
 * Each world has some kinds of faults and not others: what hides behind one shows without it. Some of its faults are
 * those of cells that `aim` stands for, so that some hundred worlds try all.
 */
export function faultPlanOf(random: SeededRandom, aim: number): readonly Fault[] {
  if (random.next() < 0.05) return [];
  const kinds = new Set(FAULT_KINDS.filter(() => random.next() < 0.6));
  const cells = FAULT_CELLS.filter(({ kind }) => kinds.has(kind));
  const count = cells.length === 0 ? 0 : random.below(FAULTS_MAX);
  const drawn = Array.from({ length: count }, () => cells[random.below(cells.length)]!);
  const faultOf = ({ kind, phase }: FaultCell): Fault => ({
    ...{ kind, at: momentOf(random, kind, phase) },
    size: sizeOf(random),
  });
  const aimed = Array.from({ length: AIMS }, (_, index) => FAULT_CELLS[cellAt(aim * AIMS + index)]!);
  const kept = savepointKept(random);
  const cellsTried = aimed.flatMap((cell) => [...enabling(random, cell), aimedAt(random, cell)]);
  return [...kept, ...cellsTried, ...drawn.map(faultOf)];
}

/** Many have one that they could go back to. */
function savepointKept(random: SeededRandom): readonly Fault[] {
  if (random.next() >= 0.3) return [];
  const at = { phase: "running", visit: 1 + random.below(3), events: 0 } as const;
  return [{ kind: "savepoint", at, size: sizeOf(random) }];
}

/** Each cell once in a round; in the next one in other worlds, for what comes every tenth seed is one scenario. */
function cellAt(at: number): number {
  const round = Math.floor(at / FAULT_CELLS.length);
  return ((at + AIMS * round) * AIM_STRIDE) % FAULT_CELLS.length;
}

function sizeOf(random: SeededRandom): number {
  return Number(random.next().toFixed(3));
}

/** What has to happen before, for a job to be in that phase, or for the fault to find anything. */
function enabling(random: SeededRandom, { kind, phase }: FaultCell): Fault[] {
  const at: FaultMoment = { phase: "running", visit: 1, events: random.below(20) };
  const size = sizeOf(random);
  if (phase === "stopping" || (phase === "final" && kind === "throw")) return [{ kind: "stop", at, size }];
  if (phase === "failing" || phase === "waiting" || phase === "restoring") return [{ kind: "slot", at, size }];
  if (phase === "opening") return [{ kind: "process", at, size }];
  return [];
}

function aimedAt(random: SeededRandom, { kind, phase }: FaultCell): Fault {
  return { kind, at: { aim: phase }, size: sizeOf(random) };
}

/** For jobs of which nobody can say what they have to give when their input ends early: they are moved instead. */
export function withoutDrains(plan: readonly Fault[]): readonly Fault[] {
  return plan.map((fault) => (fault.kind === "drain" ? { ...fault, kind: "move" } : fault));
}

const OF_CHECKPOINTS: readonly Phase[] = [
  "coordinating",
  "aligning",
  "snapshotting",
  "storing",
  "completing",
  "committing",
];

export type PlanNeeds = {
  /** The first failure of the job is to be its last in this process. */
  readonly givesUp: boolean;
  /** Checkpoints are to be taken soon. */
  readonly often: boolean;
};

/** What a job has to be set up with for a plan to find its phases. */
export function needsOf(plan: readonly Fault[]): PlanNeeds {
  const aims = plan.flatMap(({ at }) => ("aim" in at ? [at.aim] : []));
  return { givesUp: aims.includes("failing"), often: aims.some((phase) => OF_CHECKPOINTS.includes(phase)) };
}

function momentOf(random: SeededRandom, kind: FaultKind, phase: Phase): FaultMoment {
  const draw = random.next();
  const nth = Math.floor(spread(random, 1, 30));
  const isEnd = kind === "process" || kind === "power";
  if (draw < 0.35 && (isEnd || kind === "io" || kind === "fsync")) {
    const operations = isEnd ? OPERATIONS : UNSURE;
    const [operation, path] = operations[random.below(operations.length)]!;
    return { operation, path, nth };
  }
  if (draw < 0.4 && kind === "slot") {
    return { says: MESSAGES[random.below(MESSAGES.length)]!, nth, heard: random.next() < 0.5 };
  }
  const events = random.next() < 0.5 ? 0 : Math.floor(spread(random, 1, 20));
  return { phase, visit: Math.floor(spread(random, 1, 5)), events };
}
