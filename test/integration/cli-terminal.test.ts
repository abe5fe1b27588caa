// What people see on a terminal and nobody else does: the live line and colours. A real terminal, by util-linux's
// `script`.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { FIXTURES, millrace } from "./cli-process.ts";

const cwd = mkdtempSync(join(tmpdir(), "pty-"));
const MILLRACE = resolve(import.meta.dirname, "../../bin/millrace.js");

function hasScript(): boolean {
  try {
    return /util-linux/.test(execFileSync("script", ["--version"], { encoding: "utf8" }));
  } catch {
    return false;
  }
}

/** Output of the command on a terminal, and its exit code. It is interrupted once it has shown what is looked for. */
async function onTerminal(
  args: string,
  options: { readonly environment?: Readonly<Record<string, string>>; readonly until?: RegExp } = {},
): Promise<{ readonly output: string; readonly code: number }> {
  const { environment = {}, until = null } = options;
  const command = `"${process.execPath}" "${MILLRACE}" ${args}`;
  const { NO_COLOR: _, ...inherited } = process.env;
  const child = spawn("script", ["--quiet", "--return", "--command", command, join(cwd, "typescript")], {
    cwd: FIXTURES,
    env: { ...inherited, TERM: "xterm", ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  let isInterrupted = until === null;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (isInterrupted || until?.test(output) !== true) return;
    isInterrupted = true;
    child.stdin.write("\x03"); // As the key does: the terminal makes a signal of it.
  });
  const [code] = (await once(child, "close")) as [number];
  return { output, code };
}

const COLOURS = /\x1b\[(1|2|31|32)m/;
const LIVE_LINE = /slow {2}\d+ %(, [\w ]+ left)? · in [\d,]+ · out [\d,]+ · .*\/s · busy \d+ % · \d+ MiB\r\x1b\[K/;

describe("on a terminal", { skip: !hasScript() && "there is no script of util-linux", concurrency: 2 }, () => {
  after(() => rmSync(cwd, { recursive: true, force: true }));

  test("a running job has one live line, which is gone at the end, and colours", async () => {
    const { output, code } = await onTerminal("run slow.job.ts --local --param seconds=5000", { until: LIVE_LINE });
    assert.equal(code, 130, output);
    assert.match(output, LIVE_LINE);
    assert.match(output, COLOURS);
    const shown = output.slice(output.lastIndexOf("\x1b[K"));
    assert.match(shown, /slow.* cancelled after/);
    assert.doesNotMatch(shown, /busy/);
  });

  test("NO_COLOR turns off colours but not the live line", async () => {
    const environment = { NO_COLOR: "1" };
    const args = "run slow.job.ts --local --param seconds=5000";
    const { output } = await onTerminal(args, { environment, until: LIVE_LINE });
    assert.match(output, LIVE_LINE);
    assert.doesNotMatch(output, COLOURS);
  });

  test("a terminal that can do nothing gets neither", async () => {
    const { output } = await onTerminal("run slow.job.ts --local", { environment: { TERM: "dumb" } });
    assert.match(output, /slow finished after/);
    assert.doesNotMatch(output, /\x1b/);
  });

  test("off a terminal there is neither", async () => {
    const { stdout, stderr } = await millrace(["run", "slow.job.ts", "--local"]);
    assert.match(stderr, /✓ slow finished after/);
    assert.doesNotMatch(stdout + stderr, /\x1b|busy/);
  });
});
