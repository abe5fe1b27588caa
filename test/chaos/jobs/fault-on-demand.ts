// Ends the slot that it is called in when the world outside asks for it: by a file whose text is the way to end.

import { readFileSync, unlinkSync } from "node:fs";

const WAYS: Readonly<Record<string, () => void>> = {
  heap: () => {
    const kept: object[] = [];
    for (;;) kept.push(Array.from({ length: 1_000 }, (_, index) => ({ index })));
  },
  exit: () => (process as unknown as { reallyExit(code: number): void }).reallyExit(3),
  loop: () => {
    for (;;);
  },
  throw: () => {
    throw new Error("a fault on demand");
  },
};

/** One look for so many records: the file is missing nearly always. */
const LOOK_EVERY = 64;

/** Whoever removes the file is the one that is meant. */
export function faultOnDemand(file: string): () => void {
  let calls = 0;
  return () => {
    calls += 1;
    if (file === "" || calls % LOOK_EVERY !== 0) return;
    let way: string;
    try {
      way = readFileSync(file, "utf8");
      unlinkSync(file);
    } catch {
      return;
    }
    WAYS[way]?.();
  };
}
