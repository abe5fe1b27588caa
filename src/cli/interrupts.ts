// Ctrl-C and its like: the first stops the job in good order, the second ends the process at once.

import type { EngineError } from "../base/errors.ts";
import { EXIT } from "./exit-codes.ts";

/** What can be ended from outside. */
export type Endable = { cancel(): void; fail(error: EngineError): void };

export class Interrupts {
  /** The job that runs; before there is one, the first signal ends the process. */
  job: Endable | null = null;
  #received = false;
  readonly #exit: (code: number) => void;
  readonly #note: (text: string) => void;

  constructor(options: { exit: (code: number) => void; note: (text: string) => void }) {
    this.#exit = options.exit;
    this.#note = options.note;
  }

  /** `reason` is told to the user. */
  onSignal(reason: string): void {
    if (this.#received || this.job === null) {
      this.#exit(EXIT.interrupted);
      return;
    }
    this.#received = true;
    this.#note(`${reason}: stopping the job; once more ends it at once`);
    this.job.cancel();
  }
}
