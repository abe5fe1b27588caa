// The two streams of the process: data on standard output, everything else on standard error, and the one live status
// line.
//
//   T1. The status line is erased before anything else is written and only ever on a terminal, so that lines never mix.
//   T2. A stream whose reader has gone is written to no more; nobody gets a stack for it. `onReaderGone` tells of
//       standard output.

import { type Palette, paletteOf, wantsColours } from "./palette.ts";

/** What is used of a process: a stand-in for tests. */
export type Streams = {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
};

const ERASE_LINE = "\r\x1b[K";
const COLUMNS_DEFAULT = 80;
const COLUMNS_ELSEWHERE = 100;

export class Terminal {
  /** For text on standard output, and on standard error. */
  readonly outPalette: Palette;
  readonly errPalette: Palette;
  onReaderGone: () => void = () => undefined;
  readonly #streams: Streams;
  readonly #live: boolean;
  #lines: string[] = [];
  #scheduled = false;
  #statusShown = false;
  #outGone = false;
  #errGone = false;

  constructor(streams: Streams) {
    const { stdout, stderr, environment } = streams;
    this.#streams = streams;
    this.#live = stderr.isTTY === true && environment.TERM !== "dumb";
    this.outPalette = paletteOf(wantsColours(stdout.isTTY === true, environment));
    this.errPalette = paletteOf(wantsColours(stderr.isTTY === true, environment));
    stdout.on("error", () => {
      if (this.#outGone) return;
      this.#outGone = true;
      this.onReaderGone();
    });
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
    this.#eraseStatus();
    if (!this.#errGone) this.#streams.stderr.write(`${text}\n`);
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
    this.#streams.stderr.write(text.slice(0, (this.#streams.stderr.columns || COLUMNS_DEFAULT) - 1));
    this.#statusShown = true;
  }

  /** Hands everything to the streams. */
  writeNow(): void {
    this.#writeData();
    this.#eraseStatus();
  }

  /** Resolves when everything is written. */
  async flush(): Promise<void> {
    this.writeNow();
    const { stdout, stderr } = this.#streams;
    if (!this.#outGone) await new Promise<unknown>((resolve) => stdout.write("", resolve));
    if (!this.#errGone) await new Promise<unknown>((resolve) => stderr.write("", resolve));
  }

  #writeData(): void {
    this.#scheduled = false;
    if (this.#lines.length === 0) return;
    const text = `${this.#lines.join("\n")}\n`;
    this.#lines = [];
    this.#eraseStatus();
    if (!this.#outGone) this.#streams.stdout.write(text);
  }

  #eraseStatus(): void {
    if (!this.#statusShown) return;
    this.#statusShown = false;
    if (!this.#errGone) this.#streams.stderr.write(ERASE_LINE);
  }
}
