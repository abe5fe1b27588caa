import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorReport } from "../../client/errors/error-report.ts";
import { paletteOf } from "../terminal/palette.ts";
import { errorText } from "./error-text.ts";

const PLAIN = paletteOf(false);
const REPORT: ErrorReport = {
  code: "USER_FUNCTION_THREW",
  domain: "user",
  message: 'map "enrich" threw TypeError: tags is undefined on the record { id: 7 }',
  operator: "enrich",
  location: { file: "jobs/vwap.ts", line: 9, column: 17 },
  frame: [
    { line: 8, text: '  .keyBy("symbol")' },
    { line: 9, text: "  .map((r) => r.tags.length)" },
    { line: 10, text: '  .to("out", print());' },
  ],
  calledFrom: [{ file: "jobs/vwap.ts", line: 20, column: 3 }],
  why: ["the record came from an old topic"],
  fix: "mend the function",
  stack: null,
};
const BARE: ErrorReport = { ...REPORT, location: null, frame: [], calledFrom: [], why: [], fix: null };

test("an error shows code, message, place, the line itself, why and fix", () => {
  assert.equal(
    errorText(REPORT, PLAIN),
    `✗ USER_FUNCTION_THREW  map "enrich" threw TypeError: tags is undefined on the record { id: 7 }
   jobs/vwap.ts:9:17
    8 │   .keyBy("symbol")
 ▸  9 │   .map((r) => r.tags.length)
      │                 ^
   10 │   .to("out", print());
   called from jobs/vwap.ts:20:3
  why  the record came from an old topic
  fix  mend the function`,
  );
});

test("what is not known is left out", () => {
  assert.equal(errorText({ ...BARE, message: "m" }, PLAIN), "✗ USER_FUNCTION_THREW  m");
});

test("further lines of a message are indented", () => {
  assert.equal(errorText({ ...BARE, message: "a\nb" }, PLAIN), "✗ USER_FUNCTION_THREW  a\n   b");
});

test("control characters, which data may hold, do not reach the terminal", () => {
  const text = errorText({ ...BARE, message: "\x1b[2J\x07\x9b", fix: "\rfix" }, PLAIN);
  assert.equal(text, "✗ USER_FUNCTION_THREW  \\x1b[2J\\x07\\x9b\n  fix  \\x0dfix");
});

test("the marker stands under the place, also behind tabs and far out in a minified line", () => {
  const marked = (text: string, column: number): string => {
    const location = { file: "a.ts", line: 1, column };
    const lines = errorText({ ...BARE, location, frame: [{ line: 1, text }] }, PLAIN).split("\n");
    return (lines[2] ?? "").charAt((lines[3] ?? "").indexOf("^"));
  };
  assert.equal(marked("\t\tX()", 3), "X");
  assert.equal(marked(`${"a".repeat(10_000)}X${"b".repeat(10_000)}`, 10_001), "X");
  assert.equal(marked("X", 1), "X");
});

test("long lines are cut with a mark", () => {
  const location = { file: "a.ts", line: 1, column: 1 };
  const text = errorText({ ...BARE, location, frame: [{ line: 1, text: "x".repeat(1_000) }] }, PLAIN);
  assert.ok(text.split("\n").every((line) => line.length < 160));
  assert.match(text, /x…$/m);
});

test("colours are escapes around the same text", () => {
  const coloured = errorText(REPORT, paletteOf(true));
  assert.match(coloured, /\x1b\[31m✗/);
  assert.equal(coloured.replaceAll(/\x1b\[\d+m/g, ""), errorText(REPORT, PLAIN));
});

test("only errors that nobody but us can mend show a stack", () => {
  const text = errorText({ ...BARE, domain: "internal", stack: "Error: x\n    at y (z.ts:1:2)" }, PLAIN);
  assert.match(text, /at y \(z\.ts:1:2\)$/);
});
