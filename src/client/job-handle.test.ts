// The handle against messages of a job that the test writes itself, over the transport and on virtual time.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { STDOUT_PATH } from "../base/disk.ts";
import { ExternalError, UserError } from "../base/errors.ts";
import { RowBatch } from "../connectors/rows/row-batch.ts";
import type { Plan } from "../graph/plan.ts";
import { directTransport } from "../network/direct-transport.ts";
import type { Says } from "../network/transport.ts";
import { errorData } from "../protocol/error-data.ts";
import type { FromJob, JobControl, JobEnd, JobMetrics, JobSide, ToJob } from "../protocol/job-messages.ts";
import { taskIdOf } from "../protocol/slot-messages.ts";
import { UNREAD_BYTES_MAX } from "../taskmanager/drivers/row-outlet.ts";
import { SimEnv } from "../testing/sim-env.ts";
import { JobHandle, rowSinks } from "./job-handle.ts";

const PLAN = {
  name: "orders",
  operators: [
    { uid: "in", kind: "source", options: { sink: "rows" } },
    { uid: "all", kind: "sink", options: { sink: "rows" } },
    { uid: "even", kind: "sink", options: { sink: "rows" } },
    { uid: "text", kind: "sink", options: { sink: "csv", paths: [STDOUT_PATH] } },
    { uid: "file", kind: "sink", options: { sink: "csv", paths: ["out"] } },
    { uid: "shown", kind: "sink", options: { sink: "print" } },
  ],
} as unknown as Plan;
const TASK = taskIdOf(1, 0, 2);
const BROKEN = new ExternalError("DISK_FULL", "the disk is full", { fix: "make room" });
const DONE = { done: true, value: undefined };

const metricsOf = (rowsIn: number) => ({ rowsIn }) as JobMetrics;
const endOf = (outcome: JobEnd["outcome"], error: JobEnd["error"] = null): JobEnd => ({
  ...{ outcome, error, commits: false },
  metrics: metricsOf(7),
  exceptions: { entries: [], truncated: false },
});
const FAILED = endOf("failed", errorData(BROKEN));

function setUp(plan: Pick<Plan, "name" | "operators"> = PLAN) {
  const env = new SimEnv({ seed: 1 });
  const transport = directTransport(env);
  const { promise: connected, resolve } = Promise.withResolvers<JobSide>();
  const got: ToJob[] = [];
  const logged: string[] = [];
  const happened: string[] = [];
  transport.listen<Says<FromJob>, Says<ToJob>>("job", (side) => {
    side.receive({ message: (message) => got.push(message) });
    resolve(side);
  });
  const connection: JobControl = transport.connect("job");
  const handle = new JobHandle({
    ...{ env, jobId: "id", plan, connection, log: (line: string) => logged.push(line) },
    told: ({ code, message }) => new UserError(code, `${message}, as told`),
    onEnd: () => happened.push("over"),
  });
  const send = async (...messages: readonly FromJob[]) => {
    await env.runUntilIdle();
    const far = await connected;
    for (const message of messages) far.send(message);
    await env.runUntilIdle();
  };
  const end = (how: JobEnd) => send({ kind: "ended", end: how });
  return { env, handle, got, logged, happened, send, end };
}

function rowsOf(sink: string, ...values: readonly unknown[]): Extract<FromJob, { kind: "rows" }> {
  const batch = new RowBatch();
  for (const value of values) batch.add(value);
  return { kind: "rows", task: TASK, sink, rows: batch.take() ?? assert.fail() };
}

const full = (sink: string) => rowsOf(sink, "x".repeat(UNREAD_BYTES_MAX));

async function all(rows: AsyncIterable<unknown>): Promise<unknown[]> {
  const read: unknown[] = [];
  for await (const row of rows) read.push(row);
  return read;
}

