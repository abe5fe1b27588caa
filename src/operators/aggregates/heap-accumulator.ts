// Accumulators that are JavaScript objects: values that are not numbers, lists, sketches, and users' own.
//
//   H1. `merge` leaves `from` as it is, and shares nothing with it that a later add or merge would change.
//   H2. What `write` wrote, `read` gives back.

import { readF64, readU32, writeF64, writeU32 } from "../../types/byte-buffer.ts";
import type { ByteReader, ByteWriter, ValueCodec } from "../../types/codec.ts";
import type { TypeSpec } from "../../types/type-spec.ts";
import { compileValueCodec } from "../../types/value-codec.ts";
import type { CustomAggregate } from "./aggregate.ts";
import { DistinctSketch, ValueHash } from "./distinct-sketch.ts";
import { QuantileSketch } from "./quantile-sketch.ts";

export interface HeapAccumulator {
  create(): unknown;
  /**
   * Adds a value, with the event time of its record (NaN without one) and, for minBy and maxBy, what it is compared by.
   */
  add(accumulator: unknown, value: unknown, time: number, by: unknown): unknown;
  merge(into: unknown, from: unknown): unknown;
  result(accumulator: unknown): unknown;
  /** Estimate of its memory. Cheap: asked after every add. */
  bytes(accumulator: unknown): number;
  write(accumulator: unknown, out: ByteWriter): void;
  read(input: ByteReader): unknown;
}

/** What an object with a few fields costs. */
const OBJECT_BYTES = 64;
/** What a value of unknown size is taken to cost. */
const VALUE_BYTES = 64;
const ANY: TypeSpec = { kind: "any" };

type Dated = { time: number; value: unknown };

/** The value with the least or greatest time; the value of an empty one is null. */
export function edgeAccumulator(edge: "first" | "last", type: TypeSpec | null): HeapAccumulator {
  const codec = compileValueCodec(nullable(type), edge);
  const start = edge === "first" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  const put = (into: Dated, time: number, value: unknown): Dated => {
    if (edge === "first" ? time >= into.time : time < into.time) return into;
    into.time = time;
    into.value = detached(value);
    return into;
  };
  return {
    create: (): Dated => ({ time: start, value: null }),
    add: (into, value, time) => put(into as Dated, orderOf(time), value),
    merge: (into, from) => put(into as Dated, (from as Dated).time, (from as Dated).value),
    result: (accumulator) => (accumulator as Dated).value,
    bytes: (accumulator) => OBJECT_BYTES + sizeOf((accumulator as Dated).value),
    write(accumulator, out) {
      writeF64(out, (accumulator as Dated).time);
      codec.write((accumulator as Dated).value, out);
    },
    read: (input): Dated => ({ time: readF64(input), value: codec.read(input) }),
  };
}

type Ranked = { by: number | string | null; time: number; value: unknown };

/** The value that goes with the least or greatest number or text. */
export function rankedAccumulator(rank: "minBy" | "maxBy", type: TypeSpec | null): HeapAccumulator {
  const codec = compileValueCodec(nullable(type), rank);
  const byCodec = compileValueCodec(ANY, `${rank}-by`);
  const put = (into: Ranked, by: number | string | null, time: number, value: unknown): Ranked => {
    if (by === null || Number.isNaN(by) || !beats(rank, by, time, into)) return into;
    into.by = by;
    into.time = time;
    into.value = detached(value);
    return into;
  };
  return {
    create: (): Ranked => ({ by: null, time: 0, value: null }),
    add: (into, value, time, by) => put(into as Ranked, by as number | string, orderOf(time), value),
    merge(into, from) {
      const { by, time, value } = from as Ranked;
      return put(into as Ranked, by, time, value);
    },
    result: (accumulator) => (accumulator as Ranked).value,
    bytes: (accumulator) => OBJECT_BYTES + sizeOf((accumulator as Ranked).value),
    write(accumulator, out) {
      const { by, time, value } = accumulator as Ranked;
      byCodec.write(by, out);
      writeF64(out, time);
      codec.write(value, out);
    },
    read: (input): Ranked => ({
      by: byCodec.read(input) as Ranked["by"],
      time: readF64(input),
      value: codec.read(input),
    }),
  };
}

function beats(rank: "minBy" | "maxBy", by: number | string, time: number, best: Ranked): boolean {
  if (best.by === null || by === best.by) return best.by === null || time < best.time;
  return rank === "minBy" ? by < best.by : by > best.by;
}

type Collected = { readonly times: number[]; readonly values: unknown[]; bytes: number };

