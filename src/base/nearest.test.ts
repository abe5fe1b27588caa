import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "./nearest.ts";

test("the name with the fewest edits is meant, and none when all are too far", () => {
  const known = ["parallelism", "price", "symbol", "qty"];
  assert.equal(nearest("paralelism", known), "parallelism");
  assert.equal(nearest("pirce", known), "price");
  assert.equal(nearest("SYMBOL", known), "symbol");
  assert.equal(nearest("qt", known), "qty");
  assert.equal(nearest("volume", known), null);
  assert.equal(nearest("x", []), null);
  for (const [name, other] of [
    ["ts", "id"],
    ["id", ""],
    ["x", "y"],
    ["qty", "buy"],
  ] as const) {
    assert.equal(nearest(name, [other]), null, "more than half of it would have to be another");
  }
});

test("of equally near names the first is meant", () => {
  assert.equal(nearest("ab", ["ac", "ad"]), "ac");
});

test("swapped neighbours are one edit", () => {
  assert.equal(nearest("fromat", ["frumaat", "format"]), "format");
  assert.equal(nearest("teh", ["tehxy", "the"]), "the");
});
