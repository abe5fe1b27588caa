// Jobs with checkpoints, started from code in this very process: what they restore, count and say.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { EngineError } from "../../src/base/errors.ts";
import { type RunningJob, type StartOptions, start } from "../../src/client/index.ts";
import type durable from "./fixtures/client/durable.job.ts";
import type hangs from "./fixtures/client/hangs.job.ts";

const DURABLE = new URL("./fixtures/client/durable.job.ts", import.meta.url);
const HANGS = new URL("./fixtures/client/hangs.job.ts", import.meta.url);

type Given = Partial<StartOptions<typeof durable>>;

function setUp(context: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "millrace-durable-"));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  const [out, flag, directory] = [join(root, "out"), join(root, "flag"), join(root, "checkpoints")];
  const lines: string[] = [];
  const config = {
    "execution.checkpointing.dir": directory,
    "execution.checkpointing.interval": "50ms",
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.delay": "10ms",
  };
  const run = ({ params = {}, ...options }: Given = {}): Promise<RunningJob> =>
    start<typeof durable>(DURABLE, {
      ...{ parallelism: 2, config, log: (line: string) => lines.push(line) },
      ...options,
      params: { out, flag, ...params },
    });
  return { root, out, flag, directory, lines, config, run };
}

/** Polls until the metrics of the job as a whole are as wanted. */
async function until(
  running: RunningJob,
  wanted: (metrics: Readonly<Record<string, number>>) => boolean,
): Promise<Readonly<Record<string, number>>> {
  for (;;) {
    const { jobManager } = await running.metrics();
    if (wanted(jobManager)) return jobManager;
    await delay(5);
  }
}

/** Numbers in the parts of a sink's directory, sorted. */
function numbersIn(directory: string, ending = ""): number[] {
  const isPart = (name: string): boolean => name.startsWith("part-") && name.endsWith(ending);
  const parts = existsSync(directory) ? readdirSync(directory).filter(isPart) : [];
  const lines = parts.flatMap((part) => readFileSync(join(directory, part), "utf8").trimEnd().split("\n"));
  return lines.map((line) => (JSON.parse(line) as { n: number }).n).sort((left, right) => left - right);
}

/** Each of the two subtasks of the source counts for itself, and is stopped where it is. */
function assertEachOnce(numbers: readonly number[]): void {
  for (const subtask of [0, 1]) {
    const own = numbers.filter((n) => n % 2 === subtask);
    assert.deepEqual(
      own,
      own.map((_, index) => 2 * index + subtask),
    );
  }
}

/** There only once it is whole: the job looks for it at each record. */
function raise(flag: string, how = ""): void {
  writeFileSync(`${flag}.new`, how);
  renameSync(`${flag}.new`, flag);
}

test("a job from code goes on from its newest checkpoint when it is started again, and says so", async (context) => {
  const { run, out, lines } = setUp(context);
  {
    await using first = await run();
    await until(first, ({ numberOfCompletedCheckpoints: completed = 0 }) => completed >= 2);
  }
  assert.match(lines[0] ?? "", /^begins anew: there is no checkpoint in .* yet$/);
  lines.length = 0;
  const again = await run();
  const { lastRestoredCheckpointId } = await until(
    again,
    ({ numberOfCompletedCheckpoints }) => numberOfCompletedCheckpoints! >= 1,
  );
  await again.stop();
  const says = new RegExp(
    `^goes on from checkpoint ${lastRestoredCheckpointId}, taken .* ago \\(\\d.* B, parallelism 2\\)$`,
  );
  assert.match(lines[0] ?? "", says);
  const numbers = numbersIn(out);
  assertEachOnce(numbers);
});

test("after a failure it goes on by itself; metrics count restarts and checkpoints, and records of the last attempt", async (context) => {
  const { run, out, flag, lines } = setUp(context);
  await using running = await run();
  const before = await until(running, ({ numberOfCompletedCheckpoints: completed = 0 }) => completed >= 1);
  assert.equal(before.numRestarts, 0);
  assert.equal(before.lastCheckpointRestoreTimestamp, undefined);
  assert.ok(before.lastCheckpointDuration! >= 0 && before.lastCheckpointSize! > 0, JSON.stringify(before));
  raise(flag);
  const after = await until(running, ({ numRestarts, uptime }) => numRestarts === 1 && uptime! > 0);
  assert.ok(after.lastCheckpointRestoreTimestamp! > before.lastCheckpointCompletedTimestamp!);
  await until(running, ({ lastCompletedCheckpointId: id }) => id! > after.lastCompletedCheckpointId!);
  const { metrics } = await running.stop();
  const numbers = numbersIn(out);
  assertEachOnce(numbers);
  // Names of parts end with the number of the attempt that wrote them.
  assert.equal(metrics.operators.files?.numRecordsOut, numbersIn(out, "-1.jsonl").length);
  const [, failed, recovered] = lines;
  assert.match(
    failed ?? "",
    /^attempt 1 failed {2}USER_FUNCTION_THREW {2}.*the flag is there.* \S+durable\.job\.ts:3\d:\d+\n {2}in "numbers -> map -> files \(\d\/2\)", slot \d; starts again in 10ms$/,
  );
  const took = "took .*: .* until attempt 1 had ended, .* to wait, .* to find the checkpoint, .* to deploy and restore";
  assert.match(
    recovered ?? "",
    new RegExp(
      `^attempt 2 runs from checkpoint ${after.lastRestoredCheckpointId}, taken .*\n  all of it, in the threads that there were\n  ${took}$`,
    ),
  );
  const { entries, truncated } = await running.exceptions();
  assert.deepEqual([entries.length, truncated], [1, false]);
  const { count, attempt, tasks, slot, error } = entries[0]!;
  assert.deepEqual([count, attempt, tasks.length, error.code], [1, 0, 1, "USER_FUNCTION_THREW"]);
  assert.match(
    `${tasks[0]?.name} ${slot} ${error.location?.file}`,
    /^numbers -> map -> files \(\d\/2\) \d .*durable\.job\.ts$/,
  );
});

