// Records as CSV: the counterpart of `csv-parser.ts`, in the same dialect.
//
//   null, undefined   a bare null token (the empty cell)        Date      ISO 8601 in UTC
//   ""                a quoted empty cell                       others    lists, objects, Maps, Sets as JSON text
//
//   W1. What is written of a type that a cell can hold (csvSpecCheck) reads back as the same value under the same
//       options (property-tested); what could not is refused. Others, and t.any, read back as their text.
//   W2. Whatever reads as a null, or as special, stands in quotes, where it is none.

import { UserError } from "../../../base/errors.ts";
import { ownField } from "../../../types/spec/field-path.ts";
import { numberOf } from "../../../types/spec/source-value.ts";
import { isTimeInDigits } from "../../../types/spec/time-in-digits.ts";
import type { TypeSpec } from "../../../types/spec/type-spec.ts";
import type { CsvDialect } from "../format/csv-dialect.ts";
import type { RowEncoder } from "../format/row-encoder.ts";
import { jsonText } from "../json/json-encode.ts";
import { admitsNull, blankIsNull } from "./csv-columns.ts";

export type CsvEncodeOptions = {
  readonly dialect: CsvDialect;
  /** The columns, when they are declared; others of the record are left out. Null: those of the first record. */
  readonly columns: readonly string[] | null;
  /** Type of the records; null when it is not declared. */
  readonly spec: TypeSpec | null;
  readonly header: boolean;
  readonly nulls: readonly string[];
};

export class CsvEncoder implements RowEncoder {
  readonly #options: CsvEncodeOptions;
  readonly #delimiter: string;
  readonly #quote: string;
  readonly #special: RegExp;
  readonly #nulls: ReadonlySet<string>;
  /** What stands for null; null when nothing can. */
  readonly #nullToken: string | null;
  #columns: readonly Column[] | null;

  constructor(options: CsvEncodeOptions) {
    const { dialect } = options;
    this.#options = options;
    this.#delimiter = String.fromCharCode(dialect.delimiter);
    this.#quote = dialect.quote < 0 ? "" : String.fromCharCode(dialect.quote);
    this.#special = specialPattern(dialect);
    this.#nulls = new Set(["", ...options.nulls]);
    this.#nullToken = options.nulls.find((token) => !this.#special.test(token)) ?? null;
    this.#columns = options.columns?.map((name) => columnOf(name, options.spec)) ?? null;
  }

  begin(record: unknown): string {
    this.#columns ??= Object.keys(objectOf(record)).map((name) => columnOf(name, this.#options.spec));
    const names = this.#columns.map(({ name }) => columnOf(name, NAME));
    return this.#options.header
      ? this.#join(
          names,
          names.map(({ name }) => name),
        )
      : "";
  }

  line(record: unknown): string {
    const columns = this.#columns!;
    const object = objectOf(record);
    if (this.#options.columns === null) checkKeys(object, columns);
    const cells = columns.map(({ name }) => ownField(object, name));
    return this.#join(columns, cells);
  }

  #join(columns: readonly Column[], cells: readonly unknown[]): string {
    let line = "";
    for (let index = 0; index < cells.length; index += 1) {
      if (index > 0) line += this.#delimiter;
      line += this.#cell(columns[index]!, cells[index]);
    }
    // A line of nothing is no record to readers, but where it can be a null.
    const [only] = columns;
    return line === "" && !blankIsNull(only, this.#options.nulls)
      ? `${this.#quoted(only?.name ?? "", "")}\n`
      : `${line}\n`;
  }

  #cell(column: Column, value: unknown): string {
    if (value === null || value === undefined) return this.#null(column, value);
    switch (typeof value) {
      case "number":
        return this.#word(column, this.#number(column, value));
      case "boolean":
      case "bigint":
        return this.#word(column, String(value));
      case "string":
        return this.#text(column, value);
      default:
        if (!(value instanceof Date)) return this.#text(column, jsonText(value, column.name));
        if (Number.isNaN(value.getTime())) throw unsupported(column.name, "CSV has no form for an invalid Date");
        return this.#text(column, value.toISOString());
    }
  }

  #null({ name, type, optional }: Column, value: null | undefined): string {
    if (value === undefined && optional && type !== null && admitsNull(type)) {
      throw unsupported(name, "CSV cannot tell a field that is absent from one that is null, and its type admits both");
    }
    if (this.#nullToken === null) throw unsupported(name, `no text of \`nulls\` can stand for ${value}`);
    return this.#nullToken;
  }

  #number({ name, type }: Column, value: number): string {
    const text = Object.is(value, -0) ? "-0" : String(value);
    const kind = (type?.kind === "nullable" ? type.inner : type)?.kind;
    if (kind === "timestamp") {
      if (Number.isNaN(numberOf("timestamp", value)) || !/^[\d.-]+$/.test(text))
        throw unsupported(name, `${text} is no time`);
      return isTimeInDigits(value) ? new Date(value).toISOString() : text;
    }
    return this.#options.dialect.decimal === 44 ? text.replace(".", ",") : text;
  }

  /** What dialects allow no special characters in: it only may be a null token. */
  #word(column: Column, text: string): string {
    return this.#nulls.size === 1 ? text : this.#text(column, text);
  }

  #text(column: Column, text: string): string {
    const isBare = !this.#special.test(text) && !(this.#nulls.has(text) && this.#readsAsNull(column));
    return isBare ? text : this.#quoted(column.name, text);
  }

  /** Without quotes. Where the dialect has quotes they are used for whatever could be a null to somebody. */
  #readsAsNull({ type, optional }: Column): boolean {
    return this.#options.dialect.quote >= 0 || type === null || optional || admitsNull(type);
  }

  #quoted(name: string, text: string): string {
    const { dialect } = this.#options;
    const problem = quotingProblem(text, dialect);
    if (problem !== null) throw unsupported(name, problem);
    const escaped =
      dialect.escape < 0 ? text : text.replaceAll(String.fromCharCode(dialect.escape), (sign) => sign + sign);
    return this.#quote + escaped.replaceAll(this.#quote, this.#quote + this.#quote) + this.#quote;
  }
}

type Column = { readonly name: string; readonly type: TypeSpec | null; readonly optional: boolean };

/** The type of what stands in a header line. */
const NAME: TypeSpec = { kind: "string" };

function columnOf(name: string, spec: TypeSpec | null): Column {
  if (spec?.kind !== "struct") return { name, type: spec, optional: false };
  const field = spec.fields.find((each) => each.name === name);
  return { name, type: field?.type ?? null, optional: field?.optional ?? true };
}

function unsupported(name: string, problem: string): UserError {
  return new UserError("CSV_VALUE_UNSUPPORTED", `column ${JSON.stringify(name)}: ${problem}`, {
    fix: "change the value in a map before the sink, or write JSON Lines",
  });
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
function checkKeys(record: Readonly<Record<string, unknown>>, columns: readonly Column[]): void {
  let index = 0;
  for (const name in record) {
    if (columns[index]?.name !== name && !columns.some((column) => column.name === name)) {
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
