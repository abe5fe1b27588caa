// Runs the real runner with the reporter over the files in `fixtures/`.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

/** Limits that a busy machine does not miss, for the files that do end. */
const TEST_TIMEOUT_MS = 10_000;
const FILE_DEADLINE_MS = 30_000;
const REPORTER = join(import.meta.dirname, "summary-reporter.ts");

function run(...fixtures: readonly string[]): { lines: readonly string[]; text: string; exitCode: number | null } {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env; // With it the runner takes itself for one of its own children.
  const files = fixtures.map((name) => join("fixtures", `${name}.fixture.ts`));
  const { stdout, status } = spawnSync(
    process.execPath,
    ["--test", "--test-concurrency=4", `--test-timeout=${TEST_TIMEOUT_MS}`, `--test-reporter=${REPORTER}`, ...files],
    {
      cwd: import.meta.dirname,
      env: { ...env, MILLRACE_TEST_FILE_DEADLINE_MS: `${FILE_DEADLINE_MS}` },
      encoding: "utf8",
    },
  );
  return { lines: stdout.trimEnd().split("\n"), text: stdout, exitCode: status };
}

const VERDICTS = run("verdicts");

test("R1: each leaf test is counted once, suites and parents are not, the count is the last line", () => {
  const { lines, text, exitCode } = VERDICTS;
  assert.equal(lines.at(-1), "5 passed, 6 failed");
  assert.equal(exitCode, 1);
  assert.match(
    text,
    /✖ fixtures\/verdicts\.fixture\.ts:12 {2}a suite counts no test of its own > inner fails\n {4}Error: inner/,
  );
  assert.match(text, /1 !== 2/);
  for (const cause of ["sub", "own failure", "before hook", "after hook"])
    assert.match(text, new RegExp(`Error: ${cause}\n`));
});

test("R4: skipped and todo tests are listed and not counted", () => {
  const { lines, text } = VERDICTS;
  assert.equal(lines.at(-2), "3 skipped or todo");
  assert.match(text, /^skipped {2}.*skipped {2}\(with a reason\)$/m);
  assert.match(text, /^todo {2}.*to do$/m);
});

test("a test that stands in another file is reported with the file that runs it", () => {
  const { text } = run("contract");
  assert.match(
    text,
    /✖ fixtures\/contract\.fixture\.ts {2}an implementation > breaks .* {2}\(fixtures\/shared-contract\.ts:5\)/,
  );
});

test("R2: a file that throws while loading is one failure, shown with its output", () => {
  const { lines, text, exitCode } = run("crash");
  assert.equal(lines.at(-1), "0 passed, 1 failed");
  assert.equal(exitCode, 1);
  assert.match(text, /ended outside of a test by exit code 1/);
  assert.match(text, /Error: while loading/);
});

test("R2: an error after the end of its test fails the file", () => {
  const { lines, text } = run("late");
  assert.equal(lines.at(-1), "1 passed, 1 failed");
  assert.match(text, /Error: late/);
});

test("R2: a file without tests, or one that exits before its verdicts, is a failure", () => {
  const { lines, exitCode, text } = run("empty", "exit");
  assert.equal(lines.at(-1), "0 passed, 2 failed");
  assert.equal(exitCode, 1);
  assert.match(text, /the file holds no test/);
});

test("R3: files that do not end are killed, and their verdicts and those of the other files count", () => {
  const { lines, text, exitCode } = run("hang", "block", "cut-off", "passes");
  assert.equal(lines.at(-1), "2 passed, 4 failed", text);
  assert.equal(exitCode, 1);
  assert.match(text, /never settles\n {4}test timed out after 10000ms/);
  assert.match(text, /block\.fixture\.ts\n {4}killed after 30 s/);
  assert.match(text, /hang\.fixture\.ts {2}killed/);
});
