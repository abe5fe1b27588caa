// `millrace savepoint`, `stop` and `cancel`: commands about a job that runs in another process.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { CliProcess, millrace } from "./cli-process.ts";

const JOB = "../savepoint/hours.job.ts";

test("a job is asked for a savepoint, stopped, drained and cancelled from outside; one that is gone is told", async (context) => {
  const root = mkdtempSync(join(tmpdir(), "millrace-asked-"));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  // Longer than a socket's path may be.
  const directory = join(root, "deep".repeat(30), "checkpoints");
  const savepoint = join(root, "savepoint");
  const command = ["run", JOB, "--local", "--checkpoint-dir", directory, "--param", `out=${root}/out`];
  const controls = (): string[] => readdirSync(directory).filter((name) => name.startsWith(".control-"));
  const started = async (...more: string[]): Promise<CliProcess> => {
    const run = new CliProcess([...command, "-D", "execution.checkpointing.interval=100ms", ...more]);
    context.after(() => run.child.kill("SIGKILL"));
    const isThere = (): boolean =>
      existsSync(join(directory, "latest")) && controls().some((name) => name.includes(`-${run.child.pid}-`));
    while (!isThere() && run.child.exitCode === null) await delay(5);
    assert.equal(run.child.exitCode, null, run.stderr);
    return run;
  };

  const missing = await millrace(["stop", "--run", join(root, "nowhere")]);
  assert.deepEqual(
    [missing.code, missing.stderr.split("\n")[0]],
    [2, `✗ CHECKPOINT_DIR_MISSING  there is no directory ${root}/nowhere`],
  );
  mkdirSync(join(root, "empty"));
  const none = await millrace(["cancel", "--run", join(root, "empty")]);
  assert.match(none.stderr, /^✗ RUN_MISSING {2}no job runs with the checkpoint directory /);
  assert.equal(none.code, 1);

  const first = await started();
  assert.equal(statSync(join(directory, controls()[0]!)).mode & 0o777, 0o600);
  const taken = await millrace(["savepoint", "--run", directory, savepoint]);
  assert.deepEqual([taken.code, taken.stdout], [0, `${savepoint}\n`], taken.stderr);
  assert.match(taken.stderr, /^the savepoint \(.*B, checkpoint \d+\) can be started from: {2}--from /);
  const again = await millrace(["savepoint", "--run", directory, savepoint]);
  assert.equal(again.code, 2);
  assert.match(again.stderr, /^✗ SAVEPOINT_TARGET_EXISTS {2}/);
  first.child.kill("SIGKILL");
  await first.ended;
  const gone = await millrace(["stop", "--run", directory]);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /^✗ RUN_GONE {2}process \d+ on .*, which has run "hours" with .* is gone\n {2}fix {2}/);

  const second = await started();
  assert.equal(controls().length, 1);
  const stopped = await millrace(["stop", "--run", directory, "--savepoint", "--json"]);
  const {
    job,
    outcome,
    savepoint: left,
  } = JSON.parse(stopped.stdout) as {
    job: string;
    outcome: string;
    savepoint: { path: string };
  };
  assert.deepEqual([stopped.code, job, outcome], [0, "hours", "stopped"], stopped.stderr);
  assert.ok(left.path.startsWith(`${directory}/savepoint-`));
  assert.equal((await second.ended).code, 0);
  assert.deepEqual(controls(), []);

  const third = await started("--from", left.path, "--fresh");
  const drained = await millrace(["stop", "--run", directory, "--drain"]);
  assert.deepEqual([drained.code, drained.stderr], [0, 'the job "hours" is drained\n']);
  assert.equal((await third.ended).code, 0);

  const fourth = await started("--from", savepoint, "--fresh");
  const cancelled = await millrace(["cancel", "--run", directory]);
  assert.deepEqual([cancelled.code, cancelled.stderr], [0, 'the job "hours" is cancelled\n']);
  const { code, stderr } = await fourth.ended;
  assert.equal(code, 0, stderr);

  const disposed = await millrace(["savepoint", "dispose", savepoint]);
  assert.equal(disposed.code, 0, disposed.stderr);
  assert.equal(existsSync(savepoint), false);
  const twice = await millrace(["savepoint", "dispose", join(directory, "aside-1")]);
  assert.match(twice.stderr, /^✗ SAVEPOINT_INVALID {2}.*aside-1 is no savepoint: it has no metadata\n/);
});
