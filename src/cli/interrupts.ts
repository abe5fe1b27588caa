// Ctrl-C and its like: the first stops the job in good order, the second ends the process at once.

import type { EngineError } from "../base/errors.ts";
import { EXIT } from "./exit-codes.ts";

/** What can be ended from outside. */
export type Endable = {
  cancel(): void;
  fail(error: EngineError): void;
  /** A thread of the job cannot be ended. */
  readonly stranded: boolean;
};

export type InterruptOptions = {
  readonly exit: (code: number) => void;
  readonly note: (text: string) => void;
  /** Begins to listen for signals. */
  readonly listen: (onSignal: (reason: string) => void) => void;
  readonly nowMs: () => number;
};

/** npm, timeout and the like hand on a signal that the terminal has sent already: people press slower than that. */
const SAME_SIGNAL_MS = 300;

/**
 * Listens only while a job runs: a module or builder that never returns must die of the first Ctrl-C, as Node does by
 * itself.
 */
export class Interrupts {
  readonly #options: InterruptOptions;
  #job: Endable | null = null;
  #receivedMs: number | null = null;

  constructor(options: InterruptOptions) {
    this.#options = options;
  }

  /** The job that runs. */
  get job(): Endable | null {
    return this.#job;
  }

  start(job: Endable): void {
    this.#job = job;
    this.#options.listen((reason) => this.onSignal(reason));
  }

  /** `reason` is told to the user. */
  onSignal(reason: string): void {
    const nowMs = this.#options.nowMs();
    if (this.#receivedMs !== null) {
      if (nowMs - this.#receivedMs >= SAME_SIGNAL_MS) this.#options.exit(EXIT.interrupted);
      return;
    }
    this.#receivedMs = nowMs;
    this.#options.note(`${reason}: stopping the job; once more ends it at once`);
    this.#job?.cancel();
  }
}
