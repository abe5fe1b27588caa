import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalHash, canonicalJson } from "./canonical-json.ts";

/** The same value with the properties of its objects in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item)]),
  );
}

test("equal values have one text and one hash, in whatever order their properties stand; other values have others", () => {
  const values = fc.jsonValue({ maxDepth: 4 });
  fc.assert(
    fc.property(values, values, (one, other) => {
      assert.equal(canonicalJson(one), canonicalJson(reversed(one)));
      assert.deepEqual(JSON.parse(canonicalJson(one)), JSON.parse(JSON.stringify(one)));
      const isSame = canonicalJson(one) === canonicalJson(other);
      assert.equal(canonicalHash(one) === canonicalHash(other), isSame);
      assert.equal(JSON.stringify(sorted(one)) === JSON.stringify(sorted(other)), isSame);
    }),
    { numRuns: 300 },
  );
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}

test("what is undefined is not there, and numbers that JSON cannot hold are told apart", () => {
  assert.equal(canonicalJson({ b: 1, a: undefined, c: { d: undefined } }), '{"b":1,"c":{}}');
  assert.equal(canonicalJson([undefined, null]), "[null,null]");
  assert.deepEqual([Infinity, -Infinity, NaN, null].map(canonicalJson), ['"Infinity"', '"-Infinity"', '"NaN"', "null"]);
});

test("the hash is SHA-256 in hex digits", () => {
  assert.equal(canonicalHash({}), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
});
