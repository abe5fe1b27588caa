// How a CSV file is written: its special characters. RFC 4180 by default.

import { UserError } from "../../../base/errors.ts";
import { withoutEffect } from "../../../types/check-options.ts";

export type CsvDialectOptions = {
  /** One character between fields; "," by default, "\t" for tab-separated files. */
  readonly delimiter?: string;
  /** The character around fields that hold special ones; '"' by default, false when the file has none. */
  readonly quote?: string | false;
  /** Inside quotes, the character after this one stands for itself. A doubled quote always stands for a quote. */
  readonly escape?: string;
  /** Lines that begin with this character are no records. */
  readonly comment?: string;
  /** Blanks and tabs around fields do not count. */
  readonly trim?: boolean;
  /** The decimal sign of numbers. */
  readonly decimal?: "." | ",";
  /**
   * Line breaks inside quotes are text (the default). False: every line break ends a record, and files are cut without
   * a look ahead.
   */
  readonly multiline?: boolean;
};

/** Bytes of the special characters; NONE where the dialect has none. */
export type CsvDialect = {
  readonly delimiter: number;
  readonly quote: number;
  readonly escape: number;
  readonly comment: number;
  readonly decimal: number;
  readonly trim: boolean;
  readonly multiline: boolean;
};

export const NONE = -1;
export const LF = 10;
export const DOUBLE_QUOTE = 34;
export const CR = 13;

export function csvDialect(options: CsvDialectOptions): CsvDialect {
  if (options.quote === false && options.escape !== undefined) {
    throw withoutEffect("escape", "where there are no quotes: quote is false", "leave escape out, or name the quote");
  }
  const delimiter = options.delimiter ?? ",";
  const special = new Map<string, string>();
  const byte = (name: string, character: string): number => {
    const code = character.length === 1 ? character.charCodeAt(0) : NONE;
    if (code <= 0 || code > 126 || code === LF || code === CR || /[\w.+-]/.test(character)) {
      throw optionInvalid(
        `${name}: ${JSON.stringify(character)}`,
        "use one ASCII character that no number or name contains",
      );
    }
    const other = special.get(character);
    if (other !== undefined) {
      throw optionInvalid(`${name}: ${JSON.stringify(character)} is the ${other} too`, "use different characters");
    }
    special.set(character, name);
    return code;
  };
  const dialect: CsvDialect = {
    delimiter: byte("delimiter", delimiter),
    quote: options.quote === false ? NONE : byte("quote", options.quote ?? '"'),
    // Doubling is built in, so naming the quote as its own escape changes nothing.
    escape:
      options.escape === undefined || options.escape === (options.quote ?? '"') ? NONE : byte("escape", options.escape),
    comment: options.comment === undefined ? NONE : byte("comment", options.comment),
    decimal: options.decimal === "," ? 44 : 46,
    trim: options.trim ?? false,
    multiline: (options.multiline ?? true) && options.quote !== false,
  };
  if (dialect.decimal === dialect.delimiter) {
    throw optionInvalid('decimal: "," is the delimiter too', 'name the delimiter, for example `delimiter: ";"`');
  }
  return dialect;
}

export function optionInvalid(what: string, fix: string): UserError {
  return new UserError("CONNECTOR_OPTION_INVALID", `an option cannot be used: ${what}`, { fix });
}
