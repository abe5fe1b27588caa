// Whatever user code does, it ends as one failed job with its cause, and nothing of the job is left: real threads, real
// limits.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { after, before as beforeAll, describe, test } from "node:test";
import { nodeEnv } from "../../src/base/env-node.ts";
import type { EngineError } from "../../src/base/errors.ts";
import { type EmbeddedJob, embeddedStart } from "../../src/client/embedded.ts";
import { jobPlan } from "../../src/client/job-plan.ts";
import { Configuration } from "../../src/config/configuration.ts";
import { nodeDisk } from "../../src/storage/node-disk.ts";
import type { SlotRunner } from "../../src/taskmanager/runner/slot-runner.ts";
import { threadSlotRunner } from "../../src/taskmanager/runner/slot-runner-node.ts";
import faults from "./fixtures/faults/faults.job.ts";

const MODULE = new URL("./fixtures/faults/faults.job.ts", import.meta.url);
const LINES = readFileSync(MODULE, "utf8").split("\n");

const KILLED: readonly string[] = ["FUNCTION_NEVER_RETURNED", "SLOT_OUT_OF_MEMORY"];
const HANGS: readonly string[] = ["loop", "builder", "microtask"];

const scratch = mkdtempSync(join(tmpdir(), "millrace-faults-"));
let runs = 0;

beforeAll(warmUp);
after(() => rmSync(scratch, { recursive: true, force: true }));

async function start(
  fault: string,
  options: { readonly endless?: boolean; readonly runner?: SlotRunner } = {},
): Promise<EmbeddedJob> {
  runs += 1;
  const out = join(scratch, `run-${runs}`);
  const values = {
    "parallelism.default": 2,
    "taskmanager.memory.flink.size": "800mb",
    "millrace.memory.poison": true,
    "millrace.task.watchdog-timeout": HANGS.includes(fault) ? "5s" : "300s",
  };
  const configuration = new Configuration([{ origin: { kind: "command line" }, values }]);
  const params = { fault, endless: String(options.endless ?? false), out };
  return embeddedStart({
    env: nodeEnv(nodeDisk(), { logLevel: "error" }),
    planned: await jobPlan(faults, params, configuration),
    bundle: MODULE.href,
    params,
    configuration,
    runner: options.runner ?? threadSlotRunner(),
    checks: false,
    machineBytes: totalmem(),
    print: () => undefined,
    log: () => undefined,
  });
}

type Resources = { readonly threads: number; readonly files: readonly string[]; readonly handles: readonly string[] };

/** What this process holds, by the operating system's count and by Node's. */
function resources(): Resources {
  const threads = Number(/^Threads:\s+(\d+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
  const handles = process.getActiveResourcesInfo().filter((name) => name === "MessagePort" || name === "Timeout");
  return { threads, files: openFiles(), handles };
}

/** Of the jobs' sinks. */
function openFiles(): readonly string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(scratch) ? [path] : [];
    } catch {
      return []; // Closed meanwhile: the directory's own descriptor.
    }
  });
}

/** One job that ends well, so that what a process starts once and keeps (libuv's pool, the inspector) is there. */
async function warmUp(): Promise<void> {
  assert.equal((await (await start("none")).result).outcome, "finished");
  assert.equal((await (await start("loop", { endless: true })).result).outcome, "failed");
}

