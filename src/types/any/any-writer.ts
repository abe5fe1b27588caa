// Writes any value that structured clone carries (format: any-format.ts).
//
//   A1. `write` is all or nothing: on false the sink stands where it stood, and `failure` says which part did not fit.
//   A2. Identity within one value is kept: an object reached twice is written once, cycles included.
//   A3. Nothing is dropped silently; the exceptions are listed in any-format.ts.

import { types } from "node:util";
import { writeBigint, writeByte, writeF64, writeString, writeU32 } from "../bytes/byte-buffer.ts";
import type { ByteWriter } from "../bytes/codec.ts";
import { describe } from "../spec/describe.ts";
import { DEPTH_MAX, ERRORS, TAG, VIEWS } from "./any-format.ts";

/** Where and why a value cannot be carried. */
export type AnyFailure = { path: string; readonly actual: string };

type Write = (writer: AnyWriter, value: never, out: ByteWriter) => boolean;

/** Up to this many objects a scan of the list beats a `Map`. */
const SCAN_MAX = 12;

export class AnyWriter {
  failure: AnyFailure | null;
  #objects: object[];
  #indexOf: Map<object, number>;
  #shared: boolean;
  #depth: number;

  constructor() {
    this.failure = null;
    this.#objects = [];
    this.#indexOf = new Map();
    this.#shared = false;
    this.#depth = 0;
  }

  write(value: unknown, out: ByteWriter): boolean {
    const start = out.position;
    this.failure = null;
    this.#shared = false;
    this.#depth = 0;
    this.#forget(); // A getter of the user's may have thrown out of the last call.
    writeByte(out, 0);
    const fits = this.value(value, out);
    this.#forget();
    if (!fits) out.position = start;
    else if (this.#shared) out.bytes[start] = 1;
    return fits;
  }

  /** One value inside the value being written. */
  value(value: unknown, out: ByteWriter): boolean {
    switch (typeof value) {
      case "string":
        writeByte(out, TAG.string);
        writeString(out, value);
        return true;
      case "number":
        writeNumber(value, out);
        return true;
      case "boolean":
        writeByte(out, value ? TAG.true : TAG.false);
        return true;
      case "undefined":
        writeByte(out, TAG.undefined);
        return true;
      case "bigint":
        writeByte(out, TAG.bigint);
        writeBigint(out, value);
        return true;
      case "object":
        if (value !== null) return this.#object(value, out);
        writeByte(out, TAG.null);
        return true;
      default:
        return this.refuse(describe(value));
    }
  }

  refuse(actual: string): false {
    this.failure = { path: "", actual };
    return false;
  }

  /** A part did not fit: notes where it lies, on the way up. */
  within(key: string): false {
    if (this.failure !== null) this.failure.path = key + this.failure.path;
    return false;
  }

  properties(value: object, keys: readonly string[], out: ByteWriter): boolean {
    writeU32(out, keys.length);
    for (const key of keys) {
      writeString(out, key);
      if (!this.value((value as Record<string, unknown>)[key], out)) return this.within(`.${key}`);
    }
    return true;
  }

  #object(value: object, out: ByteWriter): boolean {
    const index = this.#find(value);
    if (index >= 0) {
      this.#shared = true;
      writeByte(out, TAG.reference);
      writeU32(out, index);
      return true;
    }
    if (this.#depth === DEPTH_MAX) return this.refuse(`a value nested more than ${DEPTH_MAX} levels deep`);
    if (types.isProxy(value)) return this.refuse("a Proxy");
    this.#remember(value);
    this.#depth++;
    const fits = this.#known(value, out);
    this.#depth--;
    return fits;
  }

  #known(value: object, out: ByteWriter): boolean {
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype) return writePlain(this, value, TAG.object, out);
    if (prototype === Array.prototype) return writeArray(this, value as unknown[], out);
    if (prototype === null) return writePlain(this, value, TAG.nullObject, out);
    const write = BUILT_IN.get(prototype);
    if (write === undefined) return this.refuse(describe(value));
    return write(this, value as never, out);
  }

  #find(value: object): number {
    const objects = this.#objects;
    if (objects.length > SCAN_MAX) return this.#indexOf.get(value) ?? -1;
    for (let i = 0; i < objects.length; i++) if (objects[i] === value) return i;
    return -1;
  }

  #remember(value: object): void {
    const objects = this.#objects;
    objects.push(value);
    if (objects.length <= SCAN_MAX) return;
    const first = objects.length === SCAN_MAX + 1 ? 0 : objects.length - 1;
    for (let i = first; i < objects.length; i++) this.#indexOf.set(objects[i]!, i);
  }

  #forget(): void {
    if (this.#objects.length === 0) return;
    if (this.#objects.length > SCAN_MAX) this.#indexOf.clear();
    this.#objects.length = 0;
  }
}

