import assert from "node:assert/strict";
import { test } from "node:test";
import { freezeRecord } from "./freeze.ts";

test("a record is frozen all the way down, also below what its user has frozen", () => {
  const seen = new Map([["a", { n: 1 }]]);
  const record = Object.freeze({ tags: ["x"], inner: Object.freeze([{ n: 1 }]), seen });
  freezeRecord(record);
  assert.throws(() => record.tags.push("y"), TypeError);
  assert.throws(() => Object.assign(record.inner[0]!, { n: 2 }), TypeError);
  assert.throws(() => seen.set("b", { n: 2 }), /set of a Map that was handed on/);
  assert.throws(() => Object.assign(seen.get("a")!, { n: 2 }), TypeError);
});

test("what lies in a map that its user has frozen is frozen as well, and cycles end", () => {
  const inside = { n: 1, self: null as unknown };
  inside.self = inside;
  freezeRecord({ map: Object.freeze(new Map([["a", inside]])) });
  assert.throws(() => Object.assign(inside, { n: 2 }), TypeError);
});
