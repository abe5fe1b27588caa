import assert from "node:assert/strict";
import { test } from "node:test";
import { isJson } from "./json.ts";

test("what JSON gives back as it was is JSON, and nothing else is", () => {
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  class Named {}
  for (const value of [null, true, "", 0, -1.5, [], {}, [[{ a: [null] }]], { a: undefined }, Object.create(null)]) {
    assert.ok(isJson(value), JSON.stringify(value));
  }
  const others = [undefined, () => 1, 1n, NaN, Infinity, Symbol("s"), new Date(0), new Map(), new Named(), cyclic];
  for (const value of [...others, new Uint8Array(1), { toJSON: () => 1 }]) {
    assert.ok(!isJson(value));
    assert.ok(!isJson([{ a: value === undefined ? [undefined] : value }]));
  }
});
