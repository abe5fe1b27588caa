// Runs the results of a flatMap function through the rest of the chain. Arrays go through at once; iterators
// (generators) are pulled as long as there is room, and go on where they stopped when the task has made room again.
//
//   F1. Results come out in the order of their records: one that comes while an earlier one is stopped waits behind it.

import { UserError } from "../base/errors.ts";
import type { Output } from "../operators/operator.ts";

type Pending = { readonly iterator: Iterator<unknown>; readonly record: unknown; readonly timestampMs: number };

export class FlatMapDriver {
  output: Output | null = null;
  readonly #uid: string;
  /** The user's generator threw on a record: tells, or throws when the policy is to fail. */
  readonly #onThrow: (error: unknown, record: unknown, timestampMs: number) => void;
  readonly #pending: Pending[] = [];

  constructor(uid: string, onThrow: (error: unknown, record: unknown, timestampMs: number) => void) {
    this.#uid = uid;
    this.#onThrow = onThrow;
  }

  start(result: unknown, timestampMs: number, record: unknown): void {
    const output = this.output;
    if (output === null) return;
    if (Array.isArray(result) && this.#pending.length === 0) {
      for (let i = 0; i < result.length; i += 1) output.offer(result[i], timestampMs);
      return;
    }
    const iterable = result as Iterable<unknown> | null | undefined;
    if (typeof iterable !== "object" || iterable === null || typeof iterable[Symbol.iterator] !== "function") {
      throw notIterable(this.#uid, result);
    }
    this.#pending.push({ iterator: iterable[Symbol.iterator](), record, timestampMs });
    if (this.#pending.length === 1) this.resume();
  }

  /** Goes on with what is stopped; false when the output is full again. */
  resume(): boolean {
    const { output } = this;
    if (output === null) return true;
    for (let first = this.#pending[0]; first !== undefined; first = this.#pending[0]) {
      const next = this.#pull(first);
      if (next.done === true) this.#pending.shift();
      else if (!output.offer(next.value, first.timestampMs)) return false;
    }
    return true;
  }

  #pull({ iterator, record, timestampMs }: Pending): IteratorResult<unknown> {
    try {
      return iterator.next();
    } catch (error) {
      this.#onThrow(error, record, timestampMs);
      return { done: true, value: undefined };
    }
  }
}

function notIterable(uid: string, result: unknown): UserError {
  const isPromise = result instanceof Promise;
  return new UserError(
    isPromise ? "FUNCTION_RETURNED_PROMISE" : "FLATMAP_NOT_ITERABLE",
    `flatMap of "${uid}" returned ${isPromise ? "a promise" : `${typeof result} ${String(result)}`}, not records`,
    { fix: "return an array, or write the function as a generator (function*)", operator: uid },
  );
}
