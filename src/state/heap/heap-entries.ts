// What the cells of the heap store have in common: entries by key in maps per key group, estimates charged to a budget,
// expiry.
//
//   E1. What an entry holds is charged before it is stored: a refusal leaves everything as it was.
//   E2. The charge is an estimate: HeapSize for the value and the key, ENTRY_BYTES for the entry and its place in a
//       map. Values are encoded too when they are set, which finds those that no snapshot could hold at the user's
//       line.
//   E3. Expiry as in row-expiry.ts: never read once it is due, and each write looks at SWEEP_ENTRIES others.
//   E4. Keys and values keep no more alive than themselves (detached-value.ts).
//   E5. What is kept was decoded from its bytes, and nobody else has it: values come back as the managed store gives
//       them, and are changed by nobody.
//   E6. Before an entry changes or goes whose epoch is below `frozenAt` it is kept for the snapshots that are still to
//       write it (heap-frozen.ts).

import type { Clock } from "../../base/env.ts";
import { ByteCursor, ByteSink } from "../../types/bytes/byte-buffer.ts";
import type { ByteWriter } from "../../types/bytes/codec.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { compileValueProgram, type ValueProgram } from "../../types/values/value-codec.ts";
import { detached } from "../budget/detached-value.ts";
import { HeapAccount, type HeapBudget } from "../budget/heap-budget.ts";
import { HeapSize, textBytes } from "../budget/heap-size.ts";
import { ShardedMap } from "../budget/sharded-map.ts";
import type { FreezableEntries } from "../contract/frozen-state.ts";
import { valueMisfit } from "../format/value-format.ts";
import type { CurrentKey } from "../keys/current-key.ts";
import { GroupSet } from "../keys/group-set.ts";
import type { KeyGroupRange } from "../keys/key-groups.ts";
import { FrozenHeap, type Moment, type WriteEntry } from "./heap-frozen.ts";

export type HeapCellOptions = {
  readonly operator: string;
  readonly keyGroups: KeyGroupRange;
  readonly current: CurrentKey;
  readonly clock: Clock;
  readonly heapBudget: HeapBudget;
};

/** A key to be kept: itself, and as the map has it. */
export type HeapKey = { readonly key: unknown; readonly plain: unknown };

/**
 * `bytes` is the charge for all of it, `ownBytes` that for the entry and its key; `epoch` is that in which it was made
 * or changed last.
 */
export type HeapEntry = HeapKey & { readonly ownBytes: number; stamp: number; bytes: number; epoch: number };

const ENTRY_BYTES = 152;
const SWEEP_ENTRIES = 4;
const ADVICE = "keep state in managed memory (state.backend.type), or let it expire with a ttl";

/** What an entry with this key takes beside its value. */
export function ownBytes({ key, plain }: HeapKey): number {
  return ENTRY_BYTES + KEY_SIZE.of(key) + (typeof plain === "string" && plain !== key ? textBytes(plain) : 0);
}

/** Keys have names and shapes of their types: they are measured like declared ones. */
const KEY_SIZE = new HeapSize({ kind: "struct", fields: [] });

export function keptKey(key: unknown, plain: unknown): HeapKey {
  const kept = detached(key === 0 ? 0 : key); // -0 becomes 0
  return { key: kept, plain: plain === key ? kept : plain };
}

