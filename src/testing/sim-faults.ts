// Lets happen what a plan says, and counts in which phase it did.

import type { SeededRandom } from "../base/seeded-random.ts";
import type { FromSlot } from "../protocol/slot-messages.ts";
import type { DiskErrorCode } from "../storage/disk-error.ts";
import type { DiskOperation } from "./sim-disk.ts";
import { FAULT_CELLS, type Fault, type FaultKind } from "./sim-fault-plan.ts";
import type { SimMachine } from "./sim-machine.ts";
import type { Phase, SimPhases } from "./sim-phases.ts";
import type { SimSavepoints } from "./sim-savepoints.ts";
import type { SimSlot } from "./sim-slots.ts";

/** How often each fault happened in each phase. */
export class FaultCells {
  readonly #counts = new Map<string, number>();

  add(kind: FaultKind, phase: Phase, times = 1): void {
    const cell = `${kind} ${phase}`;
    this.#counts.set(cell, (this.#counts.get(cell) ?? 0) + times);
  }

  addAll(others: FaultCells): void {
    for (const [cell, times] of others.#counts) this.#counts.set(cell, (this.#counts.get(cell) ?? 0) + times);
  }

  /** Cells that are possible and in which nothing happened. */
  empty(): readonly string[] {
    return FAULT_CELLS.map(({ kind, phase }) => `${kind} ${phase}`).filter((cell) => !this.#counts.has(cell));
  }

  /** By fault, then by phase. */
  table(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    const table: Record<string, Record<string, number>> = {};
    for (const [cell, times] of [...this.#counts].sort(([left], [right]) => (left < right ? -1 : 1))) {
      const [kind = "", phase = ""] = cell.split(" ");
      table[kind] = { ...table[kind], [phase]: times };
    }
    return table;
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, times) => sum + times, 0);
  }
}

/** Processes that faults may end; what has not happened by then does not happen. */
const STARTS_MAX = 8;
/** A process that has begun while faults were to come ends after so many events, if nothing else ends it. */
const EVENTS_MAX = 20_000;
const TIMES_MAX = 30;
/** Whoever starts the next process takes an older savepoint for that. */
const BACK_MIN = 0.6;
const DAY_MS = 86_400_000;
/** The watchdog has to look before that. */
const HANG_MS = 60_000;
const OPERATIONS: readonly DiskOperation[] = ["append", "sync", "rename", "open", "remove"];

/** Kinds that happen to what is done: one that is aimed waits for that. */
const WAITING: ReadonlySet<FaultKind> = new Set(["throw", "io", "fsync", "full", "slow"]);
const AILING = /^\/(checkpoints|savepoints|out)/;

/** Something that goes on for some operations of the disk. */
type Ailment = { readonly fault: Fault; readonly path: RegExp; left: number };

export class SimFaults {
  readonly plan: readonly Fault[];
  readonly cells = new FaultCells();
  readonly #random: SeededRandom;
  readonly #slots = new Set<SimSlot>();
  readonly #visits = new Map<Phase, number>();
  /** Of moments that are counted: operations, and what slots say. */
  readonly #seen = new Map<Fault, number>();
  #pending: Fault[];
  #ailing: Ailment[] = [];
  #throws = 0;
  #fullLeft = 0;
  #machine: SimMachine | null = null;
  #phases: SimPhases | null = null;
  #savepoints: SimSavepoints | null = null;
  #phase: Phase = "opening";
  #eventsInPhase = 0;
  #events = 0;
  /** Nothing is to come that would end this process. */
  #isLast = false;
  /** How the process ends now; null: it goes on. */
  #dying: "process" | "power" | null = null;
  #calls = 0;

  constructor(plan: readonly Fault[], random: SeededRandom) {
    this.plan = plan;
    this.#random = random;
    this.#pending = [...plan];
  }

  /** All that was to happen has happened, or never will. */
  get isOver(): boolean {
    return this.#pending.length === 0;
  }

  /** How the process that is to die does; null: it is not. */
  get dying(): "process" | "power" | null {
    return this.#dying;
  }

  /** A machine on which the job will be started, again and again. */
  attach(machine: SimMachine, phases: SimPhases, savepoints: SimSavepoints): void {
    this.#machine = machine;
    this.#phases = phases;
    this.#savepoints = savepoints;
    const { faults } = machine.env.disk;
    faults.fail = (operation, path) => this.#failure(operation, path);
    faults.slow = (operation, path) => this.#slowness(operation, path);
    faults.flips = (path) => this.#ails("flip", "read", path);
    faults.onFull = () => this.#happened("full");
  }

