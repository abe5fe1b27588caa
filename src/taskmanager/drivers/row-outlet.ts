// Where what one subtask of a sink has for whoever started the job leaves: rows, or lines for the terminal.
//
//   R1. What is sent and not yet read is bounded: `deliver` resolves when there is room for more.
//   R2. Once released (the task is closed), nothing waits for a reader any more: what is left is sent, or dropped with
//       the job.

import type { FromSlot, TaskId } from "../../protocol/slot-messages.ts";

/** Per subtask of a sink; what the program that reads holds at most, beside the batch at hand. Of text: characters. */
export const UNREAD_BYTES_MAX = 256 * 1024;

type Payload = Uint8Array | string;

export class RowOutlet {
  readonly #send: (payload: Payload) => void;
  #unreadBytes = 0;
  #released = false;
  #waiting: (() => void)[] = [];

  constructor(send: (payload: Payload) => void) {
    this.#send = send;
  }

  async deliver(payload: Payload): Promise<void> {
    this.#unreadBytes += payload.length;
    this.#send(payload);
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

/** All outlets of a task. */
export class RowOutlets {
  readonly #task: TaskId;
  readonly #send: (message: FromSlot) => void;
  readonly #outlets = new Map<string, RowOutlet>();
  #released = false;

  constructor(task: TaskId, send: (message: FromSlot) => void) {
    this.#task = task;
    this.#send = send;
  }

  of(sink: string): RowOutlet {
    const send = (payload: Payload): void => this.#send(messageOf(this.#task, sink, payload));
    const outlet = this.#outlets.get(sink) ?? new RowOutlet(send);
    this.#outlets.set(sink, outlet);
    if (this.#released) outlet.release();
    return outlet;
  }

  release(): void {
    this.#released = true;
    for (const outlet of this.#outlets.values()) outlet.release();
  }
}

function messageOf(task: TaskId, sink: string, payload: Payload): FromSlot {
  if (typeof payload === "string") return { kind: "print", task, sink, lines: payload };
  return { kind: "rows", task, sink, rows: payload };
}
