import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { nodeDisk } from "../../../storage/node-disk.ts";
import { filesFind } from "./files-find.ts";

/** A real directory with the files `names`. */
function directory(context: TestContext, ...names: readonly string[]): string {
  const root = mkdtempSync(join(tmpdir(), "millrace-find-"));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  for (const name of names) {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), "x");
  }
  return root;
}

async function find(root: string, ...paths: readonly string[]): Promise<readonly string[]> {
  const found = await filesFind(nodeDisk(), paths);
  return found.map(({ path }) => relative(root, path));
}

describe("one file", () => {
  test("is found once, however it is spelt", async (context) => {
    const root = directory(context, "data/x.jsonl", "other/y.jsonl");
    symlinkSync("data", `${root}/link`);
    symlinkSync("../data/x.jsonl", `${root}/other/z.jsonl`);
    const spellings = [
      "data/x.jsonl",
      "data//x.jsonl",
      "data/../data/x.jsonl",
      "data",
      "link",
      "other",
      "data/*",
      "**",
    ];
    for (const first of spellings) {
      const found = await find(root, ...[first, ...spellings].map((path) => `${root}/${path}`));
      assert.equal(found.length, 2, found.join());
      assert.ok(found.includes("other/y.jsonl"));
    }
  });

  test("is the same by a relative path and an absolute one", async (context) => {
    const root = directory(context, "x");
    const here = relative(process.cwd(), `${root}/x`);
    const found = await filesFind(nodeDisk(), [here, `./${here}`, `${root}/x`, `${root}/./x`]);
    assert.deepEqual(
      found.map(({ path }) => path),
      [here],
      "by the first of its names",
    );
  });
});

describe("symbolic links", () => {
  test("lead to files and directories elsewhere; those that lead back are passed over", async (context) => {
    const root = directory(context, "data/a.csv", "data/sub/b.csv", "elsewhere/c.csv");
    symlinkSync("..", `${root}/data/sub/up`);
    symlinkSync("loop", `${root}/data/loop`);
    symlinkSync("../..", `${root}/data/sub/top`);
    symlinkSync("there", `${root}/data/here`);
    symlinkSync("here", `${root}/data/there`);
    symlinkSync("../elsewhere", `${root}/data/far`);
    const all = ["data/a.csv", "data/far/c.csv", "data/sub/b.csv"]; // "top" leads to where no search came from.
    assert.deepEqual(await find(root, `${root}/data`), all);
    assert.deepEqual(await find(root, `${root}/data/**/*.csv`), all);
    assert.deepEqual(await find(root, `${root}/data/*/*.csv`), all.slice(1));
  });

  test("to a directory beside are followed, though the search has been in it by its own name", async (context) => {
    const root = directory(context, "data/a/x.csv");
    symlinkSync("a", `${root}/data/b`);
    assert.deepEqual(await find(root, `${root}/data/**/b/*.csv`), ["data/b/x.csv"]);
    assert.deepEqual(await find(root, `${root}/data`), ["data/a/x.csv"]);
  });

  test("that lead nowhere are named, with where they lead", async (context) => {
    const root = directory(context, "data/a.csv", "data/b.txt");
    symlinkSync("../gone.csv", `${root}/data/b.csv`);
    const named = {
      code: "LINK_BROKEN",
      message: `${root}/data/b.csv is a symbolic link to ../gone.csv, where there is nothing`,
    };
    await assert.rejects(find(root, `${root}/data`), named);
    await assert.rejects(find(root, `${root}/data/*.csv`), named);
    await assert.rejects(find(root, `${root}/data/b.csv`), named);
    assert.deepEqual(await find(root, `${root}/data/*.txt`), ["data/b.txt"]);
  });

  test("that may not be followed are named too", async (context) => {
    const isRoot = process.getuid?.() === 0;
    context.after(() => {
      if (isRoot) process.seteuid?.(0);
      chmodSync(`${root}/closed`, 0o700);
    });
    const root = directory(context, "closed/sub/a.csv", "data/b.csv");
    symlinkSync("../closed/sub", `${root}/data/link`);
    chmodSync(root, 0o755);
    chmodSync(`${root}/closed`, 0o000);
    if (isRoot) process.seteuid?.(65_534); // Permissions do not bind root.
    await assert.rejects(find(root, `${root}/data`), {
      code: "DISK_ACCESS",
      message: new RegExp(
        `^cannot follow the symbolic link ${root}/data/link to \\.\\./closed/sub: .*permission denied`,
      ),
    });
  });

  test("in a circle, and names that are too long, are the path's fault, not the disk's", async (context) => {
    const root = directory(context);
    symlinkSync("loop", `${root}/loop`);
    await assert.rejects(find(root, `${root}/loop`), { name: "UserError", code: "PATH_INVALID", message: /circle/ });
    await assert.rejects(find(root, `${root}/${"x".repeat(300)}`), {
      name: "UserError",
      code: "PATH_INVALID",
      message: /the name is too long/,
    });
  });
});

describe("names that are not UTF-8", () => {
  test("are refused by name, not passed over", async (context) => {
    const root = directory(context, "data/a.csv", "data/b.txt");
    const name = Buffer.concat([Buffer.from(`${root}/data/caf`), Buffer.from([0xe9]), Buffer.from(".csv")]); // Latin-1
    writeFileSync(name, "x");
    const named = { name: "UserError", code: "PATH_NOT_UTF8", message: /data\/caf\ufffd\.csv cannot be read/ };
    await assert.rejects(find(root, `${root}/data`), named);
    await assert.rejects(find(root, `${root}/data/*.csv`), named);
    await assert.rejects(find(root, `${root}/*/*.csv`), named);
    assert.deepEqual(await find(root, `${root}/data/*.txt`), ["data/b.txt"]);
  });

  test("are not those that hold the sign for them", async (context) => {
    const root = directory(context, "data/caf\ufffd.csv");
    assert.deepEqual(await find(root, `${root}/data`), ["data/caf\ufffd.csv"]);
  });
});
