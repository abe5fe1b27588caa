// Jobs between other programs: records come from standard input and go to standard output.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { FIXTURES } from "./cli-process.ts";

const scratch = mkdtempSync(join(tmpdir(), "millrace-pipes-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const ROWS = 20_000;
const input = join(scratch, "rows.jsonl");
writeFileSync(input, Array.from({ length: ROWS }, (_, id) => `{"id":${id}}\n`).join(""));
const notes = join(scratch, "notes");
const MILLRACE = `'${process.execPath}' --conditions=millrace-source '${resolve(import.meta.dirname, "../../bin/millrace.js")}'`;

/** What a shell gets on standard output. */
function shell(command: string): string {
  return execFileSync("bash", ["-c", command], {
    cwd: FIXTURES,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
}

const run = (flags: string): string => `${MILLRACE} run pipes.job.ts ${flags} 2>'${notes}'`;
const even = (below: number): string => ["id", ...Array.from({ length: below / 2 }, (_, n) => 2 * n), ""].join("\n");

describe("standard streams", () => {
  for (const flags of ["--local", "--parallelism 2"]) {
    test(`a pipe is read to its end, and standard output has the records and nothing else, ${flags}`, () => {
      const text = shell(`cat '${input}' | ${run(`${flags} --param below=${ROWS}`)} | cat`);
      assert.deepEqual(text.split("\n").toSorted(), even(ROWS).split("\n").toSorted());
      assert.ok(text.startsWith("id\n"));
      assert.match(readFileSync(notes, "utf8"), /seven.* {2}\{ id: 7 \}\n(.*\n)*✓ pipes finished/);
    });

    test(`a reader that has seen enough ends the job without a stack, ${flags}`, () => {
      const text = shell(`yes '{"id":4}' | ${run(`${flags} --param below=10`)} | head -n 3`);
      assert.equal(text, "id\n4\n4\n");
      const told = readFileSync(notes, "utf8");
      assert.match(told, /^nobody reads standard output any more/m);
      assert.doesNotMatch(told, /EPIPE|node:|^\s+at /m);
    });
  }

  test("a file, and what a shell makes of a command, are read as well; a header stands before no rows", () => {
    assert.equal(shell(`${run(`--local --param below=10`)} <'${input}'`).split("\n").length, 7);
    assert.equal(shell(`${run(`--local --param below=-1`)} < <(cat '${input}')`), "id\n");
  });

  test("with --json the summary goes where the notes go", () => {
    const text = shell(`cat '${input}' | ${run(`--local --param below=10 --json`)}`);
    assert.equal(text.split("\n").length, 7);
    assert.match(readFileSync(notes, "utf8"), /^\{"version":1,"job":"pipes"/m);
  });
});
