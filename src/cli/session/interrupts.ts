// Ctrl-C and its like: the first stops the job in good order, the second ends the process at once.

import type { EngineError } from "../../base/errors.ts";
import { EXIT } from "./exit-codes.ts";

/** What can be ended from outside. */
export type Endable = {
  stop(): void;
  fail(error: EngineError): void;
  /** A thread of the job cannot be ended. */
  readonly stranded: boolean;
  /** Its functions run in this thread (`--local`). */
  readonly isLocal: boolean;
};

export type InterruptOptions = {
  readonly exit: (code: number) => void;
  readonly note: (text: string) => void;
  /** Begins to listen for signals; gives what ends it. */
  readonly listen: (onSignal: (reason: string) => void) => () => void;
  readonly nowMs: () => number;
};

/** npm, timeout and the like hand on a signal that the terminal has sent already: people press slower than that. */
const SAME_SIGNAL_MS = 300;

/**
 * Listens while a job runs. Where its functions run in this thread, only while that takes turns: code that does not
 * return must die of Ctrl-C, as Node does by itself. Elsewhere a thread without turns has no processor: it is to hear
 * what has come once it has one, and who stops listening loses what came before.
 */
export class Interrupts {
  readonly #options: InterruptOptions;
  #job: Endable | null = null;
  #receivedMs: number | null = null;
  /** What the first signal was; null: there was none. */
  reason: string | null = null;
  /** Null: signals do what they do by themselves. */
  #unlisten: (() => void) | null = null;

  constructor(options: InterruptOptions) {
    this.#options = options;
  }

  /** The job that runs. */
  get job(): Endable | null {
    return this.#job;
  }

  start(job: Endable): void {
    this.#job = job;
    this.#hear(true);
  }

  /** The thread takes turns, or does not, and user code may be the reason. Does nothing before a job runs. */
  onTurns(areTaken: boolean): void {
    if (this.#job?.isLocal === true) this.#hear(areTaken);
  }

  #hear(signals: boolean): void {
    if (signals === (this.#unlisten !== null)) return;
    this.#unlisten?.();
    this.#unlisten = signals ? this.#options.listen((reason) => this.onSignal(reason)) : null;
  }

  /** `reason` is told to the user. */
  onSignal(reason: string): void {
    const nowMs = this.#options.nowMs();
    if (this.#receivedMs !== null) {
      if (nowMs - this.#receivedMs >= SAME_SIGNAL_MS) this.#options.exit(EXIT.interrupted);
      return;
    }
    this.#receivedMs = nowMs;
    this.reason = reason;
    this.#options.note(`${reason}: stopping the job; once more ends it at once`);
    this.#job?.stop();
  }
}