for (const how of ["exits", "hangs", "throws in a timer"]) {
  test(`a job whose code ${how} goes on in another thread, and writes each record once`, async (context) => {
    const { run, out, flag, lines, config } = setUp(context);
    await using running = await run({ config: { ...config, "millrace.task.watchdog-timeout": "2s" } });
    await until(running, ({ numberOfCompletedCheckpoints: completed = 0 }) => completed >= 1);
    raise(flag, how);
    const after = await until(running, ({ numRestarts, uptime }) => numRestarts === 1 && uptime! > 0);
    await until(running, ({ lastCompletedCheckpointId: id }) => id! > after.lastCompletedCheckpointId!);
    await running.stop();
    assertEachOnce(numbersIn(out));
    assert.ok(
      lines.some((line) => /^attempt 2 runs .*\n {2}all of it, in (one|\d) new thread/.test(line)),
      lines.join("\n"),
    );
  });
}

test("a job whose sink hangs in its commit, as it prepares, and when it is restored, goes on each time", async (context) => {
  const { root, out, config } = setUp(context);
  const running = await start<typeof hangs>(HANGS, {
    parallelism: 2,
    config: {
      ...config,
      "millrace.task.watchdog-timeout": "1s",
      "restart-strategy.fixed-delay.attempts": "100",
    },
    params: { out, flags: root },
  });
  let hung = 0;
  for (const calls of [["commit"], ["open", "prepare"]]) {
    for (const call of calls) raise(join(root, call));
    hung += calls.length;
    const { lastCompletedCheckpointId: last } = await until(running, ({ numRestarts }) => numRestarts! >= hung);
    await until(running, ({ lastCompletedCheckpointId: id }) => id! > last!);
  }
  const { entries } = await running.exceptions();
  assert.ok(
    entries.every(({ error }) => error.code === "FUNCTION_NEVER_RETURNED"),
    JSON.stringify(entries),
  );
  await running.stop();
  assertEachOnce(numbersIn(out));
});

test("what keeps a job with checkpoints from starting is told at its place", async (context) => {
  const { run, directory, config } = setUp(context);
  const here = /client-checkpoints\.test\.ts$/;
  await using running = await run();
  await assert.rejects(
    run({ params: { out: join(directory, "../other") } }),
    ({ code, location }: { code: string; location: { file: string } }) => {
      assert.match(location.file, here);
      return code === "CHECKPOINT_DIR_LOCKED";
    },
  );
  await running.cancel();
  const { "execution.checkpointing.dir": _, ...none } = config;
  const code = "OPTION_WITHOUT_EFFECT";
  await assert.rejects(run({ config: none, fresh: true }), { code });
  await assert.rejects(run({ config: none, from: "old" }), { code, message: /^from of start has no effect/ });
  for (const key of ["execution.state-recovery.path", "millrace.state-recovery.job-name"]) {
    await assert.rejects(run({ config: { ...none, [key]: "old" } }), ({ code: of, message }: EngineError) => {
      assert.equal(message, `${key} (code) has no effect without checkpoints`);
      return of === code;
    });
  }
});

test("a single file goes on through failures, and is there at the end with each row once", async (context) => {
  const { run, out, flag } = setUp(context);
  const running = await run({ params: { single: true, count: 600 } });
  await until(running, ({ numberOfCompletedCheckpoints: completed = 0 }) => completed >= 2);
  raise(flag);
  await running.result;
  const lines = readFileSync(`${out}.jsonl`, "utf8").trimEnd().split("\n");
  const numbers = lines.map((line) => (JSON.parse(line) as { n: number }).n).sort((left, right) => left - right);
  assert.deepEqual(
    numbers,
    Array.from({ length: 600 }, (_, n) => n),
  );
});

test("fresh begins anew and keeps what there was aside", async (context) => {
  const { run, out, directory, lines } = setUp(context);
  {
    await using first = await run();
    await until(first, ({ numberOfCompletedCheckpoints: completed = 0 }) => completed >= 1);
  }
  lines.length = 0;
  rmSync(out, { recursive: true });
  const again = await run({ fresh: true });
  await until(again, ({ numberOfCompletedCheckpoints: completed = 0 }) => completed >= 1);
  await again.stop();
  assert.equal(lines[0], `the checkpoints there were are kept in ${join(directory, "aside-1")}`);
  assert.match(lines[1] ?? "", /^begins anew: /);
  assert.equal(numbersIn(out)[0], 0);
});

test("a job that reads what cannot be read again says so, and is not started again after a failure", async (context) => {
  const { run, flag, lines } = setUp(context);
  raise(flag);
  const running = await run({ params: { input: "/dev/null" } });
  await assert.rejects(running.result, { code: "USER_FUNCTION_THREW" });
  assert.match(lines[1] ?? "", /^"in" reads \/dev\/null, which cannot be read again: a failure ends the job/);
  assert.equal((await running.metrics()).jobManager.numRestarts, 0);
});