/** `Was`: what is kept of an entry that changes. */
export class HeapEntries<E extends Was & HeapEntry, Was extends { readonly epoch: number } = E>
  implements FreezableEntries
{
  readonly state: string;
  readonly operator: string;
  readonly ttlMs: number | null;
  /** How many snapshots have begun: that of entries that are made or changed now. */
  epoch = 0;
  /** E6. The epoch of the newest snapshot that is being written; 0: there is none. */
  frozenAt = 0;
  readonly #account: HeapAccount;
  readonly #current: CurrentKey;
  readonly #clock: Clock;
  readonly #groups: readonly ShardedMap<E>[];
  /** Groups with entries. */
  readonly #filled: GroupSet;
  readonly #frozen: FrozenHeap<Was>[] = [];
  readonly #write: WriteEntry<Was>;
  #turn = -1;
  #found: E | undefined = undefined;

  /** `write`: in the form of snapshots. */
  constructor(state: string, ttlMs: number | null, options: HeapCellOptions, write: WriteEntry<Was>) {
    const { operator, heapBudget: budget } = options;
    const { first, last } = options.keyGroups;
    this.state = state;
    this.operator = operator;
    this.ttlMs = ttlMs;
    this.#account = new HeapAccount({ operator, state, budget, advice: ADVICE });
    this.#current = options.current;
    this.#clock = options.clock;
    this.#groups = Array.from({ length: last - first + 1 }, () => new ShardedMap<E>());
    this.#filled = new GroupSet(this.#groups.length);
    this.#write = write;
  }

  get bytes(): number {
    return this.#account.bytes;
  }

  get size(): number {
    return this.#groups.reduce((sum, group) => sum + group.size, 0);
  }

  /** The current key's entry, which may have expired. */
  find(): E | undefined {
    const current = this.#current;
    if (this.#turn !== current.turn) {
      this.#turn = current.turn;
      this.#found = this.#groups[current.group]!.get(current.plain());
    }
    return this.#found;
  }

  /** The current key, to be kept. */
  currentKey(): HeapKey {
    return keptKey(this.#current.key, this.#current.plain());
  }

  /** Adds the entry of the current key, which has none. Its charge was made. */
  add(entry: E): E {
    this.#groups[this.#current.group]!.add(entry.plain, entry);
    this.#filled.add(this.#current.group);
    this.#turn = this.#current.turn;
    this.#found = entry;
    return entry;
  }

  /** Removes an entry and its charge. */
  remove(group: number, entry: E): void {
    if (entry.epoch < this.frozenAt) this.keep(group, entry);
    this.#groups[group]!.delete(entry.plain);
    if (this.#groups[group]!.size === 0) this.#filled.delete(group);
    this.charge(-entry.bytes);
    if (entry === this.#found) this.#found = undefined;
  }

  removeCurrent(entry: E): void {
    this.remove(this.#current.group, entry);
  }

  /** Whether it is still the entry of its key. */
  has(group: number, entry: E): boolean {
    return this.#groups[group]!.get(entry.plain) === entry;
  }

  /** E6. An entry, as it is; `bytes`: of what it refers to that it will not refer to any more. */
  keep(group: number, entry: E, bytes = entry.bytes): void {
    this.keepPart(group, { ...entry }, bytes);
    entry.epoch = this.epoch;
  }

  /** E6. Of the current key. */
  keepCurrent(entry: E): void {
    this.keep(this.#current.group, entry);
  }

  /** What is kept of an entry in place of all of it. */
  keepPart(group: number, was: Was, bytes: number): void {
    for (const frozen of this.#frozen) if (was.epoch < frozen.epoch) frozen.keep(group, was, bytes);
  }

  /** So much of what was kept in an epoch is not in the entry any more. */
  countKept(group: number, epoch: number, bytes: number): void {
    for (const frozen of this.#frozen) if (epoch < frozen.epoch) frozen.count(group, bytes);
  }

  freeze(): FrozenHeap<Was> {
    this.epoch += 1;
    this.frozenAt = this.epoch;
    const frozen: FrozenHeap<Was> = new FrozenHeap<Was>({
      ...{ epoch: this.epoch, nowMs: this.now(), groups: this.#groups.length },
      living: (group) => this.#groups[group]!.values(),
      write: this.#write,
      ended: () => {
        this.#frozen.splice(this.#frozen.indexOf(frozen), 1);
        this.frozenAt = this.#frozen.at(-1)?.epoch ?? 0;
      },
    });
    this.#frozen.push(frozen);
    return frozen;
  }

  /** Writes those of a group as they are now. */
  snapshot(group: number, out: ByteWriter): void {
    const now = { epoch: Infinity, nowMs: this.now() };
    for (const entry of this.#groups[group]!.values()) {
      const rest = this.#write(entry, now, out);
      while (rest !== null && rest.next().done !== true);
    }
  }

  /** Throws STATE_BUDGET_EXCEEDED. */
  charge(bytes: number): void {
    this.#account.charge(bytes);
  }

  now(): number {
    return this.ttlMs === null ? 0 : this.#clock.nowMs();
  }

  isExpired(entry: { readonly stamp: number }): boolean {
    return this.ttlMs !== null && this.#clock.nowMs() - entry.stamp >= this.ttlMs;
  }

  hadExpired(entry: { readonly stamp: number }, { nowMs }: Moment): boolean {
    return this.ttlMs !== null && nowMs - entry.stamp >= this.ttlMs;
  }

  /** All entries with their group, live while entries come and go. */
  *walk(): Generator<[number, E], undefined> {
    for (let group = this.#filled.next(-1); group !== -1; group = this.#filled.next(group)) {
      for (const entry of this.#groups[group]!.values()) yield [group, entry];
    }
  }

  release(): void {
    this.charge(-this.bytes);
    this.#groups.forEach((group, index) => {
      group.clear();
      this.#filled.delete(index);
    });
    this.#turn = -1;
  }
}

/** Checks, measures and copies values of one type, and writes and reads them in snapshots. */
export class HeapValues {
  readonly program: ValueProgram;
  /** About how much heap the value takes that was taken last. */
  bytes = 0;
  readonly #spec: TypeSpec;
  readonly #place: { operator: string; state: string };
  readonly #size: HeapSize;
  readonly #sink = new ByteSink();
  readonly #cursor = new ByteCursor(this.#sink.bytes);

  constructor(spec: TypeSpec, place: { operator: string; state: string }) {
    this.program = compileValueProgram(spec, "refuse", `${place.operator}-${place.state}`);
    this.#spec = spec;
    this.#place = place;
    this.#size = new HeapSize(spec);
  }

  /** The value to keep. Throws CODEC_MISMATCH or CODEC_UNSUPPORTED when it does not fit its type. */
  take(value: unknown): unknown {
    const sink = this.#sink;
    sink.position = 0;
    if (!this.program.write(value, sink)) throw valueMisfit(this.#spec, value, this.#place);
    const kept = this.#read();
    this.bytes = this.#size.of(kept);
    return kept;
  }

  /** A kept value as others may have it. */
  copy(kept: unknown): unknown {
    if (typeof kept !== "object" || kept === null) return kept;
    this.#sink.position = 0;
    this.program.write(kept, this.#sink);
    return this.#read();
  }

  #read(): unknown {
    const cursor = this.#cursor;
    cursor.bytes = this.#sink.bytes;
    cursor.position = 0;
    cursor.end = this.#sink.position;
    return this.program.read(cursor);
  }
}

/** Calls `look` with the next few of what `walk` yields, and begins anew at its end. */
export class Sweep<T> {
  readonly #begin: () => Generator<T, undefined>;
  readonly #look: (item: T) => void;
  #walk: Generator<T, undefined>;

  constructor(begin: () => Generator<T, undefined>, look: (item: T) => void) {
    this.#begin = begin;
    this.#look = look;
    this.#walk = begin();
  }

  step(): void {
    for (let n = 0; n < SWEEP_ENTRIES; n += 1) {
      const next = this.#walk.next();
      if (next.done === true) {
        this.#walk = this.#begin();
        return;
      }
      this.#look(next.value);
    }
  }
}
