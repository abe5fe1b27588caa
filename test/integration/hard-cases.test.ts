// Jobs whose sinks and functions are slow, throw early, or are stopped half-way: in slot threads and in one thread.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { CliProcess, type Ended } from "./cli-process.ts";

const scratch = mkdtempSync(join(tmpdir(), "millrace-hard-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const MODES = [[], ["--local"]];
let runs = 0;

function start(what: string, mode: readonly string[], settings: readonly string[] = []): CliProcess & { out: string } {
  runs += 1;
  const out = join(scratch, `run-${runs}`);
  const params = ["--param", `what=${what}`, "--param", `out=${out}`];
  const run = new CliProcess(["run", "hard-cases.job.ts", ...params, "--parallelism", "1", ...mode, ...settings]);
  return Object.assign(run, { out });
}

function assertFinished({ code, stderr }: Ended, rows: number): void {
  assert.equal(code, 0, stderr);
  assert.match(stderr, new RegExp(`rows +${rows.toLocaleString("en")} in, ${rows.toLocaleString("en")} out`));
}

describe("a job", { concurrency: 2 }, () => {
  test("takes up what came while one of its slots was still loading it", async () => {
    // Rung by nobody, the slot would sleep until its watchdog rings.
    const settings = ["--parallelism", "1", "-D", "millrace.task.watchdog-timeout=1h"];
    const { code, stdout, stderr } = await new CliProcess(["run", "slow-to-load.job.ts", ...settings]).ended;
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trimEnd().split("\n").length, 5);
  });

  for (const mode of MODES) {
    const where = mode.length === 0 ? "in slot threads" : "in one thread";

    for (const [what, due] of [
      ["timers", "timers"],
      ["idle", "checks for idleness"],
    ] as const) {
      test(`goes on when ${due} fall due while its sink is full, ${where}`, async () => {
        assertFinished(await start(what, mode).ended, 40);
      });
    }

    test(`that is stopped shows what its ended branches have written, ${where}`, async () => {
      const run = start("ended", mode);
      await run.printed("id: 50");
      run.child.kill("SIGINT");
      const { code, stderr } = await run.ended;
      assert.equal(code, 130, stderr);
      const [part = ""] = readdirSync(join(run.out, "ended")).filter((name) => name.startsWith("part-"));
      assert.equal(
        readFileSync(join(run.out, "ended", part), "utf8")
          .trimEnd()
          .split("\n").length,
        40,
      );
    });

    test(`that is stopped closes the generators of its functions, ${where}`, async () => {
      const run = start("generator", mode);
      await run.printed("id: 0");
      run.child.kill("SIGINT");
      const { code, stderr } = await run.ended;
      assert.equal(code, 130, stderr);
      assert.match(stderr, /generator closed/);
    });

    for (const method of ["createWriter", "flush", "prepareCommit"]) {
      test(`fails with the name of its sink when ${method} throws, and leaves nothing, ${where}`, async () => {
        const { code, stderr } = await start(method, mode).ended;
        assert.equal(code, 1, stderr);
        assert.match(stderr, new RegExp(`^✗ SINK_FAILED  the sink "own" threw Error: ${method} gave up`, "m"));
        assert.doesNotMatch(stderr, /a bug of Millrace/);
      });
    }
  }
});
