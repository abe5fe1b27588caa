// How much of V8's heap a value takes, by the kinds of its parts. V8 does not tell; the figures below are those of Node
// without pointer compression, and heap-size.test.ts holds them against what the heap really grows by.
//
//   Z1. For values of any shape between 0.8 and 3 times the truth, for records about 1 to 2 times. What cannot be seen
//       from outside is taken to be in the middle: whether an array has room to spare, whether a number is boxed,
//       whether a text is shared.
//   Z2. In values of undeclared type an object that is reached twice counts once, so cycles end. Declared types have no
//       cycles. What values share with each other counts in each.
//   Z3. No recursion: values may be nested as deeply as they like.
//   Z4. Nothing is read but what the codecs read too: a small typed array that was not given a buffer is left without.

import type { TypeSpec } from "../../types/spec/type-spec.ts";

/** Longer texts may be parts of a longer one, or put together of shorter ones: an object more in either case. */
const FLAT_UNITS = 12;
const ROPE_BYTES = 32;

const EMPTY_OBJECT_BYTES = 56;
const OBJECT_BYTES = 40;
/** A word, and some of the room that objects have which were made field by field. */
const FIELD_BYTES = 10;
/**
 * An integer takes nothing of its own, or as much as others: where there are fractions too, or where it is computed.
 */
const INTEGER_BYTES = 8;
const NUMBER_BYTES = 16;

/** Objects with names made from data have a table of their own, and the names belong to them. */
const DICTIONARY_BYTES = 110;
const NAME_BYTES = 64;
const NAMES_MAX = 256;
/** With more fields than this, an object that was filled field by field has such a table too. */
const RECORD_FIELDS_MAX = 16;
const WIDE_FIELD_BYTES = 36;

const EMPTY_ARRAY_BYTES = 32;
/** An array grows to 1.5 times its length and 16 items when it is full; a fresh one may have no room to spare. */
export const ARRAY_BYTES = 144;
export const ITEM_BYTES = 10;
/** An array of nothing but numbers has them in itself, unless others were made where it was made. */
const FRACTION_ITEM_BYTES = 12;
const DENSE_ITEMS_MAX = 65_536;
/** A longer array with holes has no room for them. */
const HOLES_MAX = 2 ** 25;

/** Maps and sets have room for a power of two of entries, 4 at least. */
const TABLE_BYTES = 72;
const MAP_ENTRY_BYTES = 30;
const SET_ENTRY_BYTES = 22;

const DATE_BYTES = 96;
const VIEW_BYTES = 216;
/** Views up to this size have their bytes on the heap until somebody asks for their buffer. */
const INLINE_VIEW_BYTES = 64;
const BUFFER_BYTES = 160;
/** Errors keep a stack; other kinds of object hardly occur. */
const OTHER_BYTES = 64;
const ERROR_BYTES = 1024;

const TWO_BYTES = /[^\u0000-\u00ff]/; // a text of one-byte units fails it without being looked at

export function textBytes(text: string): number {
  const units = text.length;
  if (units <= 1) return 0;
  const bytes = 16 + ((units * (TWO_BYTES.test(text) ? 2 : 1) + 7) & ~7);
  return units > FLAT_UNITS ? bytes + ROPE_BYTES : bytes;
}

/**
 * Whether a value made from the last one is to be measured at its n-th write: 1, 2, 3, 4, 6, 8, 12, 16, … A collection
 * that grows by one item each time is then measured at a constant cost per item, and has grown by half at most since.
 */
export function isMeasureDue(writes: number): boolean {
  const odd = writes >>> (31 - Math.clz32(writes & -writes));
  return odd === 1 || odd === 3;
}

export class HeapSize {
  /** Whether the value measured last has texts that may keep a longer one alive (detached-value.ts). */
  hasLongText = false;
  readonly #isOpen: boolean;
  /** Names of fields seen in values of undeclared type: others are taken to be made from data. */
  readonly #names = new Set<string>();
  readonly #todo: object[] = [];
  readonly #seen = new Set<object>();

  /** Without a type, any value may come. */
  constructor(spec: TypeSpec | null) {
    this.#isOpen = spec === null || isOpen(spec);
  }

  /** Bytes beside the word that refers to the value. */
  of(value: unknown): number {
    this.#begin();
    let bytes = this.#part(value, 0);
    const todo = this.#todo;
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) bytes += this.#object(next);
    if (this.#isOpen) this.#seen.clear();
    return bytes;
  }

  #begin(): void {
    this.hasLongText = false;
    if (this.#todo.length === 0 && this.#seen.size === 0) return;
    this.#todo.length = 0; // a getter of the user's has thrown out of the last call
    this.#seen.clear();
  }

