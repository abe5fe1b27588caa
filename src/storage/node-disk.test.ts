import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { diskContract, readText, rejectsWith } from "./disk.contract.ts";
import { nodeDisk } from "./node-disk.ts";

function temporary(): { root: string; close: () => Promise<void> } {
  const root = mkdtempSync(join(tmpdir(), "millrace-disk-"));
  return { root, close: async () => rmSync(root, { recursive: true, force: true }) };
}

diskContract("real", async () => ({ disk: nodeDisk(), ...temporary() }));

/** A real file system of a few kilobytes; null where this user may not mount one. */
function mountSmall(test: TestContext, options: string): string | null {
  const { root, close } = temporary();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", root], { stdio: "ignore" });
    test.after(() => execFileSync("umount", ["-l", root]));
    return root;
  } catch {
    return null;
  } finally {
    test.after(close);
  }
}

describe("the real disk when it cannot be written", () => {
  test("a disk that fills up while writing is DISK_FULL, and what fitted is there", async (context) => {
    const disk = nodeDisk();
    const root = mountSmall(context, "size=64k");
    if (root === null) {
      await using device = await disk.open("/dev/full", "replace");
      await rejectsWith("DISK_FULL", "/dev/full", () => device.append(new Uint8Array(10)));
      return;
    }
    const path = `${root}/file`;
    await using file = await disk.open(path, "create");
    await file.append(new Uint8Array(50_000));
    await rejectsWith("DISK_FULL", path, () => file.append(new Uint8Array(100_000)));
    assert.ok((await file.stat()).size >= 50_000);
    await rejectsWith("DISK_FULL", path, () => file.append(new Uint8Array(1)));
  });

  test("a read-only disk is DISK_READ_ONLY to every change and can be read", async (context) => {
    const disk = nodeDisk();
    const root = mountSmall(context, "size=64k");
    if (root === null) return context.skip("mounting a read-only file system needs root");
    await disk.makeDirectory(`${root}/directory`);
    {
      await using file = await disk.open(`${root}/file`, "create");
      await file.append(new TextEncoder().encode("kept"));
    }
    execFileSync("mount", ["-o", "remount,ro", root]);
    await rejectsWith("DISK_READ_ONLY", `${root}/new`, () => disk.open(`${root}/new`, "create"));
    await rejectsWith("DISK_READ_ONLY", `${root}/file`, () => disk.open(`${root}/file`, "replace"));
    await rejectsWith("DISK_READ_ONLY", `${root}/file`, () => disk.rename(`${root}/file`, `${root}/other`));
    await rejectsWith("DISK_READ_ONLY", `${root}/file`, () => disk.remove(`${root}/file`));
    await rejectsWith("DISK_READ_ONLY", `${root}/new`, () => disk.makeDirectory(`${root}/new`));
    assert.equal(await readText(disk, `${root}/file`), "kept");
  });

  test("a file system that takes no new names is an error, not an endless search for a missing parent", async (context) => {
    if (!existsSync("/proc/self")) return context.skip("there is no such file system here");
    await rejectsWith("DISK_NOT_FOUND", "/proc/nope/deep", () => nodeDisk().makeDirectory("/proc/nope/deep"));
  });

  test("what this user may not read or write is DISK_ACCESS", async (context) => {
    const { root, close } = temporary();
    if (process.getuid?.() === 0) context.after(() => process.seteuid?.(0));
    context.after(close);
    const disk = nodeDisk();
    await disk.makeDirectory(`${root}/closed`);
    chmodSync(`${root}/closed`, 0o000);
    if (process.getuid?.() === 0) process.seteuid?.(65_534); // Permissions do not bind root.
    await rejectsWith("DISK_ACCESS", `${root}/closed/file`, () => disk.open(`${root}/closed/file`, "create"));
    await rejectsWith("DISK_ACCESS", `${root}/closed`, () => disk.list(`${root}/closed`));
  });
});
