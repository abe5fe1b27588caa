// Byte sinks and cursors for value codecs, and the primitives of the byte format.
//
//   u32      LEB128, at most 5 bytes
//   f64 …    little-endian, no alignment
//   string   u32 (units << 1 | wide), then one byte per UTF-16 unit (all units <= 0xFF) or two (wide), little-endian
//   bigint   u32 (bytes << 1 | negative), then the magnitude, little-endian
//
//   V1. A reader never touches a byte at or after `end`: every read checks first and throws CODEC_CORRUPT.
//   V2. What is allocated is bounded by the bytes that are left, so corrupt lengths cannot exhaust memory.

import { InternalError, UserError } from "../../base/errors.ts";
import { memorySizeText } from "../../base/memory-size.ts";
import type { ByteReader, ByteWriter } from "./codec.ts";

/** Positions in what was encoded have 31 bits, in columns and rows. */
export const ENCODED_BYTES_MAX = 2 ** 31 - 1;

/** A growable sink. Throws VALUE_TOO_LARGE beyond ENCODED_BYTES_MAX. One owner reuses it: set `position` back to 0. */
export class ByteSink implements ByteWriter {
  bytes: Buffer;
  position: number;

  constructor(capacity = 256) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
    this.position = 0;
  }

  reserve(count: number): void {
    const needed = this.position + count;
    if (needed > this.bytes.length) this.#grow(needed);
  }

  /** A copy of what was written. */
  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.position));
  }

  #grow(needed: number): void {
    if (needed > ENCODED_BYTES_MAX) throw valueTooLarge(needed);
    const grown = Buffer.allocUnsafeSlow(Math.min(Math.max(needed, this.bytes.length * 2), ENCODED_BYTES_MAX));
    this.bytes.copy(grown, 0, 0, this.position);
    this.bytes = grown;
  }
}

export function valueTooLarge(bytes: number): UserError {
  const size = `${memorySizeText(bytes)} or more`;
  return new UserError("VALUE_TOO_LARGE", `a value takes ${size} when it is encoded, 2 GiB is the most`, {
    fix: "split it: into several records, or into the entries of a list or a map",
  });
}

/** A cursor over `bytes[position, end)`. Its owner may point it elsewhere. */
export class ByteCursor implements ByteReader {
  bytes: Buffer;
  position: number;
  end: number;

  constructor(bytes: Buffer, position = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }
}

export function corrupt(what: string): never {
  throw new InternalError("CODEC_CORRUPT", `encoded data is corrupt: ${what}`, {
    fix: "The bytes were damaged or written by another version; restore from an older snapshot and report this with the file.",
  });
}

/** Claims the next `count` bytes and returns where they start (V1). */
export function take(input: ByteReader, count: number): number {
  const position = input.position;
  if (count > input.end - position) corrupt(`${count} bytes expected at ${position}, ${input.end - position} left`);
  input.position = position + count;
  return position;
}

export function writeByte(out: ByteWriter, value: number): void {
  out.reserve(1);
  out.bytes[out.position++] = value;
}

export function readByte(input: ByteReader): number {
  const position = input.position;
  if (position >= input.end) corrupt(`a byte expected at ${position}, none left`);
  input.position = position + 1;
  return input.bytes[position]!;
}

