import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { assertSame, assertSameIn } from "../../../test/arbitraries/same.ts";
import { anySpec, plainValue, recordFrom, valuesOf } from "../../../test/arbitraries/typed-values.ts";
import { memoryView } from "../../base/memory-view.ts";
import type { BatchCodec, BatchCodecOptions, BatchReader, BatchWriter, MemoryView } from "../bytes/codec.ts";
import type { RowKind } from "../bytes/row-kind.ts";
import type { TypeSpec } from "../spec/type-spec.ts";
import { t } from "../t.ts";
import { compileBatchCodec } from "./batch-codec.ts";

const REFUSE: BatchCodecOptions = { timestamps: false, extraFields: "refuse" };

/** A region full of `poison`, and where in it the batch goes. */
type Place = { readonly region: MemoryView; readonly offset: number };

function placeFor(size: number, slot: number, poison: number): Place {
  const offset = 8 * slot;
  const region = memoryView(new SharedArrayBuffer(offset + size + 64));
  region.bytes.fill(poison);
  return { region, offset };
}

/** Encodes what is staged and checks that nothing but the announced bytes was touched. */
function encodeAt(writer: BatchWriter, slot: number): Place & { size: number } {
  const size = writer.encodedSize();
  assert.equal(size % 8, 0);
  const { region, offset } = placeFor(size, slot, 0xa5);
  assert.equal(writer.encode(region, offset), size);
  assert.ok(region.bytes.subarray(0, offset).every((byte) => byte === 0xa5));
  assert.ok(region.bytes.subarray(offset + size).every((byte) => byte === 0xa5));
  assert.equal(writer.count, 0);
  return { region, offset, size };
}

function assertReads(
  spec: TypeSpec,
  reader: BatchReader,
  records: readonly unknown[],
  times: readonly number[] | null,
  kindOf: (index: number) => RowKind = () => 0,
): void {
  assert.equal(reader.count, records.length);
  for (let i = records.length - 1; i >= 0; i--) {
    assertSameIn(spec, reader.record(i), records[i]);
    assert.equal(reader.timestamp(i), times === null ? Number.NaN : times[i]);
    assert.equal(reader.kind(i), kindOf(i));
  }
}

function kindsOf(cycle: readonly RowKind[] | null): (index: number) => RowKind {
  return (index) => cycle?.[index % cycle.length] ?? 0;
}

const typedRecords = anySpec.chain((spec) =>
  fc.record({
    spec: fc.constant(spec),
    timestamps: fc.boolean(),
    // None, all inserts, or what comes in turn.
    kinds: fc.constantFrom<readonly RowKind[] | null>(null, [0], [2], [0, 2], [2, 0, 1, 3]),
    extraFields: fc.constantFrom("refuse" as const, "ignore" as const),
    // Making a type costs more than making values of it: hence many values of each.
    batches: fc.array(fc.array(valuesOf(spec), { maxLength: 220, size: "max" }), { minLength: 1, maxLength: 3 }),
    slot: fc.nat(5),
  }),
);

test("100,000 random records of random types come back as they were, batch after batch, at any place", () => {
  let cases = 0;
  const property = fc.property(typedRecords, ({ spec, timestamps, kinds, extraFields, batches, slot }) => {
    const codec = compileBatchCodec(spec, { timestamps, extraFields, kinds: kinds !== null });
    const writer = codec.createWriter();
    const reader = codec.createReader();
    for (const [turn, records] of batches.entries()) {
      const kindOf = kindsOf(turn === 1 ? null : kinds); // The second batch is one of inserts.
      for (const [index, record] of records.entries()) assert.ok(writer.append(record, index * 1.5, kindOf(index)));
      const { region, offset, size } = encodeAt(writer, slot);
      reader.open(region, offset, size);
      assertReads(spec, reader, records, timestamps ? records.map((_, index) => index * 1.5) : null, kindOf);
      cases += records.length;
    }
  });
  fc.assert(property, { numRuns: 500 });
  assert.ok(cases >= 100_000, `only ${cases} records`);
});

const recordsAndOthers = anySpec.chain((spec) =>
  fc.record({
    spec: fc.constant(spec),
    extraFields: fc.constantFrom("refuse" as const, "ignore" as const, "exact" as const),
    values: fc.array(fc.oneof(valuesOf(spec), plainValue, anySpec.chain(valuesOf), fc.constant(Math.max)), {
      maxLength: 30,
      size: "max",
    }),
  }),
);

