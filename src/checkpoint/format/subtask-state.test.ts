import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { temporaryStorage } from "../storage/checkpoint-storage.contract.ts";
import { StateReader, type SubtaskSnapshot, snapshotsWrite } from "./subtask-state.ts";

const SNAPSHOTS: readonly SubtaskSnapshot[] = [
  {
    uid: "count",
    subtask: 1,
    parts: { operator: Buffer.from("op"), watermarks: Buffer.alloc(0) },
    keyed: { first: 64, groups: [Buffer.from("group 64"), Buffer.from("group 65")] },
    splits: [],
  },
  { uid: "in", subtask: 1, parts: {}, keyed: null, splits: [{ id: "a", position: 7 }] },
];
const OPTIONS = { name: "chk-1/1-0-0", packs: "shared/1-1-0-0", inlineBytesMax: 18, compression: false };

describe("the state of a task in storage", () => {
  for (const [inlineBytesMax, files] of [
    [18, []],
    [17, ["chk-1/1-0-0"]],
  ] as const) {
    test(`with ${inlineBytesMax} bytes in the metadata it lies in ${files.length} files, and is read back`, async (context) => {
      const { storage } = temporaryStorage(context);
      const written = await snapshotsWrite(storage, SNAPSHOTS, { ...OPTIONS, inlineBytesMax });
      assert.deepEqual(await storage.list(""), files);
      assert.deepEqual(
        written.files.map(({ name }) => name),
        files,
      );
      // As the metadata gives it.
      const states = (JSON.parse(JSON.stringify(written)) as typeof written).states;
      const reader = new StateReader(storage);
      for (const [index, { uid, subtask, parts, keyed, splits }] of SNAPSHOTS.entries()) {
        const { uid: of, state } = states[index]!;
        assert.deepEqual([of, state.subtask, state.splits], [uid, subtask, splits]);
        assert.deepEqual(Object.keys(state.parts), Object.keys(parts));
        for (const [part, bytes] of Object.entries(parts)) {
          assert.deepEqual(await reader.read(state.parts[part]!), Buffer.from(bytes));
        }
        assert.equal(state.keyed?.first, keyed?.first);
        for (const [group, bytes] of (keyed as { groups: readonly Uint8Array[] } | null)?.groups.entries() ?? []) {
          assert.deepEqual(await reader.read(state.keyed!.groups[group]!), Buffer.from(bytes));
        }
      }
      await reader.close();
    });
  }

  test("nothing is left when it cannot be written (H2)", async (context) => {
    const { storage } = temporaryStorage(context);
    let appended = 0;
    const failing: typeof storage = Object.create(storage);
    failing.create = async (name) => {
      const writer = await storage.create(name);
      return {
        append: async (bytes) => {
          appended += 1;
          if (appended > 4) throw new Error("the disk is full");
          await writer.append(bytes);
        },
        commit: () => writer.commit(),
        abort: () => writer.abort(),
      };
    };
    await assert.rejects(snapshotsWrite(failing, SNAPSHOTS, { ...OPTIONS, inlineBytesMax: 0 }), /disk is full/);
    assert.deepEqual(await storage.list(""), []);
    await snapshotsWrite(storage, SNAPSHOTS, { ...OPTIONS, inlineBytesMax: 0 });
  });
});
