// Jobs from code, in this very process: real threads and real bundles.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type EngineError, type RunningJob, type StartOptions, start } from "../../src/client/index.ts";
import type numbers from "./fixtures/client/numbers.job.ts";

const NUMBERS = new URL("./fixtures/client/numbers.job.ts", import.meta.url);

const scratch = mkdtempSync(join(tmpdir(), "millrace-client-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

function startNumbers(params: StartOptions<typeof numbers>["params"] = {}, options: StartOptions<typeof numbers> = {}) {
  return start<typeof numbers>(NUMBERS, { parallelism: 1, print: () => undefined, ...options, params });
}

async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const read: T[] = [];
  for await (const row of rows) read.push(row);
  return read;
}

/** Lines of the parts in a sink's directory. */
function rowsIn(directory: string): string[] {
  const parts = existsSync(directory) ? readdirSync(directory).filter((name) => name.startsWith("part-")) : [];
  return parts.flatMap((part) => readFileSync(join(directory, part), "utf8").trimEnd().split("\n"));
}

async function codeOf(failing: Promise<unknown>): Promise<string> {
  const error: unknown = await failing.then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error, "it did not fail");
  return (error as EngineError).code;
}

describe("rows of a job that was started from code", () => {
  test("come in order, with values and types as the job has them, until it has ended", async () => {
    await using running = await startNumbers({ count: 20_000, text: "å" });
    const texts: string[] = [];
    for await (const { n, text } of running.rows("all")) texts[n] = text;
    assert.deepEqual(texts, Array(20_000).fill("å"));
    assert.equal((await all(running.rows("even"))).filter((even) => even === true).length, 10_000);
    const { outcome, name, metrics } = await running.result;
    assert.deepEqual([outcome, name, metrics.rowsIn], ["finished", "numbers", 20_000]);
    assert.equal(metrics.operators.all?.numRecordsOut, 20_000);
  });

  test("of all subtasks come to one reader", async () => {
    await using running = await startNumbers({ count: 9_000 }, { parallelism: 3 });
    const [read, even] = await Promise.all([all(running.rows("all")), all(running.rows("even"))]);
    assert.deepEqual(
      read.map(({ n }) => n).sort((left, right) => left - right),
      Array.from({ length: 9_000 }, (_, n) => n),
    );
    assert.equal(even.length, 9_000);
  });

  test("wait for a reader who comes late, even when the job has long ended", async () => {
    await using running = await startNumbers({ count: 5 });
    await running.result;
    assert.deepEqual(
      (await all(running.rows("all"))).map(({ n }) => n),
      [0, 1, 2, 3, 4],
    );
    assert.deepEqual(await all(running.rows("all")), [], "each row is given once");
  });

  test("go on after a reader who has left, and are for one reader at a time", async () => {
    await using running = await startNumbers({ count: 10 });
    for await (const { n } of running.rows("all")) if (n === 3) break;
    const reader = running.rows("all");
    assert.equal((await reader.next()).value?.n, 4);
    assert.equal(await codeOf(running.rows("all").next()), "ROWS_BEING_READ");
    await reader.return?.();
    assert.deepEqual(await reader.next(), { done: true, value: undefined });
    assert.deepEqual(
      (await all(running.rows("all"))).map(({ n }) => n),
      [5, 6, 7, 8, 9],
    );
  });

  test("hold the source back while nobody reads on, and are all there in the end", async () => {
    const count = 200_000;
    const text = "x".repeat(200);
    await using running = await startNumbers({ count, text });
    const rows = running.rows("all");
    const even = all(running.rows("even"));
    assert.equal((await rows.next()).done, false);
    // It is at a standstill when nothing has come in for so many looks; a job that nothing holds back runs to its end.
    let taken = -1;
    for (let still = 0; still < 10; await delay(50)) {
      const { rowsIn } = await running.metrics();
      still = rowsIn === taken ? still + 1 : 0;
      taken = rowsIn;
    }
    assert.ok(taken < count / 10, `${taken} of ${count} rows were made for a reader who has read one`);
    assert.equal((await all(rows)).length, count - 1);
    assert.equal((await even).length, count);
  });

  test("of a sink that there is not, or that gives none, are refused with those that there are", async () => {
    await using running = await startNumbers();
    const rows = (uid: string) => () => (running as RunningJob).rows(uid);
    assert.throws(rows("al"), { code: "ROWS_SINK_UNKNOWN", fix: 'did you mean "all"?' });
    assert.throws(rows("elsewhere"), { code: "ROWS_SINK_UNKNOWN", fix: /: "all", "even"$/ });
    assert.throws(rows("shown"), { code: "ROWS_SINK_UNKNOWN", message: /"shown" gives no rows/, fix: /rows\(\)/ });
    assert.throws(rows("numbers"), { code: "ROWS_SINK_UNKNOWN", message: /no sink "numbers"/ });
  });

  test("end with the job's error when it fails in the middle, for every reader", async () => {
    await using running = await startNumbers({ count: 100_000, failAt: 50_000 });
    let read = 0;
    const reading = (async () => {
      for await (const _ of running.rows("all")) read += 1;
    })();
    const even = all(running.rows("even"));
    assert.equal(await codeOf(reading), "USER_FUNCTION_THREW");
    assert.ok(read > 0 && read <= 50_000, `${read}`);
    assert.equal(await codeOf(even), "USER_FUNCTION_THREW");
    assert.equal(await codeOf(running.rows("all").next()), "USER_FUNCTION_THREW");
  });
});