describe("the end of a job", () => {
  test("is in its result, with what the job had done, and later than what is left to do for it", async () => {
    const { handle, happened, end } = setUp();
    const hearing = [handle.result, handle.end, all(handle.rows("all"))].map((heard) =>
      heard.then(() => happened.push("heard")),
    );
    await end(endOf("stopped"));
    await Promise.all(hearing);
    assert.deepEqual(happened, ["over", "heard", "heard", "heard"]);
    const summary = { jobId: "id", name: "orders", outcome: "stopped", metrics: metricsOf(7) };
    assert.deepEqual(await handle.result, summary);
    assert.deepEqual(await handle.end, endOf("stopped"));
  });

  test("H1: by a failure rejects the result and what reads rows, after the rows that came before", async () => {
    const { handle, send, end } = setUp();
    const told = { code: "DISK_FULL", message: "the disk is full, as told" };
    const reader = handle.rows("all");
    await send(rowsOf("all", 1));
    await end(FAILED);
    assert.deepEqual(await reader.next(), { done: false, value: 1 });
    await assert.rejects(reader.next(), told);
    await assert.rejects(handle.rows("even").next(), told);
    await assert.rejects(handle.result, told);
    assert.deepEqual(await handle.end, FAILED, "the end itself never rejects");
  });

  test("H1, H2: by a failure that nobody asked for is logged, and no rejection is left that nobody handles", async () => {
    for (const isCancelled of [false, true]) {
      const { handle, logged, end } = setUp();
      if (isCancelled) void handle.cancel();
      await end(FAILED);
      assert.deepEqual(logged, ["job orders failed: DISK_FULL: the disk is full, as told"]);
    }
  });

  test("H2: by a failure is not logged where somebody hears of it, nor is another end", async () => {
    const asking: readonly ((handle: JobHandle) => Promise<unknown>)[] = [
      (handle) => assert.rejects(handle.result),
      (handle) => assert.rejects(handle.stop()),
      (handle) => assert.rejects(handle.rows("even").next()),
      (handle) => handle.end,
    ];
    for (const ask of asking) {
      const { handle, logged, end } = setUp();
      const asked = ask(handle);
      await end(FAILED);
      await asked;
      assert.deepEqual(logged, []);
    }
    const { logged, end } = setUp();
    await end(endOf("finished"));
    assert.deepEqual(logged, []);
  });

  test("leaves rows to be read; only a cancelled job drops them", async () => {
    for (const outcome of ["finished", "stopped", "cancelled"] as const) {
      const { handle, send, end } = setUp();
      await send(rowsOf("all", 1, 2), rowsOf("even", true));
      await end(endOf(outcome));
      const isDropped = outcome === "cancelled";
      assert.deepEqual(await all(handle.rows("all")), isDropped ? [] : [1, 2]);
      assert.deepEqual(await all(handle.rows("even")), isDropped ? [] : [true]);
    }
  });
});

describe("what is asked of a job", () => {
  test("to cancel it resolves when it has ended, however it did", async () => {
    for (const cancel of [
      (handle: JobHandle) => handle.cancel(),
      (handle: JobHandle) => handle[Symbol.asyncDispose](),
    ]) {
      const { handle, got, end, env } = setUp();
      let isCancelled = false;
      const cancelled = cancel(handle).then(() => {
        isCancelled = true;
      });
      await env.runUntilIdle();
      assert.deepEqual(got, [{ kind: "cancel" }]);
      assert.equal(isCancelled, false);
      await end(FAILED);
      await cancelled;
    }
  });

  test("to stop it gives its result", async () => {
    const { handle, got, end, env } = setUp();
    const stopped = handle.stop();
    await env.runUntilIdle();
    assert.deepEqual(got, [{ kind: "stop" }]);
    await end(endOf("stopped"));
    assert.equal((await stopped).outcome, "stopped");
  });

  test("to fail takes the error with it", async () => {
    const { handle, got, env } = setUp();
    handle.fail(BROKEN);
    await env.runUntilIdle();
    assert.deepEqual(got, [{ kind: "fail", error: errorData(BROKEN) }]);
  });

  test("what it has done comes to whoever asked, also when answers overtake each other or the job has ended", async () => {
    const { handle, got, send, end, env } = setUp();
    const [first, second] = [handle.metrics(), handle.metrics()];
    await env.runUntilIdle();
    const [one, two] = got.map((message) => (message.kind === "metrics" ? message.request : assert.fail()));
    assert.ok(one !== undefined && two !== undefined && one !== two);
    await send({ kind: "metrics", request: two, metrics: metricsOf(2) });
    await send({ kind: "metrics", request: one, metrics: metricsOf(1) });
    assert.deepEqual(await Promise.all([first, second]), [metricsOf(1), metricsOf(2)]);
    await end(endOf("finished"));
    const late = handle.metrics();
    await send({ kind: "metrics", request: two + 1, metrics: metricsOf(3) });
    assert.deepEqual(await late, metricsOf(3));
  });
});

