// Encode and decode per record: the generated batch codec against a hand-written one of the same layout.
//
// node --conditions=millrace-source bench/codec.bench.ts
//
// All contestants take turns, each for many short rounds; a line shows the best and the median round in CPU nanoseconds
// per record. Making the records is measured alone and subtracted from encoding. Decoding includes using two numbers
// and two strings of each record. Not measured: memory traffic of a real exchange (one region, warm in the cache).

import { memoryView } from "../src/base/memory-view.ts";
import { compileBatchCodec } from "../src/types/batch/batch-codec.ts";
import { ByteCursor, ByteSink } from "../src/types/bytes/byte-buffer.ts";
import type { BatchCodec } from "../src/types/bytes/codec.ts";
import { ShapeLearner } from "../src/types/shapes/shape-learner.ts";
import { t } from "../src/types/t.ts";
import { compileValueCodec } from "../src/types/values/value-codec.ts";

const BATCH = 200;
const BATCHES_PER_ROUND = 500;
const ROUNDS = 21;

type Row = { id: number; ts: number; price: number; qty: number; symbol: string; user: string; note: string };

let state = 7;
function random(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}

function pool(count: number, length: number): string[] {
  const letters = () => Array.from({ length }, () => 97 + Math.floor(random() * 26));
  return Array.from({ length: count }, () => String.fromCharCode(...letters()));
}

const symbols = pool(1000, 8);
const users = pool(1000, 27);
const notes = pool(1000, 80);

function row(i: number): Row {
  const k = i % 1000;
  const [symbol, user, note] = [symbols[k]!, users[(k * 7) % 1000]!, notes[(k * 13) % 1000]!];
  return { id: i, ts: i * 10, price: i * 0.001, qty: i & 255, symbol, user, note };
}

function numbers(i: number): object {
  return { id: i, ts: i * 10, price: i * 0.001, qty: i & 255 };
}

function holey(i: number): object {
  const k = i % 1000;
  const user = i % 2 === 0 ? null : users[(k * 7) % 1000]!;
  const price = i % 4 === 0 ? null : i * 0.001;
  return { id: i, ts: i * 10, price, qty: i & 255, symbol: symbols[k]!, user, note: notes[(k * 13) % 1000]! };
}

function nested(i: number): object {
  const k = i % 1000;
  return {
    id: i,
    at: { ts: i * 10, zone: symbols[k]! },
    tags: [symbols[k]!, symbols[(k * 7) % 1000]!],
    paid: i % 2 === 0,
  };
}

const Seven = t.struct({
  id: t.f64,
  ts: t.timestamp,
  price: t.f64,
  qty: t.f64,
  symbol: t.string,
  user: t.string,
  note: t.string,
});
const Four = t.struct({ id: t.f64, ts: t.timestamp, price: t.f64, qty: t.f64 });
const Holey = t.struct({
  id: t.f64,
  ts: t.timestamp,
  price: t.f64.nullable(),
  qty: t.f64,
  symbol: t.string,
  user: t.string.nullable(),
  note: t.string.optional(),
});
const Nested = t.struct({
  id: t.f64,
  at: t.struct({ ts: t.timestamp, zone: t.string }),
  tags: t.list(t.string),
  paid: t.bool,
});

const region = memoryView(new SharedArrayBuffer(1 << 20));

type Contestant = {
  readonly name: string;
  /** Encodes, or only makes, the records from `first` on. */
  readonly make: (first: number) => void;
  readonly encode: (first: number) => number;
  readonly decode: (size: number) => number;
};

/** Loops are generated for each contestant, so that none sees the types of another. */
function loop(name: string, parameters: Readonly<Record<string, unknown>>, body: string): (argument: number) => number {
  const text = `"use strict"; // ${name}\nreturn function (argument) { let sum = 0; ${body} return sum; };`;
  return new Function(...Object.keys(parameters), text)(...Object.values(parameters)) as (argument: number) => number;
}

const MAKE = `for (let i = 0; i < ${BATCH}; i++) { sink.record = make(argument + i);`;

function batchContestant(name: string, codec: BatchCodec, make: (i: number) => object, use: string): Contestant {
  const writer = codec.createWriter();
  const reader = codec.createReader();
  const sink = { record: make(0) };
  const encode = `${MAKE} if (!writer.append(sink.record, 0)) throw new Error("misfit"); }
    writer.encodedSize(); sum = writer.encode(region, 0);`;
  const decode = `reader.open(region, 0, argument); const n = reader.count;
    for (let i = 0; i < n; i++) { const r = reader.record(i); sum += ${use}; }`;
  return {
    name,
    make: loop(name, { make, sink }, `${MAKE} }`),
    encode: loop(name, { writer, make, sink, region }, encode),
    decode: loop(name, { reader, region }, decode),
  };
}

