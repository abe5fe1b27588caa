// Files by their numbers, which all threads of a process share: a number that was closed is soon another file's.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { start } from "../../src/client/index.ts";
import type descriptors from "./fixtures/client/descriptors.job.ts";

const JOB = new URL("./fixtures/client/descriptors.job.ts", import.meta.url);
const THREADS = 3; // Two slots, and the one that plans.

const scratch = mkdtempSync(join(tmpdir(), "millrace-descriptors-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** Numbers under which this process has `path` open. */
function numbersOf(path: string): number[] {
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => leadsTo(fd, path));
}

function leadsTo(fd: number, path: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === path;
  } catch {
    return false; // Closed meanwhile: the directory's own.
  }
}

/** Goes on when `path` is open under `count` numbers but for `own`; gives those. */
async function openElsewhere(path: string, own: number, count: number): Promise<number[]> {
  for (;;) {
    const found = numbersOf(path).filter((fd) => fd !== own);
    if (found.length === count) return found;
    await delay(5);
  }
}

/** Opens `path` under this very number. */
function openAs(number: number, path: string): void {
  const others: number[] = [];
  for (let fd = openSync(path, "r"); fd !== number; fd = openSync(path, "r")) others.push(fd);
  for (const fd of others) closeSync(fd);
}

test("a thread of a job closes no file at its end that others have opened, whatever it had under that number", async () => {
  const [first, second, opened, held] = ["first", "second", "opened", "held"].map((name) => join(scratch, name));
  assert.ok(first !== undefined && second !== undefined && opened !== undefined && held !== undefined);
  execFileSync("mkfifo", [first, second]);
  for (const file of [opened, held]) writeFileSync(file, "");
  const params = { first, second, opened };
  await using running = await start<typeof descriptors>(JOB, { params, parallelism: 2, print: () => undefined });
  const [one, other] = [await open(first, "w"), await open(second, "w")];
  await one.write('{"id":1}\n');
  const [number] = await openElsewhere(first, one.fd, 1);
  assert.ok(number !== undefined);
  await one.close();
  await openElsewhere(first, one.fd, 0);
  openAs(number, held);
  await other.close();
  assert.equal((await running.result).outcome, "finished");
  await running[Symbol.asyncDispose]();
  assert.deepEqual(numbersOf(held), [number]);
  assert.equal(numbersOf(opened).length, THREADS);
  for (const fd of [number, ...numbersOf(opened)]) {
    assert.ok(fstatSync(fd).isFile());
    closeSync(fd);
  }
});
