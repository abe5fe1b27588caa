// Deep freezing of records under checks, so that a mutation throws at the user's line.

import { types } from "node:util";
import { promiseHeld } from "../../base/synchronous.ts";
import { heldPromise } from "./held-promise.ts";

const STEPS_MAX = 100_000;

/** Methods that change maps, sets and dates, which cannot be frozen: they get ones of their own that throw. */
const CHANGING = {
  map: throwing("Map", ["set", "delete", "clear"]),
  set: throwing("Set", ["add", "delete", "clear"]),
  date: throwing(
    "Date",
    Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith("set")),
  ),
};

/** All the way down. That an object is frozen does not say it: a user may have frozen it alone. */
const FROZEN = new WeakSet<object>();

/**
 * Throws FUNCTION_RETURNED_PROMISE for a record that holds a promise.
 *
 * Freezes plain objects, arrays, maps, sets and dates all the way down. The bytes of typed arrays cannot be frozen and
 * are left alone.
 */
export function freezeRecord(record: unknown): void {
  if (typeof record !== "object" || record === null || FROZEN.has(record)) return;
  const open: object[] = [record];
  const add = (part: unknown): void => {
    if (typeof part === "object" && part !== null) open.push(part);
  };
  for (let steps = 0; open.length > 0 && steps < STEPS_MAX; steps += 1) {
    const value = open.pop();
    if (value === undefined || ArrayBuffer.isView(value) || FROZEN.has(value)) continue;
    if (types.isPromise(value)) throw promiseHeld(heldPromise(record));
    guardParts(value, add);
    FROZEN.add(Object.freeze(value));
    for (const item of Object.values(value)) add(item);
  }
}

/** Of what cannot be frozen. */
function guardParts(value: object, add: (part: unknown) => void): void {
  if (types.isMap(value)) {
    value.forEach((item, key) => {
      add(key);
      add(item);
    });
    keepFrom(value, CHANGING.map);
  } else if (types.isSet(value)) {
    value.forEach(add);
    keepFrom(value, CHANGING.set);
  } else if (types.isDate(value)) {
    keepFrom(value, CHANGING.date);
  }
}

/** A user who has frozen a map himself can still change it: nothing can be put before its methods. */
function keepFrom(value: object, changing: PropertyDescriptorMap): void {
  if (Object.isExtensible(value)) Object.defineProperties(value, changing);
}

/** Hidden from enumeration: codecs refuse a map with properties of its own. */
function throwing(type: string, methods: readonly string[]): PropertyDescriptorMap {
  return Object.fromEntries(
    methods.map((method) => [
      method,
      {
        value(): never {
          throw new TypeError(`Cannot change a read only property: ${method} of a ${type} that was handed on`);
        },
      },
    ]),
  );
}
