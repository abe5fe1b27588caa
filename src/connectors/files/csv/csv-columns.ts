// Which cell of a record becomes which field, and the generated function that builds the record.

import { STDIN_PATH } from "../../../base/disk.ts";
import { assert, UserError } from "../../../base/errors.ts";
import { nearest } from "../../../base/nearest.ts";
import { setFieldCode } from "../../../types/spec/field-path.ts";
import { timeInDigits } from "../../../types/spec/time-in-digits.ts";
import type { StructField, StructSpec, TypeSpec } from "../../../types/spec/type-spec.ts";
import type { CsvDialect } from "../format/csv-dialect.ts";
import type { CsvCells } from "./csv-cells.ts";

export type CsvColumn = {
  readonly name: string;
  /** Which cell, -1 when the file has none for it. */
  readonly index: number;
  readonly type: TypeSpec;
  /** Left out of the record when the cell is null or missing. */
  readonly optional: boolean;
};

export type CsvColumns = {
  readonly columns: readonly CsvColumn[];
  /** Cells that each record has. */
  readonly width: number;
};

const STRING: TypeSpec = { kind: "string" };

/** `names` are those of the header, null when there is none: then fields follow the declared type, or are numbered. */
export function csvColumns(
  names: readonly string[] | null,
  spec: StructSpec | null,
  width: number,
  file: string,
): CsvColumns {
  const present = names ?? spec?.fields.map((field) => field.name) ?? numbered(width);
  if (spec !== null)
    return {
      columns: spec.fields.map((field) => declaredColumn(field, { names: present, spec, file })),
      width: present.length,
    };
  const twice = present.find((name, index) => present.indexOf(name) !== index);
  if (twice !== undefined) throw headerInvalid(file, `the column ${JSON.stringify(twice)} twice`);
  return {
    columns: present.map((name, index) => ({ name, index, type: STRING, optional: false })),
    width: present.length,
  };
}

type Header = { readonly names: readonly string[]; readonly spec: StructSpec; readonly file: string };

function declaredColumn(field: StructField, { names, spec, file }: Header): CsvColumn {
  const index = names.indexOf(field.name);
  if (index >= 0 && names.includes(field.name, index + 1)) {
    throw headerInvalid(file, `the column ${JSON.stringify(field.name)} twice`);
  }
  const isMeant = names.some((name) => name.trim() === field.name);
  if (index < 0 && (!field.optional || isMeant)) {
    const found = names.length > 50 ? `${names.length} others` : names.map((name) => JSON.stringify(name)).join(", ");
    throw new UserError("CSV_COLUMN_MISSING", `${file} has no column ${JSON.stringify(field.name)}; it has ${found}`, {
      fix: missingFix(field.name, names, spec),
    });
  }
  return { name: field.name, index, type: field.type, optional: field.optional };
}

function missingFix(wanted: string, names: readonly string[], spec: StructSpec): string {
  const [only = ""] = names.length === 1 ? names : [];
  const delimiter = [";", "\t", "|", ","].find((character) => only.split(character).includes(wanted));
  if (delimiter !== undefined) return `say \`delimiter: ${JSON.stringify(delimiter)}\``;
  if (names.some((name) => name.trim() === wanted)) return "blanks stand around the name: say `trim: true`";
  const unused = names.filter((name) => spec.fields.every((field) => field.name !== name));
  const similar = nearest(wanted, unused);
  if (similar !== null) return `did you mean ${JSON.stringify(similar)}?`;
  const isHeader = unused.length < names.length;
  const first = isHeader
    ? "declare the columns that the file has"
    : "when other lines stand before its header line, say `skipLines: 1`";
  return `${first}; when it has no header line, say \`header: false\``;
}

