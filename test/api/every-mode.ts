// One job in every mode: under checks (as with `--local` and in tests), and in slots that exchange by reference or by
// columns, with either store of keyed state.

import type { Job } from "../../src/api/job.ts";
import type { EngineError } from "../../src/base/errors.ts";
import { simulateJob } from "../../src/testing/simulate-job.ts";

export type Mode = {
  readonly name: string;
  readonly checks: boolean;
  readonly parallelism: number;
  readonly store: "managed" | "hashmap";
};

export const MODES: readonly Mode[] = (["managed", "hashmap"] as const).flatMap((store) => [
  { name: `checks, ${store}`, checks: true, parallelism: 1, store },
  { name: `one slot, ${store}`, checks: false, parallelism: 1, store },
  { name: `two slots, ${store}`, checks: false, parallelism: 2, store },
]);

/** What a job printed, in order of text and without what aligns it, and its error. */
export type Outcome = { readonly mode: Mode; readonly printed: readonly string[]; readonly error: EngineError | null };

/** Runs what `make` gives, anew for each mode: a job may hold objects that it changes. */
export async function inEveryMode(make: () => Job, modes: readonly Mode[] = MODES): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const mode of modes) {
    const { checks, parallelism, store } = mode;
    const config = { "state.backend.type": store };
    const { printed, error } = await simulateJob(make(), { seed: 1, checks, parallelism, config });
    outcomes.push({
      mode,
      printed: printed.map((line) => line.replace(/^(\S+?)\/\d+ /, "$1 ").replace(/ {2,}/g, " ")).sort(),
      error,
    });
  }
  return outcomes;
}
