// The thread of one actor: the modules that it imports see `Atomics` and typed arrays over the scenario's memory whose
// every operation is a step, before which another actor may be let run.
//
// The threads are real and run one at a time: what a schedule shows, it shows each time. Orders in which a processor
// with weak memory could show writes to another are not explored.

import { parentPort, workerData } from "node:worker_threads";
import type { Actor, Memories, World } from "./actor.ts";
import * as c from "./control.ts";

export type ThreadSetup = {
  readonly control: c.Control;
  readonly module: string;
  readonly self: number;
  readonly actors: readonly string[];
  readonly memories: Memories;
  /** Names of the memories whose words are steps, with the ranges of words that are; others are plain memory. */
  readonly stepped: Readonly<Record<string, readonly (readonly [number, number])[]>>;
  readonly data: unknown;
};

const setup = workerData as ThreadSetup;
const { self } = setup;
const real = { Atomics, Int32Array, Float64Array };
const { load, store, wait, notify } = real.Atomics;
const words = new Int32Array(setup.control.words);
const me = c.actorAt(self);
const OPERATION = Object.fromEntries(c.OPERATIONS.map((name, index) => [name, index])) as Record<c.Operation, number>;

/** Ends an actor in the middle; the code under test must not catch it. */
class Ended extends Error {}

let isStepping = false;
let lastLoad = -1;
let lastValue = 0;
let asyncThen: (() => void) | null = null;
let asyncIsTimed = false;

const statusOf = (actor: number): number => words[c.actorAt(actor) + c.STATUS]!;
const setStatus = (actor: number, status: number): void => {
  words[c.actorAt(actor) + c.STATUS] = status;
};

function firstWith(...statuses: readonly number[]): number {
  for (let index = 0; index < words[c.ACTORS]!; index += 1) {
    const actor = (self + index) % words[c.ACTORS]!;
    if (statuses.includes(statusOf(actor))) return actor;
  }
  return -1;
}

function maskOf(...statuses: readonly number[]): number {
  let mask = 0;
  for (let actor = 0; actor < words[c.ACTORS]!; actor += 1) {
    if (statuses.includes(statusOf(actor))) mask |= 1 << actor;
  }
  return mask;
}

const readyMask = (): number => maskOf(c.READY);
/** Those that go on by themselves once time has passed. */
const lateMask = (): number => maskOf(c.SPINNING, c.WAITING_TIMED);

/** Whether the actor can go on now: those that wait for a limited time go on because it is over. */
function isTaken(actor: number): boolean {
  if (actor < 0 || actor >= words[c.ACTORS]!) return false;
  if (statusOf(actor) === c.READY) return true;
  if ((lateMask() & (1 << actor)) === 0) return false;
  const at = c.actorAt(actor);
  words[at + c.STATUS] = c.READY;
  words[at + c.WAKING] = c.TIMED_OUT;
  words[at + c.LATE] = c.LATE_LOOKS;
  return true;
}

/** Whether what the actor waits for now is over at once, since time passes for it. */
function isLate(): boolean {
  if (words[me + c.LATE]! === 0) return false;
  words[me + c.LATE]! -= 1;
  return true;
}

function decisionAt(step: number): number {
  while (words[c.NEXT_DECISION]! < words[c.DECISIONS]!) {
    const at = c.DECISIONS_AT + words[c.NEXT_DECISION]! * 2;
    if (words[at]! > step) return -1;
    words[c.NEXT_DECISION]! += 1;
    if (words[at] === step) return words[at + 1]!;
  }
  return -1;
}

function trace(
  step: number,
  fields: { mask: number; late: number; isForced: boolean; next: number; what: number; value: number },
): void {
  const at = c.TRACE_AT + step * c.TRACE_WORDS;
  words[at] = self | (fields.mask << 4) | (fields.late << 8) | ((fields.isForced ? 1 : 0) << 12) | (fields.next << 16);
  words[at + 1] = fields.what;
  words[at + 2] = fields.value;
}

function waitTurn(): void {
  while (load(words, me + c.GO) === 0) wait(words, me + c.GO, 0);
  store(words, me + c.GO, 0);
}

function handOver(actor: number): void {
  words[c.CURRENT] = actor;
  const at = c.actorAt(actor) + c.GO;
  store(words, at, 1);
  notify(words, at);
}

