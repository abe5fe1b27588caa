import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { assertSame, assertSameIn } from "../../../test/arbitraries/same.ts";
import { anySpec, plainValue, valuesOf } from "../../../test/arbitraries/typed-values.ts";
import { ByteCursor, ByteSink } from "../bytes/byte-buffer.ts";
import type { ValueCodec } from "../bytes/codec.ts";
import { t } from "../t.ts";
import { compileValueCodec } from "./value-codec.ts";

/**
 * Reads `bytes` between two margins of `poison`: a reader that looks beyond its end gives itself away by the
 * difference.
 */
function readBetween(codec: ValueCodec, bytes: Uint8Array, poison: number): { value?: unknown; code?: unknown } {
  const region = Buffer.alloc(bytes.length + 64, poison);
  region.set(bytes, 32);
  try {
    return { value: codec.read(new ByteCursor(region, 32, 32 + bytes.length)) };
  } catch (error) {
    return { code: (error as { code?: unknown }).code ?? error };
  }
}

function written(codec: ValueCodec, value: unknown): Buffer {
  const sink = new ByteSink(1);
  codec.write(value, sink);
  return sink.copy();
}

function assertRoundTrip(codec: ValueCodec, value: unknown): void {
  const bytes = written(codec, value);
  const cursor = new ByteCursor(bytes);
  assertSameIn(codec.spec, codec.read(cursor), value);
  assert.equal(cursor.position, bytes.length, "all that was written is read");
}

const typedValues = anySpec.chain((spec) =>
  fc.record({
    spec: fc.constant(spec),
    values: fc.array(valuesOf(spec), { minLength: 1, maxLength: 40, size: "max" }),
  }),
);

test("20,000 random values of random types come back as they were", () => {
  let cases = 0;
  const property = fc.property(typedValues, ({ spec, values }) => {
    const codec = compileValueCodec(spec);
    for (const value of values) assertRoundTrip(codec, value);
    cases += values.length;
  });
  fc.assert(property, { numRuns: 1200 });
  assert.ok(cases >= 20_000, `only ${cases} values`);
});

test("values follow each other in one sink without a mark between them", () => {
  const property = fc.property(typedValues, ({ spec, values }) => {
    const codec = compileValueCodec(spec);
    const sink = new ByteSink(1);
    for (const value of values) codec.write(value, sink);
    const cursor = new ByteCursor(sink.bytes, 0, sink.position);
    for (const value of values) assertSameIn(spec, codec.read(cursor), value);
  });
  fc.assert(property, { numRuns: 200 });
});

const typedAndOther = anySpec.chain((spec) =>
  fc.record({
    spec: fc.constant(spec),
    values: fc.array(fc.oneof(plainValue, anySpec.chain(valuesOf), fc.constant(Math.max)), { maxLength: 20 }),
  }),
);

test("a value is refused exactly if a mismatch is found, and then nothing was written", () => {
  const property = fc.property(typedAndOther, ({ spec, values }) => {
    const codec = compileValueCodec(spec);
    const sink = new ByteSink(1);
    for (const value of values) {
      const before = sink.position;
      if (codec.mismatch(value) === null) codec.write(value, sink);
      else assert.throws(() => codec.write(value, sink), /CODEC|cannot be sent|does not fit/);
      assert.equal(sink.position > before, codec.mismatch(value) === null);
    }
  });
  fc.assert(property, { numRuns: 1000 });
});

test("damaged bytes give an error or some value, and nothing outside of them is read", () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
  const property = fc.property(typedValues, damage, fc.nat(100), ({ spec, values }, flips, cut) => {
    const codec = compileValueCodec(spec);
    for (const value of values.slice(0, 10)) {
      const bytes = written(codec, value);
      for (const [at, byte] of flips) bytes[at % bytes.length] = byte;
      const part = bytes.subarray(0, cut < 70 ? bytes.length : (bytes.length * cut) / 100);
      const first = readBetween(codec, part, 0x00);
      const second = readBetween(codec, part, 0xff);
      if ("code" in first) assert.equal(first.code, "CODEC_CORRUPT");
      assertSame(second, first);
    }
  });
  fc.assert(property, { numRuns: 1000 });
});

