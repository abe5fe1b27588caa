import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { assertSame } from "../../../test/arbitraries/same.ts";
import { anySpec, valuesOf } from "../../../test/arbitraries/typed-values.ts";
import type { TypeSpec } from "../spec/type-spec.ts";
import { t } from "../t.ts";
import { specMismatch } from "./spec-mismatch.ts";
import { typeChange } from "./type-change.ts";

type Spec = { readonly spec: TypeSpec };

function taken(from: Spec, to: Spec, value: unknown): unknown {
  const change = typeChange(from.spec, to.spec);
  assert.equal(change.kind, "taken", JSON.stringify(change));
  return change.kind === "taken" && change.convert !== null ? change.convert(value) : value;
}

function refusal(from: Spec, to: Spec): string {
  const change = typeChange(from.spec, to.spec);
  return change.kind === "refused" ? `${change.path} | ${change.reason}` : "taken";
}

const Color = t.enum("red", "blue");

describe("a value that was stored under another type", () => {
  test("is the same number, text or list where the type is wider", () => {
    const max = 2n ** 63n - 1n;
    assertSame(taken(t.i32, t.i64, -7), -7n);
    assertSame(taken(t.i32, t.bigint, 0), 0n);
    assertSame(taken(t.i32, t.f64, -7), -7);
    assertSame(taken(t.i64, t.f64, 2n ** 53n - 1n), 2 ** 53 - 1);
    assertSame(taken(t.i64, t.bigint, max), max);
    assertSame(taken(t.f32, t.f64, 0.5), 0.5);
    assertSame(taken(t.timestamp, t.f64, 1_000), 1_000);
    assertSame(taken(t.duration, t.string, "5s"), "5s");
    assertSame(taken(Color, t.enum("blue", "green", "red"), "red"), "red");
    assertSame(taken(Color, t.string, "red"), "red");
    assertSame(taken(t.list(t.i32), t.list(t.i64.nullable()), [1, 2]), [1n, 2n]);
    assertSame(taken(t.set(t.i32), t.set(t.i64), new Set([1, 2])), new Set([1n, 2n]));
    assertSame(taken(t.map(t.string, t.i32), t.map(t.string, t.i64), new Map([["a", 1]])), new Map([["a", 1n]]));
    assertSame(taken(t.union(t.f64, t.string), t.union(t.string, t.bool, t.f64), "a"), "a");
    assertSame(taken(t.string.nullable(), t.union(t.null, t.f64, t.string), null), null);
    assertSame(taken(t.struct({ n: t.f64 }), t.any, { n: 1 }), { n: 1 });
  });

  test("may be null where it could not", () => {
    assertSame(taken(t.i32, t.i64.nullable(), 3), 3n);
    assertSame(taken(t.i32.nullable(), t.i64.nullable(), null), null);
    assertSame(taken(t.null, t.string.nullable(), null), null);
    assert.equal(refusal(t.f64.nullable(), t.f64), " | it was f64 | null, and null has no place in f64");
  });

  test("has new fields without a value or null, and none of those that are gone", () => {
    const Old = t.struct({ id: t.i32, gone: t.string, note: t.string.optional(), inner: t.struct({ a: t.f32 }) });
    const New = t.struct({
      added: t.list(t.string).optional(),
      inner: t.struct({ a: t.f64, b: t.string.nullable() }),
      id: t.i64,
      note: t.string.nullable().optional(),
      since: t.timestamp.nullable(),
    });
    assertSame(taken(Old, New, { id: 1, gone: "x", inner: { a: 2 } }), {
      inner: { a: 2, b: null },
      id: 1n,
      since: null,
    });
    assertSame(taken(Old, New, { id: 1, gone: "x", note: undefined, inner: { a: 2 } }), {
      inner: { a: 2, b: null },
      id: 1n,
      note: undefined,
      since: null,
    });
    assert.equal(
      refusal(Old, t.struct({ id: t.i32, count: t.f64 })),
      "count | it is new, and neither optional nor nullable",
    );
    assert.equal(refusal(Old, t.struct({ note: t.string })), "note | it was optional, and is not any more");
    assert.equal(refusal(Old, t.struct({ inner: t.struct({ a: t.i32 }) })), "inner.a | it was f32, and is i32");
  });

  test("with names that mean something to JavaScript has them as fields of its own", () => {
    const Old = t.struct({ ["__proto__"]: t.i32, constructor: t.i32 });
    const value = JSON.parse('{"__proto__": 1, "constructor": 2}');
    const changed = taken(Old, t.struct({ ["__proto__"]: t.i64, constructor: t.i64 }), value) as object;
    assert.deepEqual(Object.entries(changed), [
      ["__proto__", 1n],
      ["constructor", 2n],
    ]);
  });

  test("is refused where it could lose something", () => {
    const pairs: readonly (readonly [Spec, Spec])[] = [
      [t.f64, t.f32],
      [t.i64, t.i32],
      [t.f64, t.i32],
      [t.i32, t.f32],
      [t.f64, t.timestamp],
      [t.string, Color],
      [t.string, t.duration],
      [Color, t.enum("red")],
      [t.string, t.f64],
      [t.bool, t.i32],
      [t.any, t.f64],
      [t.bytes, t.typed("Float64Array")],
      [t.list(t.f64), t.set(t.f64)],
      [t.map(t.i32, t.f64), t.map(t.i64, t.f64)],
      [t.union(t.f64, t.string), t.f64],
      [t.union(t.f64, t.string), t.union(t.f64, t.bool)],
      [t.string.nullable(), t.union(t.string, t.f64)],
      [t.list(t.f64.nullable()), t.list(t.f64)],
    ];
    for (const [from, to] of pairs) assert.notEqual(refusal(from, to), "taken", JSON.stringify([from.spec, to.spec]));
  });

  test("that has no number stays as it is, so that whoever writes it refuses it", () => {
    assertSame(taken(t.i64, t.f64, 2n ** 53n), 2n ** 53n);
    assertSame(taken(t.i64, t.f64, -(2n ** 63n)), -(2n ** 63n));
    assert.notEqual(specMismatch(t.f64.spec, 2n ** 53n), null);
  });

  test("of any type fits the wider one, and stays what it was under the same", () => {
    const cases = anySpec.chain((spec) => fc.record({ spec: fc.constant(spec), value: valuesOf(spec) }));
    fc.assert(
      fc.property(cases, ({ spec, value }) => {
        assertSame(taken({ spec }, { spec }, value), value);
        const to = wider(spec);
        const changed = taken({ spec }, { spec: to }, value);
        assert.equal(specMismatch(to, changed), null);
      }),
    );
  });
});

/** As many things wider as there are. */
function wider(spec: TypeSpec): TypeSpec {
  switch (spec.kind) {
    case "i32":
      return { kind: "nullable", inner: { kind: "i64" } };
    case "f32":
    case "timestamp":
      return { kind: "f64" };
    case "i64":
      return { kind: "nullable", inner: { kind: "bigint" } };
    case "enum":
      return { kind: "enum", values: ["a further one of them", ...spec.values] };
    case "list":
      return { kind: "list", item: wider(spec.item) };
    case "map":
      return { kind: "map", key: spec.key, value: wider(spec.value) };
    case "nullable":
      return { kind: "nullable", inner: wider(spec.inner) };
    case "struct":
      return {
        kind: "struct",
        fields: [
          { name: "a field that is new", type: { kind: "f64" }, optional: true },
          ...spec.fields.slice(1).map((field) => ({ ...field, type: wider(field.type) })),
        ],
      };
    default:
      return spec;
  }
}