function nextStep(): number {
  const step = words[c.STEP]!;
  if (step + 1 >= c.STEPS_MAX) {
    if (words[c.ABORT] === 1) return step;
    failed(`no end after ${step} steps`);
  }
  words[c.STEP] = step + 1;
  return step;
}

function failed(text: string): never {
  if (words[c.FAILED] === 0) {
    const bytes = Buffer.from(setup.control.error);
    bytes.fill(0);
    bytes.write(text, 0, bytes.length - 1, "utf8");
    words[c.FAILED] = 1;
  }
  words[c.ABORT] = 1;
  throw new Ended();
}

/** A step of an actor that could go on. */
function point(operation: c.Operation, address: number, value: number): void {
  if (!isStepping) return;
  if (words[c.ABORT] === 1) throw new Ended();
  const step = nextStep();
  trace(step, {
    mask: readyMask(),
    late: lateMask(),
    isForced: false,
    next: self,
    what: (OPERATION[operation] << 27) | (address & 0x7ff_ffff),
    value,
  });
  const decision = decisionAt(step);
  if (decision === c.DIES) {
    words[c.DEAD]! |= 1 << self;
    isStepping = false;
    throw new Ended();
  }
  if (decision === self || !isTaken(decision)) return;
  handOver(decision);
  waitTurn();
  if (words[c.ABORT] === 1) throw new Ended();
}

/** Lets another actor run, since this one cannot go on, or has ended. Returns when it can. */
function block(status: number, address: number): void {
  setStatus(self, status);
  words[me + c.ADDRESS] = address;
  const step = nextStep();
  const mask = readyMask();
  const late = lateMask();
  const decision = decisionAt(step);
  const next = isTaken(decision) ? decision : mask === 0 ? nobodyReady() : firstWith(c.READY);
  trace(step, { mask, late, isForced: true, next, what: (OPERATION.end << 27) | status, value: address });
  if (next >= 0 && next !== self) handOver(next);
  if (status === c.ENDED) return;
  if (next !== self) waitTurn();
  if (words[c.ABORT] === 1) throw new Ended();
}

/** Who goes on when nobody can without help; -1: all have ended. */
function nobodyReady(): number {
  const spinning = firstWith(c.SPINNING);
  if (spinning >= 0) {
    setStatus(spinning, c.READY);
    return spinning;
  }
  const timed = firstWith(c.WAITING_TIMED);
  if (timed >= 0) {
    setStatus(timed, c.READY);
    words[c.actorAt(timed) + c.WAKING] = c.TIMED_OUT;
    words[c.TIMEOUTS]! += 1;
    return timed;
  }
  const waiting = firstWith(c.WAITING, c.UNTIL_ENDED);
  if (waiting >= 0) {
    words[c.ABORT] = 1;
    if (words[c.STUCK_ALLOWED] === 0 || words[c.DEAD] === 0) {
      if (words[c.FAILED] === 0) words[c.FAILED] = 2;
    }
    setStatus(waiting, c.READY);
    return waiting;
  }
  store(words, c.DONE, 1);
  notify(words, c.DONE);
  return -1;
}

/** What spins on the word looks again. */
function written(address: number): void {
  for (let actor = 0; actor < words[c.ACTORS]!; actor += 1) {
    const at = c.actorAt(actor);
    if (words[at + c.STATUS] === c.SPINNING && words[at + c.ADDRESS] === address) words[at + c.STATUS] = c.READY;
  }
}

// ── Typed arrays over the scenario's memory ─────────────────────────────────────────────────────────────────────────

const memoryNames = Object.keys(setup.memories);
type Traced = { readonly array: Int32Array | Float64Array; readonly memory: number };
const traced = new WeakMap<object, Traced>();

function rangesOf(buffer: ArrayBufferLike): { memory: number; ranges: readonly (readonly [number, number])[] } | null {
  const memory = memoryNames.findIndex((name) => setup.memories[name] === buffer);
  const ranges = memory < 0 ? undefined : setup.stepped[memoryNames[memory]!];
  return ranges === undefined ? null : { memory, ranges };
}

function isIndex(key: string | symbol): key is string {
  return typeof key === "string" && key.charCodeAt(0) <= 57 && key.charCodeAt(0) >= 48;
}