test("a damaged count does not make the reader allocate more than the bytes that are there allow", () => {
  const bytes = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]);
  for (const type of [
    t.list(t.undefined),
    t.set(t.null),
    t.map(t.null, t.null),
    t.string,
    t.bytes,
    t.list(t.struct({})),
  ]) {
    const codec = compileValueCodec(type.spec);
    assert.throws(() => codec.read(new ByteCursor(Buffer.concat([bytes, Buffer.alloc(20)]))), /corrupt/);
  }
});

test("declared structs come out in declared order, whatever the order they were written in", () => {
  const codec = compileValueCodec(t.struct({ a: t.f64, b: t.f64.optional(), c: t.f64 }).spec);
  assert.deepEqual(Object.keys(codec.read(new ByteCursor(written(codec, { c: 1, b: 2, a: 3 }))) as object), [
    "a",
    "b",
    "c",
  ]);
  assert.deepEqual(Object.keys(codec.read(new ByteCursor(written(codec, { c: 1, a: 3 }))) as object), ["a", "c"]);
});

test("-0 is the integer 0, and keeps its sign where a type beside the integer can", () => {
  for (const [type, value, read] of [
    [t.i32, -0, 0],
    [t.list(t.i32.nullable()), [-0, null], [0, null]],
    [t.union(t.i32, t.string), -0, 0],
    [t.union(t.i32, t.f64), -0, -0],
  ] as const) {
    const codec = compileValueCodec(type.spec);
    assert.equal(codec.mismatch(value), null);
    assertSame(codec.read(new ByteCursor(written(codec, value))), read);
  }
});

test("what does not fit is refused with its path, the type expected and the value found", () => {
  const Order = t.struct({
    id: t.i32,
    lines: t.list(t.struct({ sku: t.string, qty: t.f64 })),
    note: t.string.optional(),
    tags: t.map(t.string, t.set(t.enum("new", "old"))).optional(),
  });
  const codec = compileValueCodec(Order.spec);
  const fine = { id: 1, lines: [] };
  const cases: readonly [object, string][] = [
    [{ ...fine, id: 1.5 }, "CODEC_MISMATCH: id of the value does not fit its type: expected i32, got number 1.5"],
    [{ lines: [] }, "CODEC_MISMATCH: id of the value does not fit its type: expected i32, got nothing"],
    [
      {
        ...fine,
        lines: [
          { sku: "a", qty: 1 },
          { sku: "b", qty: "2" },
        ],
      },
      'CODEC_MISMATCH: lines[1].qty of the value does not fit its type: expected f64, got string "2"',
    ],
    [
      { ...fine, colour: "red" },
      'CODEC_MISMATCH: colour of the value does not fit its type: expected a field of the type, got string "red"',
    ],
    [
      { ...fine, tags: new Map([["x", new Set(["odd"])]]) },
      'CODEC_MISMATCH: tags{0}.value{0} of the value does not fit its type: expected "new" | "old", got string "odd"',
    ],
    [
      { ...fine, note: Promise.resolve("") },
      "CODEC_UNSUPPORTED: note of the value is a promise, which cannot be sent or stored",
    ],
    [{ ...fine, id: () => 1 }, "CODEC_UNSUPPORTED: id of the value is a function, which cannot be sent or stored"],
    [new URL("http://a/"), "CODEC_UNSUPPORTED: the value is an instance of URL, which cannot be sent or stored"],
  ];
  for (const [value, expected] of cases) {
    assert.throws(
      () => codec.write(value, new ByteSink()),
      (error: Error & { code: string }) => {
        assert.equal(`${error.code}: ${error.message}`, expected);
        return true;
      },
    );
  }
});