function writeNumber(value: number, out: ByteWriter): void {
  const int = value | 0;
  if (int === value && (int !== 0 || 1 / value > 0)) {
    writeByte(out, TAG.int);
    writeU32(out, ((int << 1) ^ (int >> 31)) >>> 0);
    return;
  }
  writeByte(out, TAG.f64);
  writeF64(out, value);
}

function writePlain(writer: AnyWriter, value: object, tag: number, out: ByteWriter): boolean {
  if (Object.getOwnPropertySymbols(value).length > 0) return writer.refuse("an object with a symbol as a key");
  writeByte(out, tag);
  return writer.properties(value, Object.keys(value), out);
}

function writeArray(writer: AnyWriter, array: unknown[], out: ByteWriter): boolean {
  const length = array.length;
  const keys = Object.keys(array); // The only way to see holes and keys beside the elements; 8 ns for each element.
  // A hole and an extra key can cancel out in the count; the last key tells.
  if (keys.length !== length || (length > 0 && keys[length - 1] !== String(length - 1))) {
    writeByte(out, TAG.sparse);
    writeU32(out, length);
    return writer.properties(array, keys, out);
  }
  writeByte(out, TAG.array);
  writeU32(out, length);
  for (let i = 0; i < length; i++) if (!writer.value(array[i], out)) return writer.within(`[${i}]`);
  return true;
}

function writeDate(writer: AnyWriter, value: Date, out: ByteWriter): boolean {
  if (!types.isDate(value)) return writer.refuse(describe(value));
  if (hasKeys(value)) return writer.refuse("a Date with properties of its own");
  writeByte(out, TAG.date);
  writeF64(out, value.getTime());
  return true;
}

function writeRegExp(writer: AnyWriter, value: RegExp, out: ByteWriter): boolean {
  if (!types.isRegExp(value)) return writer.refuse(describe(value));
  if (hasKeys(value)) return writer.refuse("a RegExp with properties of its own");
  if (typeof value.lastIndex !== "number") return writer.refuse("a RegExp whose lastIndex is not a number");
  writeByte(out, TAG.regexp);
  writeString(out, value.source);
  writeString(out, value.flags);
  writeF64(out, value.lastIndex);
  return true;
}

function writeMap(writer: AnyWriter, value: Map<unknown, unknown>, out: ByteWriter): boolean {
  if (!types.isMap(value)) return writer.refuse(describe(value));
  if (hasKeys(value)) return writer.refuse("a Map with properties of its own");
  writeByte(out, TAG.map);
  writeU32(out, value.size);
  let index = 0;
  for (const [key, item] of value) {
    if (!writer.value(key, out)) return writer.within(`{${index}}.key`);
    if (!writer.value(item, out)) return writer.within(`{${index}}.value`);
    index++;
  }
  return true;
}

function writeSet(writer: AnyWriter, value: Set<unknown>, out: ByteWriter): boolean {
  if (!types.isSet(value)) return writer.refuse(describe(value));
  if (hasKeys(value)) return writer.refuse("a Set with properties of its own");
  writeByte(out, TAG.set);
  writeU32(out, value.size);
  let index = 0;
  for (const item of value) {
    if (!writer.value(item, out)) return writer.within(`{${index}}`);
    index++;
  }
  return true;
}

