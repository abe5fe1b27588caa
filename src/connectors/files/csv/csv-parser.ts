// CSV as a record format: the header decides the columns, each record becomes an object, bad ones are explained.

import { isUtf8 } from "node:buffer";
import type { InvalidRow, SourceOutput } from "../../../operators/source.ts";
import type { StructSpec } from "../../../types/spec/type-spec.ts";
import { CR, type CsvDialect, DOUBLE_QUOTE, LF, NONE } from "../format/csv-dialect.ts";
import {
  lineBreaks,
  linesIssue,
  NOT_UTF8,
  type ParseStatus,
  type RecordFormat,
  type RecordParser,
  type RecordWindow,
  recordText,
  tooLong,
} from "../format/record-format.ts";
import { CsvBoundary } from "./csv-boundary.ts";
import { CsvCells } from "./csv-cells.ts";
import {
  blankIsNull,
  type CsvColumns,
  type CsvRowFunction,
  csvColumns,
  csvExplainer,
  csvRowFunction,
  headerBlanks,
  headerInvalid,
  headerMissing,
  refuseBlanks,
  refuseDelimiterAfterQuote,
  refuseJson,
  refuseOtherDelimiter,
} from "./csv-columns.ts";
import { CsvScanner, HAS_NUL, HAS_STRAY_QUOTE, HAS_TEXT_AFTER_QUOTE, HAS_UNCLOSED_QUOTE } from "./csv-scanner.ts";

export type CsvFormatOptions = {
  readonly dialect: CsvDialect;
  /** The first record is a header line. */
  readonly header: boolean;
  /** Names of the columns, whatever the header says; null: those of the header, of the declared type, or numbers. */
  readonly columns: readonly string[] | null;
  readonly spec: StructSpec | null;
  readonly nulls: readonly string[];
  /** Records with fewer or more cells than columns are taken: missing cells are empty, further ones are dropped. */
  readonly ragged: boolean;
  readonly skipLines: number;
  /** Tells the generated functions of this format from all others. */
  readonly id: string;
};

export function csvFormat(options: CsvFormatOptions): RecordFormat<unknown> {
  const { dialect, header, columns, spec } = options;
  const names = header ? [] : (columns ?? spec?.fields.map(({ name }) => name) ?? []);
  const only = names.length === 1 ? spec?.fields.find(({ name }) => name === names[0]) : undefined;
  const isBlankRecord = blankIsNull(only, options.nulls);
  return {
    cutsAnywhere: !dialect.multiline,
    skipLines: options.skipLines,
    first: header ? "header" : columns === null && spec === null ? "sample" : "plain",
    createBoundary: () => new CsvBoundary(dialect.multiline ? dialect : { ...dialect, quote: NONE, escape: NONE }),
    ignores: (byte) => (byte === LF || byte === CR ? !isBlankRecord : byte === dialect.comment),
    createParser: (record, file) => new CsvParser(options, columnsOf(record, file, options)),
  };
}

function columnsOf(first: Buffer | null, file: string, options: CsvFormatOptions): CsvColumns {
  const { header, columns, spec, dialect } = options;
  if (header && first === null) throw headerMissing(file, options.skipLines);
  if (header && columns === null && dialect.quote === DOUBLE_QUOTE) refuseJson(String(first), file);
  const cells = first === null ? [] : recordCells(first, file, options);
  if (header && columns !== null && columns.length !== cells.length) {
    throw headerInvalid(file, `${cells.length} columns, where the option \`columns\` names ${columns.length}`);
  }
  const names = columns ?? (header ? cells : null);
  const found = csvColumns(names, spec, cells.length, file);
  if (columns !== null || !header || first === null) return found;
  refuseOtherDelimiter(cells, spec, file);
  if (spec !== null) return found;
  refuseBlanks(cells, recordCells(first, file, { ...options, dialect: { ...options.dialect, trim: true } }), file);
  return found;
}

/** The cells of the first record as text. */
function recordCells(record: Buffer, file: string, options: CsvFormatOptions): string[] {
  const scanner = new CsvScanner(options.dialect);
  const cells = new CsvCells(scanner, { ...options.dialect, nulls: options.nulls });
  cells.bytes = Buffer.concat([record, Buffer.of(LF)]);
  cells.text = cells.bytes.toString("latin1");
  scanner.scan(cells.bytes, 0, record.length, true);
  const problem = isUtf8(record) ? problemTexts(scanner.problems)[0] : "bytes that are not UTF-8";
  if (problem !== undefined && options.header) {
    if (scanner.problems & HAS_TEXT_AFTER_QUOTE) refuseDelimiterAfterQuote(cells.text, options.dialect, file);
    if (blanksAroundQuotes(options.dialect)?.test(cells.text) === true) throw headerBlanks(file, "quotes");
    throw headerInvalid(file, problem);
  }
  return Array.from({ length: scanner.count }, (_, index) => cells.string(index));
}

function problemTexts(problems: number): string[] {
  const texts: string[] = [];
  if (problems & HAS_NUL) texts.push("a NUL byte");
  if (problems & HAS_UNCLOSED_QUOTE) texts.push("a quote that is not closed");
  if (problems & HAS_TEXT_AFTER_QUOTE) texts.push("text after a closing quote");
  if (problems & HAS_STRAY_QUOTE) texts.push("a quote inside a field that does not begin with one");
  return texts;
}

const TRIM_HINT = "blanks stand around quotes: say `trim: true` if they do not count";

