// `npm run mutants`: plants the mistakes of test/mutants/list/ one at a time, and names those that no test close to
// them catches.
//
//   npm run mutants                        all
//   npm run mutants -- flush src/network   those whose name or file holds one of the texts
//   npm run mutants -- --changed           those in files that differ from origin/main
//
// A mistake is caught when one of its test files fails, or does not end: `npm test` kills such a file and counts a
// failure. What is a hang is measured: each test file runs once without a mistake, must pass, and a planted mistake may
// take ten times as long, and at least a minute. The last line is `N caught, N survived`.

import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { ROOT } from "../tidy/repo-files.ts";
import { MUTANTS } from "./list/index.ts";
import { type Mutant, planted } from "./mutant.ts";
import { nearestTests } from "./nearest-tests.ts";
import { TestCopy } from "./test-copy.ts";

const COPIES = Math.min(2, availableParallelism());
const LIMIT_FACTOR = 10;
const LIMIT_MIN_SECONDS = 60;
const BASELINE_MAX_SECONDS = 600;

type Verdict = { readonly mutant: Mutant; readonly caughtBy: string | null };

const testsOf = (mutant: Mutant): readonly string[] => mutant.tests ?? nearestTests(mutant.file);

function chosen(args: readonly string[]): readonly Mutant[] {
  const texts = args.filter((arg) => arg !== "--changed");
  const changed = args.includes("--changed") ? changedFiles() : null;
  return MUTANTS.filter(
    ({ name, file }) =>
      (texts.length === 0 || texts.some((text) => name.includes(text) || file.includes(text))) &&
      (changed === null || changed.has(file)),
  );
}

function changedFiles(): ReadonlySet<string> {
  const output = execFileSync("git", ["diff", "--name-only", "origin/main"], { cwd: ROOT, encoding: "utf8" });
  return new Set(output.split("\n"));
}

/** Does the same for each of the items, in as many copies at a time as there are. */
async function inCopies<T, R>(
  copies: readonly TestCopy[],
  items: readonly T[],
  act: (copy: TestCopy, item: T) => Promise<R>,
): Promise<R[]> {
  const waiting = [...items.entries()];
  const results: R[] = [];
  await Promise.all(
    copies.map(async (copy) => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        results[next[0]] = await act(copy, next[1]);
      }
    }),
  );
  return results;
}

/** Seconds that each test file takes without a mistake. Throws when one of them fails: it could catch nothing. */
async function baseline(copies: readonly TestCopy[], mutants: readonly Mutant[]): Promise<ReadonlyMap<string, number>> {
  const files = [...new Set(mutants.flatMap(testsOf))];
  const seconds = new Map<string, number>();
  await inCopies(copies, files, async (copy, file) => {
    const run = await copy.run(file, BASELINE_MAX_SECONDS);
    if (run.verdict !== "passed") throw new Error(`${file} ${run.verdict} without any mistake:\n${run.text}`);
    seconds.set(file, run.seconds);
  });
  return seconds;
}

async function tried(copy: TestCopy, mutant: Mutant, seconds: ReadonlyMap<string, number>): Promise<Verdict> {
  for (const test of testsOf(mutant)) {
    const limit = Math.max(LIMIT_MIN_SECONDS, (seconds.get(test) ?? 0) * LIMIT_FACTOR);
    const { verdict } = await copy.run(test, limit);
    if (verdict !== "passed") return { mutant, caughtBy: `${test}${verdict === "hung" ? ", which hangs" : ""}` };
  }
  return { mutant, caughtBy: null };
}

async function main(args: readonly string[]): Promise<void> {
  const mutants = chosen(args);
  if (mutants.length === 0) throw new Error(`none of the ${MUTANTS.length} mutants is meant by: ${args.join(" ")}`);
  const texts = new Map(mutants.map((mutant) => [mutant, planted(mutant)]));
  for (const mutant of mutants) {
    if (testsOf(mutant).length === 0) throw new Error(`no test reaches ${mutant.file} of the mutant "${mutant.name}"`);
  }
  const copies = Array.from({ length: COPIES }, () => new TestCopy());
  try {
    const seconds = await baseline(copies, mutants);
    const verdicts = await inCopies(copies, mutants, async (copy, mutant) => {
      const text = texts.get(mutant) ?? "";
      const verdict = await copy.changed(mutant.file, text, () => tried(copy, mutant, seconds));
      const { caughtBy } = verdict;
      console.log(`${caughtBy === null ? "SURVIVED" : "caught  "}  ${mutant.name}  (${caughtBy ?? mutant.file})`);
      return verdict;
    });
    const survivors = verdicts.filter(({ caughtBy }) => caughtBy === null);
    for (const { mutant } of survivors) console.log(survivorText(mutant));
    console.log(`${verdicts.length - survivors.length} caught, ${survivors.length} survived`);
    if (survivors.length > 0) process.exitCode = 1;
  } finally {
    for (const copy of copies) copy.remove();
  }
}

function survivorText(mutant: Mutant): string {
  const marked = (sign: string, text: string): string => text.replaceAll(/^/gm, `    ${sign} `);
  const tests = testsOf(mutant).join(", ");
  const change = `${marked("-", mutant.find)}\n${marked("+", mutant.replace)}`;
  return `\n✖ ${mutant.name}\n  ${mutant.file}, not caught by ${tests}\n${change}`;
}

await main(process.argv.slice(2));