/** Values in the order of their times; with a limit the earliest ones. */
export function collectAccumulator(limit: number | null, type: TypeSpec | null): HeapAccumulator {
  const codec = compileValueCodec(type ?? ANY, "collect");
  const max = limit ?? Number.POSITIVE_INFINITY;
  const put = (into: Collected, time: number, value: unknown): Collected => {
    const { times, values } = into;
    let at = times.length;
    while (at > 0 && times[at - 1]! > time) at -= 1;
    if (at >= max) return into;
    if (at === times.length) {
      times.push(time);
      values.push(detached(value));
    } else {
      times.splice(at, 0, time);
      values.splice(at, 0, detached(value));
    }
    into.bytes += 16 + sizeOf(value);
    if (times.length > max) {
      times.pop();
      into.bytes -= 16 + sizeOf(values.pop());
    }
    return into;
  };
  return {
    create: (): Collected => ({ times: [], values: [], bytes: 3 * OBJECT_BYTES }),
    add: (into, value, time) => put(into as Collected, orderOf(time), value),
    merge(into, from) {
      const { times, values } = from as Collected;
      for (let i = 0; i < times.length; i += 1) put(into as Collected, times[i]!, values[i]);
      return into;
    },
    result: (accumulator) => (accumulator as Collected).values.slice(),
    bytes: (accumulator) => (accumulator as Collected).bytes,
    write(accumulator, out) {
      const { times, values } = accumulator as Collected;
      writeU32(out, times.length);
      for (let i = 0; i < times.length; i += 1) {
        writeF64(out, times[i]!);
        codec.write(values[i], out);
      }
    },
    read(input) {
      const accumulator: Collected = { times: [], values: [], bytes: 3 * OBJECT_BYTES };
      for (let left = readU32(input); left > 0; left -= 1) {
        const time = readF64(input);
        put(accumulator, time, codec.read(input));
      }
      return accumulator;
    },
  };
}

export function quantileAccumulator(quantiles: readonly number[], single: boolean, error: number): HeapAccumulator {
  const [first = 0.5] = quantiles;
  return {
    create: () => new QuantileSketch(error),
    add(into, value) {
      (into as QuantileSketch).add(value as number);
      return into;
    },
    merge(into, from) {
      (into as QuantileSketch).merge(from as QuantileSketch);
      return into;
    },
    result(accumulator) {
      const sketch = accumulator as QuantileSketch;
      if (single) return sketch.quantile(first);
      return sketch.count === 0 ? null : quantiles.map((q) => sketch.quantile(q));
    },
    bytes: (accumulator) => (accumulator as QuantileSketch).bytes,
    write: (accumulator, out) => (accumulator as QuantileSketch).write(out),
    read: (input) => QuantileSketch.read(input, error),
  };
}

export function distinctAccumulator(error: number): HeapAccumulator {
  const hash = new ValueHash();
  return {
    create: () => new DistinctSketch(error),
    add(into, value) {
      hash.hash(value);
      (into as DistinctSketch).add(hash);
      return into;
    },
    merge(into, from) {
      (into as DistinctSketch).merge(from as DistinctSketch);
      return into;
    },
    result: (accumulator) => (accumulator as DistinctSketch).estimate(),
    bytes: (accumulator) => (accumulator as DistinctSketch).bytes,
    write: (accumulator, out) => (accumulator as DistinctSketch).write(out),
    read: (input) => DistinctSketch.read(input, error),
  };
}

/** A user's functions. `from` is copied before each merge, because users may return or keep parts of it (H1). */
export function customAccumulator(functions: CustomAggregate): HeapAccumulator {
  const codec: ValueCodec = compileValueCodec(ANY, "custom");
  return {
    create: () => functions.create(),
    add: (into, record) => functions.add(into, record),
    merge: (into, from) => functions.merge(into, typeof from === "object" ? structuredClone(from) : from),
    result: (accumulator) => functions.result(accumulator),
    bytes: (accumulator) => OBJECT_BYTES + sizeOf(accumulator),
    write: (accumulator, out) => codec.write(accumulator, out),
    read: (input) => codec.read(input),
  };
}

/** Records without an event time are all equal, so that arrival decides. */
function orderOf(time: number): number {
  return Number.isNaN(time) ? 0 : time;
}

/**
 * Longer strings from a batch may be parts of its text, all of which they would keep alive (types/batch-reader.ts, R2).
 */
const SUBSTRING_UNITS = 13;
const DETACH_DEPTH = 8;

/** A value that can be kept: texts are copies of their own. */
function detached(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return value.length < SUBSTRING_UNITS ? value : `${value} `.slice(0, -1);
  if (typeof value !== "object" || value === null || depth > DETACH_DEPTH) return value;
  if (Array.isArray(value)) return value.map((item) => detached(item, depth + 1));
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const copy: Record<string, unknown> = { ...value };
  for (const name of Object.keys(copy)) copy[name] = detached(copy[name], depth + 1);
  return copy;
}

function nullable(type: TypeSpec | null): TypeSpec {
  return type === null || type.kind === "any" ? ANY : { kind: "nullable", inner: type };
}

function sizeOf(value: unknown): number {
  if (typeof value === "string") return 16 + value.length;
  if (Array.isArray(value)) return VALUE_BYTES + 8 * value.length;
  return typeof value === "object" && value !== null ? VALUE_BYTES : 8;
}