describe("rows for a program", () => {
  test("come by sink, and the job hears how many bytes of which subtask have been read", async () => {
    const { handle, got, send, env } = setUp();
    const batches = [rowsOf("all", 1, 2), rowsOf("even", true)];
    await send(...batches);
    const [reader, even] = [handle.rows("all"), handle.rows("even")];
    assert.deepEqual((await even.next()).value, true);
    assert.deepEqual([(await reader.next()).value, (await reader.next()).value], [1, 2]);
    await env.runUntilIdle();
    assert.deepEqual(got, []);
    void reader.next();
    await env.runUntilIdle();
    assert.deepEqual(got, [{ kind: "rowsRead", task: TASK, sink: "all", bytes: batches[0]?.rows.byteLength }]);
    assert.deepEqual(await reader.return?.(), DONE);
  });

  test("are those of sinks made by rows(), and of standard output", () => {
    assert.deepEqual(rowSinks(PLAN), ["all", "even", "text"]);
  });

  test("of another sink are refused with what to do", () => {
    const { handle } = setUp();
    const refused = (uid: string, of = handle) => {
      try {
        of.rows(uid);
      } catch (error) {
        if (error instanceof UserError) return [error.code, error.message, error.fix];
      }
      return assert.fail(`${uid} was not refused`);
    };
    const code = "ROWS_SINK_UNKNOWN";
    assert.deepEqual(refused("al"), [code, 'the job has no sink "al"', 'did you mean "all"?']);
    const others = 'sinks whose rows can be read: "all", "even", "text"';
    assert.deepEqual(refused("elsewhere"), [code, 'the job has no sink "elsewhere"', others]);
    assert.deepEqual(refused("in"), [code, 'the job has no sink "in"', others]);
    const none = 'the sink "shown" gives no rows to this program';
    assert.deepEqual(refused("shown"), [code, none, 'let it end in rows() in the job: .to("shown", rows())']);
    const without = setUp({ name: "none", operators: [] }).handle;
    const one = 'let a stream of the job end in one whose rows can be read: .to("out", rows())';
    assert.deepEqual(refused("all", without), [code, 'the job has no sink "all"', one]);
  });
});

describe("a job that waits for a reader", () => {
  const waits = (sink: string) => `job orders waits: nobody reads its rows; read rows("${sink}") of its handle`;

  test("says so of each sink that nobody has begun to read for five seconds, once", async () => {
    const { logged, send, env } = setUp();
    await send(full("all"), full("even"), full("all"));
    assert.equal(env.clock.monotonicMs(), 0, "the reminder keeps no program up");
    await env.advance(4_999);
    assert.deepEqual(logged, []);
    await env.advance(1);
    assert.deepEqual(logged.sort(), [waits("all"), waits("even")]);
    await send(full("all"));
    await env.advance(60_000);
    assert.equal(logged.length, 2);
  });

  test("says nothing of what is being read, nor of a few rows", async () => {
    const { handle, logged, send, env } = setUp();
    await send(full("all"), rowsOf("even", true));
    await env.advance(4_999);
    await handle.rows("all").next();
    await send(full("all"));
    await env.advance(60_000);
    assert.deepEqual(logged, []);
  });

  test("says nothing when it has ended before", async () => {
    const { logged, send, end, env } = setUp();
    await send(full("all"));
    await end(endOf("finished"));
    await env.advance(60_000);
    assert.deepEqual(logged, []);
  });
});
