import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ByteCursor, ByteSink } from "../../types/bytes/byte-buffer.ts";
import { DistinctSketch, ValueHash } from "./distinct-sketch.ts";
import { EXACT, QuantileSketch } from "./quantile-sketch.ts";

const SP500 = new URL("../../../node_modules/vega-datasets/data/sp500-2000.csv", import.meta.url);

/** Deterministic and uniform in [0, 1). */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function writtenOf(sketch: QuantileSketch | DistinctSketch): ByteCursor {
  const out = new ByteSink();
  sketch.write(out);
  return new ByteCursor(out.copy());
}

function copyOf<S extends QuantileSketch | DistinctSketch>(sketch: S, error: number): S {
  const input = writtenOf(sketch);
  const read = sketch instanceof QuantileSketch ? QuantileSketch.read(input, error) : DistinctSketch.read(input, error);
  assert.equal(input.position, input.end);
  return read as S;
}

const QS = [0, 0.001, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1];

function quantileSketch(values: readonly number[], error: number): QuantileSketch {
  const sketch = new QuantileSketch(error);
  for (const value of values) sketch.add(value);
  return sketch;
}

function assertClose(estimate: number | null, exact: number, error: number): void {
  if (!Number.isFinite(exact)) assert.equal(estimate, exact);
  const distance = Math.abs((estimate as number) - exact);
  if (Number.isFinite(exact)) assert.ok(distance <= error * 1.000_001 * Math.abs(exact), `${estimate} for ${exact}`);
}

function assertQuantiles(sketch: QuantileSketch, values: readonly number[], error: number): void {
  const sorted = Float64Array.from(values.filter((value) => !Number.isNaN(value))).sort();
  for (const q of QS) {
    const exact = sorted[Math.floor(q * (sorted.length - 1))];
    if (exact === undefined) assert.equal(sketch.quantile(q), null);
    else assertClose(sketch.quantile(q), exact, error);
  }
}

const decimals = fc
  .tuple(fc.double({ min: -9.99, max: 9.99, noNaN: true }), fc.integer({ min: -8, max: 8 }))
  .filter(([digits]) => Math.abs(digits) > 0.1)
  .map(([digits, exponent]) => digits * 10 ** exponent);
const numbers = fc.oneof(
  { arbitrary: decimals, weight: 8 },
  fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1, 1.01 ** 7),
);

describe("the quantile sketch", () => {
  test("stays within its error on any data of 18 decimal orders", () => {
    fc.assert(
      fc.property(fc.array(numbers, { maxLength: 200 }), fc.constantFrom(0.001, 0.01, 0.1), (values, error) => {
        assertQuantiles(quantileSketch(values, error), values, error);
      }),
      { numRuns: 500 },
    );
  });

  test("stays within its error on adversarial distributions", () => {
    const random = randomFrom(7);
    const draw = (make: (i: number) => number) => Array.from({ length: 20_000 }, (_, i) => make(i));
    const distributions = [
      draw(() => random()),
      draw(() => (1 - random()) ** -1.5), // heavy tail
      draw(() => Math.exp(20 * random() - 10)),
      draw((i) => (i % 2 === 0 ? 1e-6 * random() : 1e6 * random())), // two far clusters
      draw((i) => 1.01 ** (i % 500)), // on the bounds of buckets
      draw((i) => i - 10_000), // sorted, with negatives
      draw(() => 42),
    ];
    for (const values of distributions) assertQuantiles(quantileSketch(values, 0.01), values, 0.01);
  });

  test("stays within its error on real prices and volumes", () => {
    const [head = "", ...lines] = readFileSync(SP500, "utf8").trim().split("\n");
    for (const column of ["close", "volume"]) {
      const values = lines.map((line) => Number(line.split(",")[head.split(",").indexOf(column)]));
      assert.ok(values.length > 5_000 && values.every((value) => value > 0), "nothing read");
      assertQuantiles(quantileSketch(values, 0.01), values, 0.01);
    }
  });

  test("adds what was written to what it has, of every sign, and of no size", () => {
    const parts = [0, 5, -5, 0, Number.NEGATIVE_INFINITY, 7, 0, -7, Number.POSITIVE_INFINITY].map((value) =>
      Array.from({ length: 40 }, () => value),
    );
    const written = new QuantileSketch(0.01);
    for (const part of parts) written.mergeRead(writtenOf(quantileSketch(part, 0.01)));
    const whole = quantileSketch(parts.flat(), 0.01);
    assert.equal(written.count, whole.count);
    for (let q = 0; q <= 1; q += 1 / 32) assert.equal(written.quantile(q), whole.quantile(q), `${q}`);
  });

  test("gives equal quantiles however parts are merged, copied and ordered", () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.oneof(numbers, fc.double()), { maxLength: 60 }), { maxLength: 6 }), (parts) => {
        const whole = quantileSketch(parts.flat(), 0.01);
        const left = new QuantileSketch(0.01);
        const written = new QuantileSketch(0.01);
        for (const part of parts) {
          left.merge(copyOf(quantileSketch(part, 0.01), 0.01));
          written.mergeRead(writtenOf(quantileSketch(part, 0.01)));
        }
        const right = parts.reduceRight((sum, part) => {
          const next = quantileSketch(part.toReversed(), 0.01);
          next.merge(sum);
          return next;
        }, new QuantileSketch(0.01));
        for (const sketch of [left, written, right, copyOf(whole, 0.01)]) {
          assert.equal(sketch.count, whole.count);
          for (const q of QS) assert.equal(sketch.quantile(q), whole.quantile(q));
        }
      }),
      { numRuns: 500 },
    );
  });

  test("is exact for small groups", () => {
    const values = Array.from({ length: EXACT }, (_, i) => (i * 7.3) % 11);
    assertQuantiles(quantileSketch(values, 0.25), values, 0);
  });

  test("keeps a bounded number of buckets, and the error for all but the smallest magnitudes", () => {
    const random = randomFrom(3);
    const values = Array.from({ length: 50_000 }, () => 10 ** (600 * random() - 300));
    const sketch = quantileSketch(values, 0.01);
    assert.ok(sketch.bytes < 40_000, `${sketch.bytes} bytes`);
    const sorted = Float64Array.from(values).sort();
    for (const q of [0.975, 0.99, 1]) assertClose(sketch.quantile(q), sorted[Math.floor(q * 49_999)] as number, 0.01);
  });
});

