// What the entries of a cell were at one moment, written bit by bit while the cell works on.
//
//   entries of a key group ──▶ as they lie, those that have not changed since
//                          └─▶ as they were, those that have: kept before they changed, until the group is written
//
//   Z1. An entry is written as it was at that moment. Which has changed since is told by its epoch: how many snapshots
//       had begun when it was made or changed last.
//   Z2. Values are never changed (E5 of heap-entries.ts), so what is kept of an entry is what it referred to: that
//       costs no more than a small object, however large the value is.
//   Z3. An entry that changes once its group is being written may come twice, both times as it was. Whoever reads it
//       puts the second in the place of the first.
//   Z4. What has expired is what had expired at that moment.

import { writeByte } from "../../types/bytes/byte-buffer.ts";
import type { ByteWriter } from "../../types/bytes/codec.ts";
import type { FrozenEntries } from "../contract/frozen-state.ts";

/** Which entries are written: those of a lesser epoch, and of these, what had not expired then. */
export type Moment = { readonly epoch: number; readonly nowMs: number };

/**
 * Writes an entry, or nothing when it is none of the moment. Of a large one only some at a time: what it returns then
 * writes the rest, step by step.
 */
export type WriteEntry<E> = (entry: E, moment: Moment, out: ByteWriter) => Generator<undefined, undefined> | null;

/** Items of a large entry that are looked at in one step. */
export const STEP_ITEMS = 64;

/** What a kept entry takes beside what it refers to. */
const KEPT_BYTES = 150;

type Kept<E> = { readonly entries: E[]; bytes: number };

export type FrozenHeapOptions<E> = Moment & {
  readonly groups: number;
  readonly living: (group: number) => Iterable<E>;
  readonly write: WriteEntry<E>;
  readonly ended: () => void;
};

export class FrozenHeap<E extends { readonly epoch: number }> implements FrozenEntries {
  readonly epoch: number;
  /** About how much of what is kept would be gone without it. */
  keptBytes = 0;
  readonly #options: FrozenHeapOptions<E>;
  /** By group; null: it is written. */
  readonly #kept: (Kept<E> | null)[];

  constructor(options: FrozenHeapOptions<E>) {
    this.epoch = options.epoch;
    this.#options = options;
    this.#kept = Array.from({ length: options.groups }, () => ({ entries: [], bytes: 0 }));
  }

  /** An entry as it was; `bytes`: of what only it refers to from now on. */
  keep(group: number, was: E, bytes: number): void {
    this.#kept[group]?.entries.push(was);
    this.count(group, KEPT_BYTES + bytes);
  }

  /** So much of what is kept is referred to by nobody else any more. */
  count(group: number, bytes: number): void {
    const kept = this.#kept[group];
    if (kept === undefined || kept === null) return;
    kept.bytes += bytes;
    this.keptBytes += bytes;
  }

  *write(group: number, out: ByteWriter): Generator<undefined, undefined> {
    const { living, write } = this.#options;
    for (const entry of living(group)) {
      const rest = entry.epoch < this.epoch ? write(entry, this.#options, out) : null;
      if (rest !== null) yield* rest;
      yield;
    }
    // More may come while these are written.
    for (const was of this.#kept[group]?.entries ?? []) {
      const rest = write(was, this.#options, out);
      if (rest !== null) yield* rest;
      yield;
    }
    this.#written(group);
    writeByte(out, 0);
  }

  end(): void {
    for (let group = 0; group < this.#kept.length; group += 1) this.#written(group);
    this.#options.ended();
  }

  #written(group: number): void {
    this.keptBytes -= this.#kept[group]?.bytes ?? 0;
    this.#kept[group] = null;
  }
}
