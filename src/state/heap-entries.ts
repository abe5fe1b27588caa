// What the cells of the heap store have in common: entries by key in maps per key group, estimates charged to a budget,
// expiry.
//
//   E1. What an entry holds is charged before it is stored: a refusal leaves everything as it was.
//   E2. The charge is an estimate: twice the size of the value in the codec's form, VALUE_BYTES for the object, and
//       ENTRY_BYTES for its place in a map. Measuring values when they are set also finds those that no snapshot could
//       hold, at the user's line.
//   E3. Expiry as in row-expiry.ts: never read once it is due, and each write looks at SWEEP_ENTRIES others.

import type { Clock } from "../base/env.ts";
import { UserError } from "../base/errors.ts";
import { memorySizeText } from "../base/memory-size.ts";
import { ByteSink } from "../types/byte-buffer.ts";
import type { TypeSpec } from "../types/type-spec.ts";
import { compileValueProgram, type ValueProgram } from "../types/value-codec.ts";
import type { CurrentKey } from "./current-key.ts";
import type { KeyGroupRange } from "./key-groups.ts";
import { ShardedMap } from "./sharded-map.ts";
import { valueMisfit } from "./value-format.ts";

/** Heap that the states of one slot may hold together. */
export type HeapBudget = { readonly limitBytes: number; readonly configKey: string; usedBytes: number };

export type HeapCellOptions = {
  readonly operator: string;
  readonly keyGroups: KeyGroupRange;
  readonly current: CurrentKey;
  readonly clock: Clock;
  readonly heapBudget: HeapBudget;
};

/** `plain` is the key as the map has it. */
export type HeapEntry = { readonly key: unknown; readonly plain: unknown; stamp: number; bytes: number };

export const ENTRY_BYTES = 100;
const VALUE_BYTES = 24;
const SWEEP_ENTRIES = 4;

export class HeapEntries<E extends HeapEntry> {
  readonly state: string;
  readonly operator: string;
  readonly ttlMs: number | null;
  bytes = 0;
  readonly #current: CurrentKey;
  readonly #clock: Clock;
  readonly #budget: HeapBudget;
  readonly #groups: readonly ShardedMap<E>[];
  #turn = -1;
  #found: E | undefined = undefined;

  constructor(state: string, ttlMs: number | null, options: HeapCellOptions) {
    const { first, last } = options.keyGroups;
    this.state = state;
    this.operator = options.operator;
    this.ttlMs = ttlMs;
    this.#current = options.current;
    this.#clock = options.clock;
    this.#budget = options.heapBudget;
    this.#groups = Array.from({ length: last - first + 1 }, () => new ShardedMap<E>());
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

  /** Adds the entry of the current key, which has none. */
  add(make: (key: unknown, plain: unknown) => E): E {
    const { key, group } = this.#current;
    const plain = this.#current.plain();
    const entry = make(key, plain);
    this.#groups[group]!.add(plain, entry);
    this.#turn = this.#current.turn;
    this.#found = entry;
    return entry;
  }

  /** Removes an entry and its charge. */
  remove(group: number, entry: E): void {
    this.#groups[group]!.delete(entry.plain);
    this.charge(-entry.bytes);
    if (entry === this.#found) this.#found = undefined;
  }

  removeCurrent(entry: E): void {
    this.remove(this.#current.group, entry);
  }

  /** Throws STATE_BUDGET_EXCEEDED. */
  charge(bytes: number): void {
    const budget = this.#budget;
    if (bytes > 0 && budget.usedBytes + bytes > budget.limitBytes) throw this.#exceeded();
    budget.usedBytes += bytes;
    this.bytes += bytes;
  }

  now(): number {
    return this.ttlMs === null ? 0 : this.#clock.nowMs();
  }

  isExpired(entry: { readonly stamp: number }): boolean {
    return this.ttlMs !== null && this.#clock.nowMs() - entry.stamp >= this.ttlMs;
  }

  groupValues(group: number): Generator<E, undefined> {
    return this.#groups[group]!.values();
  }

  /** All entries with their group, live while entries come and go. */
  *walk(): Generator<[number, E], undefined> {
    for (let group = 0; group < this.#groups.length; group += 1) {
      for (const entry of this.#groups[group]!.values()) yield [group, entry];
    }
  }

  release(): void {
    this.charge(-this.bytes);
    for (const group of this.#groups) group.clear();
    this.#turn = -1;
  }

  #exceeded(): UserError {
    const { limitBytes, configKey } = this.#budget;
    const held = `the slot's share of the heap for state, ${memorySizeText(limitBytes)}, is used up`;
    return new UserError(
      "STATE_BUDGET_EXCEEDED",
      `state "${this.state}" of operator "${this.operator}" holds about ${memorySizeText(this.bytes)} and cannot grow: ${held}`,
      {
        operator: this.operator,
        fix: `Raise ${configKey}, keep state in managed memory (state.backend.type), or let it expire with a ttl.`,
      },
    );
  }
}

/** Checks and measures values of one type, and writes and reads them in snapshots. */
export class HeapValues {
  readonly program: ValueProgram;
  readonly #spec: TypeSpec;
  readonly #place: { operator: string; state: string };
  readonly #sink = new ByteSink();

  constructor(spec: TypeSpec, place: { operator: string; state: string }) {
    this.program = compileValueProgram(spec, "refuse", `${place.operator}-${place.state}`);
    this.#spec = spec;
    this.#place = place;
  }

  /** About how much heap the value takes. Throws CODEC_MISMATCH or CODEC_UNSUPPORTED when it does not fit its type. */
  measure(value: unknown): number {
    this.#sink.position = 0;
    if (!this.program.write(value, this.#sink)) throw valueMisfit(this.#spec, value, this.#place);
    return this.#sink.position * 2 + VALUE_BYTES;
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
