import assert from "node:assert/strict";
import { test } from "node:test";
import type { JobCounts, TaskMetricValues } from "../../protocol/job-messages.ts";
import { type StatusFacts, statusText } from "./run-status.ts";

const COUNTS: JobCounts = { rowsIn: 0, rowsOut: 0, late: 0, invalid: 0, skipped: 0, busyMs: 0, watermarkMs: null };
const NOW = Date.UTC(2026, 0, 31, 9, 30);
const busy = (vertex: number, subtask: number, busyMs: number): TaskMetricValues => {
  return { vertex, subtask, metrics: { accumulateBusyTimeMs: busyMs } };
};
const line = (
  counts: Partial<JobCounts>,
  facts: Partial<StatusFacts> = {},
  tasks: TaskMetricValues[] = [],
  jobManager: Readonly<Record<string, number>> = {},
): string =>
  statusText({
    name: "bars",
    slots: 2,
    nowMs: NOW,
    memoryBytes: 217.4 * 1024 ** 2,
    tasks: ["ticks", "minutes"],
    progress: null,
    previous: {
      atMs: 1_000,
      metrics: {
        ...{ ...COUNTS, rowsIn: 500_000, busyMs: 100, runningMs: 2_500, jobManager: {} },
        tasks: [busy(0, 0, 50), busy(1, 0, 50)],
      },
    },
    current: { atMs: 1_500, metrics: { ...COUNTS, runningMs: 3_000, tasks, jobManager, ...counts } },
    ...facts,
  });

test("the line tells rows, rate since the last line, how busy the slots are, and memory", () => {
  assert.equal(
    line({ rowsIn: 1_240_000, rowsOut: 1_204, busyMs: 600 }),
    "bars  in 1.24 M · out 1,204 · 1.48 M/s · busy 50 % · 217 MiB",
  );
});

test("of input that ends it tells how much has been read, and how long the rest takes", () => {
  assert.match(line({}, { progress: 0.25 }), /^bars {2}25 %, 9s left · in /);
  assert.match(line({}, { progress: 0 }), /^bars {2}0 % · in /);
  assert.match(line({}, { progress: 1 }), /^bars {2}100 % · in /);
});

test("the subtask that works most is named, where there are several", () => {
  const tasks = [busy(0, 0, 150), busy(1, 0, 60), busy(1, 1, 400)];
  assert.match(line({ busyMs: 600 }, {}, tasks), / · busy 50 %, most minutes 80 % · /);
  assert.match(line({ busyMs: 600 }, {}, [busy(0, 0, 550)]), / · busy 50 % · /);
});

test("a watermark shows as a lag when it is near, as event time when the data is old", () => {
  assert.match(line({ rowsIn: 500_000, watermarkMs: NOW - 5_040 }), / · watermark lag 5s · /);
  assert.match(line({ rowsIn: 500_000, watermarkMs: Date.UTC(2007, 2, 1) }), / · event time 2007-03-01 00:00 · /);
  assert.match(line({ rowsIn: 500_000, watermarkMs: NOW + 60_000 }), / · event time 2026-01-31 09:31 · /);
});

test("the newest checkpoint is told with its age, how long it took and its size", () => {
  const last = {
    lastCheckpointCompletedTimestamp: NOW - 4_900,
    lastCheckpointDuration: 12.4,
    lastCheckpointFullSize: 17_818,
  };
  assert.match(
    line({}, {}, [], { lastCompletedCheckpointId: 7, ...last }),
    / · 217 MiB · checkpoint 7 4s ago, 12ms, 17\.4 KiB$/,
  );
});

test("an attempt that begins anew counts from nothing, and its progress is not known after a checkpoint", () => {
  assert.match(line({ rowsIn: 10, busyMs: 0 }), /^bars {2}in 10 · out 0 · 0\/s · busy 0 % · /);
  assert.match(line({}, { progress: 0.25 }, [], { lastRestoredCheckpointId: 3 }), /^bars {2}in /);
});

test("slots are never more than wholly busy", () => {
  assert.match(line({ rowsIn: 500_000, busyMs: 10_000 }), /busy 100 % · 217/);
});
