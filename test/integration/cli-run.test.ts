// `millrace run`: results, summary, exit codes, interrupts, closed streams.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { CliProcess, FIXTURES, millrace } from "./cli-process.ts";

type Metrics = Readonly<Record<string, unknown>>;

type MetricsJson = {
  readonly operators: readonly { readonly uid: string; readonly metrics: Metrics }[];
  readonly tasks: readonly { readonly metrics: Metrics }[];
  readonly taskManager: { readonly metrics: Metrics };
};

const MODES = [[], ["--local"]];
const modeName = (mode: readonly string[]): string => (mode.length === 0 ? "in slot threads" : "in one thread");

test("explain and memory explain show a job as run would have it, also with --local", async () => {
  const plan = await millrace(["explain", "rows.job.ts", "--param", "count=5", "--local"]);
  assert.equal(plan.code, 0, plan.stderr);
  assert.match(plan.stdout, /\nneeds 1 slot: /);
  assert.match(plan.stderr, /^next {3}npx millrace run rows\.job\.ts --param count=5 --local\n$/);
  for (const [options, slots] of [[["--local"], 1] as const, [["--parallelism", "3"], 3] as const]) {
    const memory = await millrace(["memory", "explain", "rows.job.ts", "--param", "count=5", ...options]);
    assert.equal(memory.code, 0, memory.stderr);
    assert.match(memory.stdout, new RegExp(`\nslot heap .*\n +derived: task heap .* ÷ ${slots}\n`));
  }
});

test("parameters for a job that memory explain was not given are refused", async () => {
  const { code, stdout, stderr } = await millrace(["memory", "explain", "--param", "count=5"]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /^✗ CLI_ARGUMENT_MISSING {2}millrace memory explain needs job\.ts to give --param to\n {2}fix/);
});

describe("a standard output that takes nothing", { skip: !existsSync("/dev/full"), concurrency: 2 }, () => {
  const runs: readonly [args: string, summary: RegExp][] = [
    ["run rows.job.ts --param count=5", /\n✗ rows failed after/],
    ["run endless.job.ts --local", /\n✗ endless failed after/],
    ["run rows.job.ts --param count=5 --json --local", /✓ rows finished after/],
    ["config show --json", /^✗/m],
    ["run --help", /^✗/m],
  ];
  for (const [args, summary] of runs) {
    test(`fails millrace ${args}`, async () => {
      const { code, stderr } = await ontoFullDisk(args.split(" "));
      assert.equal(code, 1, stderr);
      assert.equal(stderr.match(/^✗ OUTPUT_FAILED {2}standard output cannot be written: ENOSPC/gm)?.length, 1, stderr);
      assert.match(stderr, summary);
    });
  }
});

