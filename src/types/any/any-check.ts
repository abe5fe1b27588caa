// Whether a value can be carried at all: what `AnyWriter` would say, without writing anything. For links that hand
// records over by reference, where a record must be refused exactly if a link that encodes would refuse it.
//
//   A4. `carries(v)` is true exactly if `AnyWriter.write(v)` is (property-tested), and copies nothing.

import { types } from "node:util";
import { DEPTH_MAX, ERRORS, VIEWS } from "./any-format.ts";

type Check = (check: AnyCheck, value: never) => boolean;

/** Up to this many objects a scan of the list beats a `Set`. */
const SCAN_MAX = 12;

export class AnyCheck {
  /** The value itself, then the objects inside it: flat records need no list. */
  #root: unknown = null;
  readonly #list: object[] = [];
  readonly #set = new Set<object>();
  #depth = 0;

  carries(value: unknown): boolean {
    this.#depth = 0;
    this.#forget(); // A getter of the user's may have thrown out of the last call.
    this.#root = value;
    const fits = this.value(value);
    this.#root = null;
    this.#forget();
    return fits;
  }

  /** One value inside the value being looked at. */
  value(value: unknown): boolean {
    switch (typeof value) {
      case "object":
        return value === null || this.#object(value);
      case "function":
      case "symbol":
        return false;
      default:
        return true;
    }
  }

  properties(value: object, keys: readonly string[]): boolean {
    for (const key of keys) if (!this.value((value as Record<string, unknown>)[key])) return false;
    return true;
  }

  #object(value: object): boolean {
    if (this.#depth > 0) {
      if (value === this.#root || this.#has(value)) return true;
      if (this.#depth === DEPTH_MAX) return false;
      this.#remember(value);
    }
    if (types.isProxy(value)) return false;
    this.#depth += 1;
    const fits = this.#known(value);
    this.#depth -= 1;
    return fits;
  }

  #known(value: object): boolean {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      return this.#plain(value as Readonly<Record<string, unknown>>);
    }
    if (prototype === Array.prototype) return this.#array(value as readonly unknown[]);
    const check = BUILT_IN.get(prototype as object);
    return check?.(this, value as never) === true;
  }

  #plain(value: Readonly<Record<string, unknown>>): boolean {
    if (Object.getOwnPropertySymbols(value).length > 0) return false;
    // A third of the time of `Object.keys` and a loop over them; nothing enumerable is inherited from Object.prototype.
    for (const key in value) {
      const item = value[key];
      const type = typeof item;
      if (type === "number" || type === "string") continue;
      if (!this.value(item)) return false;
    }
    return true;
  }

  #array(array: readonly unknown[]): boolean {
    const { length } = array;
    const keys = Object.keys(array); // As in any-writer.ts: the only way to see holes and keys beside the elements.
    if (keys.length !== length || (length > 0 && keys[length - 1] !== String(length - 1)))
      return this.properties(array, keys);
    for (let i = 0; i < length; i += 1) if (!this.value(array[i])) return false;
    return true;
  }

  #has(value: object): boolean {
    return this.#list.length > SCAN_MAX ? this.#set.has(value) : this.#list.includes(value);
  }

  #remember(value: object): void {
    const list = this.#list;
    list.push(value);
    if (list.length <= SCAN_MAX) return;
    if (list.length === SCAN_MAX + 1) for (const known of list) this.#set.add(known);
    else this.#set.add(value);
  }

  #forget(): void {
    if (this.#list.length === 0) return;
    if (this.#list.length > SCAN_MAX) this.#set.clear();
    this.#list.length = 0;
  }
}

function checkMap(check: AnyCheck, value: Map<unknown, unknown>): boolean {
  if (!types.isMap(value) || hasKeys(value)) return false;
  for (const [key, item] of value) if (!check.value(key) || !check.value(item)) return false;
  return true;
}

function checkSet(check: AnyCheck, value: Set<unknown>): boolean {
  if (!types.isSet(value) || hasKeys(value)) return false;
  for (const item of value) if (!check.value(item)) return false;
  return true;
}

function checkRegExp(_check: AnyCheck, value: RegExp): boolean {
  return types.isRegExp(value) && !hasKeys(value) && typeof value.lastIndex === "number";
}

function checkArrayBuffer(_check: AnyCheck, value: ArrayBuffer): boolean {
  return types.isArrayBuffer(value) && !hasKeys(value) && !value.resizable && !value.detached;
}

function checkView(check: AnyCheck, value: ArrayBufferView): boolean {
  return ArrayBuffer.isView(value) && types.isArrayBuffer(value.buffer) && check.value(value.buffer);
}

function checkError(check: AnyCheck, value: Error): boolean {
  if (!types.isNativeError(value)) return false;
  const keys = Reflect.ownKeys(value);
  return keys.every((key) => typeof key === "string") && check.properties(value, keys);
}

function checkBoxed(_check: AnyCheck, value: object): boolean {
  if (!types.isBoxedPrimitive(value)) return false;
  const inner: unknown = value.valueOf();
  return typeof inner !== "symbol" && Object.keys(value).length === (typeof inner === "string" ? inner.length : 0);
}

function hasKeys(value: object): boolean {
  return Object.keys(value).length > 0;
}

const BUILT_IN: ReadonlyMap<object, Check> = new Map<object, Check>([
  [Date.prototype, (_check, value: Date) => types.isDate(value) && !hasKeys(value)],
  [RegExp.prototype, checkRegExp],
  [Map.prototype, checkMap],
  [Set.prototype, checkSet],
  [Buffer.prototype, (_check, value: Buffer) => types.isUint8Array(value)],
  [ArrayBuffer.prototype, checkArrayBuffer],
  ...VIEWS.map((type): [object, Check] => [type.prototype, checkView]),
  ...ERRORS.map((type): [object, Check] => [type.prototype, checkError]),
  [Number.prototype, checkBoxed],
  [String.prototype, checkBoxed],
  [Boolean.prototype, checkBoxed],
  [BigInt.prototype, checkBoxed],
]);
