// Two runs into one directory, processes that are killed or paused while they write, and disks that fill up.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { CliProcess, type Ended } from "./cli-process.ts";

function directory(context: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "millrace-again-"));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  return join(root, "out");
}

function start(context: TestContext, out: string, rows: number): CliProcess {
  const params = ["--param", `out=${out}`, "--param", `rows=${rows}`, "--parallelism", "1"];
  const run = new CliProcess(["run", "writes.job.ts", ...params, "--local"]);
  context.after(() => run.child.kill("SIGKILL"));
  return run;
}

/** The rows that a user sees. */
function rowsIn(out: string): number {
  const parts = readdirSync(out).filter((name) => !name.startsWith("."));
  return parts.reduce((sum, name) => sum + readFileSync(join(out, name), "utf8").split("\n").length - 1, 0);
}

const hidden = (out: string, word: string): string[] =>
  readdirSync(out).filter((name) => name.startsWith(".") && name.includes(word));

function assertRefused({ code, stderr }: Ended, first: CliProcess): void {
  assert.equal(code, 2, stderr);
  assert.match(stderr, /SINK_TARGET_LOCKED .*is being written to by job "writes"/);
  assert.ok(stderr.includes(`(process ${first.child.pid} on `), stderr);
}

describe("a directory that a job writes to", { concurrency: 2 }, () => {
  test("is no other run's while that lives, also paused; killed, it leaves nothing, and the next run has its rows", async (context) => {
    const out = directory(context);
    const first = start(context, out, 0);
    await first.printed("id: 100");
    assertRefused(await start(context, out, 10).ended, first);
    first.child.kill("SIGSTOP");
    assertRefused(await start(context, out, 10).ended, first);
    assert.equal(hidden(out, ".tmp").length, 1, "what is in progress stays");
    first.child.kill("SIGKILL");
    await first.ended;
    assert.equal(rowsIn(out), 0);
    const second = await start(context, out, 10).ended;
    assert.equal(second.code, 0, second.stderr);
    assert.equal(rowsIn(out), 10);
    assert.deepEqual([...hidden(out, ".tmp"), ...hidden(out, "lock")], [], "what the first left is swept");
  });

  test("has the rows of one of two runs that start at once; the other is refused, or comes later", async (context) => {
    const out = directory(context);
    const ended = await Promise.all([start(context, out, 2_000), start(context, out, 1_000)].map((run) => run.ended));
    const codes = ended.map(({ code }) => code);
    assert.ok(
      codes.includes(0) && codes.every((code) => code === 0 || code === 2),
      ended[0]!.stderr + ended[1]!.stderr,
    );
    const rows = rowsIn(out);
    assert.ok(rows === 2_000 || rows === 1_000, `${rows}`);
    assert.equal(readdirSync(out).filter((name) => name.startsWith("part-")).length, 1);
  });

  test("is added to by jobs without an end, and replaced by one that has an end", async (context) => {
    const out = directory(context);
    let rows = 0;
    for (let turn = 0; turn < 2; turn += 1) {
      const run = start(context, out, 0);
      await run.printed("id: 100");
      run.child.kill("SIGINT");
      const { code, stderr } = await run.ended;
      assert.equal(code, 130, stderr);
      assert.ok(rowsIn(out) > rows + 100, `${rowsIn(out)} rows`);
      rows = rowsIn(out);
    }
    await start(context, out, 10).ended;
    assert.equal(rowsIn(out), 10);
  });

  test("keeps the result of the last run when the disk fills up, and shows nothing of the one that failed", async (context) => {
    const root = mkdtempSync(join(tmpdir(), "millrace-full-"));
    context.after(() => rmSync(root, { recursive: true, force: true }));
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", root], { stdio: "ignore" });
    } catch {
      return context.skip("mounting a small file system needs root");
    }
    try {
      await fillUp(context, join(root, "out"));
    } finally {
      execFileSync("umount", ["-l", root]);
    }
  });
});

async function fillUp(context: TestContext, out: string): Promise<void> {
  assert.equal((await start(context, out, 100).ended).code, 0);
  const { code, stderr } = await start(context, out, 100_000).ended;
  assert.equal(code, 1, stderr);
  assert.match(stderr, /DISK_FULL .*out\/\.part-000-00000/);
  assert.equal(rowsIn(out), 100);
  assert.deepEqual(hidden(out, ".tmp"), []);
  assert.equal((await start(context, out, 1_000).ended).code, 0);
  assert.equal(rowsIn(out), 1_000);
}
