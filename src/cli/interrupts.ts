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
};

/**
 * Listens only while a job runs: a module or builder that never returns must die of the first Ctrl-C, as Node does by
 * itself.
 */
export class Interrupts {
  readonly #options: InterruptOptions;
  #job: Endable | null = null;
  #received = false;

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
    if (this.#received) {
      this.#options.exit(EXIT.interrupted);
      return;
    }
    this.#received = true;
    this.#options.note(`${reason}: stopping the job; once more ends it at once`);
    this.#job?.cancel();
  }
}
