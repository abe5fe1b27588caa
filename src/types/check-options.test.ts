import assert from "node:assert/strict";
import { test } from "node:test";
import { checkOptions, FLAG, NAME, NUMBER, type OptionKind, oneOf, TEXTS, wholeNumberFrom } from "./check-options.ts";

const code = (given: unknown, kind: OptionKind | true = true): string | null => {
  try {
    checkOptions({ of: "it", given, takes: { value: kind } });
    return null;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

test("options are an object of known names; what is undefined counts as absent", () => {
  for (const given of [{}, { value: 1 }, { value: undefined }, Object.create(null)]) assert.equal(code(given), null);
  for (const given of [null, undefined, [], "value", 5]) assert.equal(code(given), "OPTION_INVALID");
  for (const name of ["valeu", "toString", "__proto__x", "constructor"]) {
    assert.equal(code({ [name]: 1 }), "OPTION_UNKNOWN", name);
  }
});

test("each kind of option takes its values, up to the bounds, and no others", () => {
  const kinds: readonly (readonly [OptionKind, taken: readonly unknown[], refused: readonly unknown[]])[] = [
    [FLAG, [true, false], [0, "true", null]],
    [NAME, ["a"], ["", 1, null]],
    [NUMBER, [0, -1.5], [Infinity, Number.NaN, "1", null]],
    [TEXTS, [[], ["a"]], ["a", [1], null]],
    [wholeNumberFrom(1), [1, 2], [0, 1.5, Infinity, "1"]],
    [oneOf("a", "b"), ["a", "b"], ["c", "", null]],
  ];
  for (const [kind, taken, refused] of kinds) {
    for (const value of taken) assert.equal(code({ value }, kind), null, `${kind.takes}: ${String(value)}`);
    for (const value of refused)
      assert.equal(code({ value }, kind), "OPTION_INVALID", `${kind.takes}: ${String(value)}`);
  }
});
