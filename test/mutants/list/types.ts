import type { Mutant } from "../mutant.ts";

const WRITER = "src/types/batch/batch-writer.ts";
const READER = "src/types/batch/batch-reader.ts";
const BYTES = "src/types/bytes/byte-buffer.ts";
const TIME = "src/types/spec/time-text.ts";
const WIDEN = "src/types/shapes/shape-widen.ts";
const CHECK_OPTIONS = "src/types/check-options.ts";
const CHECK_OPTIONS_TESTS = ["src/types/check-options.test.ts"];

export const TYPES: readonly Mutant[] = [
  {
    name: "columns of bytes are lost when a batch grows",
    file: WRITER,
    find: "for (let c = 0; c < counts.byte; c++) this.octets.set(",
    replace: "for (let c = 1; c < counts.byte; c++) this.octets.set(",
  },
  {
    name: "an i64 that looks like a NaN is copied as a number",
    file: WRITER,
    find: "this.wideInts.set(old.wide.subarray(c * from, (c + 1) * from), c * to);",
    replace:
      "this.wide.set(new Float64Array(old.wide.buffer, old.wide.byteOffset, old.wide.length).map((n) => (n === n ? n : NaN)).subarray(c * from, (c + 1) * from), c * to);",
  },
  {
    name: "the text of a batch stays for the next one",
    file: WRITER,
    find: `    this.rope = { text: "" };\n    this.#sealedCount = 0;`,
    replace: "    this.#sealedCount = 0;",
  },
  {
    name: "text outside Latin-1 is written a byte per unit",
    file: WRITER,
    find: "} else if (!WIDE_TEXT.test(text)) {",
    replace: "} else if (!WIDE_TEXT.test(text.slice(1))) {",
  },
  {
    name: "text that was sealed once is not sealed again after more records",
    file: WRITER,
    find: "    if (this.#sealedCount === this.count) return;\n",
    replace: "    if (this.#sealedCount > 0) return;\n",
  },
  {
    name: "a reader goes on with the text of the batch before",
    file: READER,
    find: "    this.textFirst = 0;\n    this.textEnd = 0;\n    this.count = i32[at + 2]!;",
    replace: "    this.count = i32[at + 2]!;",
  },
  {
    name: "a batch of another type is read",
    file: READER,
    find: `    if (i32[at + 6] !== this.#tag) corrupt("a batch of another type");\n`,
    replace: "",
  },
  {
    name: "a piece of wide text begins in the middle of a unit",
    file: READER,
    find: `this.octets.toString("utf16le", base + 2 * start, base + 2 * end)`,
    replace: `this.octets.toString("utf16le", base + start, base + 2 * end)`,
  },
  {
    name: "a number of five bytes is read with a sign",
    file: BYTES,
    find: "    if (byte < 0x80) return value >>> 0;",
    replace: "    if (byte < 0x80) return value;",
  },
  {
    name: "a buffer that grows loses what is in it",
    file: BYTES,
    find: "    this.bytes.copy(grown, 0, 0, this.position);\n",
    replace: "",
  },
  {
    name: "a long text that does not fit the buffer is cut off",
    file: BYTES,
    find: "  out.reserve(units * 2);\n",
    replace: "",
  },
  {
    name: "negative big integers lose their sign",
    file: BYTES,
    find: "return (header & 1) === 1 ? -magnitude : magnitude;",
    replace: "return magnitude;",
  },
  {
    name: "a read may go one byte over the end",
    file: BYTES,
    find: "  if (position >= input.end) corrupt(",
    replace: "  if (position > input.end) corrupt(",
  },
  {
    name: "1900 is a leap year",
    file: TIME,
    find: "return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;",
    replace: "return year % 4 === 0 ? 29 : 28;",
  },
  {
    name: "a zone ahead of UTC is added",
    file: TIME,
    find: `return (match[1] === "-" ? -minutes : minutes) * 60_000;`,
    replace: `return (match[1] === "-" ? minutes : -minutes) * 60_000;`,
  },
  {
    name: "a day in digits is read as a time in 1970",
    file: "src/types/spec/time-text.ts",
    find: "isTimeInDigits(ms) ? Number.NaN : ms",
    replace: "ms",
  },
  {
    name: "a fraction of a second of fewer than three digits is taken as milliseconds",
    file: TIME,
    find: "for (let at = start, digitMs = 100; at < end",
    replace: "for (let at = start, digitMs = 10 ** Math.min(2, end - start - 1); at < end",
  },
  {
    name: "a field that only newer records have is required of all",
    file: WIDEN,
    find: "return { ...(left ?? right)!, name, optional: true };",
    replace: "return { ...(left ?? right)!, name };",
  },
  {
    name: "a field that may be absent becomes required again",
    file: WIDEN,
    find: "const optional = left.optional || right.optional;",
    replace: "const optional = left.optional && right.optional;",
  },
  {
    name: "a key of t.i64 beyond 64 bits is taken",
    file: "src/types/spec/source-value.ts",
    find: 'return typeof value === "bigint" && BigInt.asIntN(64, value) === value;',
    replace: 'return typeof value === "bigint";',
  },
  {
    name: "keys of an enum are hashed without a look at its values",
    file: "src/types/keys/key-hash.ts",
    find: '    case "enum":\n      return compileFitting(spec, hashString);',
    replace: '    case "enum":\n      return (key) => (typeof key === "string" ? hashString(key) : KEY_DOUBTFUL);',
  },
  {
    name: "an option that an object inherits is known",
    file: CHECK_OPTIONS,
    find: "const kind = Object.hasOwn(takes, name) ? takes[name] : undefined;",
    replace: "const kind = takes[name];",
    tests: CHECK_OPTIONS_TESTS,
  },
  {
    name: "options in an array are taken",
    file: CHECK_OPTIONS,
    find: "given === null || Array.isArray(given)",
    replace: "given === null",
    tests: CHECK_OPTIONS_TESTS,
  },
  {
    name: "the least whole number is refused",
    file: CHECK_OPTIONS,
    find: "(value as number) >= least,",
    replace: "(value as number) > least,",
    tests: CHECK_OPTIONS_TESTS,
  },
  {
    name: "an infinite number passes for one",
    file: CHECK_OPTIONS,
    find: "accepts: Number.isFinite };",
    replace: 'accepts: (value) => typeof value === "number" && value === value };',
    tests: CHECK_OPTIONS_TESTS,
  },
  {
    name: "a batch of inserts behind one with changes carries kinds",
    file: WRITER,
    find: "    this.changes = 0;\n    this.#marks",
    replace: "    this.#marks",
    tests: ["src/types/batch/batch-codec.test.ts"],
  },
  {
    name: "kinds are lost when the columns grow",
    file: WRITER,
    find: "    this.kinds.set(old.kinds);\n",
    replace: "",
    tests: ["src/types/batch/batch-codec.test.ts"],
  },
  {
    name: "two changes of different kinds cancel out in the flag",
    file: "src/types/batch/batch-append.ts",
    find: "this.changes |= kind;",
    replace: "this.changes ^= kind;",
    tests: ["src/types/batch/batch-codec.test.ts"],
  },
];
