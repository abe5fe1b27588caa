import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type CsvDialectOptions, csvDialect } from "../format/csv-dialect.ts";
import { CsvBoundary } from "./csv-boundary.ts";

/** Where records end, by regular expressions. Blank lines and comments end one, too. */
function recordEnds(text: string, { quote = '"', escape: sign, comment, trim = false }: CsvDialectOptions): number[] {
  let at = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const taken = pattern.exec(text)?.[0] ?? "";
    at += taken.length;
    return taken !== "";
  };
  const escaped = sign === undefined ? "" : `${RegExp.escape(sign)}[^]|`;
  const quoted =
    quote && new RegExp(`${quote}(?:${escaped}${quote}${quote}|[^${quote}${escaped && "\\\\"}])*${quote}?`, "y");
  const fields = (): void => {
    do {
      if (trim) take(/[ \t]+/y);
      if (quoted) take(quoted);
      take(/[^,\r\n]+/y);
    } while (take(/,/y));
  };
  const ends: number[] = [];
  for (let goesOn = true; goesOn; ) {
    if (comment !== undefined && text[at] === comment) take(/[^\r\n]+/y);
    else fields();
    // Of a CR that comes last nobody knows yet whether it is half of a line break.
    goesOn = take(/\r\n|\n|\r(?!$)/y);
    if (goesOn) ends.push(at);
  }
  return ends;
}

const dialects: readonly CsvDialectOptions[] = [
  {},
  { quote: false },
  { quote: "'", escape: "\\" },
  { comment: "#" },
  { trim: true, comment: "#" },
];
const CHARACTERS = ["a", "b", ",", '"', '""', "'", "\\", "#", " ", "\n", "\r", "\r\n"];

/** Of all characters, and of those alone that mean something in the dialect. */
function textsOf({ quote = '"', escape: sign, comment, trim }: CsvDialectOptions): fc.Arbitrary<string[]> {
  const own = ["a", ",", "\n", quote || "b", sign ?? "\r", comment ?? "a", trim === true ? " " : "a"];
  const of = (characters: readonly string[]) => fc.array(fc.constantFrom(...characters), { maxLength: 30 });
  return fc.oneof(of(CHARACTERS), of(own));
}

const cuts = fc.array(fc.nat({ max: 40 }), { maxLength: 4 });

describe("the ends of CSV records", () => {
  for (const options of dialects) {
    const dialect = csvDialect(options);
    const title = JSON.stringify(options);
    const texts = textsOf(options);

    test(`are found in whatever pieces the bytes come, ${title}`, () => {
      fc.assert(
        fc.property(texts, cuts, (characters, at) => {
          const text = characters.join("");
          const bytes = Buffer.from(text);
          const boundary = new CsvBoundary(dialect);
          boundary.reset();
          const found: number[] = [];
          const pieces = [...at.map((each) => Math.min(each, text.length)), text.length].sort((a, b) => a - b);
          let from = 0;
          for (const to of pieces) {
            for (let end = boundary.next(bytes, from, to); end >= 0; end = boundary.next(bytes, from, to)) {
              found.push(end);
              from = end;
              if (from >= to) break;
            }
            from = Math.max(from, to);
          }
          assert.deepEqual(found, recordEnds(text, options));
        }),
        { numRuns: 400 },
      );
    });

    test(`that do not come before a place are found as if all had been looked at, ${title}`, () => {
      fc.assert(
        fc.property(texts, fc.nat({ max: 40 }), (characters, place) => {
          const text = characters.join("");
          const atLeast = Math.min(place, text.length);
          const boundary = new CsvBoundary(dialect);
          boundary.reset();
          const expected = recordEnds(text, options).find((end) => end >= atLeast) ?? -1;
          assert.equal(boundary.nextFrom(Buffer.from(text), 0, text.length, atLeast), expected);
        }),
        { numRuns: 400 },
      );
    });
  }

  test("the byte after a lone CR is looked at again: it may begin a quoted field", () => {
    const text = 'a\r"b\nc"\rd\n';
    const boundary = new CsvBoundary(csvDialect({}));
    boundary.reset();
    assert.equal(boundary.nextFrom(Buffer.from(text), 0, text.length, 3), text.indexOf("d"));
  });
});
