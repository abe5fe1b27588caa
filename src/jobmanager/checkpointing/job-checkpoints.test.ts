import assert from "node:assert/strict";
import { test } from "node:test";
import { type Job, jobBuild } from "../../api/job.ts";
import type { CheckpointId } from "../../base/ids.ts";
import type { CheckpointMetadata } from "../../checkpoint/format/metadata.ts";
import { blackhole } from "../../connectors/blackhole/index.ts";
import { datagen, gen } from "../../connectors/datagen/index.ts";
import { jobGraphOf } from "../../graph/job-graph.ts";
import { job } from "../../index.ts";
import type { TaskDescriptor } from "../../protocol/slot-messages.ts";
import { SimEnv } from "../../testing/sim-env.ts";
import type { CommitTry } from "../commits/job-commits.ts";
import { checkpointingStateOf } from "./coordinator.ts";
import { JobCheckpointing } from "./job-checkpoints.ts";

const TASK: TaskDescriptor = {
  ...{ id: "0/0/0", name: "in -> out", vertex: 0, subtask: 0, attempt: 0 },
  ...{ inputs: [], outputs: [] },
};

const never = (): never => assert.fail("the job goes on");

const jobOf = (bounded: boolean): Job =>
  job({ name: "numbers" }, (env) => {
    const fields = { n: gen.sequence() };
    env.from("in", datagen(bounded ? { fields, count: 9 } : { fields })).to("out", blackhole());
  });

/** One task runs; the store has a checkpoint once it is told so. */
async function setUp(bounded: boolean, onLast: () => void = never) {
  const { plan } = await jobBuild(jobOf(bounded), {}, { parallelism: 1, maxParallelism: null, preAggregation: false });
  const graph = jobGraphOf(plan, { chaining: true });
  const storing: (() => void)[] = [];
  const metadata: CheckpointMetadata[] = [];
  const world = { isUp: true, commits: [] as CommitTry[], released: 0 };
  const store = {
    complete: (each: CheckpointMetadata) => {
      metadata.push(each);
      return new Promise<void>((resolve) => storing.push(resolve));
    },
    hold: () => async () => {
      world.released += 1;
    },
  };
  const checkpoints = new JobCheckpointing({
    ...{ env: new SimEnv({ seed: 1 }), graph, tasks: [TASK] },
    job: { jobId: "job", planHash: "h", planText: "{}" } as never,
    checkpoints: {
      store: store as never,
      state: checkpointingStateOf({
        ...{ intervalMs: 10_000, minPauseMs: 0, timeoutMs: 600_000 },
        ...{ maxConcurrent: 1, tolerableFailures: 10, retained: 2 },
      }),
      restored: null,
      ...{ onCompleted: () => undefined, onFailed: () => undefined },
    },
    ...{ commitRetries: 1, slotOf: () => 0, isUp: () => world.isUp },
    ...{ postAll: () => undefined, commit: (commit: CommitTry) => world.commits.push(commit) },
    ...{ onLastPrepared: onLast, onStopped: never, fail: never },
  });
  checkpoints.start();
  /** The task acknowledges the checkpoint, with something to commit. */
  const acknowledge = (id: number): void => {
    const said = { checkpoint: id as CheckpointId, task: TASK.id };
    checkpoints.onReport({ kind: "coordinated", checkpoint: said.checkpoint, vertex: 0, uid: "in", state: null });
    checkpoints.onReport({ kind: "checkpointTaken", ...said, prepared: [{ sink: "out", committables: [id] }] });
    checkpoints.onReport({
      ...{ kind: "checkpointAcknowledged", ...said, written: { states: [], files: [] } },
      timing: { alignment: 0, sync: 0, async: 0 },
    });
  };
  const stored = async (): Promise<void> => {
    await new Promise(setImmediate); // It has come to the store by then.
    for (const each of storing.splice(0)) each();
    await new Promise(setImmediate);
  };
  return { checkpoints, world, metadata, acknowledge, stored };
}

const ENDS = {
  "the job is over": (checkpoints: JobCheckpointing) => checkpoints.end(),
  "tasks have failed": async (checkpoints: JobCheckpointing) => checkpoints.pause(new Set([TASK.id])),
};

for (const bounded of [false, true]) {
  const how = bounded ? "is that of a bounded job, which commits at its end" : "is given up: nobody commits it here";
  for (const [when, end] of Object.entries(ENDS)) {
    test(`a savepoint whose checkpoint is stored when ${when} ${how}`, async () => {
      const { checkpoints, world, acknowledge, stored } = await setUp(bounded);
      checkpoints.checkpoint();
      acknowledge(1);
      await stored();
      assert.equal(world.commits.length, bounded ? 0 : 1, "it is never acknowledged");
      let became = "waits";
      checkpoints.take().then(
        () => {
          became = "taken";
        },
        ({ code }) => {
          became = code;
        },
      );
      acknowledge(2);
      world.isUp = false;
      const ended = end(checkpoints);
      await stored();
      await ended;
      assert.equal(became, bounded ? "taken" : "SAVEPOINT_ABORTED");
      assert.equal(world.released, bounded ? 0 : 1, "who has it lets go of it");
    });
  }
}

test("a job that was drained says so in each checkpoint that it takes at its end, and in none before", async () => {
  const { checkpoints, metadata, acknowledge, stored } = await setUp(false, () => undefined);
  checkpoints.drain();
  checkpoints.checkpoint();
  acknowledge(1);
  checkpoints.prepared({ slot: 0, task: TASK.id, sinks: [{ sink: "out", committables: ["last"] }] }, true);
  const coordinated = (id: number): void =>
    checkpoints.onReport({ kind: "coordinated", checkpoint: id as CheckpointId, vertex: 0, uid: "in", state: null });
  await stored();
  coordinated(2);
  await stored();
  void checkpoints.take().catch(() => undefined); // What the last one shows is not all committed.
  coordinated(3);
  await stored();
  assert.deepEqual(
    metadata.map(({ id, drained }) => [id, drained === true]),
    [
      [1, false],
      [2, true],
      [3, true],
    ],
  );
});
