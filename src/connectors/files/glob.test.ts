import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { simWorld } from "../../testing/world.ts";
import { filesFind } from "./glob.ts";

async function find(files: readonly string[], ...paths: string[]): Promise<string[]> {
  const { env } = simWorld(1);
  for (const file of files) env.disk.put(file, "x");
  let over = false;
  const found = filesFind(env.disk, paths).finally(() => {
    over = true;
  });
  found.catch(() => {}); // Thrown below.
  await env.runUntilIdle(() => over);
  return (await found).map(({ path }) => path);
}

const FILES = [
  "/d/b.csv",
  "/d/a.csv",
  "/d/a10.csv",
  "/d/.hidden.csv",
  "/d/_tmp/x.csv",
  "/d/sub/c.csv",
  "/d/sub/deep/d.csv",
  "/d/sub/e.txt",
  "/d/q[1].csv",
];

describe("paths", () => {
  test("a file stands for itself, whatever characters its name has, and a directory for the files below it, sorted", async () => {
    assert.deepEqual(await find(FILES, "/d/b.csv"), ["/d/b.csv"]);
    assert.deepEqual(await find(FILES, "/d/q[1].csv"), ["/d/q[1].csv"]);
    assert.deepEqual(await find(FILES, "/d"), [
      "/d/a.csv",
      "/d/a10.csv",
      "/d/b.csv",
      "/d/q[1].csv",
      "/d/sub/c.csv",
      "/d/sub/deep/d.csv",
      "/d/sub/e.txt",
    ]);
    assert.deepEqual(await find(FILES, "/d/sub/"), ["/d/sub/c.csv", "/d/sub/deep/d.csv", "/d/sub/e.txt"]);
  });

  test("numbers in names count as numbers, in directories as in files", async () => {
    const files = ["/n/day-10/x.csv", "/n/day-2/x-11.csv", "/n/day-2/x-9.csv"];
    const inOrder = ["/n/day-2/x-9.csv", "/n/day-2/x-11.csv", "/n/day-10/x.csv"];
    assert.deepEqual(await find(files, "/n"), inOrder);
    assert.deepEqual(await find(files, "/n/**/*.csv"), inOrder);
  });

  test("patterns match within a name, ** matches directories, braces are alternatives", async () => {
    assert.deepEqual(await find(FILES, "/d/*.csv"), ["/d/a.csv", "/d/a10.csv", "/d/b.csv", "/d/q[1].csv"]);
    assert.deepEqual(await find(FILES, "/d/?.csv"), ["/d/a.csv", "/d/b.csv"]);
    assert.deepEqual(await find(FILES, "/d/[ab].csv"), ["/d/a.csv", "/d/b.csv"]);
    assert.deepEqual(await find(FILES, "/d/[!a]*.csv"), ["/d/b.csv", "/d/q[1].csv"]);
    assert.deepEqual(await find(FILES, "/d/**/*.csv"), [
      "/d/a.csv",
      "/d/a10.csv",
      "/d/b.csv",
      "/d/q[1].csv",
      "/d/sub/c.csv",
      "/d/sub/deep/d.csv",
    ]);
    assert.deepEqual(await find(FILES, "/d/sub/**"), ["/d/sub/c.csv", "/d/sub/deep/d.csv", "/d/sub/e.txt"]);
    assert.deepEqual(await find(FILES, "/*/sub/*.{csv,txt}"), ["/d/sub/c.csv", "/d/sub/e.txt"]);
    assert.deepEqual(await find(FILES, "/d/{a,b}{,10}.csv"), ["/d/a.csv", "/d/a10.csv", "/d/b.csv"]);
    assert.deepEqual(await find(["/a.b/x+y.csv", "/aXb/x+y.csv"], "/a.b/*+*.csv"), ["/a.b/x+y.csv"]);
  });

  test("hidden names are found only when the pattern says so", async () => {
    assert.deepEqual(await find(FILES, "/d/.*.csv"), ["/d/.hidden.csv"]);
    assert.deepEqual(await find(FILES, "/d/_*/*"), ["/d/_tmp/x.csv"]);
  });

  test("several paths keep their order, and no file comes twice", async () => {
    assert.deepEqual(await find(FILES, "/d/sub/c.csv", "/d/[ab].csv", "/d/*.csv"), [
      "/d/sub/c.csv",
      "/d/a.csv",
      "/d/b.csv",
      "/d/a10.csv",
      "/d/q[1].csv",
    ]);
  });

  test("what stands for nothing is an error with the path and the nearest name", async () => {
    await assert.rejects(find(FILES, "/d/a.cvs"), {
      code: "FILE_MISSING",
      message: "there is no file /d/a.cvs",
      fix: "did you mean /d/a.csv?",
    });
    await assert.rejects(find(FILES, "/e/a.csv"), {
      code: "FILE_MISSING",
      message: "there is no file /e/a.csv, nor a directory /e",
    });
    await assert.rejects(find(FILES, "f/a.csv"), {
      code: "FILE_MISSING",
      message: "there is no file f/a.csv, nor a directory f in /",
    });
    await assert.rejects(find(FILES, "/d/*.json"), { code: "FILES_NONE", message: "no file matches /d/*.json" });
    await assert.rejects(find(FILES, "s3://bucket/x"), { code: "PATH_UNSUPPORTED" });
    await assert.rejects(find(FILES, `/d/${"{a,b}".repeat(12)}`), { code: "PATH_UNSUPPORTED" });
  });
});