describe("millrace run", { concurrency: 2 }, () => {
  for (const mode of MODES) {
    test(`rows go to standard output, all else to standard error, ${modeName(mode)}`, async () => {
      const { code, stdout, stderr } = await millrace(["run", "rows.job.ts", "--param", "count=5", ...mode]);
      assert.equal(code, 0, stderr);
      assert.deepEqual([...stdout.matchAll(/double: (\d)/g)].map(([, value]) => value).sort(), ["4", "6", "8"]);
      assert.equal(stdout.trim().split("\n").length, 3);
      assert.match(stderr, /^✓ rows finished after .*\n {2}rows {3}5 in, 3 out\n {2}speed/);
      assert.match(stderr, /\n {2}next {3}npx millrace explain rows\.job\.ts --param count=5\n$/);
    });

    test(`a function that throws fails the job at the user's line, ${modeName(mode)}`, async () => {
      const { code, stderr } = await millrace(["run", "throws.job.ts", ...mode]);
      assert.equal(code, 1);
      assert.match(stderr, /^✗ USER_FUNCTION_THREW {2}map "map" threw RangeError: five is right out on the record/);
      assert.match(
        stderr,
        / throws\.job\.ts:4:23\n {3}3 │ function check.*\n ▸ 4 │ {3}if \(id === 5\) throw new RangeError/,
      );
      assert.match(stderr, /\n {3}called from throws\.job\.ts:14:\d+\n {2}fix {2}/);
      assert.match(stderr, /✗ throws failed/);
    });

    test(`--json puts one object on standard output, printed rows on standard error, ${modeName(mode)}`, async () => {
      const { code, stdout, stderr } = await millrace(["run", "rows.job.ts", "--param", "count=5", "--json", ...mode]);
      assert.equal(code, 0, stderr);
      const summary = JSON.parse(stdout) as Record<string, unknown>;
      const { version, job, outcome, errors, rows } = summary;
      assert.deepEqual({ version, job, outcome, errors }, { version: 1, job: "rows", outcome: "finished", errors: [] });
      assert.deepEqual(rows, { in: 5, out: 3, late: 0, invalid: 0, skipped: 0 });
      assert.match(stderr, /double: 8/);
      const operators = summary.operators as { uid: string; metrics: Record<string, number> }[];
      assert.deepEqual(
        operators.map(({ uid, metrics }) => [uid, metrics.numRecordsOut]),
        [
          ["rows", 5],
          ["rows/filter", 3],
          ["rows/map", 3],
          ["out", 3],
        ],
      );
      assert.ok((summary.tasks as unknown[]).length > 0);
    });

    test(`--json has the metrics of operators, tasks and pools, also those of users, ${modeName(mode)}`, async () => {
      const { code, stdout, stderr } = await millrace([
        "run",
        "metrics.job.ts",
        "--json",
        "--parallelism",
        "2",
        ...mode,
      ]);
      assert.equal(code, 0, stderr);
      const { operators, tasks, taskManager } = JSON.parse(stdout) as MetricsJson;
      const ofOperator = (uid: string): Metrics => operators.find((each) => each.uid === uid)?.metrics ?? {};
      assertGuard(ofOperator("guard"));
      const { numRecordsIn, numRecordsOut } = ofOperator("odd");
      assert.deepEqual([numRecordsIn, numRecordsOut], [500, 500]);
      for (const { metrics } of tasks) assertTimes(metrics);
      for (const name of ["numBytesOut", "numBytesIn"])
        assert.ok(tasks.some(({ metrics }) => Number(metrics[name]) > 0));
      const pools = taskManager.metrics;
      assert.equal(pools["Status.Network.AvailableMemorySegments"], pools["Status.Network.TotalMemorySegments"]);
      for (const name of ["Status.Network.PeakMemorySegments", "Status.Flink.Memory.Managed.Total"])
        assert.ok(Number(pools[name]) > 0, name);
    });

    test(`an interrupt stops an endless job in good order with 130, ${modeName(mode)}`, async () => {
      const run = new CliProcess(["run", "endless.job.ts", "--parallelism", "1", ...mode]);
      await run.printed("id: 20");
      run.child.kill("SIGINT");
      const { code, stderr } = await run.ended;
      assert.equal(code, 130);
      assert.match(stderr, /interrupted: stopping the job.*\n■ endless stopped/);
    });

    test(`a reader that goes away stops the job without a stack, ${modeName(mode)}`, async () => {
      const run = new CliProcess(["run", "endless.job.ts", ...mode]);
      await run.printed("id: 20");
      run.child.stdout?.destroy();
      const { code, stderr } = await run.ended;
      assert.equal(code, 130);
      assert.match(stderr, /nobody reads standard output any more/);
      assert.doesNotMatch(stderr, /EPIPE|node:|^\s+at /m);
    });
  }

  test("a second interrupt ends a job that does not stop, at once", async () => {
    const run = new CliProcess(["run", "stuck-at-end.job.ts", "--parallelism", "1"]);
    await run.printed("open");
    run.child.kill("SIGINT");
    await waitFor(() => run.stderr.includes("stopping the job"));
    assert.equal(run.child.exitCode, null);
    // One that comes at once passes for the same one by another way: then it takes another.
    await interruptUntilEnded(run);
    assert.equal((await run.ended).code, 130);
  });

  test("in one thread a function that does not return is ended by a second interrupt, or by one that comes later", async () => {
    const run = new CliProcess(["run", "spins.job.ts", "--local"]);
    await waitFor(() => run.stderr.includes("spinning"));
    await interruptUntilEnded(run);
    assert.equal(run.child.signalCode, "SIGINT", run.stderr);
    assert.doesNotMatch(run.stderr, /FUNCTION_NEVER_RETURNED/);
  });

  test("SIGTERM stops as an interrupt does, and bundles are gone however a run ends", async () => {
    const run = new CliProcess(["run", "endless.job.ts", "--parallelism", "1"], { environment: { TMPDIR: tmpdir() } });
    const bundles = () => readdirSync(tmpdir()).filter((name) => name.startsWith(`millrace-${run.child.pid}-`));
    await run.printed("id: 5");
    assert.equal(bundles().length, 1);
    run.child.kill("SIGTERM");
    assert.equal((await run.ended).code, 130);
    assert.deepEqual(bundles(), []);
  });

  test("what the job writes to its console is no data", async () => {
    const { code, stdout, stderr } = await millrace(["run", "chatty.job.ts", "--json", "--parallelism", "1"]);
    assert.equal(code, 0, stderr);
    assert.doesNotThrow(() => JSON.parse(stdout));
    for (const place of ["module", "builder", "function"])
      assert.match(stderr, new RegExp(`^hello from the ${place}$`, "m"));
  });

  test("colours are for terminals: none of it reaches a pipe", async () => {
    const { stdout, stderr } = await millrace(["run", "throws.job.ts", "--local"], {
      environment: { FORCE_COLOR: "1" },
    });
    assert.doesNotMatch(stdout + stderr, /\x1b/);
  });

  test("--parallelism sets what operators do not say themselves", async () => {
    const { stdout } = await millrace(["run", "rows.job.ts", "--param", "count=5", "--parallelism", "3", "--json"]);
    const { operators } = JSON.parse(stdout) as { operators: { parallelism: number }[] };
    assert.deepEqual(new Set(operators.map(({ parallelism }) => parallelism)), new Set([3]));
  });
});

