import assert from "node:assert/strict";
import { test } from "node:test";
import { ENCODED_BYTES_MAX } from "../../types/bytes/byte-buffer.ts";
import { KeyBatch } from "./key-batch.ts";

test("keys of a batch that positions of 31 bits do not reach are refused before any room is made for them", () => {
  const batch = new KeyBatch(1);
  const { bytes } = batch;
  assert.throws(() => batch.reserve(ENCODED_BYTES_MAX), { code: "VALUE_TOO_LARGE" });
  assert.equal(batch.bytes, bytes);
});
