import assert from "node:assert/strict";
import { test } from "node:test";
import { ExternalError, UserError } from "../base/errors.ts";
import type { CheckpointId } from "../base/ids.ts";
import type { CompletedCheckpoint } from "../jobmanager/checkpointing/checkpoint-driver.ts";
import { TASKS_ENDED } from "../jobmanager/checkpointing/coordinator.ts";
import type { FailedAttempt } from "../jobmanager/recovery/recoveries.ts";
import { SimEnv } from "../testing/sim-env.ts";
import { checkpointsTold } from "./checkpoints-told.ts";

const id = (value: number): CheckpointId => value as CheckpointId;

const REGIONS = [["in", "out"], ["other"]];
const OF_THE_JOB = { tasks: [], slot: null };

function setUp() {
  const lines: string[] = [];
  return {
    lines,
    told: checkpointsTold({ env: new SimEnv({ seed: 1 }), log: (line) => lines.push(line), regions: REGIONS }),
  };
}

test("a failure is told with its place; one like it by the number of that attempt", () => {
  const { lines, told } = setUp();
  const location = { file: "job.ts", line: 7, column: 3 };
  const thrown = new UserError("USER_FUNCTION_THREW", "it threw", { location });
  const fail = (attempt: number, error: UserError | ExternalError): void =>
    told.onAttemptFailed({ attempt, atMs: 0, error, from: null, ...OF_THE_JOB }, 1_234);
  fail(0, thrown);
  fail(1, thrown);
  fail(2, new ExternalError("SLOT_LOST", "it is gone"));
  assert.deepEqual(lines, [
    "attempt 1 failed  USER_FUNCTION_THREW  it threw  job.ts:7:3\n  starts again in 1.2s",
    "attempt 2 failed as attempt 1 did; starts again in 1.2s",
    "attempt 3 failed  SLOT_LOST  it is gone\n  starts again in 1.2s",
  ]);
});

test("a checkpoint that is cut short by a failure is counted, and no words are lost on it", () => {
  const { lines, told } = setUp();
  told.onFailed(id(3), TASKS_ENDED);
  told.onFailed(id(4), "the disk is full");
  assert.deepEqual(lines, ["checkpoint 4 was given up: the disk is full"]);
  const none = { numberOfFailedCheckpoints: 2, numberOfInProgressCheckpoints: 1 };
  assert.deepEqual(told.stats.metrics(1), { numberOfCompletedCheckpoints: 0, ...none, totalNumberOfCheckpoints: 3 });
  told.onCompleted({ id: id(5), atMs: 1_000, durationMs: 12, bytes: 100, fullBytes: 300 } as CompletedCheckpoint);
  // Stored late:
  told.onCompleted({ id: id(4), atMs: 1_500, durationMs: 90, bytes: 200, fullBytes: 200 } as CompletedCheckpoint);
  told.stats.onRestored(id(5), 2_000);
  assert.deepEqual(told.stats.metrics(0), {
    ...{ numberOfCompletedCheckpoints: 2, ...none, numberOfInProgressCheckpoints: 0, totalNumberOfCheckpoints: 4 },
    ...{ lastCompletedCheckpointId: 5, lastCheckpointCompletedTimestamp: 1_000 },
    ...{ lastCheckpointDuration: 12, lastCheckpointSize: 100, lastCheckpointFullSize: 300 },
    ...{ lastRestoredCheckpointId: 5, lastCheckpointRestoreTimestamp: 2_000 },
  });
});

test("the checkpoint of an attempt that could not read it is not tried again", () => {
  const { told } = setUp();
  const error = new ExternalError("CHECKPOINT_OBJECT_DAMAGED", "a checksum differs");
  told.onAttemptFailed({ attempt: 1, atMs: 0, error, from: id(7), ...OF_THE_JOB }, 0);
  assert.deepEqual([...told.unreadable], [7]);
});

test("a failure names its tasks and slot; a recovery its regions, whose threads, and that it would fail for ever", () => {
  const { lines, told } = setUp();
  const failed: FailedAttempt = {
    ...{ attempt: 0, atMs: 0, error: new UserError("USER_FUNCTION_THREW", "it threw"), from: id(3), slot: 1 },
    tasks: ["in (2/2)", "out (2/2)"],
  };
  told.onAttemptFailed(failed, 0);
  const tookMs = { end: 10, wait: 0, read: 2, deploy: 30 };
  told.onRecovered({ attempt: 1, restore: null, failed, regions: [1], newThreads: 0, tookMs });
  told.onRecovered({ attempt: 2, restore: null, failed, regions: [0, 1], newThreads: 1, tookMs });
  told.onStuck(failed);
  const took =
    "took 42ms: 10ms until attempt 1 had ended, 0ms to wait, 2ms to find the checkpoint, 30ms to deploy and restore";
  assert.deepEqual(lines, [
    'attempt 1 failed  USER_FUNCTION_THREW  it threw\n  in "in (2/2)" and 1 more, slot 1; starts again at once',
    `attempt 2 runs from the start: there is no checkpoint yet\n  "other"; the rest of the job has gone on; in the threads that there were\n  ${took}`,
    `attempt 3 runs from the start: there is no checkpoint yet\n  all of it, in one new thread, else in those that there were\n  ${took}`,
    "it has failed so 3 times, now going on from checkpoint 3, and would for ever: mend the function, or let it pass over such records (onError), and start the job again",
  ]);
});
