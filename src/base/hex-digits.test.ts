import assert from "node:assert/strict";
import { test } from "node:test";
import { hexDigits } from "./hex-digits.ts";

test("digits are as many as asked for, and each of the sixteen is drawn as often", () => {
  let drawn = 0;
  const random = { next: () => (drawn++ % 16) / 16 };
  assert.equal(hexDigits(random, 18), "0123456789abcdef01");
  assert.equal(drawn, 18);
  assert.equal(hexDigits({ next: () => 1 - Number.EPSILON / 2 }, 2), "ff");
  assert.equal(hexDigits(random, 0), "");
});
