import assert from "node:assert/strict";
import { test } from "node:test";
import { makeHeap } from "../suites/store-makers.contract.ts";
import { F64, mapSpec, STRING, use } from "../suites/tested-store.contract.ts";

const TTL_MS = 20;

test("a map that was cleared while its entries were looked at is left alone, and the one after it is charged", () => {
  const { store, advance, finish } = makeHeap({ key: F64 });
  const map = store.map<number, string>(mapSpec("map", F64, STRING, TTL_MS));
  const bytes = (): number => store.usage()[0]!.bytes;
  use(store, F64, 1);
  for (let key = 0; key < 9; key += 1) map.set(key, "value");
  map.clear();
  advance(TTL_MS - 1);
  map.set(0, "value");
  const before = bytes();
  advance(1);
  map.set(0, "value");
  map.set(0, "value");
  assert.equal(bytes(), before);
  assert.equal(finish(), 0);
});
