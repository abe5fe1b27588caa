// A wall clock that jumps, by libfaketime, a Debian package: what a process reads of the time of day is moved from
// outside. Durations are measured by another clock, which stays as it is.

import { globSync, writeFileSync } from "node:fs";

const LIBRARY = "/usr/lib/*/faketime/libfaketime.so.1";

/** Throws where it is missing: a campaign without it would not try what it says. */
export function fakeClockRequire(): string {
  const [library] = globSync(LIBRARY);
  if (library === undefined)
    throw new Error("libfaketime is missing, by which clocks jump: apt-get install libfaketime");
  return library;
}

export class WallClock {
  /** Of processes that are to see it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
    this.environment = {
      LD_PRELOAD: fakeClockRequire(),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      DONT_FAKE_MONOTONIC: "1",
      NO_FAKE_STAT: "1",
    };
    this.jumpTo(0);
  }

  /** Seconds before or after the right time; seen within a second. */
  jumpTo(seconds: number): void {
    writeFileSync(this.#file, `${seconds < 0 ? "" : "+"}${seconds}\n`);
  }
}
