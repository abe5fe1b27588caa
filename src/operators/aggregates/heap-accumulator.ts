// Accumulators that are JavaScript objects: values that are not numbers, lists, sketches, and users' own.
//
//   H1. `merge` leaves `from` as it is, and shares nothing with it that a later add or merge would change.
//   H2. What `write` wrote, `read` gives back.

import { detached } from "../../state/budget/detached-value.ts";
import { HeapSize, isMeasureDue } from "../../state/budget/heap-size.ts";
import { readF64, readU32, writeF64, writeU32 } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter, ValueCodec } from "../../types/bytes/codec.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { compileValueCodec } from "../../types/values/value-codec.ts";
import type { CustomAggregate } from "./aggregate.ts";
import { DistinctSketch, ValueHash } from "./distinct-sketch.ts";
import { QuantileSketch } from "./quantile-sketch.ts";
import { TimedList } from "./timed-list.ts";

export interface HeapAccumulator {
  /** What `write` writes. */
  readonly type: TypeSpec;
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
  /** Merges what `write` wrote, without making an accumulator of it; for those of which parts travel. */
  mergeRead?(into: unknown, input: ByteReader): unknown;
}

/** What the object of an accumulator costs, with boxed numbers in its fields. */
const OBJECT_BYTES = 96;
/** A list of values and one of their times, with the room that they have to spare; and each item in them. */
const COLLECTED_BYTES = 416;
const COLLECTED_ITEM_BYTES = 20;
const ANY: TypeSpec = { kind: "any" };
const SKETCH: TypeSpec = { kind: "bytes", array: "Uint8Array" };

function structOf(fields: Readonly<Record<string, TypeSpec>>): TypeSpec {
  return {
    kind: "struct",
    fields: Object.entries(fields).map(([name, type]) => ({ name, type, optional: false })),
  };
}

type Dated = { time: number; value: unknown; valueBytes: number };

/** The value with the least or greatest time; the value of an empty one is null. */
export function edgeAccumulator(edge: "first" | "last", type: TypeSpec | null): HeapAccumulator {
  const codec = compileValueCodec(nullable(type), edge);
  const size = new HeapSize(type);
  const start = edge === "first" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  const put = (into: Dated, time: number, value: unknown): Dated => {
    if (edge === "first" ? time >= into.time : time < into.time) return into;
    into.time = time;
    into.valueBytes = size.of(value);
    into.value = size.hasLongText ? detached(value) : value;
    return into;
  };
  return {
    type: structOf({ time: { kind: "f64" }, value: codec.spec }),
    create: (): Dated => ({ time: start, value: null, valueBytes: 0 }),
    add: (into, value, time) => put(into as Dated, orderOf(time), value),
    merge: (into, from) => put(into as Dated, (from as Dated).time, (from as Dated).value),
    result: (accumulator) => (accumulator as Dated).value,
    bytes: (accumulator) => OBJECT_BYTES + (accumulator as Dated).valueBytes,
    write(accumulator, out) {
      writeF64(out, (accumulator as Dated).time);
      codec.write((accumulator as Dated).value, out);
    },
    read(input): Dated {
      const time = readF64(input);
      const value = codec.read(input);
      return { time, value, valueBytes: size.of(value) };
    },
  };
}

type Ranked = { by: number | string | null; time: number; value: unknown; valueBytes: number };

/** The value that goes with the least or greatest number or text. */
export function rankedAccumulator(rank: "minBy" | "maxBy", type: TypeSpec | null): HeapAccumulator {
  const codec = compileValueCodec(nullable(type), rank);
  const byCodec = compileValueCodec(ANY, `${rank}-by`);
  const size = new HeapSize(type);
  const put = (into: Ranked, by: number | string | null, time: number, value: unknown): Ranked => {
    if (by === null || Number.isNaN(by) || !beats(rank, by, time, into)) return into;
    into.by = detached(by) as Ranked["by"];
    into.time = time;
    into.valueBytes = size.of(by) + size.of(value);
    into.value = size.hasLongText ? detached(value) : value;
    return into;
  };
  return {
    type: structOf({ by: ANY, time: { kind: "f64" }, value: codec.spec }),
    create: (): Ranked => ({ by: null, time: 0, value: null, valueBytes: 0 }),
    add: (into, value, time, by) => put(into as Ranked, by as number | string, orderOf(time), value),
    merge(into, from) {
      const { by, time, value } = from as Ranked;
      return put(into as Ranked, by, time, value);
    },
    result: (accumulator) => (accumulator as Ranked).value,
    bytes: (accumulator) => OBJECT_BYTES + (accumulator as Ranked).valueBytes,
    write(accumulator, out) {
      const { by, time, value } = accumulator as Ranked;
      byCodec.write(by, out);
      writeF64(out, time);
      codec.write(value, out);
    },
    read(input): Ranked {
      const by = byCodec.read(input) as Ranked["by"];
      const time = readF64(input);
      const value = codec.read(input);
      return { by, time, value, valueBytes: size.of(by) + size.of(value) };
    },
  };
}