function distinctSketch(values: Iterable<unknown>, error: number): DistinctSketch {
  const sketch = new DistinctSketch(error);
  const hash = new ValueHash();
  for (const value of values) {
    hash.hash(value);
    sketch.add(hash);
  }
  return sketch;
}

describe("the distinct-count sketch", () => {
  const values = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.string(),
    fc.boolean(),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    fc.constantFrom(1, "1", 1n, true, 0, -0, Number.NaN),
  );
  const identity = (value: unknown) => `${typeof value} ${value instanceof Date ? value.getTime() : String(value)}`;

  test("is exact for small groups of any values, repeated or not", () => {
    fc.assert(
      fc.property(fc.array(values, { maxLength: 100 }), (list) => {
        const expected = new Set(list.map(identity)).size;
        assert.equal(distinctSketch([...list, ...list], 0.01).estimate(), expected);
      }),
      { numRuns: 500 },
    );
  });

  test("does not depend on order, repetition or the way parts were merged", () => {
    fc.assert(
      fc.property(fc.array(fc.array(values, { maxLength: 60 }), { maxLength: 6 }), (parts) => {
        const whole = distinctSketch(parts.flat(), 0.2);
        const merged = new DistinctSketch(0.2);
        const written = new DistinctSketch(0.2);
        for (const part of parts.toReversed()) {
          merged.merge(copyOf(distinctSketch(part.toReversed(), 0.2), 0.2));
          written.mergeRead(writtenOf(distinctSketch(part, 0.2)));
        }
        assert.equal(merged.estimate(), whole.estimate());
        assert.equal(written.estimate(), whole.estimate());
        assert.equal(copyOf(whole, 0.2).estimate(), whole.estimate());
      }),
      { numRuns: 500 },
    );
  });

  test("has the stated standard error over numbers and texts, small and large counts", () => {
    for (const error of [0.01, 0.05]) {
      for (const count of [500, 5_000, 50_000, 300_000]) {
        let squares = 0;
        const runs = count > 100_000 ? 6 : 12;
        for (let seed = 0; seed < runs; seed += 1) {
          const random = randomFrom(seed + count);
          const base = Math.floor(random() * 1e9);
          const distinct = Array.from({ length: count }, (_, i) => (seed % 2 === 0 ? base + i : `user-${base + i}`));
          squares += (distinctSketch(distinct, error).estimate() / count - 1) ** 2;
        }
        const actual = Math.sqrt(squares / runs);
        assert.ok(actual <= error * 1.4, `standard error ${actual} of ${count} values, ${error} stated`);
      }
    }
  });

  test("refuses what it cannot tell apart, and says what it was", () => {
    const hash = new ValueHash();
    const cases: [unknown, RegExp][] = [
      [{ id: 1 }, /not an object/],
      [[1], /not an array of 1/],
      [new Map(), /not a Map/],
      [Symbol("s"), /not a symbol/],
      [() => 1, /not a function/],
    ];
    for (const [value, message] of cases) assert.throws(() => hash.hash(value), { code: "AGGREGATE_INPUT", message });
  });

  test("reads its estimate without a look at its registers, also after each value", (t) => {
    let looks = 0;
    const Bytes = globalThis.Uint8Array;
    globalThis.Uint8Array = new Proxy(Bytes, {
      construct: (target, args) =>
        new Proxy(Reflect.construct(target, args), {
          get(array, name) {
            looks += 1;
            return Reflect.get(array, name);
          },
        }),
    });
    t.after(() => {
      globalThis.Uint8Array = Bytes;
    });
    const sketch = distinctSketch(Array(5_000).keys(), 0.01);
    assert.ok(looks >= 3_000, "it has registers by now");
    const hash = new ValueHash();
    for (let i = 5_000; i < 5_500; i += 1) {
      hash.hash(i);
      sketch.add(hash);
      looks = 0;
      const estimate = sketch.estimate();
      assert.equal(looks, 0);
      assert.ok(Math.abs(estimate / (i + 1) - 1) < 0.03, `${estimate} for ${i + 1}`);
    }
  });

  test("takes no more memory than its registers and half as much again", () => {
    const sketch = new DistinctSketch(0.01);
    const hash = new ValueHash();
    for (let i = 0; i < 50_000; i += 1) {
      hash.hash(i);
      sketch.add(hash);
      assert.ok(sketch.bytes <= 16_384 * 1.5, `${sketch.bytes} bytes`);
    }
  });
});
