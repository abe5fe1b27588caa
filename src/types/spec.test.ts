import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anySpec } from "../../test/arbitraries/typed-values.ts";
import { canonicalHash } from "../base/canonical-json.ts";
import { specText } from "./spec/spec-text.ts";
import type { TypeSpec } from "./spec/type-spec.ts";
import { t } from "./t.ts";
import { specProblem } from "./values/spec-check.ts";

/** The same spec with the properties of every part in reverse order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item)]),
  );
}

test("equal specs have equal hashes however they were made, different ones have different ones", () => {
  fc.assert(
    fc.property(anySpec, anySpec, (left, right) => {
      assert.equal(canonicalHash(left), canonicalHash(reversed(JSON.parse(JSON.stringify(left))) as TypeSpec));
      const same = JSON.stringify(left) === JSON.stringify(right);
      assert.equal(canonicalHash(left) === canonicalHash(right), same);
    }),
    { numRuns: 300 },
  );
  assert.equal(canonicalHash({ kind: "f64" }), "8062a12a1e7e7ba4ab53cc5aa8926d46517cd75f1c66d097a92c6cafa35d76ec");
});

test("every spec that types can declare is well-formed, and plain data", () => {
  fc.assert(
    fc.property(anySpec, (spec) => {
      assert.equal(specProblem(spec), null);
      assert.equal(specProblem(JSON.parse(JSON.stringify(spec))), null);
    }),
    { numRuns: 300 },
  );
});

test("the text of a spec reads like a type", () => {
  const spec = t.struct({
    symbol: t.string,
    price: t.f64.nullable(),
    side: t.enum("buy", "sell").optional(),
    tags: t.list(t.union(t.string, t.i64)),
    "by day": t.map(t.date, t.set(t.typed("Int16Array"))),
    none: t.struct({}),
  }).spec;
  assert.equal(
    specText(spec),
    '{ symbol: string, price: f64 | null, side?: "buy" | "sell", tags: list<string | i64>, "by day": map<date, set<Int16Array>>, none: {} }',
  );
});

test("a malformed spec is described by its fault and place", () => {
  const field = { name: "a", type: { kind: "f64" }, optional: false };
  const cyclic: { kind: string; item?: unknown } = { kind: "list" };
  cyclic.item = cyclic;
  const wide = { kind: "union", members: Array.from({ length: 30_000 }, () => ({ kind: "f64" })) };
  const cases: readonly [unknown, string][] = [
    [null, "type: not a type"],
    [{}, "type: not a type"],
    [{ kind: "text" }, 'type: unknown kind "text"'],
    [{ kind: "list" }, "type[]: not a type"],
    [{ kind: "map", key: { kind: "string" } }, "type{}.value: not a type"],
    [{ kind: "struct", fields: [field, field] }, 'type: the field "a" is there twice'],
    [{ kind: "struct", fields: [{ ...field, optional: 1 }] }, 'type.a: "optional" is not a boolean'],
    [{ kind: "struct", fields: [{ ...field, name: 1 }] }, "type: a field without a name"],
    [
      { kind: "struct", fields: [{ ...field, type: { kind: "enum", values: [] } }] },
      "type.a: an enum needs at least one value",
    ],
    [{ kind: "struct" }, "type: a struct needs a list of fields"],
    [{ kind: "union", members: [] }, "type: a union needs at least one member"],
    [{ kind: "union", members: [{ kind: "f64" }, {}] }, "type|1: not a type"],
    [{ kind: "enum", values: [1] }, "type: the values of an enum are strings"],
    [{ kind: "bytes", array: "Array" }, "type: no such typed array"],
  ];
  for (const [spec, problem] of cases) assert.equal(specProblem(spec), problem);
  assert.match(specProblem(cyclic) ?? "", /nested more than 64/);
  assert.match(specProblem(wide) ?? "", /more than 20000 parts/);
});
