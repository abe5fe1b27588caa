import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { CheckpointId } from "../base/ids.ts";
import { nodeDisk } from "../storage/node-disk.ts";
import { CheckpointDirectory } from "./checkpoint-directory.ts";
import type { CheckpointMetadata } from "./format/metadata.ts";
import { objectPut } from "./storage/checkpoint-storage.contract.ts";

const id = (value: number): CheckpointId => value as CheckpointId;

function temporary(context: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "millrace-checkpoints-"));
  context.after(() => rmSync(root, { recursive: true }));
  return join(root, "job");
}

const open = (path: string): Promise<CheckpointDirectory> => CheckpointDirectory.open(nodeDisk(), path, "clicks");

async function complete({ storage, store }: CheckpointDirectory, number: number): Promise<void> {
  await objectPut(storage, `chk-${number}/1-0-0`, "state");
  await store.complete({ id: id(number), files: { [`chk-${number}/1-0-0`]: 5 } } as unknown as CheckpointMetadata);
}

describe("a checkpoint directory", () => {
  test("is made, held by one, and free once it is released (D1)", async (context) => {
    const path = temporary(context);
    const first = await open(path);
    await assert.rejects(open(path), {
      code: "CHECKPOINT_DIR_LOCKED",
      message: /in use by job "clicks" \(process \d+ on/,
    });
    await first.release();
    await (await open(path)).release();
  });

  test("says which file holds it where that file does not say who", async (context) => {
    const path = temporary(context);
    const left = `${path}/.lock.1-abc`;
    mkdirSync(left, { recursive: true }); // Nobody can read it as a file.
    await assert.rejects(open(path), {
      code: "CHECKPOINT_DIR_LOCKED",
      message: `the checkpoint directory ${path} was in use by whoever made ${left}, and whether that still runs cannot be told from here`,
    });
  });

  test("has the newest whole checkpoint, and a word on newer ones that are not (D2)", async (context) => {
    const path = temporary(context);
    const directory = await open(path);
    const told: [number, string][] = [];
    const newest = (except?: ReadonlySet<CheckpointId>) =>
      directory.newest((number, { code }) => told.push([number, code]), except);
    assert.equal(await newest(), null);
    for (const number of [1, 2, 3, 4]) await complete(directory, number);
    assert.equal((await newest())?.id, 4);
    assert.deepEqual(told, []);
    truncateSync(join(path, "chk-4/1-0-0"), 4);
    rmSync(join(path, "chk-3/1-0-0"));
    assert.equal((await newest())?.id, 2);
    assert.deepEqual(told.splice(0), [
      [4, "CHECKPOINT_OBJECT_DAMAGED"],
      [3, "CHECKPOINT_OBJECT_MISSING"],
    ]);
    assert.equal((await newest(new Set([id(2)])))?.id, 1);
    await directory.release();
  });

  test("loses what a crash left unfinished, and what is no longer kept", async (context) => {
    const path = temporary(context);
    const first = await open(path);
    for (const number of [1, 2]) await complete(first, number);
    await objectPut(first.storage, "chk-3/0-0-0", "of one that was never completed");
    writeFileSync(join(path, "chk-2/.unfinished-x"), "half");
    mkdirSync(join(path, "chk-9")); // All of it was removed but its folder.
    await first.release();
    const second = await open(path);
    const { completed, greatest } = await second.store.known();
    assert.deepEqual([completed, greatest], [[1, 2], 3]);
    await second.sweep([id(2)]);
    assert.deepEqual(await second.storage.list(""), ["chk-2/1-0-0", "chk-2/_metadata", "latest"]);
    assert.deepEqual(
      readdirSync(path).filter((name) => !name.startsWith(".")),
      ["chk-2", "latest"],
    );
    await second.release();
  });
});
