// What user code in this process (a job's module and builder, and with --local its functions) must not do to it: end
// it, print on standard output, or fail unseen.

import { Console } from "node:console";
import { Writable } from "node:stream";
import type { EngineError } from "../../base/errors.ts";
import { exitCalled, threwLate } from "../../taskmanager/failures/user-failure.ts";

export type UserCodeOptions = {
  /** Takes what is written to the console. */
  readonly note: (text: string) => void;
  /** An error that nobody was waiting for. */
  readonly onLateError: (error: EngineError) => void;
};

export function guardUserCode({ note, onLateError }: UserCodeOptions): void {
  const notes = new Writable({
    decodeStrings: false,
    write: (text: string, _encoding, done) => {
      note(text.replace(/\n$/, ""));
      done();
    },
  });
  globalThis.console = new Console({ stdout: notes, stderr: notes });
  process.exit = (code) => {
    throw exitCalled(code);
  };
  process.on("uncaughtException", (error) => onLateError(threwLate("threw", error)));
  process.on("unhandledRejection", (reason) => onLateError(threwLate("rejected a promise", reason)));
}
