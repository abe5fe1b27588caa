// The scanner, the boundary automaton, the splits and the windows against a parser that is slow and obvious.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { multiset, readAll } from "../../../operators/source.contract.ts";
import { simWorld } from "../../../testing/world.ts";
import { type CsvOptions, csv } from "./csv.ts";

type Expected = { records: string[][]; invalid: { raw: string; line: number }[] };

/** RFC 4180 by the book, one character at a time, with the leniencies that the documentation names. */
class NaiveCsv {
  readonly #text: string;
  readonly #options: CsvOptions;
  readonly #quote: string | false;
  readonly #delimiter: string;
  #at: number;
  #line = 1;
  #bad = false;

  constructor(text: string, options: CsvOptions) {
    this.#text = text;
    this.#options = options;
    this.#quote = options.quote ?? '"';
    this.#delimiter = options.delimiter ?? ",";
    this.#at = text.startsWith("\ufeff") ? 1 : 0;
  }

  read(): Expected {
    const expected: Expected = { records: [], invalid: [] };
    let width = -1;
    while (!this.#isEnd()) {
      if (this.#isBreak() || this.#now() === this.#options.comment) {
        this.#restOfLine();
        this.#breakLine();
        continue;
      }
      const [start, line] = [this.#at, this.#line];
      this.#bad = false;
      const cells = [this.#field()];
      while (this.#take(this.#delimiter)) cells.push(this.#field());
      const raw = this.#text.slice(start, this.#at);
      this.#breakLine();
      if (width < 0) width = cells.length;
      if (this.#bad || cells.length !== width) expected.invalid.push({ raw: raw.replace(/[\r\n]+$/, ""), line });
      else expected.records.push(cells);
    }
    return expected;
  }

  #now = (): string => this.#text[this.#at] ?? "";
  #isEnd = (): boolean => this.#at >= this.#text.length;
  #isBreak = (): boolean => this.#now() === "\n" || this.#now() === "\r";
  #isFieldEnd = (): boolean => this.#isEnd() || this.#isBreak() || this.#now() === this.#delimiter;

  #take(token: string | false | undefined): boolean {
    const found = typeof token === "string" && this.#text.startsWith(token, this.#at);
    if (found) this.#at += token.length;
    return found;
  }

  #next(): string {
    if (this.#isBreak()) return this.#breakLine();
    this.#at += 1;
    return this.#text[this.#at - 1]!;
  }

  #breakLine(): string {
    for (const lineBreak of ["\r\n", "\n", "\r"]) {
      if (!this.#take(lineBreak)) continue;
      this.#line += 1;
      return lineBreak;
    }
    return "";
  }

  #restOfLine(): string {
    const start = this.#at;
    while (!this.#isEnd() && !this.#isBreak()) this.#at += 1;
    return this.#text.slice(start, this.#at);
  }

  #blanks(): void {
    const blank = this.#delimiter === " " ? /\t/ : /[ \t]/;
    while (this.#options.trim === true && blank.test(this.#now())) this.#at += 1;
  }

  #field(): string {
    this.#blanks();
    const cell = this.#take(this.#quote) ? this.#quoted() : this.#bare();
    if (cell.includes("\0")) this.#bad = true;
    return cell;
  }

  #bare(): string {
    const start = this.#at;
    while (!this.#isFieldEnd()) this.#at += 1;
    const cell = this.#text.slice(start, this.#at);
    if (this.#quote !== false && cell.includes(this.#quote)) this.#bad = true;
    return this.#options.trim === true ? cell.replace(/[ \t]+$/, "") : cell;
  }

  #quoted(): string {
    let cell = "";
    while (!this.#isEnd() && (this.#options.multiline !== false || !this.#isBreak())) {
      const quote = this.#quote as string;
      if (this.#take(quote + quote)) cell += quote;
      else if (this.#take(quote)) return cell + this.#afterQuote();
      else if (this.#take(this.#options.escape)) cell += this.#escaped(quote);
      else cell += this.#next();
    }
    this.#bad = true;
    return cell;
  }

  #escaped(quote: string): string {
    if (this.#take(quote)) return quote;
    return this.#isEnd() || (this.#isBreak() && this.#options.multiline === false) ? "" : this.#next();
  }

  #afterQuote(): string {
    this.#blanks();
    if (!this.#isFieldEnd()) this.#bad = true;
    while (!this.#isFieldEnd()) this.#at += 1;
    return "";
  }
}

async function actual(
  text: string,
  options: CsvOptions,
  read: { seed: number; parallelism?: number; restartAfter?: number },
) {
  const world = simWorld(read.seed);
  world.env.disk.put("/f.csv", text);
  world.env.disk.faults.shortReads = read.seed % 2 === 0;
  const { records, invalid } = await readAll(
    csv("/f.csv", { ...options, header: false, invalid: "side" }),
    world,
    read,
  );
  assert.equal(world.env.disk.openHandles, 0);
  const rows = invalid.map(({ raw, line, file, issues }) => {
    assert.ok(issues.length > 0 && file === "/f.csv");
    return { raw: String(raw), line: line! };
  });
  return { records: records.map((record) => Object.values(record)), invalid: rows };
}

const soup = fc
  .array(
    fc.constantFrom(
      "a",
      "b1",
      ",",
      ",",
      '"',
      '""',
      "\n",
      "\n",
      "\r\n",
      "\r",
      " ",
      "é",
      "𝄞",
      "#",
      "\\",
      "\0",
      '"x"',
      "\n#",
      "\ufeff",
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(""))
  // What looks like letters of two bytes each is refused as that.
  .filter((text) => !/^(?:\0[^\0]\0[^\0]|[^\0]\0[^\0]\0)/.test(text));

const dialects: fc.Arbitrary<CsvOptions> = fc.constantFrom<CsvOptions>(
  {},
  { multiline: false },
  { quote: false },
  { trim: true },
  { comment: "#" },
  { escape: "\\" },
  { delimiter: " ", trim: true },
  { comment: "#", trim: true, escape: "\\", multiline: false },
);

describe("CSV grammar", () => {
  test("any text is read as the naive parser reads it, whatever the sizes of the reads", async () => {
    await fc.assert(
      fc.asyncProperty(
        soup,
        dialects,
        fc.integer({ min: 1, max: 20 }),
        fc.integer(),
        async (text, dialect, readSize, seed) => {
          const expected = new NaiveCsv(text, dialect).read();
          const read = await actual(text, { ...dialect, readSize }, { seed });
          assert.deepEqual(read, expected);
        },
      ),
      { numRuns: 1_500 },
    );
  });

  test("however a file is cut and read, stopped and restored, each record comes once and each bad row with its line", async () => {
    await fc.assert(
      fc.asyncProperty(
        soup,
        dialects,
        fc.record({ readSize: fc.integer({ min: 1, max: 12 }), splitSize: fc.integer({ min: 1, max: 25 }) }),
        fc.record({
          seed: fc.integer({ min: 1 }),
          parallelism: fc.integer({ min: 1, max: 4 }),
          restartAfter: fc.integer({ min: 1, max: 6 }),
        }),
        async (text, dialect, sizes, read) => {
          const expected = new NaiveCsv(text, dialect).read();
          const found = await actual(text, { ...dialect, ...sizes }, read);
          assert.deepEqual(multiset(found.records), multiset(expected.records));
          assert.deepEqual(multiset(found.invalid), multiset(expected.invalid));
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
