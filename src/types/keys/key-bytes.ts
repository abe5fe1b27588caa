// Canonical bytes of keys, as types/keys/key-hash.ts defines them: what tables compare, maps index by, and snapshots
// store.

import { assert } from "../../base/errors.ts";
import type { ByteReader, ByteWriter } from "../bytes/codec.ts";
import { ownField } from "../spec/field-path.ts";
import type { StructField, TypeSpec } from "../spec/type-spec.ts";
import { bigintSize } from "./key-hash.ts";
import { KEY_TAG, keyFields, keyTag } from "./key-spec.ts";

/** Writes and reads the canonical bytes of keys of one type. Keys must have passed `keyProblem`. */
export interface KeyCodec {
  readonly spec: TypeSpec;
  /** Appends the canonical bytes. */
  write(key: unknown, out: ByteWriter): void;
  /** Reads the key whose canonical bytes are `[input.position, input.end)`. */
  read(input: ByteReader): unknown;
}

export function keyCodec(spec: TypeSpec): KeyCodec {
  const type = spec.kind === "nullable" ? spec.inner : spec;
  if (type.kind !== "struct")
    return { spec, write: (key, out) => writeScalar(key, out, false), read: (input) => readScalar(input, false) };
  const fields = compileFields(keyFields(type));
  return {
    spec,
    write: (key, out) => writeStruct(fields, key, out),
    read: (input) => readStruct(fields, input),
  };
}

type KeyField = { readonly name: string; readonly fields: readonly KeyField[] | null };

function compileFields(fields: readonly StructField[]): readonly KeyField[] {
  return fields.map(({ name, type }) => {
    const inner = type.kind === "nullable" ? type.inner : type;
    return { name, fields: inner.kind === "struct" ? compileFields(keyFields(inner)) : null };
  });
}

function writeStruct(fields: readonly KeyField[], key: unknown, out: ByteWriter): void {
  out.reserve(1);
  out.bytes[out.position++] = KEY_TAG.struct;
  for (const field of fields) {
    const value = ownField(key, field.name);
    if (field.fields !== null && value !== null) writeStruct(field.fields, value, out);
    else writeScalar(value, out, true);
  }
}

function readStruct(fields: readonly KeyField[], input: ByteReader): unknown {
  input.position += 1;
  const key: Record<string, unknown> = {};
  for (const field of fields) {
    const isStruct = field.fields !== null && input.bytes[input.position] === KEY_TAG.struct;
    const value = isStruct ? readStruct(field.fields, input) : readScalar(input, true);
    // A field may be called "__proto__".
    Object.defineProperty(key, field.name, { value, enumerable: true, writable: true, configurable: true });
  }
  return key;
}

function writeScalar(key: unknown, out: ByteWriter, sized: boolean): void {
  const tag = keyTag(key);
  out.reserve(13);
  out.bytes[out.position++] = tag;
  switch (tag) {
    case KEY_TAG.null:
      return;
    case KEY_TAG.string:
    case KEY_TAG.bigint: {
      const start = out.position + (sized ? 4 : 0);
      out.position = start;
      if (typeof key === "string") writeText(key, out);
      else writeBigint(key as bigint, out);
      if (sized) out.bytes.writeUInt32LE(out.position - start, start - 4);
      return;
    }
    case KEY_TAG.boolean:
      out.bytes[out.position++] = key === true ? 1 : 0;
      return;
    default:
      assert(tag === KEY_TAG.number || tag === KEY_TAG.date, `no key: tag ${tag}`);
      out.position = out.bytes.writeDoubleLE(Number(key) + 0, out.position); // -0 becomes 0
  }
}

function readScalar(input: ByteReader, sized: boolean): unknown {
  const tag = input.bytes[input.position++];
  switch (tag) {
    case KEY_TAG.null:
      return null;
    case KEY_TAG.string:
      return readText(input, sized ? readSize(input) : input.end - input.position);
    case KEY_TAG.bigint:
      return readBigint(input, sized ? readSize(input) : input.end - input.position);
    case KEY_TAG.boolean:
      return input.bytes[input.position++] === 1;
    default: {
      assert(tag === KEY_TAG.number || tag === KEY_TAG.date, `no key: tag ${tag}`);
      const number = input.bytes.readDoubleLE(input.position);
      input.position += 8;
      return tag === KEY_TAG.number ? number : new Date(number);
    }
  }
}

function readSize(input: ByteReader): number {
  input.position += 4;
  return input.bytes.readUInt32LE(input.position - 4);
}

function writeBigint(key: bigint, out: ByteWriter): void {
  const size = bigintSize(key);
  out.reserve(size);
  for (let i = 0, rest = key; i < size; i += 1, rest >>= 8n) out.bytes[out.position++] = Number(rest & 0xffn);
}

function readBigint(input: ByteReader, size: number): bigint {
  let key = 0n;
  for (let i = input.position + size - 1; i >= input.position; i -= 1) key = (key << 8n) | BigInt(input.bytes[i]!);
  input.position += size;
  return BigInt.asIntN(size * 8, key);
}

/** Short ASCII text is copied by hand: a call into the runtime costs as much as 40 characters. */
const TEXT_BY_HAND_MAX = 40;

function writeText(text: string, out: ByteWriter): void {
  out.reserve(text.length * 3);
  const { bytes, position } = out;
  if (text.length <= TEXT_BY_HAND_MAX) {
    let all = 0;
    for (let i = 0; i < text.length; i += 1) {
      const unit = text.charCodeAt(i);
      bytes[position + i] = unit;
      all |= unit;
    }
    if (all <= 127) {
      out.position = position + text.length;
      return;
    }
  }
  out.position = text.isWellFormed()
    ? position + bytes.write(text, position, "utf8")
    : writeUnits(text, bytes, position);
}

/** UTF-8 in which a lone surrogate takes the three bytes of its code unit. */
function writeUnits(text: string, bytes: Buffer, start: number): number {
  let position = start;
  for (const part of text) {
    const point = part.codePointAt(0)!;
    if (point >= 0xd800 && point <= 0xdfff) {
      bytes[position++] = 0xe0 | (point >> 12);
      bytes[position++] = 0x80 | ((point >> 6) & 0x3f);
      bytes[position++] = 0x80 | (point & 0x3f);
    } else {
      position += bytes.write(part, position, "utf8");
    }
  }
  return position;
}

function readText(input: ByteReader, size: number): string {
  const { bytes, position } = input;
  const end = position + size;
  input.position = end;
  for (let i = position; i < end; i += 1) {
    if (bytes[i]! > 127) return readWideText(bytes, position, end);
  }
  return bytes.toString("latin1", position, end);
}

/** A surrogate's three bytes start with 0xED and go on with 0xA0 or more; plain UTF-8 never has them. */
function readWideText(bytes: Buffer, start: number, end: number): string {
  let text = "";
  let plainStart = start;
  for (let i = start; i < end; i += 1) {
    if (bytes[i] !== 0xed || bytes[i + 1]! < 0xa0) continue;
    text += bytes.toString("utf8", plainStart, i);
    text += String.fromCharCode(0xd000 | ((bytes[i + 1]! & 0x3f) << 6) | (bytes[i + 2]! & 0x3f));
    i += 2;
    plainStart = i + 1;
  }
  return text + bytes.toString("utf8", plainStart, end);
}
