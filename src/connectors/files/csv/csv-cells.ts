// The cells of the record that a scanner has just found, as values. The generated row functions call it once per
// column.
//
// A cell that does not hold what it is asked for sets `failed` and gives some value of the right type; the caller then
// drops the row. Nothing throws.
//
// Hot path: `number` about 10 ns, `string` about 15 ns for up to 12 ASCII characters, 60 ns beyond.

import { isDuration } from "../../../base/duration.ts";
import { bigintOf, dateOf, numberOf } from "../../../types/spec/source-value.ts";
import { timeParse } from "../../../types/spec/time-text.ts";
import { BARE, type CsvScanner, ESCAPED } from "./csv-scanner.ts";

/** Exact in double precision: a mantissa below 2^53 divided by one of them is rounded once, as Number(text) would. */
const POWERS_OF_TEN = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
const MANTISSA_DIGITS = 15;
// V8 copies shorter slices; longer ones would keep the whole window's text alive for as long as the value lives.
const SLICE_LENGTH_MAX = 12;

export type CsvCellOptions = {
  readonly decimal: number;
  readonly escape: number;
  readonly quote: number;
  /** Bare cells with one of these texts are null. */
  readonly nulls: readonly string[];
};

export class CsvCells {
  failed: boolean;
  /** The window's bytes, and the same as text with one character a byte. */
  bytes: Buffer;
  text: string;
  readonly scanner: CsvScanner;
  readonly #decimal: number;
  readonly #quote: string;
  /** Doubled quotes and escaped characters; null where there is no escape and doubled quotes are all. */
  readonly #escapes: RegExp | null;
  readonly #nulls: ReadonlySet<string>;
  readonly #nullIsEmptyOnly: boolean;

  constructor(scanner: CsvScanner, options: CsvCellOptions) {
    this.failed = false;
    this.bytes = Buffer.alloc(0);
    this.text = "";
    this.scanner = scanner;
    this.#decimal = options.decimal;
    this.#quote = options.quote < 0 ? "" : String.fromCharCode(options.quote);
    const hex = (byte: number): string => `\\x${byte.toString(16).padStart(2, "0")}`;
    const quote = hex(options.quote);
    this.#escapes = options.escape < 0 ? null : new RegExp(`(${quote})${quote}|${hex(options.escape)}([^])`, "g");
    this.#nulls = new Set(options.nulls);
    this.#nullIsEmptyOnly = options.nulls.length === 1 && options.nulls[0] === "";
  }

  /** A quoted cell is never null: `""` is the empty string. */
  isNull(index: number): boolean {
    const { starts, ends, kinds } = this.scanner;
    if (kinds[index] !== BARE) return false;
    if (this.#nullIsEmptyOnly) return starts[index] === ends[index];
    return this.#nulls.has(this.string(index));
  }

  string(index: number): string {
    const { starts, ends, kinds, bits } = this.scanner;
    const start = starts[index]!;
    const end = ends[index]!;
    if (bits > 127 || kinds[index] === ESCAPED) return this.#stringSlowly(start, end, kinds[index]!);
    return end - start <= SLICE_LENGTH_MAX ? this.text.slice(start, end) : this.bytes.toString("utf8", start, end);
  }

  number(index: number): number {
    const { starts, ends } = this.scanner;
    const bytes = this.bytes;
    const start = starts[index]!;
    const end = ends[index]!;
    let at = start;
    const negative = bytes[at] === 45;
    if (negative) at += 1;
    const first = at;
    let mantissa = 0;
    let digit = bytes[at]! - 48;
    while (at < end && digit >= 0 && digit <= 9) {
      mantissa = mantissa * 10 + digit;
      at += 1;
      digit = bytes[at]! - 48;
    }
    let count = at - first;
    let decimals = 0;
    if (at < end && bytes[at] === this.#decimal) {
      const point = at;
      at += 1;
      digit = bytes[at]! - 48;
      while (at < end && digit >= 0 && digit <= 9) {
        mantissa = mantissa * 10 + digit;
        at += 1;
        digit = bytes[at]! - 48;
      }
      decimals = at - point - 1;
      count += decimals;
    }
    if (at < end || count === 0 || count > MANTISSA_DIGITS) return this.#numberSlowly(index);
    const value = mantissa / POWERS_OF_TEN[decimals]!;
    return negative ? -value : value;
  }

  float(index: number): number {
    const number = this.number(index);
    const value = Math.fround(number);
    if (Math.abs(value) === Number.POSITIVE_INFINITY && value !== number) this.failed = true;
    return value;
  }

  integer(index: number): number {
    const value = this.number(index);
    if (value !== (value | 0)) this.failed = true;
    return value | 0;
  }

  bigint(index: number): bigint {
    return this.#digits("bigint", index);
  }

  bigint64(index: number): bigint {
    return this.#digits("i64", index);
  }

  boolean(index: number): boolean {
    const text = this.string(index).toLowerCase();
    if (text === "true" || text === "1") return true;
    if (text !== "false" && text !== "0") this.failed = true;
    return false;
  }

  time(index: number): number {
    const { starts, ends, kinds } = this.scanner;
    const value = kinds[index] === ESCAPED ? Number.NaN : timeParse(this.text, starts[index]!, ends[index]!);
    if (Number.isNaN(value)) this.failed = true;
    return value;
  }

  date(index: number): Date {
    return dateOf(this.time(index)) ?? new Date(0); // What is no time has failed.
  }

  member(index: number, values: ReadonlySet<string>): string {
    const text = this.string(index);
    if (!values.has(text)) this.failed = true;
    return text;
  }

  duration(index: number): string {
    const text = this.string(index);
    if (!isDuration(text)) this.failed = true;
    return text;
  }

  /** A cell that can only be null. */
  nothing(index: number): null {
    if (!this.isNull(index)) this.failed = true;
    return null;
  }

  #digits(kind: "i64" | "bigint", index: number): bigint {
    const value = bigintOf(kind, this.string(index));
    if (value === null) this.failed = true;
    return value ?? 0n;
  }

  #stringSlowly(start: number, end: number, kind: number): string {
    const text = this.bytes.toString("utf8", start, end);
    if (kind !== ESCAPED) return text;
    return this.#escapes === null
      ? text.replaceAll(this.#quote + this.#quote, this.#quote)
      : text.replace(this.#escapes, "$1$2");
  }

  /** Exponents, long mantissas, signs, NaN and Infinity, and what is no number at all. */
  #numberSlowly(index: number): number {
    let text = this.string(index);
    if (this.#decimal === 44) text = text.includes(".") ? "" : text.replace(",", ".");
    if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) {
      const value = numberOf("f64", Number(text));
      if (Number.isNaN(value)) this.failed = true;
      return value;
    }
    if (text === "NaN") return Number.NaN;
    if (text === "Infinity") return Number.POSITIVE_INFINITY;
    if (text === "-Infinity") return Number.NEGATIVE_INFINITY;
    this.failed = true;
    return 0;
  }
}
