// What a job shows when the world changes between the prepare of its sinks and their commit: real threads, a real disk.

import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { CliProcess, type Ended } from "./cli-process.ts";

/** Root may write everywhere: the job runs as nobody. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

const scratch = mkdtempSync(join(tmpdir(), "millrace-commits-"));
if (isRoot) chownSync(scratch, NOBODY, NOBODY);
after(() => {
  for (const name of readdirSync(scratch))
    if (existsSync(join(scratch, name, "a"))) chmodSync(join(scratch, name, "a"), 0o755);
  rmSync(scratch, { recursive: true, force: true });
});

type Run = Ended & { readonly out: string };

async function run(name: string, fate: string, endless = false): Promise<Run> {
  const out = join(scratch, name);
  const params = ["--param", `out=${out}`, "--param", `fate=${fate}`, "--param", `endless=${endless}`];
  const config = ["--parallelism", "2", "-D", "sink.committer.retries=3"];
  const job = new CliProcess(["run", "commits.job.ts", ...params, ...config], isRoot ? { uid: NOBODY } : {});
  if (endless) {
    await job.noted("fifty rows", 2);
    job.child.kill("SIGINT");
  }
  return { ...(await job.ended), out };
}

function rowsIn(directory: string): number[] {
  const parts = readdirSync(directory).filter((name) => name.startsWith("part-"));
  const lines = parts.flatMap((name) => readFileSync(join(directory, name), "utf8").trimEnd().split("\n"));
  return lines.map((line) => (JSON.parse(line) as { n: number }).n).sort((left, right) => left - right);
}

const hidden = (directory: string): string[] => readdirSync(directory).filter((name) => name.endsWith(".tmp"));

const HUNDRED = Array.from({ length: 100 }, (_, n) => n);

describe("between the prepare of all sinks and their commit", () => {
  for (const endless of [false, true]) {
    const kind = endless ? "endless, stopped by Ctrl-C" : "bounded";
    const assertWhole = ({ out, stderr }: Run): void => {
      for (const sink of ["a", "b"]) {
        const rows = rowsIn(join(out, sink));
        if (endless) assert.equal(new Set(rows).size, rows.length, "each once");
        else assert.deepEqual(rows, HUNDRED, stderr);
        assert.ok(rows.length > 0);
        assert.deepEqual(hidden(join(out, sink)), []);
      }
    };

    test(`nothing happens: everything is visible (${kind})`, async () => {
      const ended = await run(`fine-${endless}`, "none", endless);
      assert.equal(ended.code, endless ? 130 : 0, ended.stderr);
      assertWhole(ended);
    });

    test(`a directory turns read-only: the job fails and names its parts, those of others are visible (${kind})`, async () => {
      const { code, stderr, out } = await run(`read-only-${endless}`, "read-only", endless);
      assert.equal(code, 1, stderr);
      assert.match(
        stderr,
        /✗ DISK_ACCESS .*; not committed, or not all of it: "a" subtasks 1, 2 \(4 tries\); committed: /s,
      );
      assert.match(stderr, /; committed: .*"b" subtasks 1, 2/);
      assert.match(stderr, /where sinks wrote to stays locked until this process ends: .*EACCES/);
      assert.match(stderr, /wrote {2}perhaps a part: the job failed while its sinks committed/);
      assert.deepEqual(rowsIn(join(out, "a")), []);
      assert.equal(hidden(join(out, "a")).length, 2, "what could not be shown is kept");
      assert.ok(rowsIn(join(out, "b")).length > 0);
    });

    test(`a directory is read-only for a while: everything is visible (${kind})`, async () => {
      const ended = await run(`for-a-while-${endless}`, "read-only for a while", endless);
      assert.equal(ended.code, endless ? 130 : 0, ended.stderr);
      assertWhole(ended);
    });

    test(`a slot's thread ends: another slot commits for it (${kind})`, async () => {
      const ended = await run(`slot-dies-${endless}`, "slot dies", endless);
      assert.equal(ended.code, endless ? 130 : 0, ended.stderr);
      assert.match(ended.stderr, /slot \d was lost: a slot's thread ended with exit code 3/);
      assertWhole(ended);
    });

    test(`a sink that cannot prepare leaves nothing of any (${kind})`, async () => {
      const { code, stderr, out } = await run(`unprepared-${endless}`, "cannot prepare", endless);
      assert.equal(code, 1, stderr);
      assert.match(stderr, /✗ SINK_FAILED {2}the sink "gate" threw Error: the gate is shut\n/);
      assert.match(stderr, /wrote {2}nothing: the job failed/);
      for (const sink of ["a", "b"]) assert.deepEqual([rowsIn(join(out, sink)), hidden(join(out, sink))], [[], []]);
    });
  }
});