/** A header line that is an object: the file is none of CSV. Where `"` quotes, no name begins like that. */
export function refuseJson(header: string, file: string): void {
  const begin = /^([[{])\s*\{?\s*"/.exec(header.trim());
  if (begin === null) return;
  const form = begin[1] === "[" ? ", { array: true }" : "";
  throw new UserError("CSV_HEADER_INVALID", `the header line of ${file} is JSON`, {
    fix: `read it with jsonl("…"${form}); if it is CSV, name the columns with the option \`columns\``,
  });
}

export function headerInvalid(file: string, what: string): UserError {
  return new UserError("CSV_HEADER_INVALID", `the header of ${file} has ${what}`, {
    fix: "correct the header, or name the columns with the option `columns`",
  });
}

/** A header that was not taken apart. */
export function refuseOtherDelimiter(names: readonly string[], spec: StructSpec | null, file: string): void {
  const [only = ""] = names;
  const delimiter = [";", "\t", "|"].find((character) => only.includes(character));
  if (names.length !== 1 || delimiter === undefined || spec?.fields.some(({ name }) => name === only) === true) return;
  throw new UserError("CSV_HEADER_INVALID", `the header of ${file} has one column, ${JSON.stringify(only)}`, {
    fix: `say \`delimiter: ${JSON.stringify(delimiter)}\`; if it is one column, name it with the option \`columns\``,
  });
}

/** A header whose first name in quotes ends before the delimiter of another file: `"a";"b"`. */
export function refuseDelimiterAfterQuote(header: string, dialect: CsvDialect, file: string): void {
  const [sign, own] = [String.fromCharCode(dialect.quote), String.fromCharCode(dialect.delimiter)];
  const others = [";", "\t", "|", ","].filter((character) => character !== own);
  const delimiter = others.find((character) => header.includes(sign + character));
  if (delimiter === undefined || !header.startsWith(sign)) return;
  throw new UserError(
    "CSV_HEADER_INVALID",
    `the header of ${file} has ${JSON.stringify(delimiter)} after a closing quote`,
    {
      fix: `say \`delimiter: ${JSON.stringify(delimiter)}\``,
    },
  );
}

/** A header with blanks around names that would go with `trim`: those of quoted names would not. */
export function refuseBlanks(names: readonly string[], trimmed: readonly string[], file: string): void {
  const name = names.find((text, index) => text !== trimmed[index]);
  if (name !== undefined) throw headerBlanks(file, `the name ${JSON.stringify(name)}`);
}

export function headerBlanks(file: string, what: string): UserError {
  return new UserError("CSV_HEADER_INVALID", `the header of ${file} has blanks around ${what}`, {
    fix: "say `trim: true`; if the blanks count, name the columns with the option `columns`",
  });
}

export function headerMissing(file: string, skipLines: number): UserError {
  const where = skipLines === 0 ? "is empty" : `has nothing after its first ${skipLines} lines`;
  const isStdin = file === STDIN_PATH;
  const name = isStdin ? "standard input" : file;
  const give = isStdin
    ? "see that the program before the pipe writes a header line"
    : "leave the file out, write its header line";
  return new UserError("CSV_HEADER_INVALID", `${name} ${where}, where a header line is due`, {
    fix: `${give}, or say \`header: false\``,
  });
}

function numbered(width: number): string[] {
  return Array.from({ length: width }, (_, index) => `column${index + 1}`);
}

/** Builds the record; the caller looks at `cells.failed` afterwards. */
export type CsvRowFunction = (cells: CsvCells) => unknown;

/**
 * One function per set of columns, with its own source text so that it has its own type feedback. Names enter as JSON
 * string literals in computed keys (a column named `__proto__` is a field like any other), sets of enum values as
 * parameters.
 */
export function csvRowFunction(columns: readonly CsvColumn[], id: string): CsvRowFunction {
  const parameters: unknown[] = [];
  const values = columns.map((column) => cellCode(column, parameters));
  const hasOptional = columns.some((column) => column.optional);
  const build = hasOptional ? buildByStatements(columns, values) : buildAtOnce(columns, values);
  const name = `csvRow_${id.replace(/\W/g, "_")}`;
  const source = `"use strict"; return function ${name}(cells) {\n${build}\n};\n//# sourceURL=millrace-${name}.js`;
  const made: unknown = new Function("parameters", source)(parameters);
  assert(typeof made === "function", "the row function was generated");
  return made as CsvRowFunction;
}

function buildAtOnce(columns: readonly CsvColumn[], values: readonly string[]): string {
  return `return { ${columns.map((column, at) => `[${JSON.stringify(column.name)}]: ${values[at]}`).join(", ")} };`;
}

function buildByStatements(columns: readonly CsvColumn[], values: readonly string[]): string {
  const lines = ["const record = {};"];
  columns.forEach((column, at) => {
    if (column.index < 0) return;
    const condition = column.optional && !admitsNull(column.type) ? `if (!cells.isNull(${column.index})) ` : "";
    lines.push(`${condition}${setFieldCode("record", column.name, values[at]!)};`);
  });
  return `${lines.join("\n")}\nreturn record;`;
}

/** A null cell is a value of the type, so that it is not left out. */
export function admitsNull(type: TypeSpec): boolean {
  return type.kind === "nullable" || type.kind === "null";
}

/** Whether a blank line is a record of its only column: a null, which has no other form. Elsewhere it is no record. */
export function blankIsNull(only: ColumnType | undefined, nulls: readonly string[]): boolean {
  return only !== undefined && only.type !== null && (only.optional || admitsNull(only.type)) && nulls.includes("");
}

type ColumnType = { readonly type: TypeSpec | null; readonly optional: boolean };

function cellCode(column: CsvColumn, parameters: unknown[]): string {
  const { index, type } = column;
  if (type.kind === "nullable") {
    return `(cells.isNull(${index}) ? null : ${cellCode({ ...column, type: type.inner }, parameters)})`;
  }
  if (type.kind === "enum") {
    return `cells.member(${index}, parameters[${parameters.push(new Set(type.values)) - 1}])`;
  }
  if (type.kind === "string" && type.form === "duration") return `cells.duration(${index})`;
  const reader = CELL_READERS[type.kind];
  assert(reader !== undefined, `checked by csvSpecCheck: ${type.kind}`);
  return `cells.${reader}(${index})`;
}

const CELL_READERS: { readonly [K in TypeSpec["kind"]]?: keyof CsvCells } = {
  f64: "number",
  f32: "float",
  i32: "integer",
  i64: "bigint64",
  bigint: "bigint",
  bool: "boolean",
  string: "string",
  any: "string",
  timestamp: "time",
  date: "date",
  null: "nothing",
};

const EXPECTED: { readonly [K in TypeSpec["kind"]]?: string } = {
  f64: "a number",
  f32: "a number",
  i32: "an integer from -2147483648 to 2147483647",
  i64: "an integer of 64 bits",
  bigint: "an integer",
  bool: "true or false",
  timestamp: "a date, a date-time or epoch milliseconds",
  date: "a date, a date-time or epoch milliseconds",
  null: "empty",
};

/** The struct that a CSV source's type describes. Throws CSV_TYPE_UNSUPPORTED for what a cell cannot hold. */
export function csvSpecCheck(spec: TypeSpec): StructSpec {
  if (spec.kind !== "struct") {
    throw new UserError("CSV_TYPE_UNSUPPORTED", `the type of CSV records must be a struct, not ${spec.kind}`, {
      fix: "declare it as t.struct({ column: t.string, … })",
    });
  }
  for (const field of spec.fields) {
    const type = field.type.kind === "nullable" ? field.type.inner : field.type;
    if (type.kind in CELL_READERS || type.kind === "enum") continue;
    throw new UserError(
      "CSV_TYPE_UNSUPPORTED",
      `column ${JSON.stringify(field.name)}: a CSV cell cannot hold ${type.kind}`,
      {
        fix: "read it as t.string and convert it in a map, or use JSON Lines",
      },
    );
  }
  return spec;
}

/** Explains a bad record: what is wrong with each bad cell. Reads every cell again, with a function per column. */
export function csvExplainer(columns: readonly CsvColumn[], trim: boolean): (cells: CsvCells) => string[] {
  const present = columns.filter((column) => column.index >= 0);
  const readers = present.map((column) => csvRowFunction([column], "explain"));
  return (cells) => {
    const issues: string[] = [];
    present.forEach((column, at) => {
      cells.failed = false;
      readers[at]!(cells);
      if (cells.failed) issues.push(`column ${JSON.stringify(column.name)}: ${cellIssue(column, cells, trim)}`);
    });
    cells.failed = false;
    return issues;
  };
}

function timeHint({ kind }: TypeSpec, text: string): string {
  const time = kind === "timestamp" || kind === "date" ? timeInDigits(Number(text)) : null;
  return time === null ? "" : `: as milliseconds it would be in another century, write ${time}`;
}

function cellIssue(column: CsvColumn, cells: CsvCells, trim: boolean): string {
  const type = column.type.kind === "nullable" ? column.type.inner : column.type;
  const expected =
    type.kind === "enum" ? `one of ${type.values.join(", ")}` : (EXPECTED[type.kind] ?? 'a duration like "5m"');
  const text = cells.string(column.index);
  if (text === "") return `empty, expected ${expected}`;
  const hint =
    !trim && /^[ \t]|[ \t]$/.test(text) ? ": say `trim: true` if the blanks do not count" : timeHint(type, text);
  return `${JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)} is not ${expected}${hint}`;
}
