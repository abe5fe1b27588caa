// `csv(…)`: comma-separated files, in any dialect.

import { FLAG, type OptionKind, oneOf, TEXTS } from "../../../types/check-options.ts";
import { checkedLayout } from "../../../types/spec/schema-spec.ts";
import type { Type } from "../../../types/t.ts";
import { checkFileOptions, type FileOptions, type Files, fileConnector } from "../file-connector.ts";
import { type CsvDialectOptions, csvDialect, optionInvalid } from "../format/csv-dialect.ts";
import { csvSpecCheck } from "./csv-columns.ts";
import { CsvEncoder } from "./csv-encode.ts";
import { csvFormat } from "./csv-parser.ts";

export type CsvOptions = FileOptions &
  CsvDialectOptions & {
    /** Whether the first line names the columns; true by default. */
    readonly header?: boolean;
    /**
     * Names of the columns in their order: for files without a header line, or to replace what it says. Sink: which
     * fields to write.
     */
    readonly columns?: readonly string[];
    /** Cells without quotes that mean null; only the empty one by default. */
    readonly nulls?: readonly string[];
    /** Source: take rows with too few or too many cells: missing ones are empty, further ones are dropped. */
    readonly ragged?: boolean;
    /** Source: so many lines at the start of each file are passed over, before the header; 0 by default. */
    readonly skipLines?: number;
  };

/** The special characters are checked together with each other. */
const CSV_OPTIONS: Readonly<Record<Exclude<keyof CsvOptions, keyof FileOptions>, OptionKind | true>> = {
  delimiter: true,
  quote: true,
  escape: true,
  comment: true,
  trim: FLAG,
  decimal: oneOf(".", ","),
  multiline: FLAG,
  header: FLAG,
  columns: TEXTS,
  nulls: TEXTS,
  ragged: FLAG,
  skipLines: { takes: "a number of lines", accepts: (value) => Number.isSafeInteger(value) && Number(value) >= 0 },
};

/**
 * CSV files. As a source: a path, a directory, a glob pattern or a list of them; records have the fields of `type`,
 * without it one string per column. As a sink: a directory that part files are written to.
 */
// One signature, because of several the compiler would tell what is wrong with the last.
export function csv<T = Record<string, string>>(
  paths: string | readonly string[],
  options?: CsvOptions & { readonly type?: Type<T> },
): Files<T>;
export function csv<T>(
  paths: string | readonly string[],
  options: CsvOptions & { readonly type?: Type<T> } = {},
): Files<T | Record<string, string>> {
  checkFileOptions("csv", options, CSV_OPTIONS);
  const spec = options.type === undefined ? null : checkedLayout(options.type, "the type of csv");
  const dialect = csvDialect(options);
  const twice = options.columns?.find((name, index, all) => all.indexOf(name) !== index);
  if (twice !== undefined)
    throw optionInvalid(`columns: ${JSON.stringify(twice)} is there twice`, "name each column once");
  const header = options.header ?? true;
  const nulls = options.nulls ?? [""];
  const fields = spec?.kind === "struct" ? spec.fields.map((field) => field.name) : null;
  const written = options.columns ?? fields;
  return fileConnector(paths, options, {
    kind: "csv",
    type: spec,
    format: (id) =>
      csvFormat({
        dialect,
        header,
        columns: options.columns ?? null,
        spec: spec === null ? null : csvSpecCheck(spec),
        nulls,
        ragged: options.ragged ?? false,
        skipLines: options.skipLines ?? 0,
        id,
      }),
    encoder: () => new CsvEncoder({ dialect, columns: withOpColumn(written, options), spec, header, nulls }),
  });
}

/** The kind of a row is never left out: rows that are deleted would look like rows. */
function withOpColumn(columns: readonly string[] | null, { op = false }: CsvOptions): readonly string[] | null {
  return columns === null || !op || columns.includes("op") ? columns : ["op", ...columns];
}