async function ontoFullDisk(args: readonly string[]): Promise<{ readonly code: number; readonly stderr: string }> {
  const full = openSync("/dev/full", "w");
  const child = spawn(process.execPath, [resolve(import.meta.dirname, "../../bin/millrace.js"), ...args], {
    cwd: FIXTURES,
    stdio: ["ignore", full, "pipe"],
  });
  closeSync(full);
  const [stderr, [code]] = await Promise.all([text(child.stderr ?? assert.fail()), once(child, "close")]);
  return { code: code as number, stderr };
}

/** Of the process function of metrics.job.ts: the engine's metrics and its own. */
function assertGuard(metrics: Metrics): void {
  const { numRecordsIn, numRecordsOut, checked, logins, second, lastAt, currentInputWatermark } = metrics;
  assert.deepEqual([numRecordsIn, numRecordsOut, metrics["numRecordsOut.odd"], checked], [1_000, 500, 500, 1_000]);
  assert.ok(Number(metrics.numRecordsOutPerSecond) > 0);
  assert.equal((logins as Record<string, number>).count, 1_000);
  assert.ok(Number((logins as Record<string, number>).perSecond) > 0);
  assert.equal(typeof (lastAt as Record<string, number>).max, "number");
  // At the end of the input event time comes to the last record's, 99,900: no longer to 1 ms before it.
  assert.ok(Number((currentInputWatermark as Record<string, number>).max) <= 99_900);
  const { count, min, max, mean, p50, p95, p99 } = second as Record<string, number>;
  assert.deepEqual([count, min, max, Math.round(Number(mean))], [1_000, 0, 99.9, 50]);
  for (const [quantile, exact] of [
    [p50, 50],
    [p95, 95],
    [p99, 99],
  ] as const)
    assert.ok(Math.abs(Number(quantile) - exact) < 0.08 * exact, `${quantile}, not ${exact}`);
}

function assertTimes(metrics: Metrics): void {
  for (const name of ["busyTimeMsPerSecond", "idleTimeMsPerSecond", "backPressuredTimeMsPerSecond"]) {
    const value = Number(metrics[name]);
    assert.ok(value >= 0 && value <= 1_000, `${name} ${value}`);
  }
  assert.ok("inPoolUsage" in metrics || "outPoolUsage" in metrics);
}

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Interrupts again and again, as somebody impatient does. */
async function interruptUntilEnded(run: CliProcess): Promise<void> {
  let isOver = false;
  const ended = run.ended.then(() => {
    isOver = true;
  });
  while (!isOver) {
    run.child.kill("SIGINT");
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 400))]);
  }
}
