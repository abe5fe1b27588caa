import assert from "node:assert/strict";
import { test } from "node:test";
import { Interrupts } from "./interrupts.ts";

function setUp({ isLocal = true } = {}) {
  const seen: string[] = [];
  let signal: ((reason: string) => void) | null = null;
  const time = { nowMs: 1_000 };
  const interrupts = new Interrupts({
    exit: (code) => seen.push(`exit ${code}`),
    note: (text) => seen.push(text),
    listen: (onSignal) => {
      signal = onSignal;
      return () => {
        signal = null;
      };
    },
    nowMs: () => time.nowMs,
  });
  const job = { stop: () => seen.push("stop"), fail: () => seen.push("fail"), stranded: false, isLocal };
  return { interrupts, job, seen, time, signal: (reason: string) => signal?.(reason) };
}

test("nothing listens before a job runs, so that Node's own way of ending stays in force", () => {
  const { signal, seen } = setUp();
  signal("interrupted");
  assert.deepEqual(seen, []);
});

test("the first signal stops the job in good order, the second ends the process at once", () => {
  const { interrupts, job, seen, signal, time } = setUp();
  interrupts.start(job);
  signal("interrupted");
  assert.deepEqual(seen, ["interrupted: stopping the job; once more ends it at once", "stop"]);
  time.nowMs += 300;
  signal("SIGTERM");
  assert.deepEqual(seen.slice(2), ["exit 130"]);
});

test("a thread without user code hears signals also while it has no processor: what came before is not lost", () => {
  const { interrupts, job, seen, signal } = setUp({ isLocal: false });
  interrupts.start(job);
  interrupts.onTurns(false);
  signal("interrupted");
  assert.deepEqual(seen.slice(1), ["stop"]);
});

test("while the thread that runs functions takes no turns signals are not heard: they end the process by themselves", () => {
  const { interrupts, job, seen, signal } = setUp();
  interrupts.onTurns(true);
  signal("interrupted");
  interrupts.start(job);
  interrupts.onTurns(false);
  interrupts.onTurns(false);
  signal("interrupted");
  assert.deepEqual(seen, []);
  interrupts.onTurns(true);
  signal("interrupted");
  assert.deepEqual(seen.slice(1), ["stop"]);
});

test("one Ctrl-C that comes twice, from the terminal and by way of npm, counts as one", () => {
  const { interrupts, job, seen, signal, time } = setUp();
  interrupts.start(job);
  signal("interrupted");
  time.nowMs += 20;
  signal("interrupted");
  time.nowMs += 270;
  signal("SIGTERM");
  assert.equal(seen.length, 2);
  time.nowMs += 20;
  signal("interrupted");
  assert.deepEqual(seen.slice(2), ["exit 130"]);
});