/** The same layout as the generated codec's, for the seven fields only and without any check of the records' type. */
function handWritten(): Contestant {
  const capacity = 256;
  const wide = new Float64Array(4 * capacity);
  const ends = new Int32Array(3 * capacity + 1);
  const scratch = Buffer.alloc(1 << 17);
  const sink = { record: row(0) };
  const encode = (first: number): number => {
    let text = "";
    let units = 0;
    for (let i = 0; i < BATCH; i++) {
      sink.record = row(first + i);
      const { id, ts, price, qty, symbol, user, note } = sink.record;
      wide[i] = id;
      wide[capacity + i] = ts;
      wide[2 * capacity + i] = price;
      wide[3 * capacity + i] = qty;
      ends[3 * i + 1] = units += symbol.length;
      ends[3 * i + 2] = units += user.length;
      ends[3 * i + 3] = units += note.length;
      text += symbol + user + note;
    }
    for (let c = 0; c < 4; c++) region.f64.set(wide.subarray(c * capacity, c * capacity + BATCH), 4 + c * BATCH);
    const at = 8 + 8 * BATCH;
    region.i32.set(ends.subarray(0, 3 * BATCH + 1), at);
    if (scratch.write(text, 0, units + 4, "utf8") !== units) throw new Error("not ascii");
    scratch.copy(region.bytes, 4 * (at + 3 * BATCH + 1), 0, units);
    return units;
  };
  const decode = (units: number): number => {
    const at = 8 + 8 * BATCH;
    const start = 4 * (at + 3 * BATCH + 1);
    const text = region.bytes.toString("latin1", start, start + units);
    const { f64, i32 } = region;
    let sum = 0;
    for (let i = 0; i < BATCH; i++) {
      const p = 4 + i;
      const e = at + 3 * i;
      const r = {
        id: f64[p]!,
        ts: f64[p + BATCH]!,
        price: f64[p + 2 * BATCH]!,
        qty: f64[p + 3 * BATCH]!,
        symbol: text.substring(i32[e]!, i32[e + 1]!),
        user: text.substring(i32[e + 1]!, i32[e + 2]!),
        note: text.substring(i32[e + 2]!, i32[e + 3]!),
      };
      sum += r.price + r.note.length + r.symbol.charCodeAt(0) + r.user.charCodeAt(3);
    }
    return sum;
  };
  return { name: "7 fields, by hand", make: loop("by hand", { make: row, sink }, `${MAKE} }`), encode, decode };
}

/** One value after the other, for scale. */
function valueContestant(name: string, type: typeof Seven | typeof t.any): Contestant {
  const codec = compileValueCodec(type.spec, name);
  const out = new ByteSink(1 << 17);
  const cursor = new ByteCursor(out.bytes);
  const sink = { record: row(0) };
  const encode = `out.position = 0; ${MAKE} codec.write(sink.record, out); } sum = out.position;`;
  const decode = `cursor.position = 0; cursor.end = argument;
    while (cursor.position < argument) { const r = codec.read(cursor); sum += r.price + r.note.length; }`;
  return {
    name,
    make: loop(name, { make: row, sink }, `${MAKE} }`),
    encode: loop(name, { codec, out, make: row, sink }, encode),
    decode: loop(name, { codec, cursor }, decode),
  };
}

function learned(make: (i: number) => object): BatchCodec {
  return new ShapeLearner({ timestamps: false }, "bench").learn(make(1));
}

const USE = "r.price + r.note.length + r.symbol.charCodeAt(0) + r.user.charCodeAt(3)";
const options = { timestamps: false, extraFields: "refuse" } as const;
const contestants: readonly Contestant[] = [
  handWritten(),
  batchContestant("7 fields, declared", compileBatchCodec(Seven.spec, options), row, USE),
  batchContestant(
    "7 fields, projection",
    compileBatchCodec(Seven.spec, { ...options, extraFields: "ignore" }),
    row,
    USE,
  ),
  batchContestant("7 fields, learned", learned(row), row, USE),
  batchContestant("4 numbers, declared", compileBatchCodec(Four.spec, options), numbers, "r.price + r.qty"),
  batchContestant("4 numbers, learned", learned(numbers), numbers, "r.price + r.qty"),
  batchContestant("7 fields, 3 nullable", compileBatchCodec(Holey.spec, options), holey, "r.id + r.note.length"),
  batchContestant("nested and a list", compileBatchCodec(Nested.spec, options), nested, "r.id + r.at.zone.length"),
  valueContestant("7 fields, as values", Seven),
  valueContestant("7 fields, as any", t.any),
];

type Times = { make: number[]; encode: number[]; decode: number[] };

function cpuNs(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const used = process.cpuUsage(before);
  return ((used.user + used.system) * 1000) / (BATCHES_PER_ROUND * BATCH);
}

function round({ make, encode, decode }: Contestant, times: Times): void {
  times.make.push(
    cpuNs(() => {
      for (let b = 0; b < BATCHES_PER_ROUND; b++) make(b * BATCH);
    }),
  );
  let size = 0;
  times.encode.push(
    cpuNs(() => {
      for (let b = 0; b < BATCHES_PER_ROUND; b++) size = encode(b * BATCH);
    }),
  );
  times.decode.push(
    cpuNs(() => {
      for (let b = 0; b < BATCHES_PER_ROUND; b++) decode(size);
    }),
  );
}

const best = (times: readonly number[]): number => Math.min(...times);
const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1]!;

const all: Times[] = contestants.map(() => ({ make: [], encode: [], decode: [] }));
for (let r = 0; r < ROUNDS + 2; r++) {
  for (const [index, contestant] of contestants.entries()) round(contestant, all[index]!);
}
for (const times of all) for (const list of Object.values(times)) list.splice(0, 2);
console.log("ns of CPU per record, best (median)     make          encode          decode + use");
for (const [index, { name }] of contestants.entries()) {
  const { make, encode, decode } = all[index]!;
  const cell = (a: number, b: number): string => `${a.toFixed(1).padStart(6)} (${b.toFixed(1)})`.padEnd(16);
  const line = [
    cell(best(make), median(make)),
    cell(best(encode) - best(make), median(encode) - median(make)),
    cell(best(decode), median(decode)),
  ];
  console.log(`${name.padEnd(36)}${line.join("")}`);
}
