import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cutText, padTextEnd, padTextStart, textWidth } from "./text-width.ts";

test("letters of East Asia and pictures take two columns, combining signs none, all others one", () => {
  const widths = {
    "": 0,
    abc: 3,
    åéñ: 3,
    日本語: 6,
    한국: 4,
    ＡＢ: 4,
    ｱ: 1,
    "🙂": 2,
    "👩‍👩‍👧": 2,
    "🇸🇪": 2,
    "❤️": 2,
    é: 1,
    "→…│": 3,
  };
  assert.deepEqual(Object.fromEntries(Object.keys(widths).map((text) => [text, textWidth(text)])), widths);
  assert.equal(textWidth("e\u0301"), 1);
  assert.equal(textWidth("\u200b"), 0);
});

test("text is padded and cut to columns, not to units", () => {
  assert.equal(padTextEnd("日本", 6), "日本  ");
  assert.equal(padTextStart("日本", 6), "  日本");
  assert.equal(padTextEnd("日本", 3), "日本");
  assert.equal(cutText("日本語", 5), "日本…");
  assert.equal(cutText("日本語", 4), "日…");
  assert.equal(cutText("日本語", 6), "日本語");
  assert.equal(cutText("abc", 2), "a…");
});

test("whatever is padded is as wide as asked, and whatever is cut no wider", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(40), (text, extra) => {
      assert.equal(textWidth(padTextEnd(text, textWidth(text) + extra)), textWidth(text) + extra);
      assert.ok(textWidth(cutText(text, extra + 1)) <= extra + 1);
    }),
  );
});
