import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteSink, ENCODED_BYTES_MAX } from "./byte-buffer.ts";
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