  /** A value inside another one; objects are left for later. */
  #part(value: unknown, integerBytes: number): number {
    switch (typeof value) {
      case "string":
        if (value.length > FLAT_UNITS) this.hasLongText = true;
        return textBytes(value);
      case "number":
        return isInteger(value) ? integerBytes : NUMBER_BYTES;
      case "bigint":
        return bigintBytes(value);
      case "object":
        if (value !== null) this.#later(value);
        return 0;
      case "function":
        this.#later(value);
        return 0;
      default:
        return 0;
    }
  }

  #later(value: object): void {
    if (this.#isOpen) {
      if (this.#seen.has(value)) return;
      this.#seen.add(value);
    }
    this.#todo.push(value);
  }

  #object(value: object): number {
    if (Array.isArray(value)) return this.#array(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype) return this.#fields(value);
    if (value instanceof Map) return this.#map(value);
    if (value instanceof Set) return this.#set(value);
    if (value instanceof Date) return DATE_BYTES;
    if (ArrayBuffer.isView(value)) return this.#view(value);
    if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return BUFFER_BYTES + value.byteLength;
    if (value instanceof Error) return ERROR_BYTES + 2 * value.message.length + this.#fields(value);
    return OTHER_BYTES + this.#fields(value) + (prototype === null ? DICTIONARY_BYTES : 0);
  }

  #fields(value: object): number {
    const names = Object.keys(value);
    if (names.length === 0) return EMPTY_OBJECT_BYTES;
    let bytes = OBJECT_BYTES + FIELD_BYTES * names.length + (this.#isOpen ? this.#namesBytes(names) : 0);
    for (let i = 0; i < names.length; i += 1) {
      bytes += this.#part((value as Record<string, unknown>)[names[i]!], INTEGER_BYTES);
    }
    return bytes;
  }

  #namesBytes(names: readonly string[]): number {
    const knownBytes = names.length > RECORD_FIELDS_MAX ? WIDE_FIELD_BYTES : 0;
    let bytes = 0;
    let isNew = false;
    for (let i = 0; i < names.length; i += 1) {
      const name = names[i]!;
      if (this.#names.has(name)) {
        bytes += knownBytes;
        continue;
      }
      if (this.#names.size < NAMES_MAX) this.#names.add(name);
      isNew = true;
      bytes += NAME_BYTES + textBytes(name);
    }
    return isNew ? bytes + DICTIONARY_BYTES : bytes;
  }

  #array(items: readonly unknown[]): number {
    const { length } = items;
    if (length === 0) return EMPTY_ARRAY_BYTES;
    if (length > DENSE_ITEMS_MAX && this.#isOpen) return this.#longArray(items);
    return this.#items(items);
  }

  /** It may be mostly holes, in which case only what is there is looked at. */
  #longArray(items: readonly unknown[]): number {
    const { length } = items;
    const names = Object.keys(items);
    if (names.length * 2 >= length) return this.#items(items);
    let bytes = ARRAY_BYTES + (length < HOLES_MAX ? 8 * length : 0) + NAME_BYTES * names.length;
    for (const name of names) bytes += this.#part(items[name as unknown as number], 0);
    return bytes;
  }

  #items(items: readonly unknown[]): number {
    const { length } = items;
    let bytes = ARRAY_BYTES + ITEM_BYTES * length;
    let numbers = 0;
    let fractions = 0;
    for (let i = 0; i < length; i += 1) {
      const item = items[i];
      if (typeof item === "number") {
        numbers += 1;
        if (!isInteger(item)) fractions += 1;
      } else {
        bytes += this.#part(item, 0);
      }
    }
    return bytes + fractions * (numbers === length ? FRACTION_ITEM_BYTES : NUMBER_BYTES);
  }

  #map(map: ReadonlyMap<unknown, unknown>): number {
    let bytes = TABLE_BYTES + MAP_ENTRY_BYTES * tableCapacity(map.size);
    for (const [key, value] of map) bytes += this.#part(key, INTEGER_BYTES) + this.#part(value, INTEGER_BYTES);
    return bytes;
  }

  #set(set: ReadonlySet<unknown>): number {
    let bytes = TABLE_BYTES + SET_ENTRY_BYTES * tableCapacity(set.size);
    for (const item of set) bytes += this.#part(item, INTEGER_BYTES);
    return bytes;
  }

  #view(view: ArrayBufferView): number {
    if (view.byteLength <= INLINE_VIEW_BYTES && view.byteOffset === 0) return VIEW_BYTES + view.byteLength;
    // Small buffers of Node are cut from a pool, which they share.
    if (Buffer.isBuffer(view) && view.buffer.byteLength === Buffer.poolSize) return VIEW_BYTES + view.byteLength * 2;
    this.#later(view.buffer);
    return VIEW_BYTES;
  }
}

function isInteger(value: number): boolean {
  return (value | 0) === value;
}

function bigintBytes(value: bigint): number {
  if (BigInt.asIntN(64, value) === value) return 24;
  return 24 + Math.ceil(value.toString(16).length / 2);
}

/** Room for so many entries. */
function tableCapacity(size: number): number {
  return size <= 4 ? 4 : 2 ** (32 - Math.clz32(size - 1));
}

/** Whether a type admits values of undeclared type. */
function isOpen(spec: TypeSpec): boolean {
  switch (spec.kind) {
    case "any":
      return true;
    case "list":
    case "set":
      return isOpen(spec.item);
    case "map":
      return isOpen(spec.key) || isOpen(spec.value);
    case "nullable":
      return isOpen(spec.inner);
    case "struct":
      return spec.fields.some((field) => isOpen(field.type));
    case "union":
      return spec.members.some(isOpen);
    default:
      return false;
  }
}