test("a record is refused exactly if a mismatch is found, and a refused one leaves no trace", () => {
  const property = fc.property(recordsAndOthers, ({ spec, extraFields, values }) => {
    const codec = compileBatchCodec(spec, { timestamps: false, extraFields });
    const writer = codec.createWriter();
    const reader = codec.createReader();
    const clean = codec.createWriter();
    const taken: unknown[] = [];
    for (const value of values) {
      const before = { count: writer.count, bytes: writer.bytes };
      const fits = writer.append(value, 0);
      assert.equal(fits, codec.mismatch(value) === null);
      if (!fits) {
        assert.deepEqual({ count: writer.count, bytes: writer.bytes }, before);
        continue;
      }
      taken.push(value);
      clean.append(value, 0);
    }
    const { region, offset, size } = encodeAt(writer, 1);
    const reference = encodeAt(clean, 1);
    assert.deepEqual(region.bytes, reference.region.bytes);
    reader.open(region, offset, size);
    assert.equal(reader.count, taken.length);
    // What an exact codec takes, it gives back to the letter.
    if (extraFields === "exact") for (const [i, value] of taken.entries()) assertSame(reader.record(i), value);
  });
  fc.assert(property, { numRuns: 1000 });
});

/** What a reader says about a batch: records, times, and the bytes of text columns; or the code of the first error. */
function account(codec: BatchCodec, { region, offset }: Place, size: number): unknown {
  const reader = codec.createReader();
  try {
    reader.open(region, offset, size);
    const found: unknown[] = [];
    for (let i = 0; i < reader.count; i++) found.push(reader.record(i), reader.timestamp(i), reader.kind(i));
    for (const name of "abcdefgh") {
      const column = reader.column(name);
      if (column?.kind !== "text") continue;
      for (let i = 0; i < reader.count; i++) {
        found.push(region.bytes.toString("latin1", column.text.start(i), column.text.end(i)), column.text.string(i));
      }
    }
    return found;
  } catch (error) {
    return (error as { code?: string }).code ?? error;
  }
}

test("damaged batches give an error or some records, and nothing outside of them is read", () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
  const property = fc.property(typedRecords, damage, fc.boolean(), (typed, flips, short) => {
    const { spec, timestamps, kinds, batches } = typed;
    const codec = compileBatchCodec(spec, { timestamps, extraFields: "refuse", kinds: kinds !== null });
    const writer = codec.createWriter();
    for (const record of batches[0]!) writer.append(record, 1, kinds?.at(-1));
    const { region, offset, size } = encodeAt(writer, 2);
    const bytes = Buffer.from(region.bytes.subarray(offset, offset + size));
    for (const [at, byte] of flips) bytes[at % size] = byte;
    const length = short ? size - 8 : size;
    const accounts = [0x00, 0xff].map((poison) => {
      const place = placeFor(size, 2, poison);
      bytes.copy(place.region.bytes, place.offset, 0, length);
      return account(codec, place, length);
    });
    if (!Array.isArray(accounts[0])) assert.equal(accounts[0], "CODEC_CORRUPT");
    assertSame(accounts[1], accounts[0]);
  });
  fc.assert(property, { numRuns: 500 });
});

test("a batch of another type, of another place or of another size is refused", () => {
  const codec = compileBatchCodec(t.struct({ a: t.f64, s: t.string }).spec, REFUSE);
  const other = compileBatchCodec(t.struct({ b: t.f64, s: t.string }).spec, REFUSE);
  const writer = codec.createWriter();
  writer.append({ a: 1, s: "x" }, 0);
  const { region, offset, size } = encodeAt(writer, 3);
  assert.throws(() => other.createReader().open(region, offset, size), /another type/);
  assert.throws(() => codec.createReader().open(region, offset - 8, size), /header/);
  assert.throws(() => codec.createReader().open(region, offset + 4, size), /no batch/);
  assert.throws(() => codec.createReader().open(region, offset, size - 8), /corrupt/);
  assert.throws(() => codec.createReader().open(region, offset, 1 << 30), /no batch/);
  const reader = codec.createReader();
  reader.open(region, offset, size);
  for (const index of [-1, 1, Number.NaN])
    if (!Number.isNaN(index)) assert.throws(() => reader.record(index), RangeError);
});

test("the bytes announced while staging are what a batch of ascii text takes, up to the padding", () => {
  const spec = t.struct({ a: t.f64, s: t.string, l: t.list(t.string), n: t.bool.nullable() }).spec;
  const writer = compileBatchCodec(spec, REFUSE).createWriter();
  for (let i = 0; i < 300; i++) {
    assert.ok(writer.append({ a: i, s: "s".repeat(i % 30), l: ["x", "yy"], n: i % 2 === 0 ? null : true }, 0));
    assert.ok(writer.bytes >= writer.encodedSize() && writer.bytes < writer.encodedSize() + 8);
  }
});

