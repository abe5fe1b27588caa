import assert from "node:assert/strict";
import { test } from "node:test";
import type { JobCounts } from "../../protocol/job-messages.ts";
import { statusText } from "./run-status.ts";

const COUNTS: JobCounts = { rowsIn: 0, rowsOut: 0, late: 0, invalid: 0, skipped: 0, busyMs: 0, watermarkMs: null };
const NOW = Date.UTC(2026, 0, 31, 9, 30);
const line = (counts: Partial<JobCounts>, slots = 2): string =>
  statusText({
    name: "bars",
    slots,
    nowMs: NOW,
    previous: { atMs: 1_000, counts: { ...COUNTS, rowsIn: 500_000, busyMs: 100 } },
    current: { atMs: 1_500, counts: { ...COUNTS, ...counts } },
  });

test("the line tells rows, rate since the last line, and how busy the slots are", () => {
  assert.equal(
    line({ rowsIn: 1_240_000, rowsOut: 1_204, busyMs: 600 }),
    "bars  in 1.24 M · out 1,204 · 1.48 M/s · busy 50 %",
  );
});

test("a watermark shows as a lag when it is near, as event time when the data is old", () => {
  assert.match(line({ rowsIn: 500_000, watermarkMs: NOW - 5_040 }), / · watermark lag 5s · /);
  assert.match(line({ rowsIn: 500_000, watermarkMs: Date.UTC(2007, 2, 1) }), / · event time 2007-03-01 00:00 · /);
  assert.match(line({ rowsIn: 500_000, watermarkMs: NOW + 60_000 }), / · event time 2026-01-31 09:31 · /);
});

test("slots are never more than wholly busy", () => {
  assert.match(line({ rowsIn: 500_000, busyMs: 10_000 }), /busy 100 %$/);
});
