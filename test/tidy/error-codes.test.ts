import assert from "node:assert/strict";
import { test } from "node:test";
import {
  codesUsed,
  errorPage,
  missingRows,
  pageWith,
  publishedSources,
  rowProblems,
} from "../../scripts/errors-doc.ts";
import { sourceText } from "./source-text.ts";

test("every error code of the sources has a row in docs/errors.md", () => {
  const uses = codesUsed(publishedSources());
  assert.ok(uses.size > 0, "no code was found");
  const rows = missingRows(errorPage(), uses).map(({ row, place }) => `${row}  from ${place}`);
  assert.ok(rows.length === 0, `add these rows by \`npm run errors\`, and reword them:\n${rows.join("\n")}`);
});

test("every row of docs/errors.md is complete, in order, and about a code that is used", () => {
  assert.deepEqual(rowProblems(errorPage(), publishedSources()), []);
});

const SOURCE = sourceText(
  "src/base/a.ts",
  `// new UserError("IN_COMMENT", "no");
  throw new UserError("TOO_WIDE", \`\${width} is too wide\`, { fix: "make it narrower" });
  throw new InternalError("BUG", "a bug");
  const TABLE = { ENOENT: "NOT_THERE", EISDIR: "ERR_OF_NODE", kind: "lower_case" };`,
);
const PAGE = "# Codes\n\n| code | who acts | meaning | what to do |\n|---|---|---|---|\n";

test("codes are found wherever they stand, with a draft of their row", () => {
  const uses = codesUsed([SOURCE]);
  assert.deepEqual([...uses.keys()], ["TOO_WIDE", "BUG", "NOT_THERE"]);
  assert.equal(uses.get("TOO_WIDE")?.row, "| `TOO_WIDE` | user | … is too wide | make it narrower |");
  assert.equal(uses.get("BUG")?.row, "| `BUG` | internal | a bug | report it, with the whole message |");
});

test("missing, stale, unfinished and unsorted rows are found", () => {
  const uses = codesUsed([SOURCE]);
  const page = pageWith(PAGE, missingRows(PAGE, uses));
  assert.deepEqual(missingRows(page, uses), []);
  assert.deepEqual(rowProblems(page, [SOURCE]), ["NOT_THERE: say who acts, what it means and what to do"]);
  assert.equal(rowProblems(page, []).filter((problem) => problem.endsWith("no source uses it")).length, 3);
  const lines = page.split("\n");
  assert.match(
    rowProblems([...lines, ...lines].join("\n"), [SOURCE]).join("\n"),
    /BUG: rows are sorted, each code once/,
  );
});
