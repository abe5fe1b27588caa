// A connection over anything that carries frames in order: requests with deadlines, bounded sizes, one loss.

import type { Timers } from "../base/env.ts";
import { type EngineError, ExternalError, UserError } from "../base/errors.ts";
import { memorySizeText } from "../base/memory-size.ts";
import { messageBytes } from "./message-bytes.ts";
import type { Connection, Receiver, Traffic } from "./transport.ts";

/** What travels: plain data. */
export type Frame =
  | { readonly kind: "message"; readonly body: unknown }
  | { readonly kind: "request"; readonly id: number; readonly body: unknown }
  | { readonly kind: "reply"; readonly id: number; readonly body: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly reason: string };

/** What carries the frames of one end to the other, in order. */
export type Wire = {
  post(frame: Frame): void;
  /** Tells the other end, behind what was posted. */
  end(): void;
};

export type FramedOptions = {
  readonly timers: Timers;
  readonly wire: Wire;
  readonly address: string;
  readonly messageBytesMax?: number;
};

/** Rows for whoever started a job are by far the largest; a record has at most half of this by default. */
export const MESSAGE_BYTES_MAX = 128 * 1024 ** 2;

type Pending = { settle(error: EngineError | null, reply?: unknown): void };

export class FramedConnection implements Connection<Traffic, Traffic> {
  readonly #options: FramedOptions;
  readonly #requests = new Map<number, Pending>();
  #receiver: Receiver<Traffic> = {};
  #asked = 0;
  #open = true;

  constructor(options: FramedOptions) {
    this.#options = options;
  }

  send(message: unknown): void {
    this.#post({ kind: "message", body: message });
  }

  request(request: unknown, timeoutMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!this.#open) throw this.#lost();
      this.#asked += 1;
      const id = this.#asked;
      const timer = this.#options.timers.after(timeoutMs, () => settle(this.#tooLate(request, timeoutMs)));
      const settle = (error: EngineError | null, reply?: unknown): void => {
        this.#requests.delete(id);
        timer.cancel();
        if (error === null) resolve(reply);
        else reject(error);
      };
      this.#requests.set(id, { settle });
      try {
        this.#post({ kind: "request", id, body: request });
      } catch (error) {
        settle(error as EngineError);
      }
    });
  }

  receive(receiver: Receiver<Traffic>): void {
    this.#receiver = receiver;
  }

  close(): void {
    if (!this.#open) return;
    this.#end();
    this.#options.wire.end();
  }

  /** The wire brings a frame of the other end. */
  arrived(frame: Frame): void {
    if (!this.#open) return; // T3
    if (frame.kind === "message") this.#receiver.message?.(frame.body);
    else if (frame.kind === "request") void this.#answer(frame.id, frame.body);
    else if (frame.kind === "reply") this.#requests.get(frame.id)?.settle(null, frame.body);
    else this.#requests.get(frame.id)?.settle(this.#refused(frame.reason));
  }

  /** The wire brings nothing more. */
  ended(): void {
    if (!this.#open) return;
    this.#end();
    this.#receiver.lost?.(this.#lost());
  }

  #end(): void {
    this.#open = false;
    for (const pending of [...this.#requests.values()]) pending.settle(this.#lost());
  }

  async #answer(id: number, body: unknown): Promise<void> {
    try {
      const { request } = this.#receiver;
      if (request === undefined) throw new Error("nobody answers requests here");
      this.#post({ kind: "reply", id, body: await request(body) });
    } catch (error) {
      this.#post({ kind: "failed", id, reason: error instanceof Error ? error.message : String(error) });
    }
  }

  #post(frame: Frame): void {
    if (!this.#open) return; // T4
    const { wire, address, messageBytesMax = MESSAGE_BYTES_MAX } = this.#options;
    const bytes = messageBytes(frame);
    if (bytes > messageBytesMax) throw tooLarge(frame, address, bytes, messageBytesMax);
    wire.post(frame);
  }

  #lost(): ExternalError {
    const { address } = this.#options;
    return new ExternalError("CONNECTION_LOST", `the connection to ${address} is lost`, {
      fix: "look whether the process there still runs, and at its log",
    });
  }

  #tooLate(request: unknown, timeoutMs: number): ExternalError {
    const what = `${this.#options.address} has not answered ${nameOf(request)} within ${timeoutMs} ms`;
    return new ExternalError("REQUEST_TIMEOUT", what, { fix: "look whether the process there is overloaded" });
  }

  #refused(reason: string): ExternalError {
    return new ExternalError("REQUEST_FAILED", `${this.#options.address} could not answer: ${reason}`);
  }
}

function tooLarge(frame: Frame, address: string, bytes: number, bytesMax: number): EngineError {
  const what = "body" in frame ? nameOf(frame.body) : frame.kind;
  return new UserError(
    "MESSAGE_TOO_LARGE",
    `a control message ${what} to ${address} has ${memorySizeText(bytes)}, and one may have ${memorySizeText(bytesMax)}`,
    { fix: "make what the job hands over smaller: rows for the program that started it, splits, parameters" },
  );
}

function nameOf(body: unknown): string {
  const kind = (body as { readonly kind?: unknown } | null | undefined)?.kind;
  return typeof kind === "string" ? `"${kind}"` : "of unknown kind";
}