function beats(rank: "minBy" | "maxBy", by: number | string, time: number, best: Ranked): boolean {
  if (best.by === null || by === best.by) return best.by === null || time < best.time;
  return rank === "minBy" ? by < best.by : by > best.by;
}

/** Values in the order of their times; with a limit the earliest ones. */
export function collectAccumulator(limit: number | null, type: TypeSpec | null): HeapAccumulator {
  const codec = compileValueCodec(type ?? ANY, "collect");
  const size = new HeapSize(type);
  const max = limit ?? Number.POSITIVE_INFINITY;
  const itemBytes = (value: unknown): number => COLLECTED_ITEM_BYTES + size.of(value);
  const collected = (): TimedList => new TimedList(max, COLLECTED_BYTES, itemBytes);
  const put = (into: TimedList, time: number, value: unknown): TimedList => {
    if (into.takes(time)) into.add(time, size.hasLongText ? detached(value) : value);
    return into;
  };
  return {
    type: { kind: "list", item: structOf({ time: { kind: "f64" }, value: codec.spec }) },
    create: collected,
    add: (into, value, time) => put(into as TimedList, orderOf(time), value),
    merge(into, from) {
      const { times, values } = from as TimedList;
      for (let i = 0; i < times.length; i += 1) put(into as TimedList, times[i]!, values[i]);
      return into;
    },
    result: (accumulator) => (accumulator as TimedList).values.slice(),
    bytes: (accumulator) => (accumulator as TimedList).bytes,
    write(accumulator, out) {
      const { times, values } = accumulator as TimedList;
      writeU32(out, times.length);
      for (let i = 0; i < times.length; i += 1) {
        writeF64(out, times[i]!);
        codec.write(values[i], out);
      }
    },
    read(input) {
      const accumulator = collected();
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
    type: SKETCH,
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
    mergeRead(into, input) {
      (into as QuantileSketch).mergeRead(input);
      return into;
    },
  };
}

/** `who`: the aggregate, as people read it. */
export function distinctAccumulator(error: number, who?: string): HeapAccumulator {
  const hash = new ValueHash(who);
  return {
    type: SKETCH,
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
    mergeRead(into, input) {
      (into as DistinctSketch).mergeRead(input);
      return into;
    },
  };
}

/** `bytes` is as of the last change after which it was measured. */
type Custom = { value: unknown; changes: number; bytes: number };

/** A user's functions. `from` is copied before each merge, because users may return or keep parts of it (H1). */
export function customAccumulator(functions: CustomAggregate): HeapAccumulator {
  const codec: ValueCodec = compileValueCodec(ANY, "custom");
  const size = new HeapSize(null);
  const custom = (value: unknown): Custom => ({ value, changes: 0, bytes: OBJECT_BYTES + size.of(value) });
  const put = (into: Custom, value: unknown): Custom => {
    into.value = value;
    into.changes += 1;
    if (isMeasureDue(into.changes)) into.bytes = OBJECT_BYTES + size.of(value);
    return into;
  };
  return {
    type: ANY,
    create: () => custom(detached(functions.create())), // users may give the same object for each group
    add: (into, record) => put(into as Custom, functions.add((into as Custom).value, record)),
    merge(into, from) {
      const { value } = from as Custom;
      const own = typeof value === "object" ? structuredClone(value) : value;
      return put(into as Custom, functions.merge((into as Custom).value, own));
    },
    result: (accumulator) => detached(functions.result((accumulator as Custom).value)), // may be a part that changes
    bytes: (accumulator) => (accumulator as Custom).bytes,
    write: (accumulator, out) => codec.write((accumulator as Custom).value, out),
    read: (input) => custom(codec.read(input)),
  };
}

/** Records without an event time are all equal, so that arrival decides. */
function orderOf(time: number): number {
  return Number.isNaN(time) ? 0 : time;
}

function nullable(type: TypeSpec | null): TypeSpec {
  return type === null || type.kind === "any" ? ANY : { kind: "nullable", inner: type };
}
