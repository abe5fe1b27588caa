// What every disk guarantees. `diskContract` registers one suite; node-disk.test.ts and sim-disk.test.ts run it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Disk } from "../base/disk.ts";
import { ExternalError } from "../base/errors.ts";
import type { DiskErrorCode } from "./disk-error.ts";

export type DiskUnderTest = {
  readonly disk: Disk;
  /** An empty directory on that disk. */
  readonly root: string;
  readonly close: () => Promise<void>;
};

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function write(disk: Disk, path: string, text: string, mode: "create" | "replace" = "create"): Promise<void> {
  await using file = await disk.open(path, mode);
  await file.append(bytesOf(text));
  await file.sync();
}

export async function readText(disk: Disk, path: string): Promise<string> {
  await using file = await disk.open(path, "read");
  const { size } = await file.stat();
  const bytes = new Uint8Array(size);
  let filled = 0;
  for (let count = -1; count !== 0; filled += count) count = await file.read(bytes, filled, size - filled, filled);
  return new TextDecoder().decode(bytes.subarray(0, filled));
}

export async function rejectsWith(code: DiskErrorCode, path: string, run: () => Promise<unknown>): Promise<void> {
  await assert.rejects(run, (error: unknown) => {
    assert.ok(error instanceof ExternalError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(path), `the message names ${path}: ${error.message}`);
    return true;
  });
}

type Guarantee = (title: string, body: (disk: Disk, root: string) => Promise<void>) => void;

export function diskContract(name: string, make: () => Promise<DiskUnderTest>): void {
  const guarantee: Guarantee = (title, body) => {
    test(title, async () => {
      const { disk, root, close } = await make();
      try {
        await body(disk, root);
      } finally {
        await close();
      }
    });
  };
  describe(`disk contract: ${name}`, () => {
    contentContract(guarantee);
    namesContract(guarantee);
  });
}

function contentContract(guarantee: Guarantee): void {
  guarantee("what was appended is read back, in one piece or many", async (disk, root) => {
    const path = `${root}/file`;
    await using file = await disk.open(path, "create");
    await file.append(bytesOf("first "));
    await file.append(bytesOf(""));
    await file.append(bytesOf("second"));
    assert.equal(await readText(disk, path), "first second");
    assert.equal((await file.stat()).size, 12);
    assert.equal((await file.stat()).kind, "file");
  });

  guarantee("a read lands at the given offset and returns 0 at the end of the file", async (disk, root) => {
    await write(disk, `${root}/file`, "0123456789");
    await using file = await disk.open(`${root}/file`, "read");
    const into = new Uint8Array(8).fill(1);
    const count = await file.read(into, 2, 3, 4);
    assert.ok(count >= 1 && count <= 3, `${count}`);
    assert.deepEqual([...into.subarray(2, 2 + count)], [...bytesOf("456").subarray(0, count)]);
    assert.equal(into[1], 1);
    assert.equal(into[2 + count], 1);
    assert.equal(await file.read(into, 0, 8, 10), 0);
    assert.equal(await file.read(into, 0, 8, 99), 0);
  });

  guarantee("a block larger than any buffer of the system is appended whole", async (disk, root) => {
    const block = new Uint8Array(3_000_000).map((_, index) => (index * 31) & 0xff);
    await using file = await disk.open(`${root}/large`, "create");
    await file.append(block);
    await file.append(block.subarray(0, 1));
    assert.equal((await file.stat()).size, 3_000_001);
  });

  guarantee("bytes in shared memory are written and read without a copy by the caller", async (disk, root) => {
    const shared = new Uint8Array(new SharedArrayBuffer(5));
    shared.set(bytesOf("hello"));
    await using file = await disk.open(`${root}/file`, "create");
    await file.append(shared);
    const back = new Uint8Array(new SharedArrayBuffer(5));
    await using again = await disk.open(`${root}/file`, "read");
    let filled = 0;
    while (filled < 5) filled += await again.read(back, filled, 5 - filled, filled);
    assert.deepEqual([...back], [...shared]);
  });
}