  /** A process starts. */
  begin(start: number): void {
    this.#slots.clear();
    this.#events = 0;
    this.#dying = null;
    this.#enter("opening");
    this.#isLast = start >= STARTS_MAX || this.isOver;
    if (start < STARTS_MAX) return;
    this.#pending = [];
    this.#ailing = [];
    this.#throws = 0;
  }

  /** To be called between two events: whether the process dies now. */
  dies(): boolean {
    this.#events += 1;
    const phase = this.#phases?.current() ?? "opening";
    if (phase === this.#phase) this.#eventsInPhase += 1;
    else this.#enter(phase);
    if (this.#pending.length > 0) {
      for (const fault of this.#pending) if (this.#isDue(fault)) this.#fire(fault);
    }
    if (this.#events > EVENTS_MAX && !this.#isLast) this.#dying ??= "process";
    return this.#dying !== null;
  }

  /** Within a user's function. */
  readonly pass = (): void => {
    this.#calls += 1;
    if (this.#throws === 0 && this.#aimed("throw") === null) return;
    this.#throws = Math.max(0, this.#throws - 1);
    this.#happened("throw");
    throw new Error(`user code gives up at call ${this.#calls}`);
  };

  /** A disk operation has had its effect. */
  done(operation: DiskOperation, path: string): void {
    for (const fault of this.#pending) {
      const { at } = fault;
      if ("operation" in at && at.operation === operation && new RegExp(at.path).test(path)) this.#count(fault, at.nth);
    }
  }

  started(slot: SimSlot): void {
    this.#slots.add(slot);
  }

  ended(slot: SimSlot): void {
    this.#slots.delete(slot);
  }

  /** What becomes of a slot that says this. */
  says({ kind }: FromSlot): "heard" | "unheard" | null {
    for (const fault of this.#pending) {
      const { at } = fault;
      if (!("says" in at) || at.says !== kind || !this.#isNth(fault, at.nth)) continue;
      this.#pending = this.#pending.filter((each) => each !== fault);
      this.#happened("slot");
      return at.heard ? "heard" : "unheard";
    }
    return null;
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#eventsInPhase = 0;
    this.#visits.set(phase, (this.#visits.get(phase) ?? 0) + 1);
  }

  #isDue({ at, kind }: Fault): boolean {
    if ("aim" in at) return at.aim === this.#phase && !WAITING.has(kind) && this.#canHappen(kind);
    if (!("phase" in at) || at.phase !== this.#phase) return false;
    return this.#eventsInPhase >= at.events && (this.#visits.get(at.phase) ?? 0) >= at.visit;
  }

  /** Whether there is what it takes, so that one that is aimed does not wait any longer. */
  #canHappen(kind: FaultKind): boolean {
    if (kind === "slot" || kind === "hang") return this.#slotsFor(kind).length > 0;
    if (kind === "flip") return this.#rotting().length > 0;
    return true;
  }

  /** One that waits for this to be done in the phase that there is; it does so no more. */
  #aimed(kind: FaultKind): Fault | null {
    if (this.#pending.length === 0) return null;
    const phase = this.#phases?.current() ?? "opening";
    const fault = this.#pending.find((each) => each.kind === kind && "aim" in each.at && each.at.aim === phase) ?? null;
    if (fault !== null) this.#pending = this.#pending.filter((each) => each !== fault);
    return fault;
  }

  #isNth(fault: Fault, nth: number): boolean {
    const seen = 1 + (this.#seen.get(fault) ?? 0);
    this.#seen.set(fault, seen);
    return seen >= nth;
  }

  #count(fault: Fault, nth: number): void {
    if (this.#isNth(fault, nth)) this.#fire(fault);
  }

  #happened(kind: FaultKind): void {
    this.cells.add(kind, this.#phases?.current() ?? "opening");
  }

  #fire(fault: Fault): void {
    this.#pending = this.#pending.filter((each) => each !== fault);
    const { kind, size } = fault;
    const { env, cutter } = this.#machine!;
    switch (kind) {
      case "process":
      case "power":
        if (this.#dying === null) this.#happened(kind);
        this.#dying ??= kind;
        if (kind === "process" && size > BACK_MIN) this.#savepoints?.goBack(size);
        break;
      case "stop":
        this.#happened(kind);
        this.#phases?.run?.stop();
        break;
      case "savepoint":
      case "move":
      case "drain":
        this.#happened(kind);
        this.#savepoints?.ask(kind, size);
        break;
      case "slot":
      case "hang":
        this.#endSlot(kind);
        break;
      case "throw":
        this.#throws += 1;
        break;
      case "full":
        this.#fill(size, Math.floor(300 * size));
        break;
      case "flip":
        if (size < 0.5 && !("aim" in fault.at)) this.#ail(fault, /^\/checkpoints/);
        else this.#rot();
        break;
      case "clock":
        this.#happened(kind);
        env.jumpWallClock(Math.floor((size - 0.5) * 60 * DAY_MS));
        break;
      case "cut":
        this.#happened(kind);
        cutter.cutAll();
        break;
      default:
        this.#ail(fault, this.#random.next() < 0.6 ? /^\/(checkpoints|savepoints)/ : /^\/out/);
    }
  }

  #endSlot(kind: "slot" | "hang"): void {
    const slots = this.#slotsFor(kind);
    const slot = slots[this.#random.below(slots.length)];
    if (slot === undefined) return;
    this.#happened(kind);
    if (kind === "slot") slot.die();
    else slot.hang();
    // The watchdog alone does not keep the world going.
    if (kind === "hang") this.#machine?.env.timers.after(HANG_MS, () => undefined);
  }

  #slotsFor(kind: "slot" | "hang"): readonly SimSlot[] {
    return [...this.#slots].filter(({ hasLooked }) => kind === "slot" || hasLooked);
  }

  #ail(fault: Fault, path: RegExp): void {
    this.#ailing.push({ fault, path, left: times(fault.size) });
  }

  #rot(): void {
    const { disk } = this.#machine!.env;
    const paths = this.#rotting();
    const path = paths[this.#random.below(paths.length)];
    if (path !== undefined && disk.rot(path)) this.#happened("flip");
  }

  #rotting(): readonly string[] {
    return this.#machine!.env.disk.paths("/checkpoints");
  }

  #fill(size: number, bytesLeft: number): void {
    const { disk } = this.#machine!.env;
    disk.faults.capacityBytes = disk.usedBytes + bytesLeft;
    this.#fullLeft = times(size);
  }

  #ails(kind: FaultKind, operation: DiskOperation, path: string): boolean {
    const aimed = canAil(kind, operation) && AILING.test(path) ? this.#aimed(kind) : null;
    if (aimed !== null) {
      if (aimed.size > 0.5) this.#ail(aimed, AILING);
      this.#happened(kind);
      return true;
    }
    for (const ailment of this.#ailing) {
      const { fault } = ailment;
      if (fault.kind !== kind || !ailment.path.test(path) || !touches(fault, operation)) continue;
      ailment.left -= 1;
      if (ailment.left === 0) this.#ailing = this.#ailing.filter((each) => each !== ailment);
      this.#happened(kind);
      return true;
    }
    return false;
  }

