import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Disk } from "../base/disk.ts";
import { ExternalError } from "../base/errors.ts";
import type { CheckpointId, JobId } from "../base/ids.ts";
import { nodeDisk } from "../storage/node-disk.ts";
import { CompletedCheckpointStore } from "./completed-store.ts";
import { type CheckpointMetadata, metadataBytes } from "./format/metadata.ts";
import { StateReader, snapshotsWrite } from "./format/subtask-state.ts";
import { type Savepoint, savepointTarget, savepointWrite } from "./savepoint.ts";
import { savepointDispose, savepointUse } from "./savepoint-dispose.ts";
import { snapshotAt, snapshotCheck } from "./snapshot-place.ts";
import { temporaryStorage } from "./storage/checkpoint-storage.contract.ts";
import { DirectoryStorage } from "./storage/directory-storage.ts";

const GROUPS = [Buffer.from("group 0"), Buffer.alloc(300_000, "group 1 "), Buffer.alloc(0)];
const PART = Buffer.alloc(50, "part");

async function setUp(context: TestContext, disk: Disk = nodeDisk()) {
  const { storage, root } = temporaryStorage(context);
  const written = await snapshotsWrite(
    storage,
    [
      { uid: "count", subtask: 1, parts: { operator: PART }, keyed: { first: 4, groups: GROUPS }, splits: [] },
      { uid: "in", subtask: 1, parts: {}, keyed: null, splits: [{ id: "a", position: 7 }] },
    ],
    { name: "chk-3/1-1-0", packs: "shared/3-1-1-0", inlineBytesMax: 0, compression: false },
  );
  const metadata: CheckpointMetadata = {
    id: 3 as CheckpointId,
    kind: "checkpoint",
    jobId: "0".repeat(32) as JobId,
    jobName: "clicks",
    completedAt: "2026-01-05T10:00:00.000Z",
    ...{ planHash: "h", planText: "{}" },
    operators: written.states.map(({ uid, state }) => {
      return { uid, parallelism: 2, maxParallelism: 8, coordinator: uid === "in" ? ["b"] : null, subtasks: [state] };
    }),
    files: Object.fromEntries(written.files.map(({ name, bytes }) => [name, bytes])),
  };
  const write = async (path: string, compression = false): Promise<Savepoint> => {
    const target = await savepointTarget(disk, { path, directory: root, name: "savepoint-x" });
    return savepointWrite(disk, target, { storage, metadata }, { compression, settled: true });
  };
  return { root, storage, disk, metadata, write };
}

const never = (): never => assert.fail("nothing is passed over");

for (const compression of [false, true]) {
  test(`a savepoint has all state of its checkpoint, in files of its own, wherever it is moved to${compression ? " (compressed)" : ""} (V2)`, async (context) => {
    const { root, disk, metadata, write } = await setUp(context);
    const { path, checkpoint } = await write(join(root, "made/of/savepoint"), compression);
    assert.equal(checkpoint, 3);
    rmSync(join(root, "chk-3"), { recursive: true });
    const moved = join(root, "chk-99");
    renameSync(path, moved);
    const snapshot = await snapshotAt(disk, moved, never);
    await snapshotCheck(disk, snapshot);
    assert.deepEqual([snapshot.path, snapshot.place], [moved, moved]);
    const { kind, files, operators, settled } = snapshot.metadata;
    assert.deepEqual([kind, settled], ["savepoint", true]);
    assert.deepEqual(["_metadata", ...Object.keys(files)].sort(), readdirSync(moved).sort());
    const [count, source] = operators;
    assert.deepEqual(source, metadata.operators[1]);
    const reader = new StateReader(new DirectoryStorage(disk, snapshot.place));
    const { parts, keyed } = count!.subtasks[0]!;
    assert.deepEqual(await reader.read(parts.operator!), PART);
    assert.equal(keyed?.first, 4);
    for (const [index, group] of GROUPS.entries()) assert.deepEqual(await reader.read(keyed!.groups[index]!), group);
    await reader.close();
  });
}

test("what is damaged is not written out once more, and nothing is left of the attempt (V1, V3)", async (context) => {
  const { root, write } = await setUp(context);
  const file = join(root, "chk-3/1-1-0");
  const bytes = readFileSync(file);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(file, bytes);
  await assert.rejects(write(join(root, "savepoint")), { code: "SAVEPOINT_NOT_WRITTEN", message: /is damaged/ });
  assert.deepEqual(readdirSync(root), ["chk-3"]);
});

