// One configuration option: its key, its type, its default and what it is for. The table of them is `options.ts`.

import { durationMs } from "../base/duration.ts";
import { memorySizeExact, memorySizeParse } from "../base/memory-size.ts";

/** How values of one kind are read and written. */
export type ValueType<T> = {
  /** For the reference: "memory size". */
  readonly name: string;
  /** For errors, after "expected": `a memory size like "64mb"`. */
  readonly expected: string;
  /** Undefined when `value`, which comes from outside, is not one. */
  parse(value: unknown): T | undefined;
  format(value: T): string;
};

export type Option<T> = {
  readonly key: string;
  readonly type: ValueType<NonNullable<T>>;
  /** Null: derived, or off, when not set. */
  readonly default: T;
  /** One or two sentences: what it does. */
  readonly doc: string;
};

type OptionSpec<T, K extends string> = { key: K; type: ValueType<T>; default: string | null; doc: string };

export function option<T, K extends string>(spec: OptionSpec<T, K> & { default: string }): Option<T> & { key: K };
export function option<T, K extends string>(spec: OptionSpec<T, K> & { default: null }): Option<T | null> & { key: K };
export function option<T, K extends string>(spec: OptionSpec<T, K>): Option<T | null> & { key: K } {
  const value = spec.default === null ? null : spec.type.parse(spec.default);
  if (value === undefined) throw new TypeError(`default of ${spec.key}: expected ${spec.type.expected}`);
  return { key: spec.key, type: spec.type as ValueType<NonNullable<T>>, default: value, doc: spec.doc };
}

type Bounds = { readonly min?: number; readonly max?: number };

const DIGITS = /^\d+$/;
const within = (value: number, { min = 0, max = Number.POSITIVE_INFINITY }: Bounds) => value >= min && value <= max;

/** Bytes. A bare number is bytes. */
export function memorySize(bounds: Bounds & { readonly powerOfTwo?: boolean } = {}): ValueType<number> {
  const { min, max, powerOfTwo = false } = bounds;
  const least = min === undefined ? "" : ` of at least ${memorySizeExact(min)}`;
  const most = max === undefined ? "" : `${least === "" ? " of" : " and"} at most ${memorySizeExact(max)}`;
  return {
    name: "memory size",
    expected: `a memory size like "64mb"${least}${most}${powerOfTwo ? ", a power of two" : ""}`,
    parse: (value) => {
      const bytes = typeof value === "number" || typeof value === "string" ? memorySizeParse(String(value)) : null;
      if (bytes === null || !within(bytes, bounds)) return undefined;
      return powerOfTwo && !Number.isInteger(Math.log2(bytes)) ? undefined : bytes;
    },
    format: memorySizeExact,
  };
}

// Flink's long names of units, by what they are here.
const UNIT_ALIASES: readonly (readonly [RegExp, string])[] = [
  [/^milli(second)?s?$/, "ms"],
  [/^sec(ond)?s?$/, "s"],
  [/^min(ute)?s?$/, "m"],
  [/^hours?$/, "h"],
  [/^days?$/, "d"],
];

/** Milliseconds. A bare number is milliseconds. */
export function duration(bounds: Bounds = {}): ValueType<number> {
  const least = bounds.min === undefined ? "" : ` of at least ${bounds.min} ms`;
  return {
    name: "duration",
    expected: `a duration like "100 ms", "5s" or "3 min"${least}`,
    parse: (value) => {
      const ms = durationParse(value);
      return ms !== undefined && within(ms, bounds) ? ms : undefined;
    },
    format: durationExact,
  };
}

/** In the largest unit that divides it. */
function durationExact(ms: number): string {
  const units = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["min", 60_000],
    ["s", 1_000],
  ] as const;
  const unit = units.find(([, size]) => ms > 0 && ms % size === 0);
  return unit === undefined ? `${ms}ms` : `${ms / unit[1]}${unit[0]}`;
}

function durationParse(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  const match = typeof value === "string" ? /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(value.trim()) : null;
  if (match === null) return undefined;
  const written = match[2] === "" ? "ms" : match[2]!;
  const unit = UNIT_ALIASES.find(([alias]) => alias.test(written))?.[1] ?? written;
  return /^(ms|s|m|h|d)$/.test(unit) ? durationMs(`${match[1]}${unit}`) : undefined;
}

export function integer(bounds: Bounds = {}): ValueType<number> {
  const { min = 0, max } = bounds;
  return {
    name: "integer",
    expected: `an integer ${max === undefined ? `of at least ${min}` : `from ${min} to ${max}`}`,
    parse: (value) => {
      const number = typeof value === "string" && DIGITS.test(value.trim()) ? Number(value) : value;
      return Number.isSafeInteger(number) && within(number as number, { ...bounds, min })
        ? (number as number)
        : undefined;
    },
    format: String,
  };
}

/** A part of a whole: from 0 to 1. */
export function fraction(): ValueType<number> {
  return {
    name: "fraction",
    expected: "a fraction from 0 to 1 like 0.4",
    parse: (value) => {
      const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
      return typeof number === "number" && within(number, { max: 1 }) ? number : undefined;
    },
    format: String,
  };
}

export function number(bounds: Bounds & { readonly min: number }): ValueType<number> {
  return {
    name: "number",
    expected: `a number of at least ${bounds.min}`,
    parse: (value) => {
      const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
      return typeof number === "number" && Number.isFinite(number) && within(number, bounds) ? number : undefined;
    },
    format: String,
  };
}

export function boolean(): ValueType<boolean> {
  return {
    name: "boolean",
    expected: "true or false",
    parse: (value) =>
      value === true || value === "true" ? true : value === false || value === "false" ? false : undefined,
    format: String,
  };
}

/** Any that is not empty. */
export function text(what: string): ValueType<string> {
  return {
    name: what,
    expected: `a ${what}`,
    parse: (value) => (typeof value === "string" && value !== "" ? value : undefined),
    format: String,
  };
}

export function oneOf<const V extends string>(...values: readonly V[]): ValueType<V> {
  return {
    name: values.join(" | "),
    expected: `one of ${values.map((value) => JSON.stringify(value)).join(", ")}`,
    // Flink writes them in capitals: EXACTLY_ONCE.
    parse: (value) =>
      values.find((known) => known === value || known === String(value).toLowerCase().replaceAll("_", "-")),
    format: String,
  };
}