  #failure(operation: DiskOperation, path: string): DiskErrorCode | null {
    const full = operation === "append" ? this.#aimed("full") : null;
    if (full !== null) this.#fill(full.size, 0);
    if (operation === "append" && this.#fullLeft > 0) {
      this.#fullLeft -= 1;
      if (this.#fullLeft === 0) this.#machine!.env.disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
    }
    if (this.#ailing.length === 0 && this.#pending.length === 0) return null;
    return this.#ails("fsync", operation, path) || this.#ails("io", operation, path) ? "DISK_IO" : null;
  }

  #slowness(operation: DiskOperation, path: string): number {
    if ((this.#ailing.length === 0 && this.#pending.length === 0) || !this.#ails("slow", operation, path)) return 0;
    return this.#random.next() * 3_000;
  }
}

function times(size: number): number {
  return Math.floor(TIMES_MAX ** size);
}

/** What one of the kind happens to, at its first chance. */
function canAil(kind: FaultKind, operation: DiskOperation): boolean {
  if (kind === "fsync") return operation === "sync";
  if (kind === "io") return OPERATIONS.includes(operation);
  return kind === "slow";
}

/** Which operations: of one kind of fault some fail and others do not. */
function touches({ kind, size }: Fault, operation: DiskOperation): boolean {
  if (kind === "flip") return operation === "read";
  if (kind === "fsync" || (kind === "slow" && size < 0.5)) return operation === "sync";
  if (kind === "slow") return true;
  const at = OPERATIONS.indexOf(operation);
  return at >= 0 && (Math.floor(size * 1_000) & (1 << at)) !== 0;
}