test("what is said between records keeps its place, the last word at each, and is gone with the batch", () => {
  const codec = compileBatchCodec(t.struct({ a: t.f64, s: t.string }).spec, { ...REFUSE, timestamps: true });
  const writer = codec.createWriter();
  const reader = codec.createReader();
  for (const said of [[0, 5, 2, 7, 3, -9.5], []]) {
    for (let index = 0; index <= 3; index += 1) {
      const at = said.findIndex((place, n) => n % 2 === 0 && place === index);
      if (at >= 0) {
        writer.mark(1);
        writer.mark(said[at + 1] as number);
      }
      if (index < 3) assert.ok(writer.append({ a: index, s: "ä".repeat(index) }, index * 10));
    }
    assert.ok(writer.bytes >= 16 * (said.length / 2));
    const { region, offset, size } = encodeAt(writer, 1);
    reader.open(region, offset, size);
    assert.deepEqual(reader.marks, said);
    assert.equal(reader.count, 3);
    assert.deepEqual(reader.record(2), { a: 2, s: "ää" });
    assert.throws(() => reader.open(region, offset, size - 8), { code: "CODEC_CORRUPT" });
  }
});

test("kinds take a byte per record in batches that hold other rows than inserts, and nothing in the others", () => {
  const spec = t.struct({ a: t.f64 }).spec;
  const sizes = [false, true].map((kinds) => {
    const writer = compileBatchCodec(spec, { ...REFUSE, kinds }, `kinds ${kinds}`).createWriter();
    return [0, 2, 0].map((kind) => {
      for (let a = 0; a < 80; a += 1) assert.ok(writer.append({ a }, 0, kind as RowKind));
      const { bytes } = writer;
      const { size } = encodeAt(writer, 0);
      assert.ok(bytes >= size, "what is announced is enough");
      return size;
    });
  });
  const [plain = 0] = sizes[0]!;
  assert.deepEqual(sizes, [
    [plain, plain, plain],
    [plain, plain + 80, plain],
  ]);
});

test("the generated code of a batch without kinds knows nothing of them", () => {
  const spec = t.struct({ a: t.f64, s: t.string.optional() }).spec;
  const text = (kinds: boolean): string => {
    const { append } = compileBatchCodec(spec, { ...REFUSE, kinds }, "text").createWriter() as unknown as {
      append: () => boolean;
    };
    return append.toString();
  };
  assert.doesNotMatch(text(false), /kind/);
  assert.equal(
    text(true).replace(", kind = 0", "").replace("this.kinds[n] = kind; this.changes |= kind;\n", ""),
    text(false).replace("this.bytes += 13", "this.bytes += 14"),
  );
});

test("a batch with kinds is refused where there are none", () => {
  const spec = t.struct({ a: t.f64 }).spec;
  const writer = compileBatchCodec(spec, { ...REFUSE, kinds: true }).createWriter();
  writer.append({ a: 1 }, 0, 3);
  const { region, offset, size } = encodeAt(writer, 0);
  assert.throws(() => compileBatchCodec(spec, REFUSE).createReader().open(region, offset, size), /another type/);
});

test("text of any alphabet keeps its units, whether it fits one byte each or not", () => {
  const spec = t.struct({ s: t.string, r: t.string }).spec;
  const codec = compileBatchCodec(spec, REFUSE);
  const writer = codec.createWriter();
  const reader = codec.createReader();
  const strings = ["plain", "é", "日本", "\ud800", "\udc00\ud800", "\0", "", "\u0100", "€", "ab€", "🎏🎏"];
  for (const s of strings) {
    for (const r of strings) {
      // The second record makes the text as long as its UTF-8 form could be cut off at.
      const records = [
        { s, r },
        { s: r + s, r: "x".repeat(s.length) },
      ];
      for (const record of records) writer.append(record, 0);
      const { region, offset, size } = encodeAt(writer, 1);
      reader.open(region, offset, size);
      assertReads(spec, reader, records, null);
      const column = reader.column("s");
      assert.ok(column?.kind === "text");
      assert.equal(column.text.string(1), r + s);
      assert.equal(column.text.ascii, /^[\0-\x7f]*$/.test(s + r));
      if (column.text.ascii) {
        assert.equal(region.bytes.toString("ascii", column.text.start(1), column.text.end(1)), r + s);
      }
    }
  }
});

