// Keeps `docs/errors.md` in step with the codes in the sources: `npm run errors` adds a row for each code that has
// none, drafted from the message and the fix beside the code, for a person to reword. `test/tidy/error-codes.test.ts`
// checks.
//
// A code is the first argument of `new …Error("CODE", …)`, and any other string of capitals with an underscore in it:
// codes also stand in tables and in calls of functions that build the error.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isTestFile, ROOT, repoSources, repoText } from "../test/tidy/repo-files.ts";
import type { SourceText } from "../test/tidy/source-text.ts";

export type CodeUse = { readonly code: string; readonly place: string; readonly row: string };

const PAGE = "docs/errors.md";
const TABLE_RULE = /^\|[-| ]+\|$/m;
const ROW = /^\| `([A-Z0-9_]+)` \|.*\|$/gm;
/** A cell of a draft that found nothing in the source is just an ellipsis. */
const COMPLETE_ROW = /^\| `[A-Z0-9_]+` \| (?:user|external|internal)(?: \| (?!… \|)[^|]{4,}){2} \|$/;
const CODE = /^(?!ERR_)[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/; // Codes of Node begin with ERR_.
const ONE_WORD_CODE = /^[A-Z][A-Z0-9]+$/;
const CONSTRUCTOR = /new (User|External|Internal|\w*)Error\(\s*$/;

export function errorPage(): string {
  return repoText(PAGE);
}

/** The first use of each code in what is published. */
export function codesUsed(sources: readonly SourceText[]): ReadonlyMap<string, CodeUse> {
  const uses = new Map<string, CodeUse>();
  for (const source of sources) {
    for (const [offset, text] of source.strings) {
      const made = CONSTRUCTOR.exec(source.code.slice(Math.max(0, offset - 80), offset));
      if (!CODE.test(text) && (made === null || !ONE_WORD_CODE.test(text))) continue;
      const use = { code: text, place: source.path, row: draft(source, offset, text, made?.[1] ?? "") };
      if (!uses.has(text) || made !== null) uses.set(text, use);
    }
  }
  return uses;
}

export function publishedSources(): readonly SourceText[] {
  return repoSources(/^(src\/.*\.ts|bin\/.*\.js)$/).filter(({ path }) => !isTestFile(path));
}

export function missingRows(page: string, uses: ReadonlyMap<string, CodeUse>): readonly CodeUse[] {
  const listed = new Set(rowsOf(page).map(({ code }) => code));
  return [...uses.values()].filter(({ code }) => !listed.has(code));
}

/** What is wrong with the rows that are there: nobody uses the code, the row is unfinished, or out of order. */
export function rowProblems(page: string, sources: readonly SourceText[]): readonly string[] {
  return rowsOf(page).flatMap(({ code, row }, index, rows) => {
    const used = new RegExp(`\\b${code}\\b`);
    const problems: string[] = [];
    if (!sources.some(({ text }) => used.test(text))) problems.push(`${code}: no source uses it`);
    if (!COMPLETE_ROW.test(row)) problems.push(`${code}: say who acts, what it means and what to do`);
    if (index > 0 && code <= (rows[index - 1]?.code ?? "")) problems.push(`${code}: rows are sorted, each code once`);
    return problems;
  });
}

/** The page with rows for what it lacks, in order. */
export function pageWith(page: string, missing: readonly CodeUse[]): string {
  const rows = [...rowsOf(page), ...missing].sort((left, right) => (left.code < right.code ? -1 : 1));
  const head = TABLE_RULE.exec(page);
  if (head === null) throw new Error(`${PAGE} has no table`);
  const start = head.index + head[0].length;
  const table = rows.map(({ row }) => row).join("\n");
  return `${page.slice(0, start)}\n${table}\n${page.slice(start).replaceAll(ROW, "").trim()}`;
}

function rowsOf(page: string): readonly { readonly code: string; readonly row: string }[] {
  return [...page.matchAll(ROW)].map(([row, code = ""]) => ({ code, row }));
}

function draft(source: SourceText, offset: number, code: string, kind: string): string {
  const rest = source.text.slice(offset + code.length + 2, offset + 900);
  const message = /^\s*,\s*(?:message:\s*)?(["'`])([\s\S]*?)(?<!\\)\1/.exec(rest)?.[2] ?? "…";
  const fix = /\bfix:\s*(["'`])([\s\S]*?)(?<!\\)\1/.exec(rest.split("new ")[0] ?? "")?.[2];
  const action = fix ?? (kind === "Internal" ? "report it, with the whole message" : "…");
  const cells = [kind === "" ? "…" : kind.toLowerCase(), message, action].map((cell) =>
    cell
      .replaceAll(/\$\{[^}]*\}+/g, "…")
      .replaceAll("|", "/")
      .replaceAll(/\s+/g, " ")
      .trim()
      .replace(/\.$/, "")
      .replace(/^[A-Z](?=[a-z ])/, (letter) => letter.toLowerCase()),
  );
  return `| \`${code}\` | ${cells.join(" | ")} |`;
}

if (import.meta.main) {
  const sources = publishedSources();
  const missing = missingRows(errorPage(), codesUsed(sources));
  if (missing.length > 0) writeFileSync(join(ROOT, PAGE), pageWith(errorPage(), missing));
  console.log([`${missing.length} rows added to ${PAGE}`, ...rowProblems(errorPage(), sources)].join("\n"));
}