describe("a job that was started from code", () => {
  test("rejects its result with the error, its place in the user's file and the operator", async () => {
    await using running = await startNumbers({ failAt: 2 });
    const error = await running.result.then(
      () => assert.fail("it did not fail"),
      (reason: EngineError) => reason,
    );
    assert.equal(error.code, "USER_FUNCTION_THREW");
    const line = readFileSync(NUMBERS, "utf8").split("\n")[(error.location?.line ?? 0) - 1];
    assert.match(line ?? "", /fault: row/);
    assert.match(error.location?.file ?? "", /fixtures\/client\/numbers\.job\.ts$/);
    assert.ok(error.cause instanceof Error);
    assert.match(error.cause.stack ?? "", /this one is not to be[\s\S]*numbers\.job\.ts:\d+/);
  });

  test("whose failure nobody asks for does not end the program, and is logged", async () => {
    const logged: string[] = [];
    const running = await startNumbers({ failAt: 2 }, { log: (text) => logged.push(text) });
    for (let looks = 0; logged.length === 0; looks += 1) {
      assert.ok(looks < 3_000, "nothing was logged");
      await delay(20);
    }
    assert.match(logged.join("\n"), /job numbers failed: USER_FUNCTION_THREW/);
    await running.cancel();
    assert.equal(await codeOf(running.result), "USER_FUNCTION_THREW");
  });

  test("shows a program what print() prints", async () => {
    const printed: string[] = [];
    await using running = await startNumbers({}, { print: (lines) => printed.push(lines) });
    await running.result;
    assert.equal(printed.length, 3);
    assert.match(printed[0] ?? "", /^shown {2}\{ n: 0/);
  });

  test("can be stopped: what an endless one has written stands", async () => {
    const out = join(scratch, "stopped");
    await using running = await startNumbers({ endless: true, out });
    const even = all(running.rows("even"));
    const rows = running.rows("all");
    for (let read = 0; read < 100; read += 1) await rows.next();
    const rest = all(rows);
    const { outcome } = await running.stop();
    assert.equal(outcome, "stopped");
    const lines = rowsIn(out);
    assert.equal(lines.length, 100 + (await rest).length, "rows that were read and rows in files");
    assert.equal((await even).length, lines.length);
  });

  test("can be cancelled: nothing stands, and readers come to an end", async () => {
    const out = join(scratch, "cancelled");
    const running = await startNumbers({ endless: true, out });
    const rows = running.rows("all");
    for (let read = 0; read < 100; read += 1) await rows.next();
    const rest = all(rows);
    await running.cancel();
    assert.equal((await running.result).outcome, "cancelled");
    await rest;
    assert.deepEqual(rowsIn(out), []);
    await running.cancel();
  });

  test("that is bounded is cancelled by stop: half of it is nothing", async () => {
    const out = join(scratch, "half");
    await using running = await startNumbers({ count: 1_000_000, out });
    await running.rows("all").next();
    assert.equal((await running.stop()).outcome, "cancelled");
    assert.deepEqual(rowsIn(out), []);
  });

  test("ends with the block that holds it, and with its signal", async () => {
    const signal = new AbortController();
    let result: Promise<{ outcome: string }>;
    {
      await using running = await startNumbers({ endless: true });
      result = running.result;
    }
    assert.equal((await result).outcome, "cancelled");
    const running = await startNumbers({ endless: true }, { signal: signal.signal });
    signal.abort(new Error("enough"));
    assert.equal((await running.result).outcome, "cancelled");
    await assert.rejects(startNumbers({}, { signal: signal.signal }), /enough/);
    const late = new AbortController();
    const starting = startNumbers({ endless: true }, { signal: late.signal });
    late.abort(new Error("too late"));
    await assert.rejects(starting, /too late/);
  });

  test("does not touch the process: no listener, no variable, no thread is left", async () => {
    const listeners = () => process.eventNames().map((name) => [String(name), process.listenerCount(name)]);
    const before = listeners();
    const { exit } = process;
    const { console } = globalThis;
    const running = await startNumbers({ count: 100 });
    const during = listeners().filter(([name]) => name !== "exit");
    assert.deepEqual(
      during,
      before.filter(([name]) => name !== "exit"),
    );
    assert.ok(process.exit === exit && globalThis.console === console);
    await running.result;
    assert.deepEqual(listeners(), before);
  });
});

describe("what is given to start", () => {
  test("is refused when it is no file, no job or no option, with what to do", async () => {
    const refusal = (file: string | URL, options = {}) => start(file, options);
    await assert.rejects(refusal("no.job.ts"), { code: "MODULE_FILE_MISSING" });
    await assert.rejects(refusal(new URL("./cli-process.ts", import.meta.url)), { code: "JOB_NOT_EXPORTED" });
    await assert.rejects(refusal(new URL("https://example.com/job.ts")), { code: "START_FILE_INVALID" });
    const { default: job } = await import("./fixtures/client/numbers.job.ts");
    await assert.rejects(refusal(job as unknown as URL), { code: "START_FILE_INVALID", message: /a job itself/ });
    await assert.rejects(refusal(NUMBERS, { paralelism: 2 }), { code: "OPTION_UNKNOWN", fix: /parallelism/ });
    await assert.rejects(refusal(NUMBERS, { parallelism: 0 }), { code: "CONFIG_BAD_VALUE" });
    for (const wrong of [{ paralelism: 2 }, { parallelism: 0 }, { params: { count: "many" } }]) {
      const error: EngineError = await start(NUMBERS, wrong as never).then(
        (): never => assert.fail("it was started"),
        (reason: EngineError) => reason,
      );
      assert.equal(error.location?.file, import.meta.filename, error.message);
    }
    await assert.rejects(refusal(NUMBERS, { parallelism: "2" as never }), { code: "OPTION_INVALID", fix: /a number/ });
    await assert.rejects(refusal(NUMBERS, { config: { "no.such.key": 1 } }), { code: "CONFIG_UNKNOWN_KEY" });
    await assert.rejects(refusal(NUMBERS, { params: { cuont: 1 } }), { code: "PARAMS_UNKNOWN" });
    await assert.rejects(refusal(NUMBERS, { params: { count: "many" } }), {
      code: "PARAMS_INVALID",
      fix: /start\(file, \{ params: \{ count: … \} \}\)/,
    });
  });
});
