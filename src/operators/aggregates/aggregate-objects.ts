// The objects of accumulators that are not numbers, beside the rows that own them.
//
// A row holds the number of its slot in one of its words; a slot is one object per heap component of the layout. Their
// memory is estimated by their definitions (state/budget/heap-size.ts) and charged to a budget of the JavaScript heap.
//
//   J1. A slot belongs to one row. It is opened with the row's first record and closed with the row.
//   J2. `bytes` is the sum of the estimates of all objects.

import { UserError } from "../../base/errors.ts";
import { memorySizeText } from "../../base/memory-size.ts";
import type { HeapBudget } from "../../state/budget/heap-budget.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { HeapComponent } from "./aggregate-layout.ts";

/** The places of an object in the lists of objects and of their sizes. */
const PLACE_BYTES = 24;

export type ObjectsOwner = { readonly operator: string; readonly state: string };

export class AggregateObjects {
  /** Object `n` of a slot is at `slot * width + n`. */
  readonly items: unknown[];
  readonly width: number;
  bytes: number;
  readonly #heaps: readonly HeapComponent[];
  readonly #owner: ObjectsOwner;
  readonly #budget: HeapBudget;
  readonly #sizes: number[];
  readonly #free: number[];

  constructor(heaps: readonly HeapComponent[], owner: ObjectsOwner, budget: HeapBudget) {
    this.items = [];
    this.width = heaps.length;
    this.bytes = 0;
    this.#heaps = heaps;
    this.#owner = owner;
    this.#budget = budget;
    this.#sizes = [];
    this.#free = [];
  }

  /** A slot with empty accumulators. */
  open(): number {
    const slot = this.#free.pop() ?? this.items.length / this.width;
    for (let n = 0; n < this.width; n += 1) this.put(slot, n, this.#heaps[n]!.accumulator.create());
    return slot;
  }

  close(slot: number): void {
    for (let i = slot * this.width; i < (slot + 1) * this.width; i += 1) {
      this.#charge(-this.#sizes[i]!);
      this.#sizes[i] = 0;
      this.items[i] = undefined;
    }
    this.#free.push(slot);
  }

  /** Stores an object, which may be the one that is there, changed. Throws STATE_BUDGET_EXCEEDED. */
  put(slot: number, n: number, item: unknown): void {
    const i = slot * this.width + n;
    const size = PLACE_BYTES + this.#heaps[n]!.accumulator.bytes(item);
    this.items[i] = item;
    this.#charge(size - (this.#sizes[i] ?? 0));
    this.#sizes[i] = size;
    if (this.#budget.usedBytes > this.#budget.limitBytes) throw this.#exceeded();
  }

  write(slot: number, out: ByteWriter): void {
    for (let n = 0; n < this.width; n += 1) this.#heaps[n]!.accumulator.write(this.items[slot * this.width + n], out);
  }

  /** Merges what `write` wrote into a slot. */
  mergeRead(slot: number, input: ByteReader): void {
    for (let n = 0; n < this.width; n += 1) {
      const { accumulator } = this.#heaps[n]!;
      const item = this.items[slot * this.width + n];
      this.put(slot, n, accumulator.mergeRead?.(item, input) ?? accumulator.merge(item, accumulator.read(input)));
    }
  }

  /** A new slot with what `write` wrote. */
  read(input: ByteReader): number {
    const slot = this.#free.pop() ?? this.items.length / this.width;
    for (let n = 0; n < this.width; n += 1) this.put(slot, n, this.#heaps[n]!.accumulator.read(input));
    return slot;
  }

  #charge(bytes: number): void {
    this.bytes += bytes;
    this.#budget.usedBytes += bytes;
  }

  #exceeded(): UserError {
    const { operator, state } = this.#owner;
    const { limitBytes, configKey } = this.#budget;
    const limit = `the slot's share of the heap, ${memorySizeText(limitBytes)}, is used up`;
    const held = `state "${state}" of operator "${operator}" holds ${memorySizeText(this.bytes)} of objects and cannot grow`;
    return new UserError("STATE_BUDGET_EXCEEDED", `${held}: ${limit}`, {
      operator,
      fix: `Raise ${configKey}, or keep less: ${this.#advice()}.`,
    });
  }

  /** Sketches are bytes when they are written, values that are collected a list. */
  #advice(): string {
    const kinds = new Set(this.#heaps.map(({ accumulator }) => accumulator.type.kind));
    if (kinds.has("list")) return "give collect a limit, or use sketches";
    return kinds.has("bytes")
      ? "give the sketches a larger error, which takes fewer bytes for each key, or use fewer keys or shorter windows"
      : "use fewer keys, shorter windows or smaller accumulators";
  }
}