async function assertNothingLeft(run: EmbeddedJob, before: Resources, killed = false): Promise<void> {
  for (const pool of [run.taskManager.network, run.taskManager.managed]) {
    assert.deepEqual(pool.verify(), []);
    assert.equal(pool.stats().leased, 0, `${pool.name}: ${JSON.stringify(pool.report())}`);
  }
  // Node forgets a file whose opening had not been told to a thread when that was killed.
  const left = ({ threads, files, handles }: Resources): boolean =>
    threads > before.threads ||
    handles.length > before.handles.length ||
    (!killed && files.length > before.files.length);
  for (let wait = 0; wait < 3_000 && left(resources()); wait += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (left(resources())) assert.deepEqual(resources(), before);
}

/** Runs a faulty job and gives its error, once everything is checked that holds for all faults. */
async function failureOf(fault: string, options: { endless?: boolean } = {}): Promise<EngineError> {
  const before = resources();
  const run = await start(fault, options);
  const { outcome, error } = await run.result;
  assert.equal(outcome, "failed");
  assert.ok(error !== null);
  await assertNothingLeft(run, before, KILLED.includes(error.code));
  return error;
}

/**
 * The line with the mark when the thread was seen in user code, else the tasks that ran: a sample finds a thread where
 * it happens to be.
 */
function assertNames(error: EngineError, mark: string): void {
  if (!error.message.includes("running")) assertStackNames(error.stack, mark);
  else
    assert.match(
      error.message,
      /; (the task|these tasks were running:) "numbers -> map"(, "map -> rows"| was running)$/,
    );
}

/** The line of the fixture that a stack names must be the one that carries the mark. */
function assertStackNames(stack: string | undefined, mark: string): void {
  const lines = [...(stack ?? "").matchAll(/faults\.job\.ts:(\d+)/g)].map((match) => LINES[Number(match[1]) - 1]);
  assert.ok(
    lines.some((line) => line?.includes(`// fault: ${mark}`)),
    `no line of the fault in:\n${stack}`,
  );
}

const causeStack = (error: EngineError): string | undefined =>
  error.cause instanceof Error ? error.cause.stack : undefined;

describe("a slot whose user code", () => {
  test("throws fails its task with operator, record, cause and line", async () => {
    const error = await failureOf("throw");
    assert.equal(error.code, "USER_FUNCTION_THREW", error.message);
    assert.match(error.message, /user code gave up/);
    assert.match(error.message, /n: 5000/);
    assertStackNames(causeStack(error), "throw");
  });

  test("calls process.exit fails its task with the line, and the process goes on", async () => {
    const error = await failureOf("exit");
    assert.equal(error.code, "FUNCTION_EXITED", error.message);
    assertStackNames(error.stack, "exit");
  });

  for (const fault of ["memory", "arrays"]) {
    test(`allocates for ever (${fault}) ends alone, with the process's budget and the line in the error`, async () => {
      const error = await failureOf(fault);
      assert.equal(error.code, "SLOT_OUT_OF_MEMORY", error.message);
      assert.match(error.message, /GiB|MiB/);
      assert.match(error.fix ?? "", /taskmanager\.memory\.process\.size/);
      assertNames(error, fault);
    });
  }

  for (const fault of ["buffers", "buffer"]) {
    test(`keeps buffers outside its heap for ever (${fault}) ends alone, with the process's budget in the error`, async () => {
      const error = await failureOf(fault, { endless: true });
      assert.equal(error.code, "SLOT_OUT_OF_MEMORY", error.message);
      assert.match(error.message, /GiB|MiB/);
      assert.match(error.fix ?? "", /taskmanager\.memory\.process\.size/);
      assertNames(error, fault);
    });
  }

  test("keeps more and more from record to record ends alone, though a Map that doubles would end the process", async () => {
    const error = await failureOf("leak", { endless: true });
    assert.equal(error.code, "SLOT_OUT_OF_MEMORY", error.message);
    assert.match(error.message, /MiB/);
    assertNames(error, "leak");
  });

  test("never returns is stopped by the watchdog, with a sample of its stack", async () => {
    const error = await failureOf("loop", { endless: true });
    assert.equal(error.code, "FUNCTION_NEVER_RETURNED", error.message);
    assertNames(error, "loop");
  });

  for (const fault of ["builder", "microtask"]) {
    test(`never returns outside of its turns (${fault}) is stopped by the watchdog, too`, async () => {
      const error = await failureOf(fault, { endless: true });
      assert.equal(error.code, "FUNCTION_NEVER_RETURNED", error.message);
      assertStackNames(error.stack, fault);
    });
  }

  test("rejects a promise that nobody waits for fails with the cause and line", async () => {
    const error = await failureOf("reject", { endless: true });
    assert.equal(error.code, "FUNCTION_THREW_LATE", error.message);
    assertStackNames(causeStack(error), "reject");
  });

  test("throws in a timer of its own fails with the cause and line", async () => {
    const error = await failureOf("late", { endless: true });
    assert.equal(error.code, "FUNCTION_THREW_LATE", error.message);
    assertStackNames(causeStack(error), "late");
  });

  test("returns a promise where a value is due fails, and names the operator", async () => {
    const error = await failureOf("promise");
    assert.equal(error.code, "FUNCTION_RETURNED_PROMISE", error.message);
    assert.match(error.message, /map/);
  });

  test("does nothing wrong finishes, and leaves nothing behind either", async () => {
    const before = resources();
    const run = await start("none");
    assert.equal((await run.result).outcome, "finished");
    await assertNothingLeft(run, before);
  });
});

test("an endless job that is cancelled ends as cancelled and leaves nothing behind", async () => {
  const before = resources();
  const run = await start("none", { endless: true });
  await run.master.running();
  run.cancel();
  const { outcome, error } = await run.result;
  assert.equal(outcome, "cancelled", error?.message);
  await assertNothingLeft(run, before);
});

test("a job that has nothing to do sleeps: between two records a second apart its slots do not even look for work", async () => {
  const threads = threadSlotRunner();
  let progress: Int32Array = new Int32Array(0);
  const runner: SlotRunner = {
    keepReady: threads.keepReady,
    residentBytes: () => threads.residentBytes(),
    start(slot, onExit) {
      progress = new Int32Array(slot.progress);
      return threads.start(slot, onExit);
    },
  };
  const run = await start("idle", { endless: true, runner });
  await run.master.running();
  const looks = (): string => Array.from(progress, (_, slot) => Atomics.load(progress, slot)).join();
  // One that does not sleep looks again and again, and is never seen to stand still.
  for (let before = "", tries = 0; before !== looks(); tries += 1) {
    assert.ok(tries < 1_000, `still looking for work: ${looks()}`);
    before = looks();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(progress.length, 2);
  run.cancel();
  assert.equal((await run.result).outcome, "cancelled");
});
