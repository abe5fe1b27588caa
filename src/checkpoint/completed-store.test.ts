import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { EngineError } from "../base/errors.ts";
import type { CheckpointId, JobId } from "../base/ids.ts";
import { CompletedCheckpointStore } from "./completed-store.ts";
import type { CheckpointMetadata } from "./format/metadata.ts";
import { objectPut, temporaryStorage } from "./storage/checkpoint-storage.contract.ts";
import type { CheckpointStorage } from "./storage/checkpoint-storage.ts";

const id = (value: number): CheckpointId => value as CheckpointId;

function checkpoint(number: number): CheckpointMetadata {
  return {
    id: id(number),
    kind: "checkpoint",
    jobId: "0".repeat(32) as JobId,
    jobName: "clicks",
    completedAt: "2026-01-05T10:00:00.000Z",
    planHash: "h",
    planText: '{"name":"clicks","größe":1}',
    operators: [
      {
        uid: "count",
        parallelism: 1,
        maxParallelism: 128,
        coordinator: null,
        subtasks: [
          {
            subtask: 0,
            finished: false,
            parts: { operator: { inline: "AAEC" } },
            keyed: { first: 0, groups: [{ file: `chk-${number}/1-0-0`, offset: 17, length: 20 }] },
            splits: [{ id: "a.csv", position: { byte: 12 } }],
            committables: [],
          },
        ],
      },
    ],
    files: { [`chk-${number}/1-0-0`]: 37 },
  };
}

const whole = async (): Promise<void> => undefined;
const unexpected = (number: CheckpointId, error: EngineError): never => assert.fail(`${number}: ${error.message}`);

