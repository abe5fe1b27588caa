import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SinkWriter } from "../../operators/sink.ts";
import { SinkDriver } from "./sink-driver.ts";

type Method = "open" | "flush" | "prepareCommit" | "abort" | "close";

/** A writer that takes `room` records between two flushes, and whose flushes the test lets end. */
function setUp(
  options: {
    room?: number;
    rejects?: Method;
    throws?: Method;
    committables?: unknown;
    commits?: boolean;
    bounded?: boolean;
  } = {},
) {
  const { room = 2, rejects, throws, committables, commits = true, bounded = true } = options;
  const calls: string[] = [];
  const lasts: boolean[] = [];
  const flushes: (() => void)[] = [];
  let held = 0;
  let wakes = 0;
  const called = (method: Method): Promise<void> => {
    calls.push(method);
    if (throws === method) throw new Error(`${method} gave up`);
    return rejects === method ? Promise.reject(new Error(`${method} failed`)) : Promise.resolve();
  };
  const writer: SinkWriter<unknown> = {
    open: () => called("open"),
    write: (record) => {
      calls.push(`write ${record}`);
      held += 1;
      return held % room !== 0;
    },
    flush: async () => {
      const flushed = called("flush");
      await new Promise<void>((resolve) => flushes.push(resolve));
      calls.push("flushed");
      await flushed;
    },
    prepareCommit: async (isLast) => {
      lasts.push(isLast);
      await called("prepareCommit");
      return (committables ?? [`${held} records`]) as string[];
    },
    abort: () => called("abort"),
    close: () => called("close"),
  };
  const driver = new SinkDriver({
    uid: "out",
    writer,
    commits,
    bounded,
    wake: () => {
      wakes += 1;
    },
  });
  /** Lets flushes end, as many as begin, and whatever follows them. */
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) {
      flushes.shift()?.();
      await Promise.resolve();
    }
  };
  return { driver, writer, calls, lasts, settle, wakes: () => wakes };
}

describe("a sink driver", () => {
  test("D1: flushes once at a time, is full until that has ended, and wakes the task then", async () => {
    const { driver, calls, settle, wakes } = setUp();
    assert.equal(driver.write(1, NaN), true);
    assert.equal(driver.write(2, NaN), false);
    assert.equal(driver.full, true);
    driver.flushSome();
    driver.flushSome();
    assert.deepEqual(calls, ["write 1", "write 2", "flush"]);
    await Promise.resolve();
    assert.deepEqual([driver.full, wakes()], [true, 0]);
    await settle();
    assert.deepEqual([driver.full, wakes()], [false, 1]);
    assert.deepEqual(calls.slice(3), ["flushed"]);
  });

  test("has nothing to flush before a record came, nor after everything was flushed", async () => {
    const { driver, calls, settle } = setUp();
    driver.flushSome();
    assert.deepEqual(calls, []);
    driver.write(1, NaN);
    driver.flushSome();
    await settle();
    driver.flushSome();
    assert.deepEqual(calls, ["write 1", "flush", "flushed"]);
  });

  test("what is written during a flush is flushed by the next one", async () => {
    const { driver, calls, settle } = setUp({ room: 100 });
    driver.write(1, NaN);
    driver.flushSome();
    driver.write(2, NaN);
    driver.flushSome();
    assert.deepEqual(calls, ["write 1", "flush", "write 2"]);
    await settle();
    driver.flushSome();
    assert.deepEqual(calls.slice(3), ["flushed", "flush"]);
  });

  test("before a commit is prepared, the flush under way has ended and what came after it is flushed, too", async () => {
    const { driver, calls, settle } = setUp({ room: 100 });
    driver.write(1, NaN);
    driver.flushSome();
    driver.write(2, NaN);
    const prepared = driver.prepareCommit("end");
    await settle();
    assert.deepEqual(await prepared, ["2 records"]);
    assert.deepEqual(calls, ["write 1", "flush", "write 2", "flushed", "flush", "flushed", "prepareCommit"]);
  });

  test("is aborted only after the flush under way", async () => {
    const { driver, calls, settle } = setUp();
    driver.write(1, NaN);
    driver.flushSome();
    const aborted = driver.abort();
    await settle();
    await aborted;
    assert.deepEqual(calls, ["write 1", "flush", "flushed", "abort"]);
  });

  test("D2: a flush that failed wakes the task, is its failure, and nothing is prepared after it", async () => {
    const { driver, calls, settle, wakes } = setUp({ rejects: "flush" });
    driver.write(1, NaN);
    driver.flushSome();
    await settle();
    assert.equal((driver.failure as { code?: string }).code, "SINK_FAILED");
    assert.equal(wakes(), 1);
    driver.write(2, NaN);
    driver.flushSome();
    const failure = driver.failure;
    await assert.rejects(driver.prepareCommit("end"), (error) => error === failure);
    assert.deepEqual(calls, ["write 1", "flush", "flushed", "write 2"]);
  });

  test("the last time is at the end, and where a job without an end is stopped", async () => {
    for (const bounded of [true, false]) {
      const { driver, lasts, settle } = setUp({ bounded });
      for (const moment of ["checkpoint", "stop", "end"] as const) {
        const prepared = driver.prepareCommit(moment);
        await settle();
        await prepared;
      }
      assert.deepEqual(lasts, [false, !bounded, true]);
    }
  });

  test("D3: what is kept back is plain data, or nothing", async () => {
    const { driver, writer } = setUp();
    assert.equal(await driver.snapshot(), null);
    writer.snapshot = async () => ({ size: 7 });
    assert.equal(Buffer.from((await driver.snapshot())!).toString(), '{"size":7}');
    writer.snapshot = async () => Number.NaN;
    await assert.rejects(driver.snapshot(), { code: "SINK_STATE_INVALID", operator: "out" });
    writer.snapshot = () => assert.fail("the disk is gone");
    await assert.rejects(driver.snapshot(), { code: "SINK_FAILED", operator: "out" });
  });

  test("D3: what could not travel as JSON, or nobody could commit, is not prepared; nothing needs no committer", async () => {
    const prepared = (committables: unknown, commits: boolean) => {
      const { driver, settle } = setUp({ committables, commits });
      const result = driver.prepareCommit("end");
      result.catch(() => undefined);
      return settle().then(() => result);
    };
    for (const bad of [[new Map()], [{ at: new Date(0) }], [1n], [() => 1], { file: "a" }, "a"]) {
      await assert.rejects(prepared(bad, true), { code: "SINK_COMMITTABLE_INVALID", operator: "out" });
    }
    await assert.rejects(prepared(["part"], false), { code: "SINK_COMMITTER_MISSING", operator: "out" });
    assert.deepEqual(await prepared(["part"], true), ["part"]);
    assert.deepEqual(await prepared([], false), []);
  });

  for (const how of ["rejects", "throws"] as const) {
    for (const method of ["open", "prepareCommit", "abort", "close"] as const) {
      test(`names the sink when ${method} ${how}`, async () => {
        const { driver, settle } = setUp({ [how]: method });
        const failed = method === "prepareCommit" ? driver.prepareCommit("end") : driver[method]();
        const checked = assert.rejects(failed, { code: "SINK_FAILED", operator: "out" });
        await settle();
        await checked;
      });
    }
  }
});
