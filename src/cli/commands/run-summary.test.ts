import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Plan } from "../../graph/plan.ts";
import type { JobCounts, JobEnd, JobMetrics } from "../../protocol/job-messages.ts";
import { paletteOf } from "../terminal/palette.ts";
import { type RunEnd, summaryText } from "./run-summary.ts";

const COUNTS: JobCounts = {
  rowsIn: 5_104,
  rowsOut: 2_156,
  late: 0,
  invalid: 0,
  skipped: 0,
  busyMs: 0,
  watermarkMs: null,
};
const PLAN = {
  name: "market",
  operators: [
    { uid: "in", kind: "source", options: { paths: ["in.csv"], bounded: true } },
    { uid: "weekly", kind: "sink", options: { paths: ["out/weekly"] } },
    { uid: "screen", kind: "sink", options: { limit: null } },
  ],
} as unknown as Plan;
const METRICS: JobMetrics = {
  ...COUNTS,
  runningMs: 400,
  jobManager: { numRestarts: 0, uptime: 400 },
  operators: { weekly: { numRecordsOut: 1_203 }, screen: { numRecordsOut: 953 } },
  tasks: [],
  taskManager: {},
};
type Told = Partial<JobEnd> & {
  counts?: Partial<JobMetrics>;
  plan?: Plan;
  lateNotes?: string[];
  faults?: RunEnd["faults"];
};
const text = ({ counts = {}, plan = PLAN, lateNotes = [], faults = [], ...end }: Told) =>
  summaryText(
    {
      plan,
      lateNotes,
      faults,
      end: {
        ...{ outcome: "finished", error: null, commits: true, exceptions: { entries: [], truncated: false } },
        ...{ metrics: { ...METRICS, ...counts }, ...end },
      },
      peakRssBytes: 217 * 1024 ** 2,
    },
    paletteOf(false),
  );

test("a summary tells rows, speed, memory and where files were written", () => {
  assert.equal(
    text({}),
    `✓ market finished after 0.40 s
  rows   5,104 in, 2,156 out
  speed  12.8 k rows/s; peak memory 217 MiB
  wrote  out/weekly  (weekly, 1,203 rows)`,
  );
});

describe("the summary of a job with checkpoints", () => {
  const restarted = { numRestarts: 2, uptime: 200, lastRestoredCheckpointId: 3, lastCompletedCheckpointId: 5 };
  const endless = {
    ...PLAN,
    operators: PLAN.operators.map((operator) => ({
      ...operator,
      options: { ...(operator.options as object), bounded: false },
    })),
  } as unknown as Plan;

  test("tells what it went on after, the newest first, each kind once", () => {
    const location = { file: "job.ts", line: 7, column: 3 };
    const faults = [
      { count: 2, code: "USER_FUNCTION_THREW", message: "map threw\n  at once", location },
      { count: 1, code: "DISK_FULL", message: "no room", location: null },
    ];
    const shown =
      /again {2}started again 2 times\n {2}fault {2}2 × USER_FUNCTION_THREW {2}map threw {2}job\.ts:7:3\n {2}fault {2}1 × DISK_FULL {2}no room\n {2}speed/;
    assert.match(text({ counts: { jobManager: restarted }, faults }), shown);
    const many = Array.from({ length: 6 }, (_, count) => ({ ...faults[1]!, count }));
    assert.match(text({ counts: { jobManager: restarted }, faults: many }), /4 × DISK_FULL.*\n {9}and other failures/);
    assert.doesNotMatch(text({ faults }), /fault/);
  });

  test("tells rows and speed of the last attempt, and since when", () => {
    assert.equal(
      text({ counts: { jobManager: restarted } }),
      `✓ market finished after 0.40 s
  rows   5,104 in, 2,156 out since checkpoint 3
  again  started again 2 times
  speed  25.5 k rows/s; peak memory 217 MiB
  wrote  out/weekly  (weekly, 1,203 rows since checkpoint 3)`,
    );
    assert.match(
      text({ counts: { jobManager: { numRestarts: 1 } } }),
      / out in attempt 2\n {2}again {2}started again once\n/,
    );
  });

  test("tells what of a bounded one is shown later, and from where the next run goes on", () => {
    for (const outcome of ["failed", "cancelled"] as const) {
      assert.match(
        text({ outcome, commits: false, counts: { jobManager: restarted } }),
        / {2}wrote {2}nothing yet: what was written is shown once the job has finished\n {2}kept {3}checkpoint 5: the next run/,
      );
    }
  });

  test("tells up to where the output of an endless one is shown, when it has failed", () => {
    assert.match(
      text({ plan: endless, outcome: "failed", commits: false, counts: { jobManager: restarted } }),
      / {2}wrote {2}out\/weekly {2}\(weekly, up to checkpoint 5\)\n {2}kept {3}checkpoint 5/,
    );
    assert.match(text({ plan: endless, outcome: "failed", commits: false }), / {2}wrote {2}nothing: the job failed$/);
  });
});

