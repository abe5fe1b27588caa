// The two streams of the process: data on standard output, everything else on standard error, and the one live status
// line.
//
//   T1. The status line is erased before anything else is written and stands again behind it, and only ever on a
//       terminal, so that lines never mix. A terminal that has become narrower has wrapped it: all its lines go.
//   T2. A stream that cannot be written is written to no more; nobody gets a stack for it. Of standard output,
//       `onReaderGone` tells when it is for want of a reader; any other failure is an error, which `onOutputFailed`
//       tells and `takeOutputError` gives.

import { ExternalError } from "../../base/errors.ts";
import { cutText, textWidth } from "../../base/text-width.ts";
import { type Palette, paletteOf, wantsColours } from "./palette.ts";

/** What is used of a process: a stand-in for tests. */
export type Streams = {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
};

const ERASE_LINE = "\r\x1b[K";
const ERASE_LINE_ABOVE = "\x1b[A\x1b[2K";
const COLUMNS_DEFAULT = 80;
const COLUMNS_ELSEWHERE = 100;

export class Terminal {
  /** For text on standard output, and on standard error. */
  readonly outPalette: Palette;
  readonly errPalette: Palette;
  onReaderGone: () => void = () => undefined;
  onOutputFailed: (error: ExternalError) => void = () => undefined;
  readonly #streams: Streams;
  readonly #live: boolean;
  #lines: string[] = [];
  #scheduled = false;
  /** The status line as it stands there; "" for none. */
  #status = "";
  #outGone = false;
  #outputError: ExternalError | null = null;
  #errGone = false;

  constructor(streams: Streams) {
    const { stdout, stderr, environment } = streams;
    this.#streams = streams;
    this.#live = stderr.isTTY === true && environment.TERM !== "dumb";
    this.outPalette = paletteOf(wantsColours(stdout.isTTY === true, environment));
    this.errPalette = paletteOf(wantsColours(stderr.isTTY === true, environment));
    stdout.on("error", (error) => this.#onOutError(error));
    stderr.on("error", () => {
      this.#errGone = true;
    });
  }

  /** One or more lines of data. Those of one round of events are written together. */
  data(text: string): void {
    this.#lines.push(text);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#writeData());
  }

  note(text: string): void {
    this.#writeData(); // What came first is shown first.
    this.#besideStatus(() => {
      if (!this.#errGone) this.#streams.stderr.write(`${text}\n`);
    });
  }

  /** Why data were lost, once; null while none were, and when nobody reads them. */
  takeOutputError(): ExternalError | null {
    const error = this.#outputError;
    this.#outputError = null;
    return error;
  }

  /** Width for data; somewhat more than a terminal's usual one when it goes elsewhere. */
  get columns(): number {
    return this.#streams.stdout.columns || COLUMNS_ELSEWHERE;
  }

  /** Whether a status line can be shown. */
  get live(): boolean {
    return this.#live;
  }

  /** Replaces the status line. */
  status(text: string): void {
    if (!this.#live || this.#errGone) return;
    this.#eraseStatus();
    this.#status = cutText(text, this.#errColumns - 1, "");
    this.#streams.stderr.write(this.#status);
  }

  get #errColumns(): number {
    return this.#streams.stderr.columns || COLUMNS_DEFAULT;
  }

  /** Hands everything to the streams; the status line is gone. */
  writeNow(): void {
    this.#writeData();
    this.#eraseStatus();
  }

  /** Resolves when everything is written, or known to be lost. */
  async flush(): Promise<void> {
    this.writeNow();
    const { stdout, stderr } = this.#streams;
    if (!this.#outGone) {
      const error = await new Promise<Error | null | undefined>((resolve) => stdout.write("", resolve));
      if (error) this.#onOutError(error); // Its event comes later.
    }
    if (!this.#errGone) await new Promise<unknown>((resolve) => stderr.write("", resolve));
  }

  #onOutError(error: Error): void {
    if (this.#outGone) return;
    this.#outGone = true;
    if ((error as NodeJS.ErrnoException).code === "EPIPE") {
      this.onReaderGone();
      return;
    }
    this.#outputError = new ExternalError("OUTPUT_FAILED", `standard output cannot be written: ${error.message}`, {
      fix: "send it to a file on a disk with space, or to a program that reads it",
      cause: error,
    });
    this.onOutputFailed(this.#outputError);
  }

  #writeData(): void {
    this.#scheduled = false;
    if (this.#lines.length === 0) return;
    const text = `${this.#lines.join("\n")}\n`;
    this.#lines = [];
    this.#besideStatus(() => {
      if (!this.#outGone) this.#streams.stdout.write(text);
    });
  }

  #besideStatus(write: () => void): void {
    const status = this.#status;
    this.#eraseStatus();
    write();
    if (status !== "") this.status(status);
  }

  #eraseStatus(): void {
    if (this.#status === "") return;
    const above = Math.ceil(textWidth(this.#status) / this.#errColumns) - 1;
    this.#status = "";
    if (!this.#errGone) this.#streams.stderr.write(ERASE_LINE + ERASE_LINE_ABOVE.repeat(above));
  }
}
