// Snapshots as earlier versions of Millrace have written them: they are read and gone on from for ever. Today's format
// is that of the newest one, byte by byte: what is written differently has another version, and a golden snapshot of
// its own (scripts/golden-snapshot.ts).

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type CheckpointMetadata, METADATA_VERSION, metadataOf, type SubtaskState } from "../../src/checkpoint/format/metadata.ts";
import { type Files, goldenRun, rowsIn } from "./golden-run.ts";

const names = readdirSync(import.meta.dirname).filter((name) => /^snapshot-\d+(-pages)?$/.test(name));

function filesOf(name: string): Files {
  const directory = join(import.meta.dirname, name);
  const paths = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    paths.flatMap(({ name: file, parentPath }) => {
      const path = join(parentPath, file);
      return file === "rows.jsonl" ? [] : [[path.slice(directory.length + 1), readFileSync(path)] as const];
    }),
  );
}

function metadataIn(files: Files): CheckpointMetadata {
  const [name, bytes] = [...files].findLast(([path]) => path.endsWith("/_metadata")) ?? assert.fail("no metadata");
  return metadataOf(name, Buffer.from(bytes));
}

/** Those are committed when the job goes on. */
function withoutCommittables({ committables: _, ...state }: SubtaskState): Omit<SubtaskState, "committables"> {
  return state;
}

/** What does not depend on the run; names of its files without the checkpoint's. */
function comparable({ operators, id }: CheckpointMetadata): unknown {
  const left = operators.map((state) => ({ ...state, subtasks: state.subtasks.map(withoutCommittables) }));
  return JSON.parse(JSON.stringify(left).replaceAll(`"chk-${id}/`, '"'));
}

test("there is a golden snapshot of the version that is written now", () => {
  assert.ok(names.includes(`snapshot-${METADATA_VERSION}`), names.join());
});

for (const name of names) {
  describe(`the golden ${name}`, () => {
    const files = filesOf(name);

    test("is read without its job", async () => {
      const rows = readFileSync(join(import.meta.dirname, name, "rows.jsonl"), "utf8").trimEnd().split("\n");
      assert.ok(rows.length > 80);
      assert.deepEqual(await rowsIn(files), rows);
    });

    test("is gone on from as if the job had not ended, with either backend", async () => {
      const prepared = metadataIn(files).operators.flatMap(({ uid, subtasks }) =>
        subtasks.flatMap(({ committables }) => committables.map((each) => [uid.replace("out.", ""), each] as const)),
      );
      assert.equal(prepared.length, 7);
      const sorted = (rows: readonly unknown[] = []): string[] => rows.map(textOf).sort();
      const whole = await goldenRun({ more: 15 });
      const before = await goldenRun();
      // What was written by pages is loaded by managed stores alone.
      for (const backend of name.endsWith("-pages") ? ["managed"] : ["managed", "hashmap"]) {
        const after = await goldenRun({ from: files, more: 15, config: { "state.backend.type": backend } });
        for (const [sink, committable] of prepared) assert.deepEqual(after.committed[sink]?.[0], committable, sink);
        for (const [sink, rows] of Object.entries(whole.written)) {
          const both = [...(before.written[sink] ?? []), ...(after.written[sink] ?? [])];
          assert.deepEqual(sorted(both), sorted(rows), `${sink} with ${backend}`);
        }
      }
    });

    test("is the same in the other form once it was gone on from", async () => {
      const threshold = name.endsWith("-pages") ? "1gb" : "0b";
      const again = await goldenRun({ from: files, config: { "execution.checkpointing.pages-threshold": threshold } });
      assert.deepEqual(await rowsIn(again.files), await rowsIn(files));
    });

    if (name !== `snapshot-${METADATA_VERSION}`) return;

    test("is what is written now, byte by byte", async () => {
      // Entries of a map change their order when they are restored: twice, and it is the one that they had.
      const once = await goldenRun({ from: files });
      const again = await goldenRun({ from: once.files });
      assert.deepEqual(comparable(again.newest), comparable(metadataIn(files)));
      const { id } = metadataIn(files);
      for (const [path, bytes] of files) {
        if (!path.startsWith("chk-") || path.endsWith("_metadata")) continue;
        const written = again.files.get(path.replace(`chk-${id}/`, `chk-${again.newest.id}/`));
        assert.deepEqual(Buffer.from(written ?? []), bytes, path);
      }
    });

    test("by the heap store is the same in another order", async () => {
      const again = await goldenRun({ from: files, config: { "state.backend.type": "hashmap" } });
      assert.deepEqual(await rowsIn(again.files), await rowsIn(files));
    });

    test("by the heap store bit by bit is the same, and either backend goes on from it", async () => {
      const pages = { "execution.checkpointing.pages-threshold": "0b" };
      const bits = await goldenRun({ from: files, config: { "state.backend.type": "hashmap", ...pages } });
      assert.deepEqual(await rowsIn(bits.files), await rowsIn(files));
      for (const backend of ["managed", "hashmap"]) {
        const again = await goldenRun({ from: bits.files, config: { "state.backend.type": backend } });
        assert.deepEqual(await rowsIn(again.files), await rowsIn(files), backend);
      }
    });
  });
}

function textOf(row: unknown): string {
  return JSON.stringify(row, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}