function steppedArray<T extends Int32Array | Float64Array>(array: T): T {
  const found = rangesOf(array.buffer);
  if (found === null) return array;
  const { memory, ranges } = found;
  const { byteOffset, BYTES_PER_ELEMENT: bytes } = array;
  const isStep = new Uint8Array(array.length);
  for (const [from, to] of ranges)
    isStep.fill(1, ...[from, to].map((word) => Math.max(0, (word * 4 - byteOffset) / bytes)));
  const stepAt = (operation: "read" | "write", index: number, value: number): void => {
    lastLoad = -1;
    point(operation, c.addressOf(memory, byteOffset + index * bytes), value);
  };
  const proxy = new Proxy(array, {
    get(target, key) {
      if (isIndex(key)) {
        const index = +key;
        if (isStep[index] === 1) stepAt("read", index, 0);
        return target[index];
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set(target, key, value: number) {
      if (!isIndex(key)) return Reflect.set(target, key, value, target);
      const index = +key;
      if (isStep[index] === 1) stepAt("write", index, value);
      target[index] = value;
      if (isStep[index] === 1) written(c.addressOf(memory, byteOffset + index * bytes));
      return true;
    },
  });
  traced.set(proxy, { array, memory });
  return proxy;
}

function steppedConstructor<T extends Int32ArrayConstructor | Float64ArrayConstructor>(original: T): T {
  return new Proxy(original, {
    construct: (target, args: [number]) => steppedArray(new target(...args) as Int32Array),
  });
}

// ── Atomics ─────────────────────────────────────────────────────────────────────────────────────────────────────────

type Place = { readonly array: Int32Array; readonly address: number; readonly isKnown: boolean };

function placeOf(array: Int32Array, index: number): Place {
  const found = traced.get(array);
  if (found === undefined) return { array, address: -1, isKnown: false };
  const byte = found.array.byteOffset + index * found.array.BYTES_PER_ELEMENT;
  return { array: found.array as Int32Array, address: c.addressOf(found.memory, byte), isKnown: true };
}

/** An atomic write: a step before it, and one behind it, before whatever follows. */
function atomicWrite(operation: c.Operation, place: Place, value: number, write: () => number): number {
  lastLoad = -1;
  words[me + c.LATE] = 0;
  if (!place.isKnown) return write();
  point(operation, place.address, value);
  const result = write();
  if (isStepping) written(place.address);
  point("point", place.address, result);
  return result;
}

function spinLoad(place: Place, index: number): number {
  if (!place.isKnown || !isStepping) return load(place.array, index);
  const isSame = lastLoad === place.address && load(place.array, index) === lastValue;
  if (isSame && isLate()) return lastValue;
  if (!isSame) words[me + c.LATE] = 0;
  if (isSame) block(c.SPINNING, place.address);
  else point("load", place.address, 0);
  lastLoad = place.address;
  lastValue = load(place.array, index);
  return lastValue;
}

function blockingWait(place: Place, index: number, value: number, timeoutMs: number): "ok" | "not-equal" | "timed-out" {
  if (timeoutMs !== Infinity && isLate()) return "timed-out";
  lastLoad = -1;
  point("wait", place.address, value);
  if (load(place.array, index) !== value) return "not-equal";
  words[me + c.WAKING] = 0;
  block(timeoutMs === Infinity ? c.WAITING : c.WAITING_TIMED, place.address);
  return words[me + c.WAKING] === c.TIMED_OUT ? "timed-out" : "ok";
}

function asyncWait(place: Place, index: number, value: number, timeoutMs: number) {
  lastLoad = -1;
  point("wait", place.address, value);
  if (load(place.array, index) !== value) return { async: false, value: "not-equal" };
  if (timeoutMs === 0) return { async: false, value: "timed-out" };
  words[me + c.ASYNC_ADDRESS] = place.address;
  words[me + c.ASYNC_STATE] = c.ASYNC_PENDING;
  asyncIsTimed = timeoutMs !== Infinity;
  // Not a promise: what follows is a part of the schedule, run by `drive`.
  return { async: true, value: { then } };
}

function then(run: () => void): void {
  asyncThen = run;
}

function wake(place: Place): number {
  lastLoad = -1;
  point("notify", place.address, 0);
  let count = 0;
  for (let actor = 0; actor < words[c.ACTORS]!; actor += 1) {
    const at = c.actorAt(actor);
    const isAsync = words[at + c.ASYNC_STATE] === c.ASYNC_PENDING && words[at + c.ASYNC_ADDRESS] === place.address;
    const status = words[at + c.STATUS];
    const isBlocked = (status === c.WAITING || status === c.WAITING_TIMED) && words[at + c.ADDRESS] === place.address;
    if (isAsync) words[at + c.ASYNC_STATE] = c.ASYNC_NOTIFIED;
    if (isAsync || isBlocked) count += 1;
    if (!isBlocked) continue;
    words[at + c.WAKING] = c.NOTIFIED;
    words[at + c.STATUS] = c.READY;
  }
  return count;
}

const steppedAtomics = {
  load: (array: Int32Array, index: number) => spinLoad(placeOf(array, index), index),
  store: (array: Int32Array, index: number, value: number) => {
    const place = placeOf(array, index);
    atomicWrite("store", place, value, () => store(place.array, index, value));
    return value;
  },
  add: (array: Int32Array, index: number, value: number) => {
    const place = placeOf(array, index);
    return atomicWrite("add", place, value, () => real.Atomics.add(place.array, index, value));
  },
  compareExchange: (array: Int32Array, index: number, expected: number, value: number) => {
    const place = placeOf(array, index);
    return atomicWrite("exchange", place, value, () =>
      real.Atomics.compareExchange(place.array, index, expected, value),
    );
  },
  wait: (array: Int32Array, index: number, value: number, timeoutMs = Infinity) =>
    blockingWait(placeOf(array, index), index, value, timeoutMs),
  waitAsync: (array: Int32Array, index: number, value: number, timeoutMs = Infinity) =>
    asyncWait(placeOf(array, index), index, value, timeoutMs),
  notify: (array: Int32Array, index: number) => wake(placeOf(array, index)),
};

// ── The actor ───────────────────────────────────────────────────────────────────────────────────────────────────────

let soon: (() => void)[] = [];

function drive(start: () => void): void {
  start();
  for (;;) {
    const run = soon.shift();
    if (run !== undefined) {
      run();
      continue;
    }
    const woken = asyncThen;
    if (woken === null) return;
    if (words[me + c.ASYNC_STATE] === c.ASYNC_PENDING) {
      block(asyncIsTimed ? c.WAITING_TIMED : c.WAITING, words[me + c.ASYNC_ADDRESS]!);
    }
    words[me + c.ASYNC_STATE] = c.ASYNC_NONE;
    asyncThen = null;
    woken();
  }
}

const world: World = {
  memories: setup.memories,
  data: setup.data,
  point: () => point("point", 0, 0),
  untilEnded: (actor) => {
    const target = setup.actors.indexOf(actor);
    if (statusOf(target) !== c.ENDED) block(c.UNTIL_ENDED, target);
  },
  soon: (run) => soon.push(run),
  drive,
};

function runOnce(actor: Actor): void {
  isStepping = false;
  soon = [];
  asyncThen = null;
  lastLoad = -1;
  try {
    if (words[c.ABORT] === 0) {
      const run = actor(world);
      isStepping = true;
      run();
    }
  } catch (error) {
    if (!(error instanceof Ended)) reported(error);
  }
  isStepping = false;
  words[me + c.ASYNC_STATE] = c.ASYNC_NONE;
  for (let other = 0; other < words[c.ACTORS]!; other += 1) {
    const at = c.actorAt(other);
    if (words[at + c.STATUS] === c.UNTIL_ENDED && words[at + c.ADDRESS] === self) words[at + c.STATUS] = c.READY;
    if (words[c.ABORT] === 1 && other !== self && words[at + c.STATUS] !== c.ENDED) words[at + c.STATUS] = c.READY;
  }
  block(c.ENDED, 0);
}

function reported(error: unknown): void {
  try {
    failed(error instanceof Error ? `${setup.actors[self]}: ${error.stack ?? error.message}` : String(error));
  } catch {
    // `failed` ends whoever calls it.
  }
}

Object.assign(globalThis, {
  Atomics: steppedAtomics,
  Int32Array: steppedConstructor(Int32Array),
  Float64Array: steppedConstructor(Float64Array),
});
const { actors } = (await import(setup.module)) as { actors: Readonly<Record<string, Actor>> };
const actor = actors[setup.actors[self]!]!;
parentPort?.postMessage("ready");
for (;;) {
  waitTurn();
  runOnce(actor);
}
