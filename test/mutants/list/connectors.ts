import type { Mutant } from "../mutant.ts";

const FILES = "src/connectors/files";
const BOUNDARY = `${FILES}/csv/csv-boundary.ts`;
const ENCODE = `${FILES}/csv/csv-encode.ts`;
const CELLS = `${FILES}/csv/csv-cells.ts`;
const SPLIT = `${FILES}/source/split-reader.ts`;
const SPLITS = `${FILES}/source/file-splits.ts`;
const READER = `${FILES}/source/file-reader.ts`;
const BYTES = `${FILES}/bytes/byte-stream.ts`;
const WRITER = `${FILES}/sink/file-writer.ts`;
const TARGET = `${FILES}/sink/file-target.ts`;

const ON_DISK = [`${FILES}/files-node.test.ts`];
const CSV = [`${FILES}/csv/csv-boundary.test.ts`, `${FILES}/csv/csv-grammar.test.ts`, `${FILES}/csv/csv.test.ts`];
const SPLIT_TESTS = [
  `${FILES}/source/split-reader.test.ts`,
  `${FILES}/csv/csv.test.ts`,
  `${FILES}/csv/csv-grammar.test.ts`,
];
const SINK = [`${FILES}/sink/file-writer.test.ts`, `${FILES}/sink/file-sink.test.ts`];
const ROW_BATCH = "src/connectors/rows/row-batch.ts";
const PRINT = "src/connectors/print/print.ts";
const ROWS_TESTS = ["src/connectors/rows/rows.test.ts"];
const PRINT_TESTS = ["src/connectors/print/print.test.ts"];

