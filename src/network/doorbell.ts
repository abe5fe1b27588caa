// Wakes a sleeping slot. Two words of shared memory: a counter that every ring moves, and whether the slot sleeps.
//
//   D1. A slot says that it sleeps, then looks for work once more, then waits for the counter to move: no ring is lost.
//   D2. Ringing a slot that is awake costs one atomic load.
//   D3. Only the slot itself says whether it sleeps: were that left to who rings it, one that ends before it has woken
//       the slot would leave a bell that nobody can ring.

import type { Doorbell } from "./data-link.ts";

const COUNTER = 0;
const SLEEPING = 1;

export const DOORBELL_WORDS = 2;

export class SharedDoorbell implements Doorbell {
  readonly #words: Int32Array;
  readonly #at: number;

  /** `words` over shared memory; `at`: first of the two words. */
  constructor(words: Int32Array, at = 0) {
    this.#words = words;
    this.#at = at;
  }

  ring(): void {
    if (Atomics.load(this.#words, this.#at + SLEEPING) === 0) return;
    Atomics.add(this.#words, this.#at + COUNTER, 1);
    Atomics.notify(this.#words, this.#at + COUNTER);
  }

  /** Owner: announces sleep and returns the counter to wait on. */
  fallAsleep(): number {
    const counter = Atomics.load(this.#words, this.#at + COUNTER);
    Atomics.store(this.#words, this.#at + SLEEPING, 1);
    return counter;
  }

  /** Owner: is awake (again). */
  wakeUp(): void {
    Atomics.store(this.#words, this.#at + SLEEPING, 0);
  }

  /**
   * Owner: resolves when rung since `counter` was read, or after `timeoutMs`. Null when there is nothing to wait for: a
   * promise that resolves at once would keep whoever waits in a loop from hearing anything else.
   */
  wait(counter: number, timeoutMs: number): Promise<unknown> | null {
    const result = Atomics.waitAsync(this.#words, this.#at + COUNTER, counter, timeoutMs);
    return result.async ? result.value : null;
  }
}
