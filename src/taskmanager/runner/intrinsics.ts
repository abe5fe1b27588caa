// What user code may have changed for whoever comes after it in the same thread: objects of the language.
//
// What its module changes while it is loaded (a polyfill) stays, and its next attempt finds it: a module is loaded
// once. What is changed later may come from a mistake, and would meet the next attempt from its first record on.
//
// Written without what it watches: it has to find its way when `Array.prototype.map` is not what it was.

type Properties = { readonly keys: readonly PropertyKey[]; readonly descriptors: readonly PropertyDescriptor[] };

/** By the order of `WATCHED`. */
export type Intrinsics = readonly Properties[];

const { ownKeys, getOwnPropertyDescriptor } = Reflect;
const { is } = Object;

const NAMED: Readonly<Record<string, object>> = {
  ...{ Object, Function, Array, String, Number, Boolean, Symbol, BigInt, Date, RegExp, Promise, Map, Set, WeakMap },
  ...{ WeakSet, Error, TypeError, RangeError, ArrayBuffer, SharedArrayBuffer, DataView, Math, JSON, Reflect, Atomics },
  ...{ Uint8Array, Int32Array, Float64Array, BigInt64Array, URL, TextEncoder, TextDecoder, Buffer },
  TypedArray: Object.getPrototypeOf(Uint8Array) as object,
  Iterator: Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as object,
};

type Watched = { readonly name: string; readonly object: object };

/** With their prototypes, by the names that people know. */
const WATCHED: readonly Watched[] = Object.entries(NAMED).flatMap(([name, object]): Watched[] => {
  const { prototype } = object as { readonly prototype?: unknown };
  const isObject = typeof prototype === "object" && prototype !== null;
  return isObject
    ? [
        { name, object },
        { name: `${name}.prototype`, object: prototype },
      ]
    : [{ name, object }];
});

export function intrinsics(): Intrinsics {
  const all: Properties[] = [];
  for (let index = 0; index < WATCHED.length; index += 1) all[index] = propertiesOf(WATCHED[index]!.object);
  return all;
}

/** The first that is not as it was, for people; null: all are. */
export function changedSince(before: Intrinsics): string | null {
  for (let index = 0; index < WATCHED.length; index += 1) {
    const { name, object } = WATCHED[index]!;
    const key = changedKey(object, before[index]!);
    if (key !== null) return typeof key === "symbol" ? `${name}[symbol]` : `${name}.${key}`;
  }
  return null;
}

function changedKey(object: object, was: Properties): PropertyKey | null {
  for (let index = 0; index < was.keys.length; index += 1) {
    const key = was.keys[index]!;
    if (!isSame(was.descriptors[index]!, getOwnPropertyDescriptor(object, key))) return key;
  }
  const keys = ownKeys(object);
  return keys.length === was.keys.length ? null : keys[keys.length - 1]!;
}

function propertiesOf(object: object): Properties {
  const keys = ownKeys(object);
  const descriptors: PropertyDescriptor[] = [];
  for (let index = 0; index < keys.length; index += 1)
    descriptors[index] = getOwnPropertyDescriptor(object, keys[index]!)!;
  return { keys, descriptors };
}

/** What V8 itself sets at each match (`RegExp.$1`) is behind accessors, which stay. */
function isSame(was: PropertyDescriptor, now: PropertyDescriptor | undefined): boolean {
  return now !== undefined && is(was.value, now.value) && was.get === now.get && was.set === now.set;
}
