import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { keyPlace } from "./key-place.ts";

describe("the place of a key in a configuration file", () => {
  const cases: readonly [what: string, text: string, key: string, place: [line: number, column: number] | null][] = [
    ["dotted, in JSON", '{\n  "a.b": 1,\n  "a.c": 2\n}', "a.c", [3, 3]],
    ["nested, in JSON", '{\n "x": { "b": 1 },\n "a": {\n  "b": 2\n } }', "a.b", [4, 3]],
    ["partly nested", '{ "a.b": 1,\n "a": { "b.c": 2 } }', "a.b.c", [2, 9]],
    ["in single quotes", "export default {\n  'a.b': 1 };", "a.b", [2, 3]],
    ["without quotes", "export default { a: {\n    b: 1 } };", "a.b", [2, 5]],
    ["not in a comment", 'export default {\n  // "a.b": 1,\n  /* "a.b": 2 */ "a.b": 3 };', "a.b", [3, 18]],
    ["not the end of another", 'export default { "x.b": 1, xb: 2,\n  a: { b: 1 } };', "a.b", [2, 8]],
    ["not a value", 'export default { "c": "a.b",\n "a.b": 1 };', "a.b", [2, 2]],
    ["of signs that mean something in patterns", '{ "a.(b": 1 }', "a.(b", [1, 3]],
    ["made by code", 'export default { ["a" + ".b"]: 1 };', "a.b", null],
  ];
  for (const [what, text, key, place] of cases) {
    test(what, () => {
      assert.deepEqual(keyPlace(text, key), place === null ? null : { line: place[0], column: place[1] });
    });
  }
});
