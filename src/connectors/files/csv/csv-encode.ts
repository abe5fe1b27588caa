// Records as CSV: the counterpart of `csv-parser.ts`, in the same dialect. What is written is read back as the same
// text.
//
//   null, undefined   an empty cell (the first null token)      Date      ISO 8601 in UTC, empty when invalid
//   ""                a quoted empty cell                       others    lists, objects, Maps, Sets as JSON text

import { UserError } from "../../../base/errors.ts";
import { ownField } from "../../../types/field-path.ts";
import { jsonText } from "../json/json-encode.ts";
import type { RowEncoder } from "../row-encoder.ts";
import type { CsvDialect } from "./csv-dialect.ts";

export type CsvEncodeOptions = {
  readonly dialect: CsvDialect;
  /** The columns, when they are declared; others of the record are left out. Null: those of the first record. */
  readonly columns: readonly string[] | null;
  readonly header: boolean;
  readonly nulls: readonly string[];
};

export class CsvEncoder implements RowEncoder {
  readonly #options: CsvEncodeOptions;
  readonly #delimiter: string;
  readonly #quote: string;
  readonly #special: RegExp;
  readonly #nulls: ReadonlySet<string>;
  #columns: readonly string[] | null;

  constructor(options: CsvEncodeOptions) {
    const { dialect } = options;
    this.#options = options;
    this.#delimiter = String.fromCharCode(dialect.delimiter);
    this.#quote = dialect.quote < 0 ? "" : String.fromCharCode(dialect.quote);
    this.#special = specialPattern(dialect);
    this.#nulls = new Set(["", ...options.nulls]);
    this.#columns = options.columns;
  }

  begin(record: unknown): string {
    this.#columns ??= Object.keys(objectOf(record));
    return this.#options.header ? this.#join(this.#columns, this.#columns) : "";
  }

  line(record: unknown): string {
    const columns = this.#columns!;
    const object = objectOf(record);
    if (this.#options.columns === null) checkKeys(object, columns);
    const cells = columns.map((name) => ownField(object, name));
    return this.#join(columns, cells);
  }

  #join(columns: readonly string[], cells: readonly unknown[]): string {
    let line = "";
    for (let index = 0; index < cells.length; index += 1) {
      if (index > 0) line += this.#delimiter;
      line += this.#cell(columns[index]!, cells[index]);
    }
    // A line of nothing is no record to readers.
    return line === "" ? `${this.#quoted(columns[0] ?? "", "")}\n` : `${line}\n`;
  }

  #cell(name: string, value: unknown): string {
    if (value === null || value === undefined) return this.#options.nulls[0] ?? "";
    switch (typeof value) {
      case "number":
        return this.#number(name, value);
      case "boolean":
      case "bigint":
        return String(value);
      case "string":
        return this.#text(name, value);
      default:
        if (value instanceof Date) return Number.isNaN(value.getTime()) ? "" : value.toISOString();
        return this.#text(name, jsonText(value, name));
    }
  }

  #number(name: string, value: number): string {
    const text = Object.is(value, -0) ? "-0" : String(value);
    return this.#options.dialect.decimal === 44 ? this.#text(name, text.replace(".", ",")) : text;
  }

  #text(name: string, text: string): string {
    return this.#special.test(text) || this.#nulls.has(text) ? this.#quoted(name, text) : text;
  }

  #quoted(name: string, text: string): string {
    const { dialect } = this.#options;
    const problem = quotingProblem(text, dialect);
    if (problem !== null) {
      throw new UserError("CSV_VALUE_UNSUPPORTED", `column ${JSON.stringify(name)}: ${problem}`, {
        fix: "change the value in a map before the sink, or write JSON Lines",
      });
    }
    const escaped =
      dialect.escape < 0 ? text : text.replaceAll(String.fromCharCode(dialect.escape), (sign) => sign + sign);
    return this.#quote + escaped.replaceAll(this.#quote, this.#quote + this.#quote) + this.#quote;
  }
}

function quotingProblem(text: string, dialect: CsvDialect): string | null {
  if (text.includes("\0")) return "CSV cannot hold a NUL character";
  if (!text.isWellFormed()) return "the text holds half of a surrogate pair, which UTF-8 cannot express";
  if (dialect.quote < 0) return `${JSON.stringify(text)} needs quotes, and the dialect has none`;
  if (!dialect.multiline && /[\r\n]/.test(text))
    return "the text holds a line break, and the dialect allows none in quotes";
  return null;
}

/** What cannot stand in a cell without quotes. */
function specialPattern(dialect: CsvDialect): RegExp {
  const hex = (byte: number): string => (byte < 0 ? "" : `\\x${byte.toString(16).padStart(2, "0")}`);
  const inside = `[${hex(dialect.delimiter)}${hex(dialect.quote)}\\r\\n\\0\\ud800-\\udfff]`;
  const first = dialect.comment < 0 ? "" : `|^${hex(dialect.comment)}`;
  const around = dialect.trim ? "|^[ \\t]|[ \\t]$" : "";
  return new RegExp(`${inside}${first}${around}|^\\ufeff`);
}

function objectOf(record: unknown): Readonly<Record<string, unknown>> {
  if (typeof record === "object" && record !== null && !Array.isArray(record)) return record as Record<string, unknown>;
  throw new UserError(
    "CSV_VALUE_UNSUPPORTED",
    `a CSV record must be an object, not ${record === null ? "null" : typeof record}`,
    {
      fix: "map it to an object with a field per column before the sink",
    },
  );
}

/** A field that the first record did not have would be lost. */
function checkKeys(record: Readonly<Record<string, unknown>>, columns: readonly string[]): void {
  let index = 0;
  for (const name in record) {
    if (columns[index] !== name && !columns.includes(name)) {
      throw new UserError(
        "CSV_COLUMN_UNKNOWN",
        `the record has a field ${JSON.stringify(name)} that the first record did not have`,
        {
          fix: 'name all columns: csv(dir, { columns: ["…", "…"] })',
        },
      );
    }
    index += 1;
  }
}
