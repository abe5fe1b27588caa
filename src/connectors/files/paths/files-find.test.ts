import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import picomatch from "picomatch/posix.js";
import { simWorld } from "../../../testing/world.ts";
import { filesFind } from "./files-find.ts";
import { pathPattern } from "./pattern.ts";

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
    assert.deepEqual(await find(FILES, "/d/[as]*"), ["/d/a.csv", "/d/a10.csv"], "a directory is no file");
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

  test("ranges count, extended patterns and classes of characters are known, slashes may stand in braces", async () => {
    const days = Array.from({ length: 12 }, (_, index) => `/y/day-${index + 1}.csv`);
    assert.deepEqual((await find(days, "/y/day-{2..11..3}.csv")).toSorted(), [
      "/y/day-11.csv",
      "/y/day-2.csv",
      "/y/day-5.csv",
      "/y/day-8.csv",
    ]);
    const padded = ["/y/08.csv", "/y/09.csv", "/y/10.csv", "/y/9.csv"];
    assert.deepEqual(await find(padded, "/y/{09..10}.csv"), ["/y/09.csv", "/y/10.csv"]);
    assert.deepEqual(await find(FILES, "/d/!(a*|b).csv"), ["/d/q[1].csv"]);
    assert.deepEqual(await find(FILES, "/d/+([[:alpha:]])+([[:digit:]]).csv"), ["/d/a10.csv"]);
    assert.deepEqual(await find(FILES, "/d/{sub/deep,sub}/*.csv"), ["/d/sub/c.csv", "/d/sub/deep/d.csv"]);
    assert.deepEqual(await find(FILES, "/d/**/deep/**/*.csv"), ["/d/sub/deep/d.csv"]);
  });

  test("brackets, braces and parentheses of a name that is there stand for themselves; \\ makes them do so", async () => {
    const files = ["/data [2026]/a.csv", "/data 2/b.csv", "/x/{y}(1)/c.csv", "/x/y/d.csv"];
    assert.deepEqual(await find(files, "/data [2026]/*.csv"), ["/data [2026]/a.csv"]);
    assert.deepEqual(await find(files, "/data [12]/*.csv"), ["/data 2/b.csv"]);
    assert.deepEqual(await find(files, "/*/{y}(1)/*.csv"), ["/x/{y}(1)/c.csv"]);
    assert.deepEqual(await find(files, "/x/@(y)/*.csv"), ["/x/y/d.csv"]);
    assert.deepEqual(await find(files, "/data \\[2026\\]/*.csv"), ["/data [2026]/a.csv"]);
    await assert.rejects(find(["/data [2025]/a.csv"], "/data [2026]/a.csv"), {
      code: "FILES_NONE",
      fix: /need a \\: \/data \\\[2026\\\]\/a\.csv$/,
    });
  });

  test("a pattern that is none is told with the reason, a range without end is refused", async () => {
    await assert.rejects(find(FILES, "/d/[z-a]*"), {
      code: "PATH_PATTERN_INVALID",
      message: "/d/[z-a]* is not a pattern: range out of order in character class",
    });
    await assert.rejects(find(FILES, "/d/{a"), { code: "PATH_PATTERN_INVALID" });
    await assert.rejects(find(FILES, "/d/{1..1000000000}"), { code: "PATH_PATTERN_INVALID" });
  });

  test("names match as picomatch matches them, but for those that are hidden", () => {
    const sign = fc.constantFrom(
      "a",
      "b",
      "1",
      ".",
      "_",
      "-",
      "*",
      "?",
      "[ab]",
      "{a,b1}",
      "(",
      ")",
      "!(a)",
      "+(b|1)",
      "é",
    );
    const asksForHidden = /(^|\()[._]/;
    const names = ["a", "b", "ab", "a1", "b1", ".a", "a.b", "a-b", "aa", "é", "a(b", "bb1"];
    fc.assert(
      fc.property(fc.array(sign, { minLength: 1, maxLength: 5 }), (signs) => {
        const text = `${signs.join("")}*`;
        let expected: readonly boolean[];
        try {
          const matches = picomatch(text, { debug: true, nonegate: true });
          expected = names.map((name) => matches(name) && (!/^[._]/.test(name) || asksForHidden.test(text)));
        } catch {
          assert.throws(() => pathPattern(text), { code: "PATH_PATTERN_INVALID" });
          return;
        }
        const pattern = pathPattern(text)!.names[0]!;
        assert.deepEqual(
          names.map((name) => pattern.matches(name)),
          expected,
        );
      }),
    );
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
    await assert.rejects(find(["/data/a.csv"], "/dato/a.csv"), {
      message: "there is no file /dato/a.csv, nor a directory /dato",
      fix: "did you mean the directory /data?",
    });
    await assert.rejects(find(FILES, "/d/*.json"), { code: "FILES_NONE", message: "no file matches /d/*.json" });
    await assert.rejects(find(FILES, "*.json"), { message: "no file matches *.json in /", fix: /^check the pattern/ });
    await assert.rejects(find(["/logs/clicks/a.csv"], "logs/click/*.csv"), {
      code: "FILES_NONE",
      message: "no file matches logs/click/*.csv, nor is there a directory logs/click in /",
      fix: "did you mean the directory logs/clicks?",
    });
    await assert.rejects(find(FILES, "/e/f/*.csv"), {
      message: "no file matches /e/f/*.csv, nor is there a directory /e/f",
      fix: /^check the pattern/,
    });
    await assert.rejects(find(FILES, "s3://bucket/x"), { code: "PATH_UNSUPPORTED" });
    await assert.rejects(find(FILES, `/d/${"{a,b}".repeat(12)}`), { code: "FILES_NONE" });
  });
});
