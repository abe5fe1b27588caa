// Links and paths in the documentation lead somewhere, and so do the pages that comments refer to.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { test } from "node:test";
import { ROOT, repoFiles, repoSources, repoText } from "./repo-files.ts";
import type { SourceText } from "./source-text.ts";

/** Where documents are looked up: the repository, or a stand-in. */
type Tree = { exists(path: string): boolean; text(path: string): string };

const REPOSITORY: Tree = { exists: (path) => existsSync(join(ROOT, path)), text: repoText };

const FENCE = /^(```|~~~)[\s\S]*?^\1/gm;
const INLINE_CODE = /`([^`\n]+)`/g;
const LINK = /\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)|^\[[^\]]+\]:\s*(\S+)/gm;
/** A whole path of the repository, with an optional line number; patterns and placeholders are none. */
const REPO_PATH = /^((?:bench|bin|docs|examples|scripts|src|test)\/[\w@./-]+?)(?::\d+)?$/;
const DOCS_PAGE = /\b(docs\/[\w./-]+\.md)\b/g;

function linksOf(markdown: string): readonly string[] {
  return [...withoutCode(markdown).matchAll(LINK)]
    .map(([, inline, reference]) => inline ?? reference ?? "")
    .filter((link) => !/^[a-z][a-z+.-]*:/i.test(link));
}

function pathsOf(markdown: string): readonly string[] {
  return [...markdown.replaceAll(FENCE, "").matchAll(INLINE_CODE)]
    .flatMap(([, code = ""]) => code.split(/\s+/))
    .flatMap((word) => REPO_PATH.exec(word)?.[1] ?? []);
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(FENCE, "").replaceAll(INLINE_CODE, "");
}

function docProblems(path: string, tree: Tree): readonly string[] {
  const markdown = tree.text(path);
  const links = linksOf(markdown).flatMap((link) => linkProblem(path, link, tree) ?? []);
  const paths = pathsOf(markdown).filter((mentioned) => !tree.exists(mentioned));
  return [...links, ...paths.map((mentioned) => `no such file: ${mentioned}`)].map((problem) => `${path}: ${problem}`);
}

function linkProblem(from: string, link: string, tree: Tree): string | null {
  const [file = "", anchor] = decodeURI(link).split("#");
  const target = file === "" ? from : posix.join(posix.dirname(from), file);
  if (!tree.exists(target)) return `dead link: ${link}`;
  if (anchor === undefined || !target.endsWith(".md")) return null;
  return anchorsOf(tree.text(target)).has(anchor) ? null : `no such heading: ${link}`;
}

/** Anchors as the usual viewers make them from headings; a repeated heading gets a number. */
function anchorsOf(markdown: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of markdown.replaceAll(FENCE, "").matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1");
    const slug = text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(/\s/g, "-");
    let anchor = slug;
    for (let repeat = 1; anchors.has(anchor); repeat++) anchor = `${slug}-${repeat}`;
    anchors.add(anchor);
  }
  return anchors;
}

function commentProblems(source: SourceText, tree: Tree): readonly string[] {
  const pages = source.comments.flatMap(({ text }) => [...text.matchAll(DOCS_PAGE)].map(([page]) => page));
  return pages.filter((page) => !tree.exists(page)).map((page) => `${source.path}: no such page: ${page}`);
}

test("every relative link, anchor and path in the documents exists", () => {
  const documents = repoFiles(/\.md$/);
  const references = documents.map(repoText).flatMap((text) => [...linksOf(text), ...pathsOf(text)]);
  assert.ok(references.length > 0, "no link and no path was checked");
  assert.deepEqual(
    documents.flatMap((path) => docProblems(path, REPOSITORY)),
    [],
  );
});

test("every page of the documentation that a comment refers to exists", () => {
  assert.deepEqual(
    repoSources(/\.ts$/).flatMap((source) => commentProblems(source, REPOSITORY)),
    [],
  );
});

test("dead links, headings and paths are found, and code is not taken for links", () => {
  const problems = (text: string) => {
    const files: Record<string, string> = {
      "docs/a.md": text,
      "docs/b.md": "# One `two`\n## Same\n## Same",
      "src/x.ts": "",
    };
    return docProblems("docs/a.md", { exists: (path) => path in files, text: (path) => files[path] ?? "" }).length;
  };
  const good =
    "[b](b.md) [b](./b.md#one-two) [s](b.md#same-1) [x](../src/x.ts) [w](https://a.b/c) `src/x.ts:12` [a](#here)";
  assert.equal(
    problems(`# Here\n${good}\n\`[d](dead.md)\`\n\`\`\`\n[d](dead.md) src/dead.ts\n\`\`\`\n\`src/*.ts\``),
    0,
  );
  assert.equal(problems("[d](dead.md) and [e]\n\n[e]: dead.md"), 2);
  assert.equal(problems("[b](b.md#three) [h](#here) [s](b.md#same-2)"), 3);
  assert.equal(problems("`src/dead.ts` and `node src/dead.ts`"), 2);
});
