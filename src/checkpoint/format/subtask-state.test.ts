import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FrozenState } from "../../state/contract/frozen-state.ts";
import type { ByteWriter } from "../../types/bytes/codec.ts";
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

/** Two key groups without pages, each of which is followed by these bits. */
function frozenOf(first: number, bits: readonly Buffer[]): FrozenState {
  const write = (bytes: Uint8Array, out: ByteWriter): void => {
    out.reserve(bytes.length);
    out.bytes.set(bytes, out.position);
    out.position += bytes.length;
  };
  let next = 0;
  return {
    ...{ first, count: 2, isPressed: false, isEnded: false },
    ...{ next: () => null, recycle: () => undefined, written: () => undefined, packs: () => [], end: () => undefined },
    writeGroup: (keyGroup, out) => write(Buffer.from(`group ${keyGroup}`), out),
    writeMore: (_, out) => {
      write(bits[next]!, out);
      next = (next + 1) % bits.length;
      return next > 0;
    },
  };
}

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

  for (const compression of [false, true]) {
    test(`what is written in bits is read as one, ${compression ? "compressed or not" : "not compressed"}`, async (context) => {
      const { storage } = temporaryStorage(context);
      const bits = [3, 0, 300_000, 1].map((size, n) => Buffer.alloc(size, `bit ${n} `));
      const snapshot = { uid: "heap", subtask: 0, parts: {}, keyed: frozenOf(5, bits), splits: [] };
      const written = await snapshotsWrite(storage, [snapshot], { ...OPTIONS, compression });
      const { keyed } = written.states[0]!.state;
      const reader = new StateReader(storage);
      assert.equal(keyed?.groups.length, 2);
      for (const [n, handle] of keyed.groups.entries()) {
        assert.deepEqual(await reader.read(handle), Buffer.concat([Buffer.from(`group ${5 + n}`), ...bits]));
      }
      await reader.close();
    });
  }

  test("nothing is left when it cannot be written (H2)", async (context) => {
    const { storage } = temporaryStorage(context);
    const failing: typeof storage = Object.create(storage);
    failing.create = async (name) => {
      const writer = await storage.create(name);
      return {
        append: async (bytes) => {
          await writer.append(bytes.subarray(0, 20));
          throw new Error("the disk is full");
        },
        commit: () => writer.commit(),
        abort: () => writer.abort(),
      };
    };
    await assert.rejects(snapshotsWrite(failing, SNAPSHOTS, { ...OPTIONS, inlineBytesMax: 0 }), /disk is full/);
    assert.deepEqual(await storage.list(""), []);
    await snapshotsWrite(storage, SNAPSHOTS, { ...OPTIONS, inlineBytesMax: 0 });
  });

  test("sections are written together, and the store works on after each bit", async (context) => {
    const { storage } = temporaryStorage(context);
    const appended: number[] = [];
    const counting: typeof storage = Object.create(storage);
    counting.create = async (name) => {
      const writer = await storage.create(name);
      return {
        append: (bytes) => {
          appended.push(bytes.length);
          return writer.append(bytes);
        },
        commit: () => writer.commit(),
        abort: () => writer.abort(),
      };
    };
    await snapshotsWrite(counting, SNAPSHOTS, { ...OPTIONS, inlineBytesMax: 0 });
    assert.equal(appended.length, 1);
    appended.length = 0;
    const keyed = frozenOf(
      5,
      [3, 5].map((size) => Buffer.alloc(size)),
    );
    await snapshotsWrite(counting, [{ uid: "heap", subtask: 0, parts: {}, keyed, splits: [] }], {
      ...OPTIONS,
      name: "chk-1/2-0-0",
    });
    assert.equal(appended.length, 2 * 2, "each bit of each group");
  });
});
