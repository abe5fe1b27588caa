// A job that is killed to the call, and whose disk fails or is slow, commits exactly what an undisturbed run would
// have: by strace, from outside. `npm run chaos` has all of it happen at random.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { emittedIndices, metadataIn, newestId } from "../chaos/checkpoint-files.ts";
import { ledgerWrongs } from "../chaos/ledger-check.ts";
import { type DurableOptions, DurableRun } from "../chaos/recover-process.ts";
import { Strace, straceCommand, type Tampering } from "../chaos/strace.ts";
import {
  DISK_CALLS,
  diskPaths,
  FINISH_POINT,
  type JobPlace,
  KILL_POINTS,
  killAt,
  RESTORE_POINTS,
} from "../chaos/tamper-points.ts";

const scratch = mkdtempSync(join(tmpdir(), "millrace-calls-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const HAS_STRACE = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;
const RIGHT = { lost: 0, doubled: 0, corrupt: 0, outOfOrder: 0, examples: [] };
const LOG = join(scratch, "strace");

function place(name: string): JobPlace {
  const checkpoints = join(scratch, name, "checkpoints");
  mkdirSync(checkpoints, { recursive: true });
  return { checkpoints, out: join(scratch, name, "out") };
}

function endless(at: JobPlace, options: Partial<DurableOptions> = {}): DurableRun {
  const params = { out: at.out, rows: 0, rate: 2_000 };
  // State in files of its own.
  const more = ["-D", "execution.checkpointing.data-inline-threshold=0", "-D", TOLERANT];
  return new DurableRun("ledger.job.ts", { checkpoints: at.checkpoints, params, more, ...options });
}

const TOLERANT = "execution.checkpointing.tolerable-failed-checkpoints=1000000";

/** It goes on, and what it had read when it was stopped is what it has committed. */
async function assertWhole(at: JobPlace, job: DurableRun = endless(at)): Promise<void> {
  await job.checkpointed();
  const { code, stderr } = await job.terminate();
  assert.equal(code, 0, stderr);
  const ids = emittedIndices(metadataIn(at.checkpoints, newestId(at.checkpoints)!), "entries");
  assert.ok(ids.size > 0);
  assert.deepEqual(ledgerWrongs(at.out, { ids }), RIGHT);
}

/** Tampered with until it is over: files come and go, so that strace is told of them again and again. */
async function until(job: DurableRun, tampering: () => Tampering, isOver: (strace: Strace) => boolean): Promise<void> {
  for (let isDone = false; !isDone; ) {
    const strace = await Strace.attach(job.child.pid!, tampering(), LOG);
    for (let looks = 0; looks < 200 && !isDone; looks += 1) {
      await delay(10);
      isDone = isOver(strace);
    }
    await strace.detach();
  }
}

describe("a job whose system calls are tampered with", { skip: !HAS_STRACE }, () => {
  test("killed just before a call of a checkpoint, of its commit or of what is removed, goes on with nothing lost or doubled", async () => {
    const at = place("killed");
    for (const name of ["stateName", "metadataName", "pointerOpen", "directorySync", "commitName", "discard"]) {
      const point = KILL_POINTS[name]!;
      const job = endless(at);
      await job.checkpointed();
      await until(
        job,
        () => killAt(point, at),
        () => !job.isRunning,
      );
      assert.equal((await job.ended).code, null, job.stderr);
    }
    await assertWhole(at);
  });

  test("killed while it goes on from a checkpoint, goes on all the same", async () => {
    const at = place("restored");
    const first = endless(at);
    await first.checkpointed();
    await first.kill();
    for (const name of ["sweep", "state", "partOpen", "firstPointer"]) {
      const job = endless(at, { under: straceCommand(killAt(RESTORE_POINTS[name]!, at, "1"), LOG) });
      assert.equal((await job.ended).code, null, `${name}\n${job.stderr}`);
    }
    await assertWhole(at);
  });

  test("bounded, killed before its commit and before its checkpoints go: commits once", async () => {
    const at = place("bounded");
    const rows = 2_000;
    const run = (): DurableRun =>
      new DurableRun("ledger.job.ts", { checkpoints: at.checkpoints, params: { out: at.out, rows, rate: 1_000 } });
    for (const point of [KILL_POINTS.commitName!, KILL_POINTS.commitSync!, FINISH_POINT]) {
      const job = run();
      if (newestId(at.checkpoints) === null) await job.checkpointed();
      await until(
        job,
        () => killAt(point, at),
        () => !job.isRunning,
      );
      await job.ended;
    }
    const { code, stderr } = await run().ended;
    assert.equal(code, 0, stderr);
    const ids = Array.from({ length: rows }, (_, index) => index);
    assert.deepEqual(ledgerWrongs(at.out, { ids }), RIGHT);
  });

  test("each kind of call failing, and syncs that take long: goes on by itself once they do not", async () => {
    const at = place("failing");
    const job = endless(at);
    await job.checkpointed();
    const effects = Object.values(DISK_CALLS).map((calls) => ({ calls, effect: "error=EIO" }));
    for (const each of [...effects, { calls: "fsync", effect: "delay_enter=100000" }]) {
      await until(
        job,
        () => ({ ...each, paths: diskPaths(at), when: "1+" }),
        (strace) => strace.hits > 0,
      );
      await job.checkpointed();
    }
    await assertWhole(at, job);
  });
});
