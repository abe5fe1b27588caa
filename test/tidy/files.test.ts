// File names and sizes, and what must not be left behind in a source.

import assert from "node:assert/strict";
import { test } from "node:test";
import { repoFiles, repoSources, repoText } from "./repo-files.ts";
import { lineAt, type SourceText, sourceText } from "./source-text.ts";

const LINES_MAX = 600;
const ARCHITECTURE_LINES_MAX = 400;
const COLUMNS_MAX = 120;

const FILE_NAME = /^[a-z0-9]+([-.][a-z0-9]+)*\.(ts|js)$/;
/** A name that says nothing about its content collects everything. */
const EMPTY_NAME = /^((.*-)?(util|utils|helper|helpers|misc)|common|manager|shared)\./;
const LEFTOVER = /\b(TODO|FIXME|XXX|HACK)\b(?!.*#\d)/g;

function nameProblems(path: string): readonly string[] {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (!FILE_NAME.test(name)) return [`${path}: file names are kebab-case`];
  return EMPTY_NAME.test(name) ? [`${path}: name the one thing the file holds`] : [];
}

function lengthProblems(path: string, text: string): readonly string[] {
  const lines = text.split("\n").length - 1;
  const limit = path === "docs/ARCHITECTURE.md" ? ARCHITECTURE_LINES_MAX : LINES_MAX;
  return lines > limit ? [`${path}: ${lines} lines, at most ${limit}`] : [];
}

/** The formatter wraps code and leaves long strings alone, as it should; it does not wrap comments. */
function widthProblems({ path, text, comments }: SourceText): readonly string[] {
  const lines = text.split("\n");
  return comments.flatMap((comment) => {
    const first = lineAt(text, comment.offset);
    return lines.slice(first - 1, first + comment.text.split("\n").length - 1).flatMap((line, index) => {
      const tooWide = line.length > COLUMNS_MAX && !/https?:\/\//.test(line);
      return tooWide ? [`${path}:${first + index}: ${line.length} columns, at most ${COLUMNS_MAX}`] : [];
    });
  });
}

/** In comments only: a string may well hold such a word. */
function leftoverProblems({ path, text, comments }: SourceText): readonly string[] {
  return comments.flatMap((comment) =>
    [...comment.text.matchAll(LEFTOVER)].map(
      ({ 0: word, index }) => `${path}:${lineAt(text, comment.offset + index)}: ${word} without an issue (#123)`,
    ),
  );
}

test("source files have kebab-case names that say what they hold", () => {
  assert.deepEqual(repoFiles(/\.(ts|js)$/).flatMap(nameProblems), []);
});

test("no file is longer than its limit", () => {
  const files = repoFiles(/\.(ts|js|md)$/);
  assert.deepEqual(
    files.flatMap((path) => lengthProblems(path, repoText(path))),
    [],
  );
});

test("no comment is wider than a line, and what is left to do in a source names its issue", () => {
  const sources = repoSources(/\.(ts|js)$/);
  assert.deepEqual(
    sources.flatMap((source) => [...widthProblems(source), ...leftoverProblems(source)]),
    [],
  );
});

test("names, sizes and leftovers that break a rule are found", () => {
  for (const name of ["a/SlotPool.ts", "a/slot_pool.ts", "a/utils.ts", "a/test-helpers.ts", "a/common.test.ts"]) {
    assert.equal(nameProblems(name).length, 1, name);
  }
  for (const name of ["a/slot-pool.ts", "a/slot-pool.fuzz.test.ts", "a/slot-manager.ts", "a/v8-heap.types.ts"]) {
    assert.equal(nameProblems(name).length, 0, name);
  }
  assert.equal(lengthProblems("a.ts", "\n".repeat(LINES_MAX)).length, 0);
  assert.equal(lengthProblems("a.ts", "\n".repeat(LINES_MAX + 1)).length, 1);
  assert.equal(lengthProblems("docs/ARCHITECTURE.md", "\n".repeat(ARCHITECTURE_LINES_MAX + 1)).length, 1);
  const wide = "x".repeat(COLUMNS_MAX);
  const widths = (text: string) => widthProblems(sourceText("a.ts", text)).length;
  assert.equal(widths(`a(); // ${wide}\n/* a\n ${wide} */`), 2);
  assert.equal(widths(`a("${wide}");\n// https://${wide}\n\`${wide}\n\``), 0);
  const leftovers = (text: string) => leftoverProblems(sourceText("a.ts", text)).length;
  assert.equal(leftovers("a(); // TODO later\n/* FIXME */"), 2);
  assert.equal(leftovers("a(); // TODO later (#12)\nb('TODO'); // TODOS"), 0);
});
