// Equality without tolerance: values, classes, order of keys, holes, attributes of errors, and which objects are one
// and the same.

import assert from "node:assert/strict";
import { types } from "node:util";
import type { TypeSpec } from "../../src/types/spec/type-spec.ts";

/** Null when `actual` cannot be told from `expected`; else where they differ. */
export function difference(actual: unknown, expected: unknown): string | null {
  return compare(actual, expected, "", new Map());
}

export function assertSame(actual: unknown, expected: unknown): void {
  const found = difference(actual, expected);
  assert.equal(found, null, found ?? "");
}

/** As `assertSame`, for values of a type that has a union: the order of fields is the union's choice. */
export function assertSameIn(spec: TypeSpec, actual: unknown, expected: unknown): void {
  if (hasUnion(spec)) assert.deepStrictEqual(actual, expected);
  else assertSame(actual, expected);
}

const unions = new WeakMap<TypeSpec, boolean>();

function hasUnion(spec: TypeSpec): boolean {
  let found = unions.get(spec);
  if (found === undefined) {
    found = JSON.stringify(spec).includes('"union"');
    unions.set(spec, found);
  }
  return found;
}

function compare(actual: unknown, expected: unknown, path: string, pairs: Map<object, object>): string | null {
  if (typeof expected !== "object" || expected === null)
    return Object.is(actual, expected) ? null : `${path}: another value`;
  if (typeof actual !== "object" || actual === null) return `${path}: not an object`;
  if (pairs.has(expected)) return pairs.get(expected) === actual ? null : `${path}: not the same object as before`;
  pairs.set(expected, actual);
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) return `${path}: another prototype`;
  return compareContent(actual, expected, path, pairs) ?? compareProperties(actual, expected, path, pairs);
}

function compareContent(actual: object, expected: object, path: string, pairs: Map<object, object>): string | null {
  if (types.isDate(expected)) return compare((actual as Date).getTime(), expected.getTime(), `${path}.time`, pairs);
  if (types.isRegExp(expected)) return String(actual) === String(expected) ? null : `${path}: another expression`;
  if (types.isBoxedPrimitive(expected)) return compare(actual.valueOf(), expected.valueOf(), `${path}.boxed`, pairs);
  if (types.isMap(expected))
    return compare([...(actual as Map<unknown, unknown>)], [...expected], `${path}.entries`, pairs);
  if (types.isSet(expected)) return compare([...(actual as Set<unknown>)], [...expected], `${path}.items`, pairs);
  if (types.isArrayBuffer(expected)) {
    return Buffer.compare(Buffer.from(actual as ArrayBuffer), Buffer.from(expected)) === 0
      ? null
      : `${path}: other bytes`;
  }
  return null;
}

function compareProperties(actual: object, expected: object, path: string, pairs: Map<object, object>): string | null {
  const keys = Reflect.ownKeys(expected);
  const actualKeys = Reflect.ownKeys(actual);
  if (keys.length === 0 && actualKeys.length === 0) return null;
  if (keys.length !== actualKeys.length || keys.some((key, index) => key !== actualKeys[index])) {
    return `${path}: keys ${actualKeys.map(String)} instead of ${keys.map(String)}`;
  }
  for (const key of keys) {
    const left = Object.getOwnPropertyDescriptor(actual, key)!;
    const right = Object.getOwnPropertyDescriptor(expected, key)!;
    if (left.enumerable !== right.enumerable) return `${path}.${String(key)}: other attributes`;
    const found = compare(
      propertyOf(actual, key, left),
      propertyOf(expected, key, right),
      `${path}.${String(key)}`,
      pairs,
    );
    if (found !== null) return found;
  }
  return null;
}

/** Accessors count as their value: `stack` is one in some versions of the engine. */
function propertyOf(object: object, key: PropertyKey, descriptor: PropertyDescriptor): unknown {
  return "value" in descriptor ? descriptor.value : Reflect.get(object, key);
}
