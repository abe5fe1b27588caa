// The files of this repository as the tidy tests see them. A selection that matches nothing throws: a check that has
// read nothing must not pass.

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type SourceText, sourceText } from "./source-text.ts";

export const ROOT = resolve(import.meta.dirname, "../..");

/** Directories that hold nothing of ours; the same as in .gitignore. */
const SKIPPED = new Set([".git", ".millrace", "coverage", "dist", "node_modules", "out"]);

/** Paths relative to the root, with forward slashes, sorted. */
export function repoFiles(pattern: RegExp): readonly string[] {
  const files = walk("").filter((path) => pattern.test(path));
  if (files.length === 0) throw new Error(`no file of the repository matches ${pattern}: nothing was checked`);
  return files;
}

export function repoText(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

export function repoSources(pattern: RegExp): readonly SourceText[] {
  return repoFiles(pattern).map((path) => sourceText(path, repoText(path)));
}

/** Not part of what users install, and free to import and call what they like. */
export function isTestFile(path: string): boolean {
  return /\.(test|contract|types|bench)\.ts$/.test(path);
}

function walk(directory: string): readonly string[] {
  return readdirSync(join(ROOT, directory), { withFileTypes: true })
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((entry) => {
      const path = directory === "" ? entry.name : `${directory}/${entry.name}`;
      if (!entry.isDirectory()) return [path];
      return SKIPPED.has(entry.name) ? [] : walk(path);
    });
}
