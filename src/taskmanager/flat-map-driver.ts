// Runs the results of a flatMap function through the rest of the chain. Arrays go through at once; iterators (generators) are
// pulled as long as there is room, and go on where they stopped when the task has made room again.

import { UserError } from "../base/errors.ts";
import type { Output } from "../operators/operator.ts";

export class FlatMapDriver {
  output: Output | null = null;
  readonly #uid: string;
  #iterator: Iterator<unknown> | null = null;
  #timestampMs = NaN;

  constructor(uid: string) {
    this.#uid = uid;
  }

  start(result: unknown, timestampMs: number): void {
    const output = this.output;
    if (output === null) return;
    if (Array.isArray(result)) {
      for (let i = 0; i < result.length; i += 1) output.offer(result[i], timestampMs);
      return;
    }
    const iterable = result as Iterable<unknown> | null | undefined;
    if (typeof iterable !== "object" || iterable === null || typeof iterable[Symbol.iterator] !== "function") {
      throw notIterable(this.#uid, result);
    }
    this.#iterator = iterable[Symbol.iterator]();
    this.#timestampMs = timestampMs;
    this.resume();
  }

  /** Goes on with a stopped iterator; false when the output is full again. */
  resume(): boolean {
    const iterator = this.#iterator;
    if (iterator === null || this.output === null) return true;
    for (;;) {
      const next = iterator.next();
      if (next.done) {
        this.#iterator = null;
        return true;
      }
      if (!this.output.offer(next.value, this.#timestampMs)) return false;
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
