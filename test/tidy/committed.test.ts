// What must not stand in any file of the repository: places of one machine, names of writing aids.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { repoFiles, repoText } from "./repo-files.ts";

const MACHINE_PATH = /(?<![\w.~*])\/(root|tmp|work)\/[\w.]/g;
/** The first digits of the SHA-256 of each such name, so that this file does not hold them either. */
const NAME_DIGESTS = new Set(
  "053ea4804ef1 3ea125d0bff3 60965168ce76 7d3194f79e64 c70eca6b0f88 c857d09db23e".split(" "),
);

const BINARY = /\.(png|jpg|gif|ico|gz|zst|parquet|tgz|bin)$/;

function committedProblems(path: string, text: string): readonly string[] {
  const isTest = path.startsWith("test/") || /\.(test|contract)\.ts$/.test(path);
  const paths = isTest ? [] : [...text.matchAll(MACHINE_PATH)].map(([found]) => found);
  const words = new Set(text.toLowerCase().match(/[a-z]+/g) ?? []);
  const names = [...words].filter((word) => NAME_DIGESTS.has(digest(word)));
  return [...paths, ...names].map((found) => `${path}: ${found}`);
}

function digest(word: string): string {
  return createHash("sha256").update(word).digest("hex").slice(0, 12);
}

test("no file names a place of one machine or a writing aid", () => {
  const files = repoFiles(/./).filter((path) => !BINARY.test(path));
  assert.deepEqual(
    files.flatMap((path) => committedProblems(path, repoText(path))),
    [],
  );
});

test("each of them is found", () => {
  const problems = (path: string, text: string) => committedProblems(path, text).length;
  assert.equal(problems("docs/a.md", "see /tmp/x and `/root/.cache`, not src/work/x or ./tmp/x"), 2);
  assert.equal(problems("src/a.test.ts", "see /tmp/x"), 0);
  assert.equal(problems("README.md", `asked ${["Co", "pilot"].join("")}`), 1);
});