test("what is staged after the size was asked for is in the batch as well, in whatever alphabet", () => {
  const spec = t.struct({ text: t.string }).spec;
  const codec = compileBatchCodec(spec, REFUSE);
  const writer = codec.createWriter();
  const records = ["ascii", "é", "語", "", "😀"].map((text) => ({ text }));
  for (const record of records) {
    assert.ok(writer.append(record, 0));
    assert.equal(writer.encodedSize() % 8, 0);
  }
  const { region, offset, size } = encodeAt(writer, 0);
  const reader = codec.createReader();
  reader.open(region, offset, size);
  assertReads(spec, reader, records, null);
});

test("columns are found by their path and hold what the records hold", () => {
  const spec = t.struct({
    id: t.i32,
    price: t.f64.nullable(),
    ok: t.bool,
    at: t.struct({ zone: t.string, ms: t.timestamp }),
    tags: t.list(t.string),
  }).spec;
  const codec = compileBatchCodec(spec, REFUSE);
  const writer = codec.createWriter();
  for (let i = 0; i < 50; i++) {
    writer.append(
      { id: i, price: i % 3 === 0 ? null : i / 2, ok: i % 2 === 0, at: { zone: `z${i}`, ms: i * 10 }, tags: [] },
      0,
    );
  }
  const { region, offset, size } = encodeAt(writer, 1);
  const reader = codec.createReader();
  reader.open(region, offset, size);
  const id = reader.column("id");
  const price = reader.column("price");
  const ok = reader.column("ok");
  const zone = reader.column("at.zone");
  const ms = reader.column("at.ms");
  assert.ok(
    id?.kind === "i32" && price?.kind === "f64" && ok?.kind === "bool" && zone?.kind === "text" && ms?.kind === "f64",
  );
  assert.equal(reader.column("tags"), null);
  assert.equal(reader.column("at"), null);
  assert.equal(reader.column("nothing"), null);
  assert.ok(price.nulls !== null);
  for (let i = 0; i < 50; i++) {
    assert.equal(id.i32[id.base + i], i);
    assert.equal(price.nulls.bytes[price.nulls.base + i], i % 3 === 0 ? 1 : 0);
    if (i % 3 !== 0) assert.equal(price.f64[price.base + i], i / 2);
    assert.equal(ok.bytes[ok.base + i], i % 2 === 0 ? 1 : 0);
    assert.equal(zone.text.string(i), `z${i}`);
    assert.equal(ms.f64[ms.base + i], i * 10);
  }
});

test("what an object inherits or hides is never taken for a field", () => {
  const spec = t.struct({ a: t.f64, toString: t.string.optional(), constructor: t.any.optional() }).spec;
  const codec = compileBatchCodec(spec, REFUSE);
  const writer = codec.createWriter();
  class Row {
    a = 1;
  }
  const refused: unknown[] = [
    new Row(),
    Object.create({ a: 1 }),
    { a: 1, b: 2 },
    { a: 1, b: undefined },
    { a: 1, [Symbol("s")]: 1 },
    Object.assign([], { a: 1 }),
    recordFrom([
      ["a", 1],
      ["__proto__", Object.prototype],
    ]),
    null,
    undefined,
    "a",
  ];
  for (const record of refused) assert.equal(writer.append(record, 0), false);
  assert.ok(writer.append({ a: 1 }, 0));
  assert.ok(writer.append(Object.assign(Object.create(null), { a: 2 }), 0));
  assert.ok(writer.append({ a: 3, constructor: null, toString: "own" }, 0));
  const { region, offset, size } = encodeAt(writer, 1);
  const reader = codec.createReader();
  reader.open(region, offset, size);
  assertReads(spec, reader, [{ a: 1 }, { a: 2 }, { a: 3, toString: "own", constructor: null }], null);
});

test("a projection takes declared fields from a wider record, and leaves the others unread", () => {
  const spec = t.struct({ a: t.f64, inner: t.struct({ b: t.string }), list: t.list(t.struct({ c: t.f64 })) }).spec;
  const codec = compileBatchCodec(spec, { timestamps: false, extraFields: "ignore" });
  const writer = codec.createWriter();
  const record = {
    get broken(): never {
      throw new Error("read");
    },
    list: [{ c: 1, d: 2 }],
    inner: { z: 1, b: "x" },
    a: 1,
  };
  assert.ok(writer.append(record, 0));
  const { region, offset, size } = encodeAt(writer, 1);
  const reader = codec.createReader();
  reader.open(region, offset, size);
  assertReads(spec, reader, [{ a: 1, inner: { b: "x" }, list: [{ c: 1 }] }], null);
});

