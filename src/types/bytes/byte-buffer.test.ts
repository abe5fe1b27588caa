import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ByteCursor,
  ByteSink,
  ENCODED_BYTES_MAX,
  readBigint,
  readByte,
  readString,
  readU32,
  writeBigint,
  writeByte,
  writeString,
  writeU32,
} from "./byte-buffer.ts";
import type { ByteReader, ByteWriter } from "./codec.ts";
import { writeTypedArray } from "./typed-array-bytes.ts";

test("what positions of 31 bits do not reach is refused, with the way out, before any room is made for it", () => {
  const sink = new ByteSink(16);
  sink.position = 8;
  assert.throws(() => sink.reserve(ENCODED_BYTES_MAX - 7), {
    code: "VALUE_TOO_LARGE",
    message: /2 GiB or more .* 2 GiB is the most/,
    fix: /entries of a list or a map/,
  });
  assert.equal(sink.bytes.length, 16);
});

test("a typed array of more elements than a length has bits is refused", () => {
  const huge = new Uint8Array(2 ** 32 + 3); // Not written to, so not committed.
  assert.throws(() => writeTypedArray("Uint8Array", huge, new ByteSink()), { code: "VALUE_TOO_LARGE" });
});

/** Written one after the other into a sink that has to grow for each, and read again to its last byte. */
function assertReadsBack<V>(
  values: readonly V[],
  write: (out: ByteWriter, value: V) => void,
  read: (input: ByteReader) => V,
): void {
  const sink = new ByteSink(1);
  for (const value of values) write(sink, value);
  const input = new ByteCursor(sink.copy());
  for (const value of values) assert.equal(read(input), value);
  assert.equal(input.position, input.end);
}

test("numbers of one to five bytes read back as they were written", () => {
  assertReadsBack([0, 127, 128, 16_383, 16_384, 2 ** 21, 2 ** 28, 2 ** 31, 2 ** 32 - 1], writeU32, readU32);
});

test("big integers of any size and sign read back", () => {
  const sizes = [0n, 1n, 127n, 255n, 256n, 2n ** 64n, 3n ** 200n];
  assertReadsBack([...sizes, ...sizes.map((value) => -value)], writeBigint, readBigint);
});

test("text of any length and width reads back, whatever room there was for it", () => {
  const lengths = [0, 1, 15, 16, 17, 500];
  const units = ["a", "é", "日", "\ud83c"];
  const texts = units.flatMap((unit) => lengths.map((length) => unit.repeat(length)));
  const mixed = texts.flatMap((text) => [`日${text}`, `${text}日`, `é${text}`, `${text}é`]);
  assertReadsBack([...texts, ...mixed], writeString, readString);
  for (const text of [...texts, ...mixed]) assertReadsBack([text], writeString, readString);
});

test("nothing is read behind the end, though there are bytes", () => {
  const sink = new ByteSink();
  writeByte(sink, 1);
  writeByte(sink, 2);
  const input = new ByteCursor(sink.bytes, 0, 1);
  assert.equal(readByte(input), 1);
  assert.throws(() => readByte(input), { code: "CODEC_CORRUPT" });
  assert.equal(input.position, 1);
});