test("rows that were left out are told of", () => {
  const counts = { ...COUNTS, late: 1, invalid: 20_000, skipped: 3 };
  assert.match(text({ counts }), /^ {2}rows {3}5,104 in, 2,156 out, 1 late, 20,000 invalid, 3 skipped$/m);
});

test("rows that were left out are told of with their commonest issue, by operator", () => {
  const operators = { in: { "numRecordsInErrors.short": 7, "numRecordsInErrors.bytes": 5_731 }, weekly: {} };
  assert.match(text({ counts: { operators } as never }), / out\n {2}issue {2}5,731 × bytes {2}\(in\)\n {2}speed/);
});

test("late records that somebody reads though there can be none are told of", () => {
  assert.match(text({ lateNotes: ["nothing can be"] }), / out\n {2}late {3}nothing can be\n {2}speed/);
});

test("metrics that were not counted for lack of room are told of", () => {
  const told = (refused: number) =>
    text({ counts: { taskManager: { "Status.Millrace.Metrics.Refused": refused } } as never });
  assert.match(told(3), / out\n {2}metric 3 metrics had no room and were not counted: .*\n {2}speed/);
  assert.doesNotMatch(told(0), /metric/);
});

test("files that do not follow one another in time, though the job says so, are told of", () => {
  const plan = { ...PLAN, operators: [...PLAN.operators, { uid: "in/eventTime", kind: "eventTime" }] } as Plan;
  const told = (count: number) =>
    text({ plan, counts: { operators: { "in/eventTime": { numRecordsBehindFiles: count } } } as never });
  assert.match(
    told(2_000),
    /^ {2}order {2}2,000 rows are older than the files before allow: inTimeOrder does not hold \(in\/eventTime\)$/m,
  );
  assert.match(told(1), /^ {2}order {2}1 row is older/m);
  assert.doesNotMatch(told(0), /order/);
});

test("a job that was stopped keeps what its sinks committed, and else says that they wrote nothing", () => {
  assert.match(text({ outcome: "stopped" }), /^ {2}wrote {2}out\/weekly/m);
  const none = /\n {2}wrote {2}nothing: the job was stopped before its end$/;
  assert.match(text({ outcome: "cancelled", commits: false }), none);
});

test("a job of which nothing ran has no speed", () => {
  const counts = { ...COUNTS, rowsIn: 0, rowsOut: 0 };
  assert.equal(
    text({ outcome: "failed", commits: false, counts }),
    "✗ market failed after 0.40 s\n  rows   0 in, 0 out\n  wrote  nothing: the job failed",
  );
  assert.match(text({ counts }), /speed {2}0 rows\/s/);
});

test("a job that failed has written nothing, and says so if it has files to write", () => {
  const failed = { outcome: "failed", commits: false } as const;
  assert.match(text(failed), /\n {2}wrote {2}nothing: the job failed$/);
  const plan = { ...PLAN, operators: PLAN.operators.filter(({ uid }) => uid !== "weekly") };
  assert.doesNotMatch(text({ ...failed, plan }), /wrote/);
});

test("a job that failed while its sinks committed does not say that they wrote nothing", () => {
  assert.match(text({ outcome: "failed", commits: true }), /\n {2}wrote {2}perhaps a part: /);
});