test("an exact codec refuses another order, a null prototype and what hangs on arrays and dates", () => {
  const spec = t.struct({ a: t.f64, l: t.list(t.f64).optional(), d: t.date.optional() }).spec;
  const codec = compileBatchCodec(spec, { timestamps: false, extraFields: "exact" });
  const writer = codec.createWriter();
  const refused: unknown[] = [
    { l: [], a: 1 },
    { a: 1, d: new Date(0), l: [] },
    Object.assign(Object.create(null), { a: 1 }),
    { a: 1, l: Object.assign([1], { extra: 1 }) },
    { a: 1, d: Object.assign(new Date(0), { extra: 1 }) },
    { a: 1, x: 1 },
  ];
  for (const record of refused) {
    assert.equal(writer.append(record, 0), false);
    assert.notEqual(codec.mismatch(record), null);
  }
  for (const record of [{ a: 1 }, { a: 1, d: new Date(0) }, { a: 1, l: [1], d: undefined }])
    assert.ok(writer.append(record, 0));
});

test("an error thrown by a getter leaves the writer as it was", () => {
  const codec = compileBatchCodec(t.struct({ a: t.any, s: t.string, b: t.any }).spec, REFUSE);
  const writer = codec.createWriter();
  writer.append({ a: 1, s: "first", b: [1] }, 0);
  const trap = {
    a: { deep: [1] },
    s: "lost",
    get b(): never {
      throw new Error("getter");
    },
  };
  assert.throws(() => writer.append(trap, 0), /getter/);
  writer.append({ a: 2, s: "second", b: [2] }, 0);
  const { region, offset, size } = encodeAt(writer, 1);
  const reader = codec.createReader();
  reader.open(region, offset, size);
  assertReads(
    codec.spec,
    reader,
    [
      { a: 1, s: "first", b: [1] },
      { a: 2, s: "second", b: [2] },
    ],
    null,
  );
});

test("a record far larger than any segment is encoded, and its buffers are given up afterwards", () => {
  const codec = compileBatchCodec(t.struct({ s: t.string, b: t.bytes }).spec, REFUSE);
  const writer = codec.createWriter();
  const record = { s: "日本".repeat(2_000_000), b: new Uint8Array(5_000_000).fill(7) };
  assert.ok(writer.append(record, 0));
  const { region, offset, size } = encodeAt(writer, 1);
  const reader = codec.createReader();
  reader.open(region, offset, size);
  const read = reader.record(0) as typeof record;
  assert.ok(read.s === record.s && Buffer.compare(read.b, record.b) === 0);
});

test("fingerprints tell specs and options apart, and are the same for the same ones", () => {
  const spec = t.struct({ a: t.f64, b: t.string }).spec;
  const prints = [
    compileBatchCodec(spec, REFUSE),
    compileBatchCodec(spec, { ...REFUSE, timestamps: true }),
    compileBatchCodec(spec, { ...REFUSE, kinds: true }),
    compileBatchCodec(spec, { ...REFUSE, extraFields: "exact" }),
    compileBatchCodec(t.struct({ b: t.string, a: t.f64 }).spec, REFUSE),
    compileBatchCodec(t.struct({ a: t.f64, b: t.string.optional() }).spec, REFUSE),
  ].map((codec) => codec.fingerprint);
  assert.equal(new Set(prints).size, prints.length);
  assert.equal(compileBatchCodec(JSON.parse(JSON.stringify(spec)), REFUSE, "again").fingerprint, prints[0]);
  assert.match(prints[0]!, /^[0-9a-f]{32}$/);
});

test("one wide letter anywhere in a batch makes all of its text wide", () => {
  const { spec } = t.struct({ text: t.string });
  const codec = compileBatchCodec(spec, REFUSE);
  const [writer, reader] = [codec.createWriter(), codec.createReader()];
  const texts = ["plain", "naïve", "x".repeat(70)];
  for (const wide of ["日", "Ω", "\ud83c"]) {
    for (let place = 0; place <= texts.length; place++) {
      const records = [...texts.slice(0, place), `${wide}é`, ...texts.slice(place)].map((text) => ({ text }));
      for (const record of records) assert.equal(writer.append(record, Number.NaN), true);
      const { region, offset, size } = encodeAt(writer, 1);
      reader.open(region, offset, size);
      assertReads(spec, reader, records, null);
    }
  }
});
