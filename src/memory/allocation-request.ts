// One place in the queue for segments. Belongs to the thread that asked; ends with `take` or `cancel`, or with its
// owner.

import { InternalError } from "../base/errors.ts";
import { requestCancel, requestTake } from "./allocation-queue.ts";
import type { PoolControl } from "./pool-control.ts";
import { REQUEST_SERIAL, REQUEST_STATE, STATE_GRANTED } from "./pool-control.ts";

export class AllocationRequest {
  readonly #control: PoolControl;
  readonly #request: number;
  readonly #serial: number;

  constructor(control: PoolControl, request: number) {
    this.#control = control;
    this.#request = request;
    this.#serial = control.words[request + REQUEST_SERIAL]!;
  }

  /** Whether the segments are there to be taken. */
  granted(): boolean {
    const { words } = this.#control;
    return (
      Atomics.load(words, this.#request + REQUEST_STATE) === STATE_GRANTED &&
      words[this.#request + REQUEST_SERIAL] === this.#serial
    );
  }

  /** The segments of a granted request; once. */
  take(): Int32Array {
    if (!this.granted())
      throw new InternalError("MEMORY_NOT_GRANTED", "segments taken from a request that does not hold any");
    return requestTake(this.#control, this.#request);
  }

  /** Leaves the queue, or gives back what was granted. Harmless after the end of the request. */
  cancel(): void {
    requestCancel(this.#control, this.#request, this.#serial);
  }
}
