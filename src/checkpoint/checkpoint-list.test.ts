import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { CheckpointId } from "../base/ids.ts";
import { nodeDisk } from "../storage/node-disk.ts";
import { checkpointsIn } from "./checkpoint-list.ts";
import { CompletedCheckpointStore } from "./completed-store.ts";
import { type CheckpointMetadata, operatorBytes, stateBytes } from "./format/metadata.ts";
import { StateFileWriter } from "./format/state-file.ts";
import { objectPut } from "./storage/checkpoint-storage.contract.ts";
import { DirectoryStorage } from "./storage/directory-storage.ts";

test("lists the newest first, reads each byte of those that were completed, and takes no lock", async (context) => {
  const root = mkdtempSync(join(tmpdir(), "millrace-list-"));
  context.after(() => rmSync(root, { recursive: true }));
  const storage = new DirectoryStorage(nodeDisk(), root);
  const store = new CompletedCheckpointStore(storage);
  const complete = async (id: number): Promise<void> => {
    const file = `chk-${id}/1-0-0`;
    const writer = await StateFileWriter.create(storage, file);
    const section = await writer.add(Buffer.from("state of a key group"));
    await writer.commit();
    const keyed = { first: 0, groups: [section, { inline: Buffer.from("more").toString("base64") }] };
    const operators = [{ uid: "sums", subtasks: [{ parts: {}, keyed }] }];
    const metadata = { id: id as CheckpointId, operators, files: { [file]: writer.length } };
    await store.complete(metadata as unknown as CheckpointMetadata);
  };
  await complete(1);
  await complete(2);
  await objectPut(storage, "chk-3/1-0-0", "state");
  const whole = await checkpointsIn(storage);
  assert.deepEqual(
    whole.map(({ id, completed, damage }) => [id, completed, damage]),
    [
      [3, false, null],
      [2, true, null],
      [1, true, null],
    ],
  );
  const { metadata } = whole[1]!;
  assert.equal(operatorBytes(metadata!.operators[0]!), 12 + 20 + 4);
  assert.equal(stateBytes(metadata!), readFileSync(join(root, "chk-2/1-0-0")).length + 4);
  const bytes = readFileSync(join(root, "chk-2/1-0-0"));
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(join(root, "chk-2/1-0-0"), bytes);
  const [, flipped, older] = await checkpointsIn(storage);
  assert.match(flipped?.damage?.message ?? "", /^chk-2\/1-0-0 is damaged: a checksum differs/);
  assert.equal(older?.damage, null);
});
