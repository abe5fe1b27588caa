// Keys: which values can be one, their canonical bytes, and the 32-bit hash that decides where their records and state
// live.
//
// The hash is part of the storage format (it picks the key group), so it is the same in every process, for ever. It is
// a function of the value alone: a number hashes alike whether its field is declared f64, i32, timestamp or any, an
// enum like the string it is. Two inputs of one operator may therefore declare their keys differently and still meet.
//
//   kind          tag  payload                                                       hash
//   null            0  none                                                          murmur3(payload, seed = tag)
//   string, enum    1  UTF-8; a lone surrogate takes the 3 bytes of its code unit     "
//   number          2  f64 little-endian, -0 as 0                                     "
//   boolean         3  one byte, 0 or 1                                               "
//   bigint          4  two's complement little-endian, 8 bytes or the least above     "
//   Date            5  epoch milliseconds as f64 little-endian                        "
//   struct          6  fields by name (UTF-16 order), each: tag, [u32 size], payload  murmur3(field hashes as u32 LE,
//   seed = tag)
//
//   canonical bytes := tag payload            (the u32 size stands in structs before strings and bigints only)
//
//   H1. Canonical bytes are injective per key type: equal bytes, equal keys. -0 and 0 are one key.
//   H2. `compileKeyHash(spec)(key)`, `hashBytes` over the payload and the column forms give the same number.
//   H3. NaN, invalid dates, undefined, null (outside a struct), functions, symbols and objects without a declared
//       struct are no keys, nor is what the declared type does not take: they hash to KEY_DOUBTFUL. A valid key may
//       hash to that number too (one in 2^32), so a caller that sees it asks `keyProblem`, and nobody else pays for
//       the check.

import { assert } from "../../base/errors.ts";
import { ownFieldCode } from "../spec/field-path.ts";
import type { StructSpec, TypeSpec } from "../spec/type-spec.ts";
import { KEY_TAG, keyFields, keyFits, keySpecProblem } from "./key-spec.ts";

/** What every invalid key hashes to, see H3. */
export const KEY_DOUBTFUL = -2147483648;

