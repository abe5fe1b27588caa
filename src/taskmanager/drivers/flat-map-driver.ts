// Runs the results of a flatMap function through the rest of the chain, as long as there is room and the turn lasts.
// What is left of an array or an iterator (a generator) goes on where it stopped.
//
//   F1. Results come out in the order of their records: one that comes while an earlier one is stopped waits behind it.
//   F2. While something waits, the status is full: no further record is taken.
//   F3. An array that waits is a copy: the function may use its own again.

import { UserError } from "../../base/errors.ts";
import type { Output } from "../../operators/operator.ts";
import type { RowKind } from "../../types/bytes/row-kind.ts";
import type { TaskStatus } from "../chain/chain.ts";
import type { TurnClock } from "./turn-clock.ts";

type Pending = {
  /** What is left, from `at` on; null: the iterator has it. */
  readonly items: readonly unknown[] | null;
  at: number;
  readonly iterator: Iterator<unknown> | null;
  readonly record: unknown;
  readonly timestampMs: number;
  readonly kind: RowKind | undefined;
};

export type FlatMapOptions = {
  readonly uid: string;
  readonly status: TaskStatus;
  readonly turn: TurnClock;
  /** The user's generator threw on a record: tells, or throws when the policy is to fail. */
  readonly onThrow: (error: unknown, record: unknown, timestampMs: number) => void;
};

/** Arrays up to this length do not ask for the time. */
const SMALL = 64;

export class FlatMapDriver {
  output: Output | null = null;
  readonly #options: FlatMapOptions;
  /** From `#first` on; emptied when nothing waits. */
  readonly #pending: (Pending | null)[] = [];
  #first = 0;

  constructor(options: FlatMapOptions) {
    this.#options = options;
  }

  /** What is made of a record has its kind. */
  start(result: unknown, timestampMs: number, record: unknown, kind?: RowKind): void {
    const output = this.output;
    if (output === null) return;
    if (Array.isArray(result)) {
      const at = this.#pending.length === 0 ? this.#sendArray(output, result, timestampMs, kind) : 0;
      if (at === result.length) return;
      this.#pending.push({ items: result.slice(at), at: 0, iterator: null, record, timestampMs, kind }); // F3
      this.#options.status.full = true; // F2
      return;
    }
    const iterable = result as Iterable<unknown> | null | undefined;
    if (typeof iterable !== "object" || iterable === null || typeof iterable[Symbol.iterator] !== "function") {
      throw notIterable(this.#options.uid, result);
    }
    const waits = this.#pending.length > 0 || this.#options.status.full;
    const pending = { items: null, at: 0, iterator: iterable[Symbol.iterator](), record, timestampMs, kind };
    this.#pending.push(pending);
    if (!waits && this.#send(output, pending)) this.#pending.pop();
    else this.#options.status.full = true; // F2
  }

  /** Goes on with what is stopped; false when the output is full again, or the turn over. */
  resume(): boolean {
    const { output } = this;
    if (output === null || this.#pending.length === 0) return true;
    if (this.#options.status.full) return false;
    for (; this.#first < this.#pending.length; this.#first += 1) {
      const first = this.#pending[this.#first];
      if (first && !this.#send(output, first)) return false;
      this.#pending[this.#first] = null;
    }
    this.#pending.length = 0;
    this.#first = 0;
    return true;
  }

  /** Ends generators that were not read to their end, so that their `finally` runs. */
  close(): void {
    const left = this.#pending.splice(0);
    this.#first = 0;
    for (const pending of left) pending?.iterator?.return?.();
  }

  /** Index of the first item that was not sent. */
  #sendArray(output: Output, items: readonly unknown[], timestampMs: number, kind: RowKind | undefined): number {
    const isSmall = items.length <= SMALL;
    for (let at = 0; at < items.length; at += 1) {
      if (!output.offer(items[at], timestampMs, kind) || !(isSmall || this.#goesOn())) return at + 1;
    }
    return items.length;
  }

  /** True when nothing is left of it. */
  #send(output: Output, pending: Pending): boolean {
    const { items, iterator, timestampMs, kind } = pending;
    if (items !== null) {
      while (pending.at < items.length) {
        const item = items[pending.at];
        pending.at += 1;
        if (!output.offer(item, timestampMs, kind) || !this.#goesOn()) return false;
      }
      return true;
    }
    for (;;) {
      const next = this.#pull(iterator, pending);
      if (next.done === true) return true;
      if (!output.offer(next.value, timestampMs, kind) || !this.#goesOn()) return false;
    }
  }

  /** False once the turn is over. */
  #goesOn(): boolean {
    return !this.#options.turn.isOver(1);
  }

  #pull(iterator: Iterator<unknown> | null, { record, timestampMs }: Pending): IteratorResult<unknown> {
    try {
      return iterator?.next() ?? DONE;
    } catch (error) {
      this.#options.onThrow(error, record, timestampMs);
      return DONE;
    }
  }
}

const DONE: IteratorResult<unknown> = { done: true, value: undefined };

function notIterable(uid: string, result: unknown): UserError {
  const isPromise = result instanceof Promise;
  return new UserError(
    isPromise ? "FUNCTION_RETURNED_PROMISE" : "FLATMAP_NOT_ITERABLE",
    `flatMap of "${uid}" returned ${isPromise ? "a promise" : `${typeof result} ${String(result)}`}, not records`,
    { fix: "return an array, or write the function as a generator (function*)", operator: uid },
  );
}
