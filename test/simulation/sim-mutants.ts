// Bugs that others had, planted one at a time in a copy of the repository: which seed of a campaign finds each. One
// that none of the seeds finds shows a hole in what the simulation does or looks at.

import { SIMULATED } from "../mutants/list/simulated.ts";
import { planted } from "../mutants/mutant.ts";
import { TestCopy } from "../mutants/test-copy.ts";

const SCRIPT = "test/simulation/simulate.ts";
/** Of one seed; more than any takes. What hangs counts as found. */
const SECONDS_PER_SEED = 5;

/** Tries those whose name holds one of the texts, all without; returns how many were not found. */
export async function mutantsTried(texts: readonly string[], seeds: number): Promise<number> {
  const mutants = SIMULATED.filter(({ name }) => texts.length === 0 || texts.some((text) => name.includes(text)));
  const copy = new TestCopy();
  let missed = 0;
  try {
    for (const mutant of mutants) {
      const args = [SCRIPT, "--campaign", "--first-failure", "--seeds", `${seeds}`];
      const found = await copy.changed(mutant.file, planted(mutant), () => copy.script(args, seeds * SECONDS_PER_SEED));
      const seed = /SEED=(\d+) of ([\w-]+)/.exec(found.text);
      const isFound = found.verdict !== "passed";
      if (!isFound) missed += 1;
      const by = found.verdict === "hung" ? "a seed that hangs" : `seed ${seed?.[1]} of ${seed?.[2]}`;
      console.log(isFound ? `found   ${mutant.name}  (${by})` : `MISSED  ${mutant.name}  (${seeds} seeds)`);
    }
  } finally {
    copy.remove();
  }
  console.log(`${mutants.length - missed} found, ${missed} missed`);
  return missed;
}
