import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { nodeDisk } from "../storage/node-disk.ts";
import { logLine, nodeEnv } from "./env-node.ts";

describe("the real environment", () => {
  test("a timer never fires early, not by a fraction of a millisecond", async () => {
    const env = nodeEnv(nodeDisk());
    for (const delayMs of [0, 0.3, 1, 1.7, 3.2]) {
      const startMs = env.clock.monotonicMs();
      await new Promise<void>((resolve) => env.timers.after(delayMs, resolve));
      assert.ok(env.clock.monotonicMs() - startMs >= delayMs);
    }
  });

  test("a cancelled timer does not fire, and a delay beyond 24 days does not fire at once", async () => {
    const env = nodeEnv(nodeDisk());
    let fired = 0;
    const cancelled = env.timers.after(1, () => (fired += 1));
    const distant = env.timers.after(3e9, () => (fired += 1));
    cancelled.cancel();
    await new Promise<void>((resolve) => env.timers.after(20, resolve));
    distant.cancel();
    assert.equal(fired, 0);
  });

  test("a background timer does not keep the process alive", () => {
    const program = `
      import { nodeEnv } from ${JSON.stringify(new URL("./env-node.ts", import.meta.url).href)};
      nodeEnv(null).timers.after(60_000, () => {}, { background: true });`;
    const result = spawnSync(process.execPath, ["--input-type=module", "-e", program], { timeout: 300_000 });
    assert.equal(result.status, 0, String(result.stderr));
  });

  test("log lines below the level are dropped, the others carry their fields", () => {
    const lines: string[] = [];
    const env = nodeEnv(nodeDisk(), { logLevel: "warn", writeLog: (line) => lines.push(line) });
    env.log.write("info", "unseen");
    env.log.write("warn", "disk is slow", { path: "/a b", ms: 12 });
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /^\d{4}-\d\d-\d\dT[\d:.]+Z warn {2}disk is slow path="\/a b" ms=12$/);
  });

  test("a log line survives fields that cannot be printed", () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    assert.match(logLine(0, "error", "x", { cycle, big: 1n }), /cycle=\[unprintable\] big=1$/);
  });
});
