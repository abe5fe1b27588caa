// What every storage of checkpoints guarantees. `checkpointStorageContract` registers one suite.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { nodeDisk } from "../../storage/node-disk.ts";
import type { CheckpointStorage } from "./checkpoint-storage.ts";
import { DirectoryStorage } from "./directory-storage.ts";

export type StorageUnderTest = {
  /** Empty. */
  readonly storage: CheckpointStorage;
  /** The same one as seen by another process that has taken over. */
  readonly again: () => Promise<CheckpointStorage>;
  readonly close: () => Promise<void>;
};

/** A directory of its own, which goes with the test. */
export function temporaryStorage(context: TestContext): { storage: DirectoryStorage; root: string } {
  const root = mkdtempSync(join(tmpdir(), "millrace-checkpoints-"));
  context.after(() => rmSync(root, { recursive: true }));
  return { storage: new DirectoryStorage(nodeDisk(), root), root };
}

export async function objectPut(storage: CheckpointStorage, name: string, ...parts: readonly string[]): Promise<void> {
  const writer = await storage.create(name);
  for (const part of parts) await writer.append(Buffer.from(part));
  await writer.commit();
}

export async function objectText(storage: CheckpointStorage, name: string): Promise<string> {
  const reader = await storage.open(name);
  try {
    return (await reader.read(0, reader.size)).toString();
  } finally {
    await reader.close();
  }
}

export function checkpointStorageContract(name: string, make: () => Promise<StorageUnderTest>): void {
  const guarantee = (title: string, body: (under: StorageUnderTest) => Promise<void>): void => {
    test(title, async () => {
      const under = await make();
      try {
        await body(under);
      } finally {
        await under.close();
      }
    });
  };
  describe(`checkpoint storage contract: ${name}`, () => {
    guarantee("O1: an object is there whole once it is committed, and not before", async ({ storage, again }) => {
      const writer = await storage.create("chk-1/state");
      await writer.append(Buffer.from("one "));
      assert.deepEqual(await storage.list(""), []);
      await assert.rejects(storage.open("chk-1/state"), { code: "CHECKPOINT_OBJECT_MISSING", message: /chk-1\/state/ });
      await writer.append(Buffer.alloc(0));
      await writer.append(Buffer.from("two"));
      await writer.commit();
      await writer.abort();
      assert.deepEqual(await storage.list(""), ["chk-1/state"]);
      assert.equal(await objectText(await again(), "chk-1/state"), "one two");
    });

    guarantee("O1: an aborted one leaves nothing, and its name is free", async ({ storage }) => {
      const writer = await storage.create("a/b");
      await writer.append(Buffer.from("lost"));
      await writer.abort();
      await writer.abort();
      assert.deepEqual(await storage.list(""), []);
      await objectPut(storage, "a/b", "kept");
      assert.equal(await objectText(storage, "a/b"), "kept");
    });

    guarantee("O1: none is written twice", async ({ storage }) => {
      await objectPut(storage, "a", "first");
      const second = await storage.create("a");
      await second.append(Buffer.from("second"));
      await assert.rejects(second.commit(), { code: "CHECKPOINT_OBJECT_EXISTS" });
      await second.abort();
      assert.equal(await objectText(storage, "a"), "first");
      assert.deepEqual(await storage.list(""), ["a"]);
    });

    guarantee("parts of an object are read exactly, and nothing beyond its end", async ({ storage }) => {
      await objectPut(storage, "a", "0123456789");
      const reader = await storage.open("a");
      assert.equal(reader.size, 10);
      assert.equal((await reader.read(3, 4)).toString(), "3456");
      assert.equal((await reader.read(10, 0)).length, 0);
      await assert.rejects(reader.read(8, 3), { code: "CHECKPOINT_OBJECT_DAMAGED", message: /^a / });
      await reader.close();
    });

    guarantee("lists by whole parts of names, in order; removes one, or all below it", async ({ storage }) => {
      for (const each of ["chk-2/b", "chk-10/a", "chk-2/a", "chk-2/c/d", "chk-1"]) await objectPut(storage, each, "x");
      assert.deepEqual(await storage.list(""), ["chk-1", "chk-10/a", "chk-2/a", "chk-2/b", "chk-2/c/d"]);
      assert.deepEqual(await storage.list("chk-2"), ["chk-2/a", "chk-2/b", "chk-2/c/d"]);
      assert.deepEqual(await storage.list("chk-1"), [], "not those of chk-10, and it is no folder");
      assert.deepEqual(await storage.list("chk-3"), []);
      await storage.remove("chk-2/b");
      await storage.remove("chk-2/b");
      assert.deepEqual(await storage.list("chk-2"), ["chk-2/a", "chk-2/c/d"]);
      await storage.remove("chk-2");
      await storage.remove("chk-1");
      await storage.remove("chk-3");
      assert.deepEqual(await storage.list(""), ["chk-10/a"]);
    });

    guarantee("O2: a pointer is swapped by whoever knows its value", async ({ storage, again }) => {
      assert.equal(await storage.pointer("latest"), null);
      assert.equal(await storage.swap("latest", "chk-1", "chk-2"), false);
      assert.equal(await storage.swap("latest", null, "chk-1"), true);
      assert.equal(await storage.swap("latest", null, "chk-2"), false);
      assert.equal(await storage.pointer("latest"), "chk-1");
      const answers = await Promise.all(["a", "b", "c"].map((next) => storage.swap("latest", "chk-1", next)));
      assert.equal(answers.filter((each) => each).length, 1);
      assert.equal(await (await again()).pointer("latest"), ["a", "b", "c"][answers.indexOf(true)]);
    });
  });
}