function namesContract(guarantee: Guarantee): void {
  guarantee("create refuses an existing file, replace empties it", async (disk, root) => {
    const path = `${root}/file`;
    await write(disk, path, "old");
    await rejectsWith("DISK_EXISTS", path, () => disk.open(path, "create"));
    await write(disk, path, "n", "replace");
    assert.equal(await readText(disk, path), "n");
  });

  guarantee(
    "what is missing is DISK_NOT_FOUND to open, list, rename and sync; null to stat; fine to remove",
    async (disk, root) => {
      const path = `${root}/none`;
      await rejectsWith("DISK_NOT_FOUND", path, () => disk.open(path, "read"));
      await rejectsWith("DISK_NOT_FOUND", path, () => disk.open(`${path}/file`, "create"));
      await rejectsWith("DISK_NOT_FOUND", path, () => disk.list(path));
      await rejectsWith("DISK_NOT_FOUND", path, () => disk.rename(path, `${root}/other`));
      await rejectsWith("DISK_NOT_FOUND", path, () => disk.syncDirectory(path));
      assert.equal(await disk.stat(path), null);
      assert.equal(await disk.stat(`${path}/below`), null);
      await disk.remove(path);
    },
  );

  guarantee("a directory cannot be opened as a file, nor a file used as a directory", async (disk, root) => {
    await disk.makeDirectory(`${root}/directory`);
    await write(disk, `${root}/file`, "x");
    await rejectsWith("DISK_IO", `${root}/directory`, () => disk.open(`${root}/directory`, "read"));
    await rejectsWith("DISK_IO", `${root}/directory`, () => disk.open(`${root}/directory`, "replace"));
    await rejectsWith("DISK_NOT_FOUND", `${root}/file/x`, () => disk.open(`${root}/file/x`, "read"));
    await rejectsWith("DISK_NOT_FOUND", `${root}/file`, () => disk.list(`${root}/file`));
    await rejectsWith("DISK_EXISTS", `${root}/file`, () => disk.makeDirectory(`${root}/file`));
    assert.equal(await disk.stat(`${root}/file/x`), null);
  });

  guarantee("rename replaces its target at once, and readers of the old one keep it", async (disk, root) => {
    await write(disk, `${root}/new`, "new");
    await write(disk, `${root}/target`, "old");
    await using reader = await disk.open(`${root}/target`, "read");
    await disk.rename(`${root}/new`, `${root}/target`);
    await disk.syncDirectory(root);
    assert.equal(await readText(disk, `${root}/target`), "new");
    assert.equal(await disk.stat(`${root}/new`), null);
    const into = new Uint8Array(1);
    assert.equal(await reader.read(into, 0, 1, 0), 1);
    assert.equal(into[0], "o".charCodeAt(0));
  });

  guarantee("directories are made with their parents, twice is fine, and list is sorted", async (disk, root) => {
    await disk.makeDirectory(`${root}/a/b/c`);
    await disk.makeDirectory(`${root}/a/b/c`);
    for (const name of ["z", "B", "a10", "a9", ".hidden"]) await write(disk, `${root}/a/b/${name}`, name);
    assert.deepEqual(await disk.list(`${root}/a/b`), [".hidden", "B", "a10", "a9", "c", "z"]);
    assert.equal((await disk.stat(`${root}/a/b`))?.kind, "directory");
  });

  guarantee("several can make directories with the same missing parents at once", async (disk, root) => {
    const paths = Array.from({ length: 8 }, (_, index) => `${root}/a/b/c/${index % 4}`);
    await Promise.all(paths.map((path) => disk.makeDirectory(path)));
    assert.deepEqual(await disk.list(`${root}/a/b/c`), ["0", "1", "2", "3"]);
  });

  guarantee("a lock has one holder, who can be named, until it is released", async (disk, root) => {
    const path = `${root}/.lock`;
    const attempts = await Promise.all(Array.from({ length: 4 }, (_, index) => disk.lock(path, `job ${index}`)));
    const locked = attempts.filter((attempt) => attempt.kind === "locked");
    assert.equal(locked.length, 1);
    const holder = `job ${attempts.indexOf(locked[0]!)}`;
    const refused = await disk.lock(path, "another");
    assert.ok(refused.kind === "held" && refused.by.isCertain);
    assert.equal(refused.by.holder, holder);
    await locked[0]!.release();
    const next = await disk.lock(path, "another");
    assert.equal(next.kind, "locked");
    await locked[0]!.release();
    assert.equal((await disk.lock(path, "a third")).kind, "held", "a release repeated frees nobody else's");
  });

  guarantee("what is there has a real path, and links are told from other files", async (disk, root) => {
    await write(disk, `${root}/file`, "x");
    const real = await disk.realPath(`${root}/.//file`);
    assert.ok(real?.startsWith("/") && real.endsWith("/file"), `${real}`);
    assert.equal(await disk.realPath(`${root}/none`), null);
    assert.equal(await disk.readLink(`${root}/file`), null);
    assert.equal(await disk.readLink(`${root}/none`), null);
  });

  guarantee("remove takes files and empty directories, not full ones", async (disk, root) => {
    await disk.makeDirectory(`${root}/a`);
    await write(disk, `${root}/a/file`, "x");
    await rejectsWith("DISK_IO", `${root}/a`, () => disk.remove(`${root}/a`));
    await disk.remove(`${root}/a/file`);
    await disk.remove(`${root}/a`);
    assert.deepEqual(await disk.list(root), []);
  });
}