function blanksAroundQuotes({ delimiter, quote, trim }: CsvDialect): RegExp | null {
  if (trim || quote < 0) return null;
  const sign = (byte: number): string => `\\x${byte.toString(16).padStart(2, "0")}`;
  const blanks = delimiter === 9 ? " +" : "[ \t]+";
  return new RegExp(
    `(?:^|${sign(delimiter)})${blanks}${sign(quote)}|${sign(quote)}${blanks}(?:${sign(delimiter)}|$)`,
    "m",
  );
}

class CsvParser implements RecordParser<unknown> {
  emitted: number;
  readonly #scanner: CsvScanner;
  readonly #cells: CsvCells;
  readonly #row: CsvRowFunction;
  readonly #columns: CsvColumns;
  readonly #width: number;
  readonly #ragged: boolean;
  readonly #trim: boolean;
  readonly #comment: number;
  readonly #isBlankRecord: boolean;
  /** Null where blanks do not count. */
  readonly #blanksAroundQuotes: RegExp | null;
  #explain: ((cells: CsvCells) => string[]) | null;

  constructor(options: CsvFormatOptions, columns: CsvColumns) {
    this.emitted = 0;
    this.#scanner = new CsvScanner(options.dialect);
    this.#cells = new CsvCells(this.#scanner, { ...options.dialect, nulls: options.nulls });
    this.#row = csvRowFunction(columns.columns, options.id);
    this.#columns = columns;
    this.#width = columns.width;
    this.#ragged = options.ragged;
    this.#trim = options.dialect.trim;
    this.#comment = options.dialect.comment;
    this.#blanksAroundQuotes = blanksAroundQuotes(options.dialect);
    const only = columns.width === 1 ? columns.columns.find((column) => column.index === 0) : undefined;
    this.#isBlankRecord = options.spec !== null && blankIsNull(only, options.nulls);
    this.#explain = null;
  }

  parse(window: RecordWindow, output: SourceOutput<unknown>, limit: number): ParseStatus {
    const text = window.text ?? window.bytes.toString("latin1", 0, window.end);
    window.text = text;
    this.#cells.bytes = window.bytes;
    this.#cells.text = text;
    this.emitted = 0;
    while (this.emitted < limit) {
      const { position, end, bytes } = window;
      if (position >= window.stopAt) return "done";
      if (position >= end) return window.final ? "done" : "data";
      const status = this.#isRecord(bytes[position]!) ? this.#record(window, output) : this.#ignored(window);
      if (status !== null) return status;
    }
    return "limit";
  }

  #isRecord(first: number): boolean {
    return first === LF || first === CR ? this.#isBlankRecord : first !== this.#comment;
  }

  /** Null: go on. */
  #record(window: RecordWindow, output: SourceOutput<unknown>): ParseStatus | null {
    const scanner = this.#scanner;
    const next = scanner.scan(window.bytes, window.position, window.end, window.final);
    if (next < 0) return "data";
    const row = this.#isWhole(window, next) ? this.#row(this.#cells) : null;
    let goOn: boolean;
    if (row !== null && !this.#cells.failed) {
      goOn = output.offer(row, Number.NaN);
    } else {
      this.#cells.failed = false;
      if (!window.lineKnown) return "line";
      goOn = output.invalid(this.#invalid(window, next));
    }
    this.emitted += 1;
    window.position = next;
    window.line += scanner.lines;
    return goOn ? null : "limit";
  }

  #ignored(window: RecordWindow): ParseStatus | null {
    const next = this.#scanner.scanLine(window.bytes, window.position, window.end, window.final);
    if (next < 0) return "data";
    window.position = next;
    window.line += 1;
    return null;
  }

  /** Whether the scanned record can be taken apart into cells. */
  #isWhole(window: RecordWindow, next: number): boolean {
    const scanner = this.#scanner;
    if (scanner.problems !== 0 || next - window.position > window.recordBytesMax) return false;
    if (scanner.bits > 127 && !isUtf8(window.bytes.subarray(window.position, next))) return false;
    if (scanner.count === this.#width) return true;
    if (this.#ragged) scanner.pad(this.#width);
    return this.#ragged;
  }

  #invalid(window: RecordWindow, next: number): InvalidRow {
    const { bytes, position, file, line, recordBytesMax } = window;
    const where = { file, line };
    const lines = linesIssue(line, lineBreaks(bytes, position, next));
    if (next - position > recordBytesMax) {
      const { raw, issues } = tooLong(bytes, position, next, recordBytesMax);
      return { raw, issues: [...issues, ...lines], ...where };
    }
    const issues = problemTexts(this.#scanner.problems);
    if (!isUtf8(bytes.subarray(position, next))) issues.push(NOT_UTF8);
    else if (!this.#ragged && this.#scanner.count !== this.#width) issues.push(this.#widthIssue());
    if (issues.length > 0) {
      if (this.#blanksAroundQuotes?.test(recordText(bytes, position, next)) === true) issues.push(TRIM_HINT);
      issues.push(...lines);
    } else {
      this.#explain ??= csvExplainer(this.#columns.columns, this.#trim);
      issues.push(...this.#explain(this.#cells));
    }
    return { raw: recordText(bytes, position, next), issues, ...where };
  }

  #widthIssue(): string {
    const { count } = this.#scanner;
    const missing = this.#columns.columns.find((column) => column.index >= count);
    const named = missing === undefined ? "" : `; ${JSON.stringify(missing.name)} is missing`;
    return `${count} ${count === 1 ? "field" : "fields"} where ${this.#width} belong${named}`;
  }
}
