// Fields of generated records. Each value is a pure function of a seed and the record's index, so that any way of
// dividing the indexes over subtasks, and any restart, gives the same records.
//
// Hot path: a field costs 3 to 10 ns. Random fields take 32 bits per value: a range has 2^32 steps.

import { type Duration, durationMs } from "../../base/duration.ts";
import { UserError } from "../../base/errors.ts";
import { mix32, SeededRandom } from "../../base/seeded-random.ts";
import type { Json } from "../../operators/source.ts";
import { checkOptions } from "../../types/check-options.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";

/** How one field of the records is made. */
export type Field<V> = {
  /** Its type; null when only the values tell. */
  readonly spec: TypeSpec | null;
  readonly describe: Json;
  /** `salt` is `indexSalt(index)`: mixed once for all fields of a record. */
  readonly create: (seed: number) => (index: number, salt: number) => V;
};

type StringOptions = {
  /** How many different ones there are. */
  readonly distinct: number;
  readonly length: number;
};

type TimestampOptions = {
  /** Of the first record: epoch milliseconds, or a date-time such as "2026-01-01T09:30:00Z". */
  readonly start: number | string;
  /** From one record to the next. */
  readonly step: number | Duration;
  /** Each is earlier by up to so much: records out of order. */
  readonly jitter?: number | Duration;
};

/** Makers of fields for `datagen`. */
export const gen = { sequence, uniform, integer, normal, choice, string, boolean, timestamp };

/** `start`, `start + step`, … */
function sequence(start = 0, step = 1): Field<number> {
  return field({ kind: "f64" }, { sequence: [start, step] }, () => (index) => start + index * step);
}

/** Numbers from `min` to below `max`, all equally likely. */
function uniform(min: number, max: number): Field<number> {
  check(min <= max, `uniform(${min}, ${max}): the first number must not be the larger`);
  return field({ kind: "f64" }, { uniform: [min, max] }, (seed) => (_, salt) => min + draw(seed, salt) * (max - min));
}

/** Whole numbers from `min` to `max`, both included. */
function integer(min: number, max: number): Field<number> {
  check(
    Number.isSafeInteger(min) && Number.isSafeInteger(max) && min <= max,
    `integer(${min}, ${max}): two whole numbers, in order`,
  );
  const fits = min === (min | 0) && max === (max | 0);
  const count = max - min + 1;
  return field(
    { kind: fits ? "i32" : "f64" },
    { integer: [min, max] },
    (seed) => (_, salt) => min + Math.floor(draw(seed, salt) * count),
  );
}

function normal(mean: number, deviation: number): Field<number> {
  return field({ kind: "f64" }, { normal: [mean, deviation] }, (seed) => {
    const second = mix32(seed + 1);
    // Box–Muller; 1 - u keeps the logarithm finite.
    return (_, salt) =>
      mean + deviation * Math.sqrt(-2 * Math.log(1 - draw(seed, salt))) * Math.cos(2 * Math.PI * draw(second, salt));
  });
}

