import assert from "node:assert/strict";
import { test } from "node:test";
import { changedSince, intrinsics } from "./intrinsics.ts";

const EDITS: readonly [name: string, object: object, key: PropertyKey, value: unknown][] = [
  ["Array.prototype.map", Array.prototype, "map", () => []],
  ["Object.prototype.extra", Object.prototype, "extra", 1],
  ["Math.random", Math, "random", () => 0.5],
  ["JSON.parse", JSON, "parse", () => null],
  ["Date.now", Date, "now", () => 0],
  ["Iterator.map", Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as object, "map", () => null],
];

test("what has been changed, added or taken away is named, and nothing else is found", () => {
  const before = intrinsics();
  /(a)/.exec("a");
  assert.equal(changedSince(before), null);
  for (const [name, object, key, value] of EDITS) {
    const was = Object.getOwnPropertyDescriptor(object, key);
    Object.defineProperty(object, key, { value, configurable: true, writable: true });
    const found = changedSince(before);
    if (was === undefined) Reflect.deleteProperty(object, key);
    else Object.defineProperty(object, key, was);
    assert.equal(found, name);
    assert.equal(changedSince(before), null, `${name} is as it was`);
  }
  const trim = Object.getOwnPropertyDescriptor(String.prototype, "trim")!;
  Reflect.deleteProperty(String.prototype, "trim");
  const found = changedSince(before);
  Object.defineProperty(String.prototype, "trim", trim);
  assert.equal(found, "String.prototype.trim");
});