function writeBuffer(writer: AnyWriter, value: Buffer, out: ByteWriter): boolean {
  if (!types.isUint8Array(value)) return writer.refuse(describe(value));
  writeByte(out, TAG.buffer);
  writeBytes(value, out);
  return true;
}

function writeArrayBuffer(writer: AnyWriter, value: ArrayBuffer, out: ByteWriter): boolean {
  if (!types.isArrayBuffer(value)) return writer.refuse(describe(value));
  if (hasKeys(value)) return writer.refuse("an ArrayBuffer with properties of its own");
  if (value.resizable) return writer.refuse("a resizable ArrayBuffer");
  if (value.detached) return writer.refuse("a detached ArrayBuffer");
  writeByte(out, TAG.arrayBuffer);
  writeBytes(new Uint8Array(value), out);
  return true;
}

function writeView(writer: AnyWriter, value: ArrayBufferView, out: ByteWriter): boolean {
  if (!ArrayBuffer.isView(value)) return writer.refuse(describe(value));
  if (!types.isArrayBuffer(value.buffer)) return writer.refuse("a view of shared memory");
  writeByte(out, TAG.view);
  writeByte(out, viewIndex(value));
  writeU32(out, value.byteOffset);
  writeU32(out, types.isTypedArray(value) ? value.length : value.byteLength);
  return writer.value(value.buffer, out) || writer.within(".buffer");
}

function writeError(writer: AnyWriter, value: Error, out: ByteWriter): boolean {
  if (!types.isNativeError(value)) return writer.refuse(describe(value));
  const keys = Reflect.ownKeys(value);
  const prototype = Object.getPrototypeOf(value);
  writeByte(out, TAG.error);
  writeByte(
    out,
    ERRORS.findIndex((type) => type.prototype === prototype),
  );
  writeU32(out, keys.length);
  for (const key of keys) {
    if (typeof key !== "string") return writer.refuse("an Error with a symbol as a key");
    writeString(out, key);
    writeByte(out, Object.prototype.propertyIsEnumerable.call(value, key) ? 1 : 0);
    if (!writer.value(value[key as keyof Error], out)) return writer.within(`.${key}`);
  }
  return true;
}

function writeBoxed(writer: AnyWriter, value: object, out: ByteWriter): boolean {
  if (!types.isBoxedPrimitive(value)) return writer.refuse(describe(value));
  const inner: unknown = value.valueOf();
  if (Object.keys(value).length !== (typeof inner === "string" ? inner.length : 0)) {
    return writer.refuse(`a ${typeof inner} object with properties of its own`);
  }
  writeByte(out, boxedTag(inner));
  return writer.value(inner, out);
}

function boxedTag(inner: unknown): number {
  if (typeof inner === "string") return TAG.boxedString;
  if (typeof inner === "boolean") return TAG.boxedBoolean;
  return typeof inner === "bigint" ? TAG.boxedBigint : TAG.boxedNumber;
}

function writeBytes(bytes: Uint8Array, out: ByteWriter): void {
  writeU32(out, bytes.length);
  out.reserve(bytes.length);
  out.bytes.set(bytes, out.position);
  out.position += bytes.length;
}

function hasKeys(value: object): boolean {
  return Object.keys(value).length > 0;
}

function viewIndex(value: ArrayBufferView): number {
  const prototype = Object.getPrototypeOf(value);
  return VIEWS.findIndex((type) => type.prototype === prototype);
}

const BUILT_IN: ReadonlyMap<object, Write> = new Map<object, Write>([
  [Date.prototype, writeDate],
  [RegExp.prototype, writeRegExp],
  [Map.prototype, writeMap],
  [Set.prototype, writeSet],
  [Buffer.prototype, writeBuffer],
  [ArrayBuffer.prototype, writeArrayBuffer],
  ...VIEWS.map((type): [object, Write] => [type.prototype, writeView]),
  ...ERRORS.map((type): [object, Write] => [type.prototype, writeError]),
  [Number.prototype, writeBoxed],
  [String.prototype, writeBoxed],
  [Boolean.prototype, writeBoxed],
  [BigInt.prototype, writeBoxed],
]);
