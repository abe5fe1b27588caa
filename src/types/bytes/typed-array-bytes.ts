// Typed arrays as bytes: elements and class survive, the buffer behind them becomes the array's own.
//
//   bytes  = byte buffer (1: a Node Buffer), u32 elements, the elements in the byte order of the machine
//          (little-endian)

import { types } from "node:util";
import type { TypedArrayName } from "../spec/type-spec.ts";
import { corrupt, readByte, readU32, take, writeByte, writeU32 } from "./byte-buffer.ts";
import type { ByteReader, ByteWriter } from "./codec.ts";

type TypedArray = ArrayBufferView & { readonly length: number };
type TypedArrayClass = {
  readonly prototype: TypedArray;
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): TypedArray;
};

export const TYPED_ARRAY: Readonly<Record<TypedArrayName, TypedArrayClass>> = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
};

/** A typed array of that class, or a Buffer for `Uint8Array`. */
export function isTypedArrayOf(name: TypedArrayName, value: unknown): value is TypedArray {
  if (!types.isTypedArray(value) || value[Symbol.toStringTag] !== name) return false;
  if (types.isArrayBuffer(value.buffer) && value.buffer.detached) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === TYPED_ARRAY[name].prototype || prototype === Buffer.prototype;
}

export function writeTypedArray(name: TypedArrayName, value: unknown, out: ByteWriter): boolean {
  if (!isTypedArrayOf(name, value)) return false;
  writeByte(out, Object.getPrototypeOf(value) === Buffer.prototype ? 1 : 0);
  writeU32(out, value.length);
  out.reserve(value.byteLength);
  out.bytes.set(new Uint8Array(value.buffer, value.byteOffset, value.byteLength), out.position);
  out.position += value.byteLength;
  return true;
}

export function readTypedArray(name: TypedArrayName, input: ByteReader): TypedArray {
  const type = TYPED_ARRAY[name];
  const buffer = readByte(input) === 1;
  const size = readU32(input) * type.BYTES_PER_ELEMENT;
  const start = take(input, size);
  const copy = new Uint8Array(input.bytes.subarray(start, start + size)).buffer;
  if (!buffer) return new type(copy);
  return name === "Uint8Array" ? Buffer.from(copy) : corrupt("a Buffer of another class");
}