/** Murmur3's block step. */
export function mixWord(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const h = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

/** Murmur3's last step, after the length in bytes was mixed in. */
export function mixEnd(hash: number, size: number): number {
  let h = hash ^ size;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function mixTail(hash: number, tail: number): number {
  const k = Math.imul(tail, 0xcc9e2d51);
  return hash ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

/** murmur3_x86_32 of `bytes[start, end)`, as a signed integer. */
export function hashBytes(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let h = seed;
  const blocksEnd = start + ((end - start) & ~3);
  let i = start;
  for (; i < blocksEnd; i += 4) {
    h = mixWord(h, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
  }
  let tail = 0;
  for (let shift = 0; i < end; i += 1, shift += 8) tail |= bytes[i]! << shift;
  return mixEnd(mixTail(h, tail), end - start);
}

/** Hash of a string key whose characters are the ASCII bytes `bytes[start, end)`. */
export function hashAscii(bytes: Uint8Array, start: number, end: number): number {
  return hashBytes(bytes, start, end, KEY_TAG.string);
}

/** Hash of a string key. Budget: 8 ns and 1.3 ns per ASCII character, no allocation. */
export function hashString(text: string): number {
  const length = text.length;
  const blocksEnd = length & ~3;
  let h: number = KEY_TAG.string;
  let i = 0;
  for (; i < blocksEnd; i += 4) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    if ((a | b | c | d) > 127) return hashWideString(text);
    h = mixWord(h, a | (b << 8) | (c << 16) | (d << 24));
  }
  let tail = 0;
  for (let shift = 0; i < length; i += 1, shift += 8) {
    const unit = text.charCodeAt(i);
    if (unit > 127) return hashWideString(text);
    tail |= unit << shift;
  }
  return mixEnd(mixTail(h, tail), length);
}

/** The same over the UTF-8 form, one byte after the other. */
function hashWideString(text: string): number {
  let h: number = KEY_TAG.string;
  let word = 0;
  let size = 0;
  for (let i = 0; i < text.length; i += 1) {
    const point = text.codePointAt(i)!;
    if (point > 0xffff) i += 1;
    const count = utf8Size(point);
    for (let n = 0; n < count; n += 1) {
      word |= utf8Byte(point, count, n) << ((size & 3) * 8);
      size += 1;
      if ((size & 3) === 0) {
        h = mixWord(h, word);
        word = 0;
      }
    }
  }
  return mixEnd(mixTail(h, word), size);
}

function utf8Size(point: number): number {
  if (point < 0x80) return 1;
  if (point < 0x800) return 2;
  return point < 0x10000 ? 3 : 4;
}

/** Byte `n` of the `count` bytes of a code point; lone surrogates come out as three bytes. */
function utf8Byte(point: number, count: number, n: number): number {
  if (count === 1) return point;
  if (n > 0) return 0x80 | ((point >> (6 * (count - 1 - n))) & 0x3f);
  return ((0xf00 >> count) & 0xff) | (point >> (6 * (count - 1)));
}

/**
 * Hashes a column of number keys, `words` being an Int32Array over the same memory, and turns -0 into 0 on its way.
 * Returns how many could be hashed: less than `count` when that element is NaN. Budget: 6 ns.
 */
export function hashNumbers(numbers: Float64Array, words: Int32Array, count: number, hashes: Int32Array): number {
  for (let i = 0; i < count; i += 1) {
    const number = numbers[i]!;
    if (Number.isNaN(number)) return i;
    if (number === 0) numbers[i] = 0;
    hashes[i] = mixEnd(mixWord(mixWord(KEY_TAG.number, words[2 * i]!), words[2 * i + 1]!), 8);
  }
  return count;
}

/** Hash of a bigint key: 8 bytes when they hold it, else the least number of bytes. */
function hashBigint(key: bigint): number {
  const low = BigInt.asIntN(64, key);
  if (low === key) {
    const h = mixWord(KEY_TAG.bigint, Number(BigInt.asIntN(32, low)));
    return mixEnd(mixWord(h, Number(low >> 32n)), 8);
  }
  let h: number = KEY_TAG.bigint;
  let word = 0;
  let size = 0;
  for (const sizeEnd = bigintSize(key); size < sizeEnd; size += 1) {
    word |= Number((key >> BigInt(size * 8)) & 0xffn) << ((size & 3) * 8);
    if ((size & 3) === 3) {
      h = mixWord(h, word);
      word = 0;
    }
  }
  return mixEnd(mixTail(h, word), size);
}

/** Bytes of a bigint's payload. */
export function bigintSize(key: bigint): number {
  let size = 8;
  while (BigInt.asIntN(size * 8, key) !== key) size += 1;
  return size;
}

// ---------------------------------------------------------------- by key type

/** Hash of one key of a declared type; KEY_DOUBTFUL when it is, or may be, none (H3). */
export type KeyHash = (key: unknown) => number;

/** Hash of what a nullable field of a struct contributes when it is null. */
const NULL_HASH = mixEnd(KEY_TAG.null, 0);
const FALSE_HASH = mixEnd(mixTail(KEY_TAG.boolean, 0), 1);
const TRUE_HASH = mixEnd(mixTail(KEY_TAG.boolean, 1), 1);

/** `id` keeps the generated functions of different operators apart, each with type feedback of its own. */
export function compileKeyHash(spec: TypeSpec, id: string): KeyHash {
  const problem = keySpecProblem(spec);
  assert(problem === null, `${problem}: the plan checks this`);
  return compile(spec, id);
}

function compile(spec: TypeSpec, id: string): KeyHash {
  switch (spec.kind) {
    case "nullable":
      return compile(spec.inner, id);
    case "struct":
      return compileStruct(spec, id);
    case "string":
      if (spec.form !== undefined) return compileFitting(spec, hashString);
      return (key) => (typeof key === "string" ? hashString(key) : KEY_DOUBTFUL);
    case "enum":
      return compileFitting(spec, hashString);
    case "bool":
      return hashBoolean;
    case "i64":
      return compileFitting(spec, hashBigint);
    case "bigint":
      return (key) => (typeof key === "bigint" ? hashBigint(key) : KEY_DOUBTFUL);
    case "date":
      return compileDate();
    case "any":
      return compileDynamic();
    case "union":
      return compileFitting(spec, compileDynamic());
    case "f64":
      return compileNumber(KEY_TAG.number);
    default:
      return compileFitting(spec, compileNumber(KEY_TAG.number));
  }
}

/** Of a type that does not take all texts, numbers or bigints. */
function compileFitting<T>(spec: TypeSpec, hash: (key: T) => number): KeyHash {
  return (key) => (keyFits(spec, key) ? hash(key as T) : KEY_DOUBTFUL);
}

function hashBoolean(key: unknown): number {
  if (key === true) return TRUE_HASH;
  return key === false ? FALSE_HASH : KEY_DOUBTFUL;
}

function compileNumber(tag: number): KeyHash {
  const number = new Float64Array(1);
  const words = new Int32Array(number.buffer);
  return (key) => {
    if (typeof key !== "number" || Number.isNaN(key)) return KEY_DOUBTFUL;
    number[0] = key + 0; // -0 becomes 0
    return mixEnd(mixWord(mixWord(tag, words[0]!), words[1]!), 8);
  };
}

function compileDate(): KeyHash {
  const hashTime = compileNumber(KEY_TAG.date);
  return (key) => (key instanceof Date ? hashTime(key.getTime()) : KEY_DOUBTFUL);
}

function compileDynamic(): KeyHash {
  const hashNumber = compileNumber(KEY_TAG.number);
  const hashDate = compileDate();
  return (key) => {
    if (typeof key === "string") return hashString(key);
    if (typeof key === "number") return hashNumber(key);
    if (typeof key === "boolean") return hashBoolean(key);
    return typeof key === "bigint" ? hashBigint(key) : hashDate(key);
  };
}

/** A field that hashes to KEY_DOUBTFUL makes its struct do so: rare, and `keyProblem` then looks closely. */
function compileStruct(spec: StructSpec, id: string): KeyHash {
  const fields = keyFields(spec);
  const lines = fields.map((field, i) => {
    const read = `value = ${ownFieldCode("key", field.name)};`;
    const call =
      field.type.kind === "nullable" ? `value === null ? ${NULL_HASH} : field${i}(value)` : `field${i}(value)`;
    return `  ${read} part = ${call};\n  if (part === ${KEY_DOUBTFUL}) return part;\n  h = mixWord(h, part);`;
  });
  const name = `keyHash_${id.replace(/\W/g, "_")}`;
  const text = [
    `return function ${name}(key) {`,
    `  if (typeof key !== "object" || key === null) return ${KEY_DOUBTFUL};`,
    `  let h = ${KEY_TAG.struct}, value, part;`,
    ...lines,
    `  return mixEnd(h, ${fields.length * 4});`,
    "};",
    `//# sourceURL=millrace-generated/${name}.js`,
  ].join("\n");
  const make = new Function("mixWord", "mixEnd", ...fields.map((_, i) => `field${i}`), text);
  return make(mixWord, mixEnd, ...fields.map((field, i) => compile(field.type, `${id}_${i}`))) as KeyHash;
}
