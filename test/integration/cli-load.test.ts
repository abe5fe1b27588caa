// Job files that do not come to their end while they are loaded, or throw what is no error.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { millrace } from "./cli-process.ts";

type Report = {
  readonly code: string;
  readonly message: string;
  readonly location: { readonly file: string; readonly line: number } | null;
};

const cwd = mkdtempSync(join(tmpdir(), "load-"));

/** What is told about a job file of this text, as text and as JSON. */
async function told(source: string, ...options: readonly string[]): Promise<{ report: Report; stderr: string }> {
  writeFileSync(join(cwd, "bad.ts"), source);
  const { code, stdout, stderr } = await millrace(["run", "bad.ts", "--json", ...options], { cwd });
  assert.equal(code, 2, stderr);
  const { errors } = JSON.parse(stdout) as { errors: Report[] };
  assert.equal(errors.length, 1);
  return { report: errors[0] ?? assert.fail(), stderr };
}

describe("a job file that", () => {
  after(() => rmSync(cwd, { recursive: true, force: true }));

  test("waits for ever is told of at the place where it waits", async () => {
    const { report, stderr } = await told("const x = 1;\nexport default await new Promise(() => x);");
    assert.equal(report.code, "MODULE_NEVER_LOADED");
    assert.equal(report.message, "bad.ts waits for ever: what it awaits never settles");
    assert.equal(report.location?.line, 2);
    assert.match(stderr, /^✗ MODULE_NEVER_LOADED.*\n {3}bad\.ts:2:16\n/);
  });

  test("waits too long is told of after the watchdog's time", async () => {
    const source = "await new Promise((done) => setTimeout(done, 1e9));";
    const { report } = await told(source, "-D", "millrace.task.watchdog-timeout=500ms");
    assert.equal(report.code, "MODULE_NEVER_LOADED");
    assert.equal(report.message, "bad.ts has waited for 500ms while it was loaded");
  });

  test("waits in several places is named alone", async () => {
    const { report } = await told("await 1;\nawait new Promise(() => 1);");
    assert.deepEqual([report.code, report.location], ["MODULE_NEVER_LOADED", null]);
  });

  test("throws what is no error shows it, and where", async () => {
    const { report, stderr } = await told("const x = 1;\nthrow { status: x };");
    assert.equal(report.code, "MODULE_THREW");
    assert.equal(report.message, "bad.ts, or what it imports, threw { status: 1 } while it was loaded");
    assert.match(stderr, /\n {3}bad\.ts:2:1\n/);
    assert.doesNotMatch(stderr, /why/);
  });

  test("throws an error that cannot be read is told of as the user's", async () => {
    const { report, stderr } = await told(
      'class Odd extends Error {\n  get message(): string { throw new Error("none"); }\n}\nthrow new Odd();',
    );
    assert.deepEqual([report.code, report.location?.line], ["MODULE_THREW", 2]);
    assert.doesNotMatch(stderr, /^ +at /m);
  });
});
