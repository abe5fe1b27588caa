import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RowBatch } from "../connectors/rows/row-batch.ts";
import { taskIdOf } from "../protocol/slot-messages.ts";
import { RowQueue, type RowsFromJob } from "./row-queue.ts";

function batchOf(...rows: readonly unknown[]): RowsFromJob {
  const batch = new RowBatch();
  for (const row of rows) batch.add(row);
  return { kind: "rows", task: taskIdOf(0, 0, 0), sink: "out", rows: batch.take() ?? assert.fail() };
}

function setUp() {
  const read: RowsFromJob[] = [];
  const queue = new RowQueue("out", (batch) => read.push(batch));
  return { queue, read };
}

const DONE = { done: true, value: undefined };
const value = (row: unknown) => ({ done: false, value: row });

describe("the rows of a sink", () => {
  test("Q1: are given once, in order, and wait until they are read; who waits gets the next one", async () => {
    const { queue } = setUp();
    queue.add(batchOf(1, 2));
    assert.equal(queue.wasRead, false);
    const reader = queue.read();
    assert.deepEqual(await reader.next(), value(1));
    assert.equal(queue.wasRead, true);
    const waiting = [reader.next(), reader.next(), reader.next()];
    queue.add(batchOf(3));
    queue.end(null, false);
    assert.deepEqual(await Promise.all(waiting), [value(2), value(3), DONE]);
    assert.deepEqual(await reader.next(), DONE);
  });

  test("Q1: are not for two readers at once; the next one goes on where the last one stopped", async () => {
    const { queue } = setUp();
    queue.add(batchOf(1, 2, 3));
    const first = queue.read();
    await first.next();
    await assert.rejects(queue.read().next(), { code: "ROWS_BEING_READ" });
    assert.deepEqual(await first.next(), value(2), "who was refused takes nothing away");
    await first.return?.();
    assert.deepEqual(await first.next(), DONE);
    assert.deepEqual(await queue.read().next(), value(3));
  });

  test("Q1: of a reader that stops while it waits go to the next one", async () => {
    const { queue } = setUp();
    const first = queue.read();
    const waiting = first.next();
    await first.return?.();
    assert.deepEqual(await waiting, DONE);
    queue.add(batchOf(1));
    assert.deepEqual(await queue.read().next(), value(1));
  });

  test("Q2: make room when the last of their batch is given, and the next is asked for", async () => {
    const { queue, read } = setUp();
    const batches = [batchOf(1, 2), batchOf(3)];
    for (const batch of batches) queue.add(batch);
    const reader = queue.read();
    const [first, second] = batches.map(({ rows }) => rows.byteLength);
    assert.equal(queue.waitingBytes, Number(first) + Number(second));
    await reader.next();
    await reader.next();
    assert.deepEqual(read, []);
    await reader.next();
    assert.deepEqual(read, [batches[0]]);
    assert.equal(queue.waitingBytes, second);
  });

  test("Q3: come before the end, unless they are dropped with the job", async () => {
    for (const drop of [false, true]) {
      const { queue } = setUp();
      queue.add(batchOf(1, 2));
      queue.add(batchOf(3));
      const reader = queue.read();
      await reader.next();
      queue.end(null, drop);
      assert.deepEqual(await reader.next(), drop ? DONE : value(2));
      assert.deepEqual(await reader.next(), drop ? DONE : value(3));
      assert.equal(queue.waitingBytes, drop ? 0 : batchOf(3).rows.byteLength);
      assert.deepEqual(await reader.next(), DONE);
    }
  });

  test("Q3: end with the job's error for whoever reads, now and later", async () => {
    const { queue } = setUp();
    const reader = queue.read();
    const waiting = assert.rejects(reader.next(), /broken/);
    queue.end(new Error("broken"), false);
    await waiting;
    for (let times = 0; times < 2; times += 1) await assert.rejects(queue.read().next(), /broken/);
  });
});
