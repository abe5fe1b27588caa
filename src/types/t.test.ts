import assert from "node:assert/strict";
import { test } from "node:test";
import type { UserError } from "../base/errors.ts";
import { t } from "./t.ts";

const Order = t.struct({
  id: t.i32,
  note: t.string.nullable().optional(),
  lines: t.list(t.struct({ sku: t.string, qty: t.f64 })),
});

test("types carry the spec of what they declare", () => {
  assert.deepEqual(Order.spec, {
    kind: "struct",
    fields: [
      { name: "id", type: { kind: "i32" }, optional: false },
      { name: "note", type: { kind: "nullable", inner: { kind: "string" } }, optional: true },
      {
        name: "lines",
        type: {
          kind: "list",
          item: {
            kind: "struct",
            fields: [
              { name: "sku", type: { kind: "string" }, optional: false },
              { name: "qty", type: { kind: "f64" }, optional: false },
            ],
          },
        },
        optional: false,
      },
    ],
  });
  assert.deepEqual(t.union(t.string, t.null).spec, { kind: "union", members: [{ kind: "string" }, { kind: "null" }] });
  assert.deepEqual(t.list(t.f64.optional()).spec, {
    kind: "list",
    item: { kind: "union", members: [{ kind: "f64" }, { kind: "undefined" }] },
  });
});

test("as a schema a type takes what fits, and copies only to drop undeclared fields", () => {
  const { validate } = Order["~standard"];
  const fine = { id: 1, lines: [{ sku: "a", qty: 2 }], note: null };
  const taken = validate(fine);
  assert.ok(taken.issues === undefined && taken.value === fine);
  const wide = { lines: [{ sku: "a", qty: 2, colour: "red" }], id: 1, extra: () => 1 };
  assert.deepEqual(validate(wide), { value: { id: 1, lines: [{ sku: "a", qty: 2 }] } });
});

test("as a schema a type reports every issue with its path", () => {
  const { validate, vendor, version } = Order["~standard"];
  assert.deepEqual([vendor, version], ["millrace", 1]);
  assert.deepEqual(validate({ id: 1.5, lines: [{ sku: "a", qty: 1 }, { sku: 7 }] }), {
    issues: [
      { message: "id: expected i32, got number 1.5", path: ["id"] },
      { message: "lines[1].sku: expected string, got number 7", path: ["lines", 1, "sku"] },
      { message: "lines[1].qty: expected f64, got nothing", path: ["lines", 1, "qty"] },
    ],
  });
  assert.deepEqual(validate(null), {
    issues: [
      {
        message: "expected { id: i32, note?: string | null, lines: list<{ sku: string, qty: f64 }> }, got null",
        path: [],
      },
    ],
  });
  const many = t.list(t.f64)["~standard"].validate(Array.from({ length: 1000 }, String));
  assert.equal(many.issues?.length, 20);
});

test("declarations that make no sense are refused where they are made", () => {
  const nested = () => {
    let type = t.list(t.any);
    for (let i = 0; i < 100; i++) type = t.list(type) as typeof type;
  };
  const cases: readonly [() => unknown, RegExp][] = [
    [() => t.enum("a", "b", "a"), /"a" twice/],
    [() => t.enum(...([] as unknown as ["x"])), /at least one value/],
    [() => t.union(...([] as unknown as [typeof t.any])), /at least one member/],
    [() => t.typed("Array" as "Int8Array"), /no such typed array/],
    [() => t.enum(["SE", "DE"] as never), /values of an enum are strings/],
    [nested, /nested more than 64/],
  ];
  for (const [declare, message] of cases) {
    assert.throws(declare, (error: UserError) => error.code === "TYPE_INVALID" && message.test(error.message));
  }
  assert.throws(() => t.enum(["SE", "DE"] as never), { fix: 'write t.enum("SE", "DE")' });
});
