import assert from "node:assert/strict";
import { test } from "node:test";
import { Interrupts } from "./interrupts.ts";

function setUp() {
  const seen: string[] = [];
  let signal: ((reason: string) => void) | null = null;
  const interrupts = new Interrupts({
    exit: (code) => seen.push(`exit ${code}`),
    note: (text) => seen.push(text),
    listen: (onSignal) => {
      signal = onSignal;
    },
  });
  const job = { cancel: () => seen.push("cancel"), fail: () => seen.push("fail"), stranded: false };
  return { interrupts, job, seen, signal: (reason: string) => signal?.(reason) };
}

test("nothing listens before a job runs, so that Node's own way of ending stays in force", () => {
  const { signal, seen } = setUp();
  signal("interrupted");
  assert.deepEqual(seen, []);
});

test("the first signal stops the job in good order, the second ends the process at once", () => {
  const { interrupts, job, seen, signal } = setUp();
  interrupts.start(job);
  signal("interrupted");
  assert.deepEqual(seen, ["interrupted: stopping the job; once more ends it at once", "cancel"]);
  signal("SIGTERM");
  assert.deepEqual(seen.slice(2), ["exit 130"]);
});
