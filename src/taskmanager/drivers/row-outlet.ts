// Where rows of one subtask of a sink leave for whoever started the job.
//
//   R1. What is sent and not yet read is bounded: `deliver` resolves when there is room for more.
//   R2. Once released (the slot ends), nothing waits for a reader any more: what is left is sent, or dropped with the
//       job.

import type { FromSlot, TaskId } from "../../protocol/slot-messages.ts";

/** Per subtask of a sink; what the program that reads holds at most, beside the batch at hand. */
export const UNREAD_BYTES_MAX = 256 * 1024;

export class RowOutlet {
  readonly #send: (bytes: Uint8Array) => void;
  #unreadBytes = 0;
  #released = false;
  #waiting: (() => void)[] = [];

  constructor(send: (bytes: Uint8Array) => void) {
    this.#send = send;
  }

  async deliver(bytes: Uint8Array): Promise<void> {
    this.#unreadBytes += bytes.length;
    this.#send(bytes);
    if (this.#hasRoom()) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** So much of what was sent has been read. */
  read(bytes: number): void {
    this.#unreadBytes -= bytes;
    this.#letGo();
  }

  release(): void {
    this.#released = true;
    this.#letGo();
  }

  #hasRoom(): boolean {
    return this.#released || this.#unreadBytes < UNREAD_BYTES_MAX;
  }

  #letGo(): void {
    if (!this.#hasRoom()) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** All outlets of a deployment. */
export class RowOutlets {
  readonly #send: (message: FromSlot) => void;
  readonly #outlets = new Map<string, RowOutlet>();
  #released = false;

  constructor(send: (message: FromSlot) => void) {
    this.#send = send;
  }

  of(task: TaskId, sink: string): RowOutlet {
    const key = `${task} ${sink}`;
    const outlet = this.#outlets.get(key) ?? new RowOutlet((rows) => this.#send({ kind: "rows", task, sink, rows }));
    this.#outlets.set(key, outlet);
    if (this.#released) outlet.release();
    return outlet;
  }

  release(): void {
    this.#released = true;
    for (const outlet of this.#outlets.values()) outlet.release();
  }
}
