// Each file of a small checkpoint, cut at, flipped at, or without each of its bytes, and gone: what is found is whole,
// or an older one with a loud word, or a refusal. Never a part of one, and never nothing.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { crc32 } from "node:zlib";
import type { Files } from "../../test/golden/golden-run.ts";
import { MemoryStorage } from "../../test/golden/memory-storage.ts";
import { EngineError } from "../base/errors.ts";
import type { CheckpointId, JobId } from "../base/ids.ts";
import { CompletedCheckpointStore } from "./completed-store.ts";
import { type CheckpointMetadata, handlesOf, metadataBytes } from "./format/metadata.ts";
import { StateFileWriter } from "./format/state-file.ts";
import { StateReader } from "./format/subtask-state.ts";
import type { ObjectWriter } from "./storage/checkpoint-storage.ts";
import { damaged } from "./storage/damage.ts";
import { checkSizes } from "./verify.ts";

const TEXT = ["state of one", "state of another, which is longer", ""];

/** Two checkpoints; the older one says so in its state. */
async function twoCheckpoints(): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const id of [1, 2]) {
    const name = `chk-${id}/1-0-0`;
    const chunks: Uint8Array[] = [];
    const object: ObjectWriter = {
      append: async (bytes) => void chunks.push(Buffer.from(bytes)),
      commit: async () => void files.set(name, Buffer.concat(chunks)),
      abort: async () => undefined,
    };
    const storage = Object.assign(new MemoryStorage(files), { create: async () => object });
    const writer = await StateFileWriter.create(storage, name, { compression: id === 2 });
    const groups = [];
    for (const text of TEXT) groups.push(await writer.add(Buffer.from(`${id} ${text}`.repeat(3))));
    await writer.commit();
    const parts = { watermarks: { inline: Buffer.from(`inline ${id}`).toString("base64") } };
    const subtask = { subtask: 0, finished: false, parts, keyed: { first: 0, groups }, splits: [], committables: [] };
    const operators = [{ uid: "a", parallelism: 1, maxParallelism: 3, coordinator: null, subtasks: [subtask] }];
    const metadata: CheckpointMetadata = {
      ...{ id: id as CheckpointId, kind: "checkpoint", jobId: "0" as JobId, jobName: "j", completedAt: "" },
      ...{ planHash: "", planText: "{}", operators, files: { [name]: writer.length } },
    };
    files.set(`chk-${id}/_metadata`, metadataBytes(metadata));
  }
  files.set("latest", Buffer.from(`chk-2 ${crc32("chk-2").toString(16)}`));
  return files;
}

type Found = { readonly content: string; readonly unreadable: readonly CheckpointId[] };

/** What a start finds: as the newest one that is whole, and then as what its tasks read of it. */
async function found(files: Files): Promise<Found> {
  const storage = new MemoryStorage(files);
  const unreadable = new Set<CheckpointId>();
  for (;;) {
    const metadata = await new CompletedCheckpointStore(storage).newest(
      async (each) => {
        if (unreadable.has(each.id)) throw damaged(`chk-${each.id}`, "it could not be restored");
        await checkSizes(storage, each);
      },
      (id) => unreadable.add(id),
    );
    if (metadata === null) return { content: "nothing", unreadable: [...unreadable] };
    try {
      return { content: await contentOf(storage, metadata), unreadable: [...unreadable] };
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      unreadable.add(metadata.id);
    }
  }
}

async function contentOf(storage: MemoryStorage, metadata: CheckpointMetadata): Promise<string> {
  const reader = new StateReader(storage);
  const parts: string[] = [];
  for (const handle of metadata.operators.flatMap(handlesOf))
    parts.push((await reader.read(handle)).toString("latin1"));
  await reader.close();
  return parts.join("|");
}

describe("a checkpoint of which one byte is not what it was", () => {
  test("is passed over for the older one, whichever byte of whichever file, cut or flipped", async () => {
    const files = await twoCheckpoints();
    const whole = await found(files);
    const older = await found(new Map([...files].filter(([path]) => !path.startsWith("chk-2/"))));
    assert.match(whole.content, /^inline 2\|2 state of one/);
    assert.match(older.content, /^inline 1\|1 state of one/);
    let count = 0;
    for (const [path, bytes] of files) {
      const wanted = path.startsWith("chk-2/") ? older.content : whole.content;
      const isOlder = path.startsWith("chk-2/");
      const check = async (what: string, now: Uint8Array): Promise<void> => {
        const { content, unreadable } = await found(new Map([...files, [path, now]]));
        assert.equal(content, wanted, `${path} ${what}`);
        assert.deepEqual(unreadable, isOlder ? [2] : [], `${path} ${what} is told`);
        count += 1;
      };
      for (let at = 0; at < bytes.length; at += 1) {
        await check(`cut at ${at}`, bytes.subarray(0, at));
        await check(`without byte ${at}`, Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]));
        for (const bit of [1, 0x80]) {
          const flipped = Buffer.from(bytes);
          flipped[at]! ^= bit;
          await check(`flipped at ${at} by ${bit}`, flipped);
        }
      }
      await check("longer", Buffer.concat([bytes, Buffer.of(0)]));
    }
    assert.ok(count > 4_000, `${count} damages`);
  });

  test("or of which a file is gone, is passed over as well; without any that is whole the start is refused", async () => {
    const files = await twoCheckpoints();
    const without = (...paths: readonly string[]): Files =>
      new Map([...files].filter(([path]) => !paths.includes(path)));
    for (const path of ["chk-2/_metadata", "chk-2/1-0-0"]) {
      const { content, unreadable } = await found(without(path));
      assert.match(content, /^inline 1/, path);
      assert.deepEqual(unreadable, [2], path);
    }
    assert.match((await found(without("latest"))).content, /^inline 2/);
    for (const one of ["chk-1/_metadata", "chk-1/1-0-0"]) {
      for (const other of ["chk-2/_metadata", "chk-2/1-0-0"]) {
        await assert.rejects(found(without(one, other)), { code: "CHECKPOINT_NONE_READABLE" }, `${one} ${other}`);
      }
    }
    await assert.rejects(found(new Map([["latest", files.get("latest")!]])), { code: "CHECKPOINT_NONE_READABLE" });
  });
});