export const CONNECTORS: readonly Mutant[] = [
  {
    name: "options of an untyped source that only types heed pass in silence",
    file: "src/connectors/files/source/source-options.ts",
    find: "  if (typedOnly !== undefined && !options.isTyped) {\n",
    replace: "  if (typedOnly !== undefined && options.isTyped) {\n",
  },
  {
    name: "that a directory is in order of time is told of as without effect",
    file: "src/connectors/files/source/file-splits.ts",
    find: "    if (!inTimeOrder || paths.length > 1 || files[0]?.path !== path) return;\n",
    replace: "    if (!inTimeOrder || paths.length > 1 || files.length > 1) return;\n",
    tests: ["src/connectors/files/source/source-options.test.ts"],
  },
  {
    name: "the byte after a lone CR is not looked at again",
    file: BOUNDARY,
    find: "      position = end - 1;\n",
    replace: "",
    tests: CSV,
  },
  {
    name: "a doubled quote ends a field",
    file: BOUNDARY,
    find: "set(QUOTE_SEEN, BARE, { ...lineEnds, [DELIMITER]: FIELD_START, [QUOTE]: QUOTED });",
    replace: "set(QUOTE_SEEN, BARE, { ...lineEnds, [DELIMITER]: FIELD_START });",
    tests: CSV,
  },
  {
    name: "a line break inside quotes is taken for the end of a record where the scan jumps",
    file: BOUNDARY,
    find: "    if (quote >= 0 && quote < to) return from;\n",
    replace: "",
    tests: CSV,
  },
  {
    name: "a scan that jumps forgets that it is inside quotes",
    file: BOUNDARY,
    find: "if (to <= from || this.#state === QUOTED || this.#state === QUOTE_SEEN || this.#state === ESCAPE_SEEN) return from;",
    replace: "if (to <= from) return from;",
    tests: [...CSV, `${FILES}/source/file-splits.test.ts`],
  },
  {
    name: "CR LF ends two records",
    file: BOUNDARY,
    find: "set(CR_SEEN, ENDED_BEFORE, { [IS_LF]: ENDED });",
    replace: "set(CR_SEEN, ENDED_BEFORE, {});",
    tests: CSV,
  },
  {
    name: "an empty text is written as null",
    file: ENCODE,
    find: `this.#nulls = new Set(["", ...options.nulls]);`,
    replace: "this.#nulls = new Set(options.nulls.slice(1));",
    tests: [`${FILES}/sink/file-sink.test.ts`, `${FILES}/csv/csv.test.ts`],
  },
  {
    name: "a text with a delimiter is written without quotes",
    file: ENCODE,
    find: "const inside = `[${hex(dialect.delimiter)}${hex(dialect.quote)}",
    replace: "const inside = `[${hex(dialect.quote)}",
    tests: [`${FILES}/sink/file-sink.test.ts`],
  },
  {
    name: "a sixteenth digit of a number is read as if it were exact",
    file: CELLS,
    find: "const MANTISSA_DIGITS = 15;",
    replace: "const MANTISSA_DIGITS = 20;",
    tests: CSV,
  },
  {
    name: "an empty text in quotes is null",
    file: CELLS,
    find: "    if (kinds[index] !== BARE) return false;\n",
    replace: "",
    tests: CSV,
  },
  {
    name: "the position while a record that is too long is skipped points into it",
    file: SPLIT,
    find: "const offset = this.#skip?.offset ?? this.#base + position;",
    replace: "const offset = this.#base + position;",
    tests: SPLIT_TESTS,
  },
  {
    name: "lines of a record that was skipped are not counted",
    file: SPLIT,
    find: "    window.line += skip.lines.lines;\n",
    replace: "",
    tests: SPLIT_TESTS,
  },
  {
    name: "bytes before the window are counted twice as it moves on",
    file: SPLIT,
    find: "    window.stopAt -= window.position;\n",
    replace: "",
    tests: SPLIT_TESTS,
  },
  {
    name: "a record at the end of a chunk is read with the bytes of the one before",
    file: SPLIT,
    find: "    window.bytes.copy(target, 0, window.position, window.end);\n",
    replace: "    window.bytes.copy(target, 0, 0, window.end);\n",
    tests: SPLIT_TESTS,
  },
  {
    name: "the text of a window is that of the chunk before",
    file: SPLIT,
    find: "    window.text = null;\n",
    replace: "",
    tests: SPLIT_TESTS,
  },
  {
    name: "the last range of a file ends where the others do",
    file: SPLITS,
    find: "const end = index === count - 1 ? null : (index + 1) * cutBytes;",
    replace: "const end = index === count - 1 ? index * cutBytes : (index + 1) * cutBytes;",
    tests: CSV.concat(`${FILES}/json/jsonl.test.ts`),
  },
  {
    name: "splits that are given back are lost",
    file: SPLITS,
    find: "this.#parts = [...back, ...(this.#parts ?? [])].sort(inOrder);",
    replace: "void [...back].sort(inOrder);",
    tests: [`${FILES}/source/file-splits.test.ts`],
  },
  {
    name: "a split that is queued is not in the snapshot",
    file: READER,
    find: "return [...first, ...this.#queue];",
    replace: "return first.length === 0 ? [...this.#queue] : first;",
    tests: [`${FILES}/source/file-reader.test.ts`, ...CSV],
  },
  {
    name: "files with other headers share a parser",
    file: READER,
    find: `const key = first?.toString("latin1") ?? "";`,
    replace: `const key = first?.length.toString() ?? "";`,
    tests: [`${FILES}/source/file-reader.test.ts`, ...CSV],
  },
  {
    name: "both chunks of a stream lie in one buffer",
    file: BYTES,
    find: "for (let turn = 0; ; turn ^= 1) {",
    replace: "for (let turn = 0; ; turn ^= 0) {",
    tests: [`${FILES}/bytes/byte-stream.test.ts`, ...CSV],
  },
  {
    name: "an offset inside an archive is taken for one of the archive's own bytes",
    file: BYTES,
    find: "skip = Math.max(0, skip - chunk.length);",
    replace: "skip = 0;",
    tests: [`${FILES}/bytes/byte-stream.test.ts`, ...ON_DISK],
  },
  {
    name: "chunks handed to zlib are not copied",
    file: `${FILES}/bytes/decompress-node.ts`,
    find: "for await (const chunk of chunks) yield Buffer.from(chunk);",
    replace: "for await (const chunk of chunks) yield chunk as Buffer;",
  },
  {
    name: "text of three-byte letters is cut off at the end of a writer's buffer",
    file: WRITER,
    find: "const sizeMax = this.#size + 3 * text.length;",
    replace: "const sizeMax = this.#size + 2 * text.length;",
    tests: SINK,
  },
  {
    name: "a buffer that grows loses what is in it before it is written",
    file: WRITER,
    find: "    this.#active.copy(grown, 0, 0, this.#size);\n",
    replace: "",
    tests: SINK,
  },
  {
    name: "a file is committed without its last buffer",
    file: WRITER,
    find: "    await this.flush();\n    const files",
    replace: "    await this.#pump;\n    const files",
    tests: SINK,
  },
  {
    name: "a file's last rows are not sealed before its commit",
    file: WRITER,
    find: "    if (this.#rows > 0) this.#seal(true);\n    else if",
    replace: "    if (this.#rows > 0) this.#seal(false);\n    else if",
    tests: SINK,
  },
  {
    name: "the buffer that is being written is filled again",
    file: WRITER,
    find: "    this.#active = this.#spare ?? Buffer.allocUnsafe(BUFFER_BYTES);\n",
    replace:
      "    this.#active = this.#spare ?? (this.#sealed.length > 1 ? this.#active : Buffer.allocUnsafe(BUFFER_BYTES));\n",
    tests: SINK,
  },
  {
    name: "a file is made visible before it is durable",
    file: WRITER,
    find: "    await file.handle.sync();\n",
    replace: "",
    tests: SINK,
  },
  {
    name: "what was in progress stays after an abort",
    file: WRITER,
    find: "    if (this.#file !== null) names.push(this.#file.from);\n",
    replace: "",
    tests: SINK,
  },
  {
    name: "a commit that was done already is done again",
    file: TARGET,
    find: "if (isOurs && names.includes(from)) await disk.rename(",
    replace: "if (isOurs) await disk.rename(",
    tests: SINK,
  },
  {
    name: "parts of an earlier run stay beside those of this one",
    file: TARGET,
    find: "    if (isStale(name, { ...commit, committed }, claims)) await disk.remove(`${directory}/${name}`);\n",
    replace: "",
    tests: SINK,
  },
  {
    name: "two sinks of one job write into one directory",
    file: TARGET,
    find: "if (claim.uid === uid || claim.job !== jobId) continue;",
    replace: "if (claim.uid === uid || claim.job === jobId) continue;",
    tests: SINK,
  },
  {
    name: "the last line of a file without a line break is lost",
    file: `${FILES}/json/jsonl-parser.ts`,
    find: "        next = end;\n",
    replace: `        return "done";\n`,
  },
  {
    name: "a number that may have been rounded is taken as it is",
    file: `${FILES}/json/json-numbers.ts`,
    find: "return value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER;",
    replace: "return value <= Number.MAX_VALUE && value >= Number.MIN_SAFE_INTEGER;",
    tests: [`${FILES}/source/source-values.test.ts`],
  },
  {
    name: "a number that equals a null token is written without quotes",
    file: `${FILES}/csv/csv-encode.ts`,
    find: "return this.#nulls.size === 1 ? text : this.#text(column, text);",
    replace: "return text;",
    tests: [`${FILES}/csv/csv-round-trip.test.ts`],
  },
  {
    name: "zstd data is handed on as it comes, whatever frames it holds",
    file: `${FILES}/bytes/decompress-node.ts`,
    find: "yield* cutter.pieces(chunk) as Iterable<Buffer>;",
    replace: "yield chunk;",
    tests: [`${FILES}/files-node.test.ts`],
  },
  {
    name: "bytes that are no UTF-8 are read as a replacement sign",
    file: `${FILES}/json/json-reader.ts`,
    find: `if (text.includes("\\uFFFD") && !isUtf8(bytes.subarray(from, to))) {`,
    replace: `if (text.includes("\\uFFFD") && isUtf8(bytes.subarray(from, to))) {`,
  },
  {
    name: "the pieces of a collection overlap",
    file: "src/connectors/collection/collection.ts",
    find: "const end = Math.floor((count * (index + 1)) / parallelism);",
    replace: "const end = Math.ceil((count * (index + 1)) / parallelism);",
  },
  {
    name: "an item that filled the output is emitted again",
    file: "src/connectors/collection/collection.ts",
    find: "      goOn = output.offer(this.#items[next]!, Number.NaN);\n      next += 1;",
    replace: "      goOn = output.offer(this.#items[next]!, Number.NaN);\n      if (goOn) next += 1;",
  },
  {
    name: "generated records depend on those before them",
    file: "src/connectors/datagen/datagen.ts",
    find: "              random.restart(seed, index);\n",
    replace: "",
  },
  {
    name: "bytes of a batch of rows change with the next one",
    file: ROW_BATCH,
    find: "const bytes = this.#sink.copy();",
    replace: "const bytes = this.#sink.bytes.subarray(0, this.#sink.position);",
    tests: ROWS_TESTS,
  },
  {
    name: "rows are delivered again with the next batch",
    file: ROW_BATCH,
    find: "    this.#sink.position = 0;\n    return bytes;",
    replace: "    return bytes;",
    tests: ROWS_TESTS,
  },
  {
    name: "print shows a row more than its limit",
    file: PRINT,
    find: "if (this.#count <= this.#limit) this",
    replace: "if (this.#count <= this.#limit + 1) this",
    tests: PRINT_TESTS,
  },
  {
    name: "print never waits for whoever reads",
    file: PRINT,
    find: "return this.#unflushed < UNFLUSHED_MAX;",
    replace: "return true;",
    tests: PRINT_TESTS,
  },
  {
    name: "a flush of print does not wait for its lines to be read",
    file: PRINT,
    find: "    await this.#printed;",
    replace: "    void this.#printed;",
    tests: PRINT_TESTS,
  },
  {
    name: "a table of the last rows begins in their middle",
    file: PRINT,
    find: "const first = this.#count > this.#last ? this.#count % this.#last : 0;",
    replace: "const first = 0;",
    tests: PRINT_TESTS,
  },
  {
    name: "a table that was not filled shows none of its rows twice",
    file: PRINT,
    find: "const hidden = this.#count - this.#limit;\n    if (hidden > 0)",
    replace: "const hidden = this.#count - this.#limit;\n    if (hidden > 1)",
    tests: PRINT_TESTS,
  },
  {
    name: "a table of a job that failed is shown",
    file: PRINT,
    find: "    this.#count = 0;\n  }",
    replace: "  }",
    tests: PRINT_TESTS,
  },
  {
    name: "a row may tell of a map's first eight entries only that there are more",
    file: "src/connectors/print/value-text.ts",
    find: "if (items.length > ITEMS_MAX) shown.push",
    replace: "if (items.length >= ITEMS_MAX) shown.push",
    tests: PRINT_TESTS,
  },
  {
    name: "a sink writes what its type does not take",
    file: "src/connectors/files/format/typed-encoder.ts",
    find: "if (fits(record, true)) return encoder.line(record);",
    replace: "if (fits(record, true) || kind.length > 0) return encoder.line(record);",
  },
  {
    name: "a first line without any declared column passes for the header line",
    file: "src/connectors/files/csv/csv-columns.ts",
    find: "const isHeader = unused.length < names.length;",
    replace: "const isHeader = unused.length <= names.length;",
    tests: ["src/connectors/files/csv/csv-columns.test.ts"],
  },
  {
    name: "the kind of a row takes the place of a field of its own",
    file: "src/connectors/rows/op-field.ts",
    find: '  if (Object.hasOwn(record, "op")) throw opTaken(uid);\n',
    replace: "",
    tests: ["src/connectors/rows/op-field.test.ts"],
  },
  {
    name: "a file without rows does not name the column of kinds",
    file: "src/connectors/rows/op-field.ts",
    find: "sink.createWriter({ ...context, recordType })",
    replace: "sink.createWriter(context)",
    tests: ["src/connectors/rows/op-field.test.ts"],
  },
  {
    name: "a CSV file whose columns are named leaves out what rows are",
    file: "src/connectors/files/csv/csv.ts",
    find: 'columns === null || !op || columns.includes("op") ? columns',
    replace: "columns !== undefined || !op ? columns",
    tests: ["src/connectors/rows/op-field.test.ts"],
  },
];
