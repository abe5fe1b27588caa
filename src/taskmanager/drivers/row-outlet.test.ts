import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FromSlot } from "../../protocol/slot-messages.ts";
import { RowOutlets, UNREAD_BYTES_MAX } from "./row-outlet.ts";

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  await new Promise(setImmediate);
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

describe("rows for whoever started the job", () => {
  const batch = new Uint8Array(UNREAD_BYTES_MAX / 2);
  const open = (): { outlets: RowOutlets; sent: FromSlot[] } => {
    const sent: FromSlot[] = [];
    return { outlets: new RowOutlets("0/0/0", (message) => sent.push(message)), sent };
  };

  test("are sent at once, and the sink waits while too many are unread (R1)", async () => {
    const { outlets, sent } = open();
    const outlet = outlets.of("out");
    assert.ok(await isSettled(outlet.deliver(batch)));
    const second = outlet.deliver(batch);
    assert.equal(sent.length, 2);
    assert.equal(await isSettled(second), false);
    outlets.of("other").read(batch.length);
    assert.equal(await isSettled(second), false, "reading another sink's rows makes no room");
    outlets.of("out").read(1);
    assert.ok(await isSettled(second));
    assert.deepEqual(sent[1], { kind: "rows", task: "0/0/0", sink: "out", rows: batch });
  });

  test("lines for the terminal are held to the same bound, in characters", async () => {
    const { outlets, sent } = open();
    const outlet = outlets.of("out");
    const lines = "x".repeat(UNREAD_BYTES_MAX);
    const printed = outlet.deliver(lines);
    assert.deepEqual(sent, [{ kind: "print", task: "0/0/0", sink: "out", lines }]);
    assert.equal(await isSettled(printed), false);
    outlet.read(1);
    assert.ok(await isSettled(printed));
  });

  test("one batch beyond the bound is sent, too, and waited for", async () => {
    const { outlets } = open();
    const delivered = outlets.of("out").deliver(new Uint8Array(3 * UNREAD_BYTES_MAX));
    assert.equal(await isSettled(delivered), false);
    outlets.of("out").read(3 * UNREAD_BYTES_MAX);
    assert.ok(await isSettled(delivered));
  });

  test("wait for no reader once the task is closed: neither those that wait, nor later ones (R2)", async () => {
    const { outlets, sent } = open();
    const outlet = outlets.of("out");
    const waiting = outlet.deliver(new Uint8Array(UNREAD_BYTES_MAX));
    outlets.release();
    assert.ok(await isSettled(waiting));
    assert.ok(await isSettled(outlet.deliver(batch)));
    assert.ok(await isSettled(outlets.of("out").deliver(new Uint8Array(UNREAD_BYTES_MAX))));
    assert.equal(sent.length, 3);
  });
});