test("where the disk fails at any operation, the savepoint is there whole or not at all (V1)", async (context) => {
  const { root, storage, metadata } = await setUp(context);
  const real = nodeDisk();
  for (let failing = 0; ; failing += 1) {
    let count = 0;
    const fails = (): void => {
      count += 1;
      if (count === failing + 1) throw new ExternalError("DISK_FULL", "no room", { fix: "make room" });
    };
    const disk: Disk = Object.create(real);
    disk.rename = async (from, to) => {
      fails();
      await real.rename(from, to);
    };
    disk.makeDirectory = async (path) => {
      fails();
      await real.makeDirectory(path);
    };
    disk.open = async (path, mode, signal) => {
      if (mode !== "read") fails();
      return real.open(path, mode, signal);
    };
    const path = join(root, `savepoint-${failing}`);
    const target = await savepointTarget(disk, { path, directory: root, name: "x" }).catch((error: unknown) => {
      assert.deepEqual([(error as ExternalError).code, failing], ["SAVEPOINT_NOT_WRITTEN", 0]);
      return null;
    });
    if (target === null) continue;
    const written = await savepointWrite(disk, target, { storage, metadata }, { compression: false, settled: false })
      .then(() => true)
      .catch((error: ExternalError) => {
        assert.deepEqual([error.code, error.fix], ["SAVEPOINT_NOT_WRITTEN", "make room"]);
        return false;
      });
    assert.deepEqual(readdirSync(root), written ? ["chk-3", `savepoint-${failing}`] : ["chk-3"]);
    if (!written) continue;
    assert.ok(failing > 4, `${failing}`);
    return;
  }
});

test("disposed of is a savepoint alone, and nothing else that is in its folder", async (context) => {
  const { root, disk, metadata, write } = await setUp(context);
  const invalid = (message: RegExp) => ({ code: "SAVEPOINT_INVALID", message });
  await assert.rejects(savepointDispose(disk, join(root, "nowhere")), invalid(/it has no metadata/));
  await assert.rejects(savepointDispose(disk, join(root, "chk-3")), invalid(/it has no metadata/));
  const { path } = await write(join(root, "savepoint"));
  const other = join(root, "chk-4");
  mkdirSync(other);
  writeFileSync(join(other, "_metadata"), metadataBytes({ ...metadata, id: 4 as CheckpointId }));
  await assert.rejects(savepointDispose(disk, other), invalid(/it is checkpoint 4/));
  writeFileSync(join(other, "_metadata"), "torn");
  await assert.rejects(savepointDispose(disk, other), invalid(/what it is cannot be told/));
  writeFileSync(join(path, "notes.txt"), "mine");
  assert.equal(await savepointDispose(disk, path), false);
  assert.deepEqual(readdirSync(path), ["notes.txt"]);
  const again = await write(join(root, "again"));
  assert.equal(await savepointDispose(disk, again.path), true);
  assert.deepEqual(readdirSync(root).sort(), ["chk-3", "chk-4", "savepoint"]);
});

test("a savepoint that a job has started from and needs stays", async (context) => {
  const { root, disk, write } = await setUp(context);
  const { path } = await write(join(root, "savepoint"));
  const unused = await savepointUse(disk, path, { user: 'job "a"', name: "1" });
  const other = await savepointUse(disk, path, { user: 'job "b"', name: "2" });
  await unused();
  await assert.rejects(savepointDispose(disk, path), {
    code: "SAVEPOINT_IN_USE",
    message: /^job "b" \(process \d+ on /,
  });
  await other();
  // Of a process that is gone: nobody needs it.
  writeFileSync(join(root, ".used-savepoint.3.1-abc"), "");
  assert.equal(await savepointDispose(disk, path), true);
});

test("a checkpoint is found by its folder, its directory, and under no other name", async (context) => {
  const { root, storage, disk, metadata } = await setUp(context);
  await new CompletedCheckpointStore(storage).complete(metadata);
  for (const path of [root, join(root, "chk-3")]) {
    const { place, path: own, metadata: found } = await snapshotAt(disk, path, never);
    assert.deepEqual([place, own, found.id], [root, join(root, "chk-3"), 3]);
  }
  renameSync(join(root, "chk-3"), join(root, "mine"));
  await assert.rejects(snapshotAt(disk, join(root, "mine"), never), {
    code: "RESTORE_PATH_INVALID",
    fix: "call its folder chk-3",
  });
});