describe("the completed checkpoints of a job", () => {
  test("the newest is the one that was completed last, also for another process", async (context) => {
    const { storage } = temporaryStorage(context);
    const store = new CompletedCheckpointStore(storage);
    assert.equal(await store.newest(whole, unexpected), null);
    assert.deepEqual(await store.known(), { completed: [], greatest: 0 });
    await store.complete(checkpoint(9));
    await store.complete(checkpoint(10));
    const other = new CompletedCheckpointStore(storage);
    assert.deepEqual(await other.newest(whole, unexpected), checkpoint(10));
    assert.deepEqual(await other.known(), { completed: [9, 10], greatest: 10 });
    await other.discard(id(9));
    assert.deepEqual(await other.known(), { completed: [10], greatest: 10 });
    assert.deepEqual(await storage.list("chk-9"), []);
  });

  test("one that is completed after a later one does not take its place (M1)", async (context) => {
    const { storage } = temporaryStorage(context);
    const store = new CompletedCheckpointStore(storage);
    for (const number of [1, 3, 2]) await store.complete(checkpoint(number));
    const other = new CompletedCheckpointStore(storage);
    assert.equal((await other.newest(whole, unexpected))?.id, 3);
    assert.deepEqual((await other.known()).completed, [1, 2, 3]);
  });

  test("one without its pointer does not count, though its id is used (M1)", async (context) => {
    const { storage } = temporaryStorage(context);
    const store = new CompletedCheckpointStore(storage);
    await store.complete(checkpoint(1));
    await objectPut(storage, "chk-3/1-0-0", "state of a checkpoint that was never completed");
    const cut = new CompletedCheckpointStore({ ...methodsOf(storage), swap: () => assert.fail("the process dies") });
    await assert.rejects(cut.complete(checkpoint(2)));
    assert.deepEqual(await store.known(), { completed: [1], greatest: 3 });
    assert.equal((await store.newest(whole, unexpected))?.id, 1);
  });

  test("one that is being removed when the process dies is none any more", async (context) => {
    const { storage } = temporaryStorage(context);
    const store = new CompletedCheckpointStore(storage);
    await objectPut(storage, "chk-1/1-0-0", "its state");
    await store.complete(checkpoint(1));
    await store.forget();
    let removals = 0;
    const dying = new CompletedCheckpointStore({
      ...methodsOf(storage),
      async remove(name) {
        removals += 1;
        if (removals > 1) throw new Error("the process dies");
        await storage.remove(name);
      },
    });
    await assert.rejects(dying.discard(id(1)), /the process dies/);
    assert.equal(await new CompletedCheckpointStore(storage).newest(whole, unexpected), null);
    await store.discard(id(1));
    assert.deepEqual(await storage.list(""), []);
  });

  test("who was overtaken is told, and changes nothing (M2)", async (context) => {
    const { storage } = temporaryStorage(context);
    const paused = new CompletedCheckpointStore(storage);
    await paused.complete(checkpoint(1));
    const other = new CompletedCheckpointStore(storage);
    await other.complete(checkpoint(2));
    await assert.rejects(paused.complete(checkpoint(3)), { code: "CHECKPOINT_OVERTAKEN", message: /chk-3/ });
    assert.equal((await other.newest(whole, unexpected))?.id, 2);
  });

  test("an answer that is lost is looked up", async (context) => {
    const { storage } = temporaryStorage(context);
    const swaps: boolean[] = [];
    const lossy = new CompletedCheckpointStore({
      ...methodsOf(storage),
      async swap(...args) {
        swaps.push(await storage.swap(...args));
        if (swaps.length === 1) throw new Error("the connection was lost");
        return true;
      },
    });
    await lossy.complete(checkpoint(1));
    assert.deepEqual(swaps, [true, true], "the second makes sure that it is durable");
    await lossy.complete(checkpoint(2));
    assert.equal((await new CompletedCheckpointStore(storage).newest(whole, unexpected))?.id, 2);
  });

  test("what may be seen and not be durable is made so before anybody goes on from it", async (context) => {
    const { storage } = temporaryStorage(context);
    let failures = 3;
    const ailing = new CompletedCheckpointStore({
      ...methodsOf(storage),
      async swap(...args) {
        const isSwapped = await storage.swap(...args);
        failures -= 1;
        if (failures >= 0) throw new Error("the directory cannot be synced");
        return isSwapped;
      },
    });
    await assert.rejects(ailing.complete(checkpoint(1)), /synced/);
    await assert.rejects(ailing.newest(whole, unexpected), /synced/);
    assert.equal((await ailing.newest(whole, unexpected))?.id, 1);
    const before = failures;
    assert.equal((await ailing.newest(whole, unexpected))?.id, 1);
    assert.equal(failures, before, "once is enough");
  });

  test("a swap that has done nothing leaves nothing to be made sure of: on a full disk the one before is gone on from", async (context) => {
    const { storage } = temporaryStorage(context);
    let isFull = false;
    const store = new CompletedCheckpointStore({
      ...methodsOf(storage),
      swap: async (...args) => {
        if (isFull) throw new Error("no space left");
        return storage.swap(...args);
      },
    });
    await store.complete(checkpoint(1));
    isFull = true;
    await assert.rejects(store.complete(checkpoint(2)), /no space/);
    assert.equal((await store.newest(whole, unexpected))?.id, 1);
  });

  test("a damaged one is never used, nor taken for nothing: byte by byte of its metadata (M3)", async (context) => {
    const { storage, root } = temporaryStorage(context);
    const store = new CompletedCheckpointStore(storage);
    await store.complete(checkpoint(1));
    await store.complete(checkpoint(2));
    const path = join(root, "chk-2/_metadata");
    const bytes = readFileSync(path);
    const tryEach = async (changed: Buffer, what: string): Promise<void> => {
      writeFileSync(path, changed);
      const told: [number, string][] = [];
      const newest = await store.newest(whole, (number, { code }) => told.push([number, code]));
      assert.equal(newest?.id, 1, what);
      assert.deepEqual(told, [[2, "CHECKPOINT_OBJECT_DAMAGED"]], what);
    };
    for (const [at, byte] of bytes.entries()) {
      const flipped = Buffer.from(bytes);
      flipped[at] = byte ^ (1 << (at % 8));
      await tryEach(flipped, `byte ${at}`);
      await tryEach(bytes.subarray(0, at), `cut at ${at}`);
    }
    rmSync(path);
    const told: [number, string][] = [];
    assert.equal((await store.newest(whole, (id, { code }) => told.push([id, code])))?.id, 1);
    assert.deepEqual(told, [[2, "CHECKPOINT_OBJECT_MISSING"]], "the pointer names it");
  });

  test("a pointer that is damaged or gone leaves the newest that can be read (M3)", async (context) => {
    const { storage, root } = temporaryStorage(context);
    const store = new CompletedCheckpointStore(storage);
    await store.complete(checkpoint(8));
    await store.complete(checkpoint(9));
    const path = join(root, "latest");
    const bytes = readFileSync(path);
    for (const [at, byte] of bytes.entries()) {
      const flipped = Buffer.from(bytes);
      flipped[at] = byte ^ 1;
      writeFileSync(path, flipped);
      assert.equal((await store.newest(whole, unexpected))?.id, 9, `byte ${at}`);
    }
    rmSync(path);
    assert.equal((await store.newest(whole, unexpected))?.id, 9);
  });

  test("with none that can be read the start is refused (M3)", async (context) => {
    const { storage, root } = temporaryStorage(context);
    const store = new CompletedCheckpointStore(storage);
    await store.complete(checkpoint(1));
    const partly = async (): Promise<void> => {
      await (await storage.open("chk-1/1-0-0")).close();
    };
    const told: string[] = [];
    const refused = { code: "CHECKPOINT_NONE_READABLE", message: /chk-1\/1-0-0/ };
    await assert.rejects(
      store.newest(partly, (_, { code }) => told.push(code)),
      refused,
    );
    assert.deepEqual(told, ["CHECKPOINT_OBJECT_MISSING"]);
    rmSync(join(root, "chk-1"), { recursive: true });
    await assert.rejects(
      store.newest(whole, (_, { code }) => told.push(code)),
      { code: "CHECKPOINT_NONE_READABLE" },
    );
    assert.deepEqual(told, ["CHECKPOINT_OBJECT_MISSING", "CHECKPOINT_OBJECT_MISSING"]);
  });

  test("what somebody reads is discarded when nobody does any more", async (context) => {
    const { storage } = temporaryStorage(context);
    const store = new CompletedCheckpointStore(storage);
    await store.complete(checkpoint(1));
    await store.complete(checkpoint(2));
    const [first, second] = [store.hold(id(1)), store.hold(id(1))];
    await store.discard(id(1));
    await first();
    assert.deepEqual(await store.all(), [1, 2]);
    await second();
    assert.deepEqual(await store.all(), [2]);
    await store.hold(id(2))();
    assert.deepEqual(await store.all(), [2]);
  });

  test("metadata of a later version says so", async (context) => {
    const { storage, root } = temporaryStorage(context);
    const store = new CompletedCheckpointStore(storage);
    await store.complete(checkpoint(1));
    const path = join(root, "chk-1/_metadata");
    const { crc32 } = await import("node:zlib");
    writeFileSync(path, `millrace checkpoint ${crc32("{}", 2).toString(16).padStart(8, "0")} 2\n{}`);
    await assert.rejects(store.metadata(id(1)), { code: "CHECKPOINT_VERSION_UNKNOWN", message: /version 2/ });
  });
});

function methodsOf(storage: CheckpointStorage): CheckpointStorage {
  return {
    place: storage.place,
    create: (name) => storage.create(name),
    open: (name) => storage.open(name),
    list: (prefix) => storage.list(prefix),
    remove: (name) => storage.remove(name),
    pointer: (name) => storage.pointer(name),
    swap: (...args) => storage.swap(...args),
  };
}
