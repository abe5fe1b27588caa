// User code that misbehaves in a job that was started from code: it never ends the program, which is this test.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { type EngineError, start } from "../../src/client/index.ts";
import type numbers from "./fixtures/client/numbers.job.ts";

const NUMBERS = new URL("./fixtures/client/numbers.job.ts", import.meta.url);
const FAULTY_BUILDER = new URL("./fixtures/client/builder-faults.job.ts", import.meta.url);
const FAULTY_SLOT = new URL("./fixtures/faults/faults.job.ts", import.meta.url);
/** Little enough that a leak is over it soon. */
const MEMORY = { "taskmanager.memory.flink.size": "800mb" };

const scratch = mkdtempSync(join(tmpdir(), "millrace-client-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

async function codeOf(failing: Promise<unknown>): Promise<string> {
  const error: unknown = await failing.then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error, "it did not fail");
  return (error as EngineError).code;
}

async function count(rows: AsyncIterable<unknown>): Promise<number> {
  let read = 0;
  for await (const _ of rows) read += 1;
  return read;
}

describe("a job that was started from code", () => {
  test("cannot start itself while its file is loaded, which would go on without end", async () => {
    const starting = start(new URL("./fixtures/client/self-start.job.ts", import.meta.url));
    await assert.rejects(starting, {
      code: "START_WHILE_LOADING",
      location: { file: "test/integration/fixtures/client/self-start.job.ts", line: 7, column: 7 },
    });
  });

  test("runs beside others, each with its own memory: one that keeps too much ends alone", async () => {
    const well = await Promise.all(
      [1, 2, 3].map((n) => {
        const params = { count: n * 1_000 };
        return start<typeof numbers>(NUMBERS, { params, config: MEMORY, parallelism: 2, print: () => undefined });
      }),
    );
    const out = join(scratch, "leak");
    const params = { fault: "leak", endless: "true", out };
    const ill = await start(FAULTY_SLOT, { params, parallelism: 2, config: MEMORY, log: () => undefined });
    assert.equal(await codeOf(ill.result), "SLOT_OUT_OF_MEMORY");
    for (const [index, running] of well.entries()) {
      const [rows] = await Promise.all([count(running.rows("all")), count(running.rows("even"))]);
      assert.equal(rows, (index + 1) * 1_000);
      assert.equal((await running.result).outcome, "finished");
    }
  });

  for (const [fault, code] of [
    ["exit", "FUNCTION_EXITED"],
    ["loop", "FUNCTION_NEVER_RETURNED"],
    ["reject", "FUNCTION_THREW_LATE"],
    ["late", "FUNCTION_THREW_LATE"],
    ["builder", "FUNCTION_NEVER_RETURNED"],
    ["buffers", "SLOT_OUT_OF_MEMORY"],
  ] as const) {
    test(`whose code misbehaves in a slot (${fault}) fails with ${code}, and the program goes on`, async () => {
      const hangs = code === "FUNCTION_NEVER_RETURNED" && { "millrace.task.watchdog-timeout": "5s" };
      const params = {
        fault,
        endless: code === "FUNCTION_NEVER_RETURNED" || fault === "late",
        out: join(scratch, fault),
      };
      const starting = start(FAULTY_SLOT, {
        params,
        parallelism: 2,
        config: { ...MEMORY, ...hangs },
        log: () => undefined,
      });
      assert.equal(await codeOf(starting.then((running) => running.result)), code);
    });
  }
});

describe("a job whose module or builder misbehaves", () => {
  const LINES = readFileSync(FAULTY_BUILDER, "utf8").split("\n");

  async function refused(fault: string, config = {}): Promise<EngineError> {
    process.env.BUILDER_FAULT = fault;
    try {
      await start(FAULTY_BUILDER, { config, log: () => undefined });
    } catch (error) {
      return error as EngineError;
    } finally {
      delete process.env.BUILDER_FAULT;
    }
    return assert.fail("it was started");
  }

  for (const [fault, code] of [
    ["module-throws", "MODULE_THREW"],
    ["module-exits", "FUNCTION_EXITED"],
    ["module-waits", "MODULE_NEVER_LOADED"],
    ["throws", "JOB_BUILDER_THREW"],
    ["exits", "FUNCTION_EXITED"],
    ["loops", "FUNCTION_NEVER_RETURNED"],
    ["keeps", "JOB_BUILDER_OUT_OF_MEMORY"],
    ["buffers", "JOB_BUILDER_OUT_OF_MEMORY"],
  ] as const) {
    test(`(${fault}) is refused with ${code} and the line, and the program goes on`, async () => {
      const error = await refused(fault, fault === "loops" ? { "millrace.task.watchdog-timeout": "5s" } : {});
      assert.equal(error.code, code, error.stack);
      const marked = LINES.findIndex((line) => line.includes(`// fault: ${fault}`)) + 1;
      assert.equal(error.location?.line, marked, `${error.message} ${error.stack}`);
    });
  }

  test("leaves a timer behind, and is started all the same; a promise that is rejected fails the job with its line", async () => {
    process.env.BUILDER_FAULT = "late";
    assert.equal((await (await start(FAULTY_BUILDER)).result).outcome, "finished");
    process.env.BUILDER_FAULT = "rejects";
    const line = LINES.findIndex((text) => text.includes('fault === "rejects"')) + 1;
    await assert.rejects(
      start(FAULTY_BUILDER).then(({ result }) => result),
      (error: EngineError) => error.code === "FUNCTION_THREW_LATE" && error.location?.line === line,
    );
    delete process.env.BUILDER_FAULT;
  });
});
