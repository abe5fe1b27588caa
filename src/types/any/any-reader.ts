// Reads what `AnyWriter` wrote (format: any-format.ts).
//
//   A4. Damaged bytes give CODEC_CORRUPT or some value: nothing outside the input is read, nothing far beyond its size
//       allocated.

import { types } from "node:util";
import { corrupt, readBigint, readByte, readCount, readF64, readString, readU32, take } from "../bytes/byte-buffer.ts";
import type { ByteReader } from "../bytes/codec.ts";
import { defineField } from "../spec/field-path.ts";
import { DEPTH_MAX, ERRORS, TAG, VIEWS } from "./any-format.ts";
import { KeyCache } from "./key-cache.ts";

export class AnyReader {
  /** Objects in the order in which they began; only kept when the value contains references. */
  #objects: object[] | null;
  #depth: number;
  readonly #keys: KeyCache;

  constructor() {
    this.#keys = new KeyCache();
    this.#objects = null;
    this.#depth = 0;
  }

  read(input: ByteReader): unknown {
    const shared = readByte(input);
    this.#objects = shared === 0 ? null : [];
    this.#depth = 0;
    const value = this.value(input);
    this.#objects = null;
    return value;
  }

  value(input: ByteReader): unknown {
    const tag = readByte(input);
    switch (tag) {
      case TAG.null:
        return null;
      case TAG.undefined:
        return undefined;
      case TAG.false:
        return false;
      case TAG.true:
        return true;
      case TAG.int: {
        const zigzag = readU32(input);
        return (zigzag >>> 1) ^ -(zigzag & 1);
      }
      case TAG.f64:
        return readF64(input);
      case TAG.bigint:
        return readBigint(input);
      case TAG.string:
        return readString(input);
      case TAG.reference:
        return this.#reference(input);
      default:
        return this.#object(tag, input);
    }
  }

  /** Makes an object known to references that come later. */
  begin<T extends object>(object: T): T {
    if (this.#objects !== null) this.#objects.push(object);
    return object;
  }

  /** Takes the place of an object whose content is read before it can be made. */
  reserve(): number {
    return this.#objects === null ? -1 : this.#objects.push(PENDING) - 1;
  }

  fill<T extends object>(index: number, object: T): T {
    if (this.#objects !== null) this.#objects[index] = object;
    return object;
  }

  properties(object: object, input: ByteReader): object {
    const count = readCount(input);
    for (let i = 0; i < count; i++) {
      const key = this.#keys.read(input);
      const value = this.value(input);
      if (key === "__proto__") defineField(object, key, value);
      else (object as Record<string, unknown>)[key] = value;
    }
    return object;
  }

  #reference(input: ByteReader): object {
    const object = this.#objects?.[readU32(input)];
    if (object === undefined || object === PENDING) corrupt("a reference to nothing");
    return object;
  }

  #object(tag: number, input: ByteReader): object {
    if (this.#depth === DEPTH_MAX) corrupt("nested too deep");
    this.#depth++;
    const object = this.#content(tag, input);
    this.#depth--;
    return object;
  }

  #content(tag: number, input: ByteReader): object {
    switch (tag) {
      case TAG.object:
        return this.properties(this.begin({}), input);
      case TAG.nullObject:
        return this.properties(this.begin(Object.create(null) as object), input);
      case TAG.array:
        return readArray(this, input);
      case TAG.sparse:
        return readSparse(this, input);
      case TAG.map:
        return readMap(this, input);
      case TAG.set:
        return readSet(this, input);
      case TAG.error:
        return readError(this, input);
      case TAG.view:
        return readView(this, input);
      default:
        return this.begin(this.#leaf(tag, input));
    }
  }

  /** Objects that hold no other objects. */
  #leaf(tag: number, input: ByteReader): object {
    switch (tag) {
      case TAG.date:
        return new Date(readF64(input));
      case TAG.boxedNumber:
      case TAG.boxedString:
      case TAG.boxedBoolean:
      case TAG.boxedBigint:
        return Object(this.#primitive(input)) as object;
      case TAG.regexp:
        return readRegExp(input);
      case TAG.buffer:
        return Buffer.from(readBytes(input).buffer);
      case TAG.arrayBuffer:
        return readBytes(input).buffer;
      default:
        return corrupt(`unknown tag ${tag}`);
    }
  }

  #primitive(input: ByteReader): unknown {
    const value = this.value(input);
    if (typeof value === "object" || value === undefined) corrupt("a boxed primitive without one");
    return value;
  }
}

const LENGTH_MAX = 2 ** 32 - 1;
const PENDING: object = Object.freeze({});

function readArray(reader: AnyReader, input: ByteReader): unknown[] {
  const length = readCount(input);
  const array = reader.begin([] as unknown[]);
  for (let i = 0; i < length; i++) array.push(reader.value(input));
  return array;
}

function readSparse(reader: AnyReader, input: ByteReader): object {
  const array = reader.begin([] as unknown[]);
  const length = readU32(input);
  array.length = LENGTH_MAX; // Makes the engine keep it as a dictionary, so that a length alone allocates nothing.
  array.length = length;
  return reader.properties(array, input);
}

function readMap(reader: AnyReader, input: ByteReader): Map<unknown, unknown> {
  const size = readCount(input);
  const map = reader.begin(new Map<unknown, unknown>());
  for (let i = 0; i < size; i++) {
    const key = reader.value(input);
    map.set(key, reader.value(input));
  }
  return map;
}

function readSet(reader: AnyReader, input: ByteReader): Set<unknown> {
  const size = readCount(input);
  const set = reader.begin(new Set<unknown>());
  for (let i = 0; i < size; i++) set.add(reader.value(input));
  return set;
}

function readRegExp(input: ByteReader): RegExp {
  const source = readString(input);
  const flags = readString(input);
  const lastIndex = readF64(input);
  try {
    const expression = new RegExp(source, flags);
    expression.lastIndex = lastIndex;
    return expression;
  } catch {
    return corrupt(`not a regular expression: /${source}/${flags}`); // A SyntaxError says no more.
  }
}

function readView(reader: AnyReader, input: ByteReader): object {
  const index = reader.reserve();
  const type = VIEWS[readByte(input)];
  const byteOffset = readU32(input);
  const length = readU32(input);
  const buffer = reader.value(input);
  if (type === undefined || !types.isArrayBuffer(buffer)) corrupt("a view of nothing");
  const size = type.BYTES_PER_ELEMENT ?? 1;
  if (byteOffset % size !== 0 || byteOffset + length * size > buffer.byteLength) corrupt("a view beyond its buffer");
  return reader.fill(index, new type(buffer, byteOffset, length));
}

function readError(reader: AnyReader, input: ByteReader): object {
  const type = ERRORS[readByte(input)];
  if (type === undefined) corrupt("an unknown class of error");
  const error = reader.begin(new Error());
  Object.setPrototypeOf(error, type.prototype);
  for (const key of Object.getOwnPropertyNames(error)) Reflect.deleteProperty(error, key);
  const count = readCount(input);
  for (let i = 0; i < count; i++) {
    const key = readString(input);
    const enumerable = readByte(input) === 1;
    Object.defineProperty(error, key, { value: reader.value(input), enumerable, writable: true, configurable: true });
  }
  return error;
}

/** A copy in an `ArrayBuffer` of its own. */
function readBytes(input: ByteReader): Uint8Array<ArrayBuffer> {
  const size = readU32(input);
  const start = take(input, size);
  return new Uint8Array(input.bytes.subarray(start, start + size));
}