/** One of the values; with weights, some more often than others. */
function choice<const V extends string | number | boolean>(
  values: readonly V[],
  weights?: readonly number[],
): Field<V> {
  check(values.length > 0, "choice: no values to choose from");
  check(
    weights === undefined || (weights.length === values.length && weights.every((weight) => weight >= 0)),
    "choice: a weight of 0 or more for each value",
  );
  const spec = choiceSpec(values);
  if (weights === undefined) {
    const { length } = values;
    return field(spec, { choice: values }, (seed) => (_, salt) => values[Math.floor(draw(seed, salt) * length)]!);
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  check(total > 0, "choice: a weight above 0");
  const bounds = weights.map((_, at) => weights.slice(0, at + 1).reduce((sum, weight) => sum + weight, 0) / total);
  return field(spec, { choice: values, weights }, (seed) => (_, salt) => values[boundIndex(bounds, draw(seed, salt))]!);
}

/** Texts of letters and digits out of a fixed pool. */
function string(options: StringOptions): Field<string> {
  checkOptions({ of: "gen.string", given: options, takes: { distinct: true, length: true }, code: "DATAGEN_INVALID" });
  const { distinct, length } = options;
  check(
    distinct >= 1 && length >= 1 && 36 ** length >= 2 * distinct,
    `string: there are not ${distinct} texts of length ${length} to spare`,
  );
  return field({ kind: "string" }, { string: [distinct, length] }, (seed) => {
    const pool = stringPool(seed, distinct, length);
    return (_, salt) => pool[Math.floor(draw(seed, salt) * distinct)]!;
  });
}

function boolean(probability = 0.5): Field<boolean> {
  return field({ kind: "bool" }, { boolean: probability }, (seed) => (_, salt) => draw(seed, salt) < probability);
}

/** Event times that go forward with the index. */
function timestamp(options: TimestampOptions): Field<number> {
  const takes = { start: true, step: true, jitter: true } as const;
  checkOptions({ of: "gen.timestamp", given: options, takes, code: "DATAGEN_INVALID" });
  const { start, step, jitter = 0 } = options;
  const startMs = typeof start === "number" ? start : Date.parse(start);
  check(Number.isFinite(startMs), `timestamp: ${JSON.stringify(start)} is not a date-time`);
  const [stepMs, jitterMs] = [milliseconds(step), milliseconds(jitter)];
  return field({ kind: "timestamp" }, { timestamp: [startMs, stepMs, jitterMs] }, (seed) =>
    jitterMs === 0
      ? (index) => startMs + index * stepMs
      : (index, salt) => startMs + index * stepMs - Math.floor(draw(seed, salt) * (jitterMs + 1)),
  );
}

/** A field of the declared kind, for types without more instructions. Null: none comes to mind. */
export function fieldFor(spec: TypeSpec): Field<unknown> | null {
  switch (spec.kind) {
    case "f64":
    case "f32": {
      const { describe, create } = uniform(0, 1);
      return { spec, describe, create: (seed) => roundedTo(spec.kind, create(seed)) };
    }
    case "i32":
      return integer(0, 999_999);
    case "bool":
      return boolean();
    case "string":
      return spec.form === undefined ? string({ distinct: 1_000, length: 8 }) : null;
    case "timestamp":
      return timestamp({ start: "2026-01-01T00:00:00Z", step: "1s" });
    case "enum":
      return choice(spec.values);
    case "nullable":
      return fieldFor(spec.inner);
    default:
      return null;
  }
}

function roundedTo(
  kind: "f64" | "f32",
  value: (index: number, salt: number) => number,
): (index: number, salt: number) => number {
  return kind === "f64" ? value : (index, salt) => Math.fround(value(index, salt));
}

function field<V>(spec: TypeSpec | null, describe: Json, create: Field<V>["create"]): Field<V> {
  return { spec, describe, create };
}

/** What an index adds to the seed of each field. Indexes go up to 2^53: the high half counts as well. */
export function indexSalt(index: number): number {
  return (Math.imul(index | 0, 0x9e3779b9) + Math.imul((index * 2 ** -32) | 0, 0x85ebca6b)) | 0;
}

/** Uniform in [0, 1), from a seed that was mixed already. */
function draw(seed: number, salt: number): number {
  return mix32(seed + salt) * 2 ** -32;
}

function boundIndex(bounds: readonly number[], value: number): number {
  let index = 0;
  while (index < bounds.length - 1 && value >= bounds[index]!) index += 1;
  return index;
}

function choiceSpec(values: readonly unknown[]): TypeSpec | null {
  if (values.every((value) => typeof value === "string")) return { kind: "string" };
  if (values.every((value) => typeof value === "number")) return { kind: "f64" };
  return values.every((value) => typeof value === "boolean") ? { kind: "bool" } : null;
}

function stringPool(seed: number, distinct: number, length: number): string[] {
  const random = new SeededRandom(seed);
  const pool = new Set<string>();
  const codes = new Array<number>(length).fill(0);
  while (pool.size < distinct) {
    for (let at = 0; at < length; at += 1)
      codes[at] = "0123456789abcdefghijklmnopqrstuvwxyz".charCodeAt(random.below(36));
    pool.add(String.fromCharCode(...codes)); // In one piece: text that was put together by `+` is slow to encode.
  }
  return [...pool];
}

function milliseconds(span: number | Duration): number {
  return typeof span === "number" ? span : durationMs(span);
}

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new UserError("DATAGEN_INVALID", message, { fix: "correct the fields of datagen" });
}