export function writeU32(out: ByteWriter, value: number): void {
  out.reserve(5);
  const bytes = out.bytes;
  let position = out.position;
  let rest = value;
  while (rest > 0x7f) {
    bytes[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[position] = rest;
  out.position = position + 1;
}

export function readU32(input: ByteReader): number {
  const first = readByte(input);
  if (first < 0x80) return first;
  let value = first & 0x7f;
  for (let shift = 7; shift < 35; shift += 7) {
    const byte = readByte(input);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value >>> 0;
  }
  return corrupt("a number of more than 5 bytes");
}

/** A count of items that take at least one byte each (V2). */
export function readCount(input: ByteReader): number {
  const count = readU32(input);
  if (count > input.end - input.position) corrupt(`${count} items announced, ${input.end - input.position} bytes left`);
  return count;
}

export function writeF64(out: ByteWriter, value: number): void {
  out.reserve(8);
  out.position = out.bytes.writeDoubleLE(value, out.position);
}

export function readF64(input: ByteReader): number {
  return input.bytes.readDoubleLE(take(input, 8));
}

export function writeF32(out: ByteWriter, value: number): void {
  out.reserve(4);
  out.position = out.bytes.writeFloatLE(value, out.position);
}

export function readF32(input: ByteReader): number {
  return input.bytes.readFloatLE(take(input, 4));
}

export function writeI32(out: ByteWriter, value: number): void {
  out.reserve(4);
  out.position = out.bytes.writeInt32LE(value, out.position);
}

export function readI32(input: ByteReader): number {
  return input.bytes.readInt32LE(take(input, 4));
}

export function writeI64(out: ByteWriter, value: bigint): void {
  out.reserve(8);
  out.position = out.bytes.writeBigInt64LE(value, out.position);
}

export function readI64(input: ByteReader): bigint {
  return input.bytes.readBigInt64LE(take(input, 8));
}

export function writeBigint(out: ByteWriter, value: bigint): void {
  const negative = value < 0n;
  const digits = (negative ? -value : value).toString(16);
  const hex = digits.length % 2 === 0 ? digits : `0${digits}`;
  const size = value === 0n ? 0 : hex.length / 2;
  writeU32(out, size * 2 + (negative ? 1 : 0));
  out.reserve(size);
  if (size > 0) out.bytes.write(hex, out.position, size, "hex");
  out.bytes.subarray(out.position, out.position + size).reverse();
  out.position += size;
}

export function readBigint(input: ByteReader): bigint {
  const header = readU32(input);
  const size = header >>> 1;
  if (size === 0) return 0n;
  const start = take(input, size);
  const magnitude = BigInt(
    `0x${Buffer.from(input.bytes.subarray(start, start + size))
      .reverse()
      .toString("hex")}`,
  );
  return (header & 1) === 1 ? -magnitude : magnitude;
}

/** Matches text that does not fit one byte per UTF-16 unit. */
export const WIDE_TEXT = /[^\u0000-\u00ff]/;
/** Below this many units a loop beats the native call. */
const SHORT_UNITS = 16;

export function writeString(out: ByteWriter, value: string): void {
  const units = value.length;
  if (units < SHORT_UNITS && writeShortString(out, value)) return;
  // Ascii text takes exactly `units` bytes as UTF-8; 4 bytes more than that tell it from text that was cut off.
  out.reserve(units + 9);
  const start = out.position;
  writeU32(out, units * 2);
  if (out.bytes.write(value, out.position, units + 4, "utf8") === units) {
    out.position += units;
    return;
  }
  out.position = start;
  writeOtherString(out, value);
}

function writeShortString(out: ByteWriter, value: string): boolean {
  const units = value.length;
  out.reserve(units + 1);
  const bytes = out.bytes;
  const start = out.position;
  let seen = 0;
  for (let i = 0; i < units; i++) {
    const unit = value.charCodeAt(i);
    seen |= unit;
    bytes[start + 1 + i] = unit;
  }
  if (seen > 0xff) return false;
  bytes[start] = units * 2;
  out.position = start + 1 + units;
  return true;
}

function writeOtherString(out: ByteWriter, value: string): void {
  const units = value.length;
  const wide = WIDE_TEXT.test(value);
  writeU32(out, units * 2 + (wide ? 1 : 0));
  out.reserve(units * 2);
  out.position += out.bytes.write(value, out.position, wide ? "utf16le" : "latin1");
}

export function readString(input: ByteReader): string {
  const header = readU32(input);
  const units = header >>> 1;
  if ((header & 1) === 0) {
    const start = take(input, units);
    return input.bytes.toString("latin1", start, start + units);
  }
  const start = take(input, units * 2);
  return input.bytes.toString("utf16le", start, start + units * 2);
}
