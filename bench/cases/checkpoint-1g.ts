// A snapshot of 1 GiB of managed state while the thread works in turns of 2 ms: how long it stands still when that
// begins, the longest pause between two turns while it is written, its speed beside dd with fsync, and what the next
// ones write after 1 % of the keys were changed at random, and in one place.

import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WrittenState } from "../../src/checkpoint/format/subtask-state.ts";
import { checkpoint, dd, KEYS, largeState, storageIn } from "../large-state.ts";
import { report, resultOf } from "../result.ts";

const GIB = 2 ** 30;
const TURN_MS = 2;
const PAGE_BYTES = 4096;

const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
const storage = storageIn(directory);
const cpu = process.cpuUsage();
const startedMs = performance.now();
const state = largeState();
for (let key = 0; key < KEYS; key += 1) state.touch(key);

/** Bytes that a checkpoint has written itself. */
function newBytes({ files }: WrittenState, number: number): number {
  const own = files.filter(({ name }) => name.startsWith(`shared/${number}-`) || name.startsWith(`chk-${number}/`));
  return own.reduce((sum, { name }) => sum + statSync(join(directory, name)).size, 0);
}

/** Works in turns, on keys that lie together, until something has come to its end. The longest time between two. */
async function longestPause(until: Promise<unknown>): Promise<number> {
  let isOver = false;
  void until.finally(() => {
    isOver = true;
  });
  let longest = 0;
  for (let key = 0; !isOver; ) {
    const endMs = performance.now() + TURN_MS;
    while (performance.now() < endMs) for (let n = 0; n < 20; n += 1) state.touch(key++ % 20_000);
    const idleMs = performance.now();
    await new Promise((resolve) => setImmediate(resolve));
    longest = Math.max(longest, performance.now() - idleMs);
  }
  return longest;
}

/** Pages that are no longer as they were saved. */
function touchedPages(): number {
  const pages = state.allocator.freezeAll(() => undefined);
  return pages.filter((page) => state.allocator.savedAt(page) === 0).length;
}

let syncMs = 0;
const begun = (ms: number): void => {
  syncMs = Math.max(syncMs, ms);
};
const beginMs = performance.now();
const first = checkpoint(storage, state, 1, begun);
const pauseMs = await longestPause(first);
const asyncSeconds = (performance.now() - beginMs) / 1_000;
const bytes = newBytes(await first, 1);
const ddSeconds = dd("if=/dev/zero", `of=${join(directory, "dd")}`, "bs=1M", "count=1024", "conv=fsync");
await checkpoint(storage, state, 2, () => undefined);

const written: Record<string, { readonly bytes: number; readonly touchedBytes: number; readonly ratio: number }> = {};
let number = 3;
async function after(name: string, touch: (n: number) => number): Promise<void> {
  const before = touchedPages(); // Of indexes, which are not saved.
  for (let n = 0; n < KEYS / 100; n += 1) state.touch(touch(n));
  const touchedBytes = (touchedPages() - before) * PAGE_BYTES;
  const own = newBytes(await checkpoint(storage, state, number, begun), number);
  number += 1;
  written[name] = { bytes: own, touchedBytes, ratio: own / touchedBytes };
}
let random = 1;
await after("random", () => {
  random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
  return random % KEYS;
});
await after("inOnePlace", (n) => n);
const { user, system } = process.cpuUsage(cpu);
const measured = {
  events: KEYS,
  wallSeconds: (performance.now() - startedMs) / 1_000,
  cpuSeconds: (user + system) / 1e6,
};
report(
  resultOf("checkpoint-1g", [measured], {
    ...{ syncMs, pauseMs, bytes, asyncSeconds, ddSeconds },
    speedBesideDd: bytes / asyncSeconds / (GIB / ddSeconds),
    written,
  }),
);
