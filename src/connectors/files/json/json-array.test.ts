import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { multiset, readAll, sourceContract } from "../../../operators/source.contract.ts";
import { simWorld } from "../../../testing/world.ts";
import { t } from "../../../types/t.ts";
import { type JsonlOptions, jsonl } from "./jsonl.ts";

async function read(content: string, options: JsonlOptions = {}) {
  const world = simWorld(1);
  world.env.disk.put("/in.json", content);
  const { records, invalid } = await readAll<unknown>(
    jsonl("/in.json", { array: true, invalid: "side", ...options }),
    world,
  );
  return { records, issues: invalid.map(({ line, issues }) => `${line}: ${issues.join("; ")}`), invalid };
}

const elements = Array.from({ length: 100 }, (_, n) => ({ n, text: `[${"x, ]".repeat(n % 5)}"\\` }));

sourceContract("a JSON array", () => {
  const world = simWorld(5);
  world.env.disk.put("/a.json", JSON.stringify(elements));
  world.env.disk.put("/b.json", JSON.stringify(elements, null, 2));
  world.env.disk.faults.shortReads = true;
  return {
    source: jsonl<unknown>(["/a.json", "/b.json"], { array: true, readSize: 50, splitSize: 300 }),
    world,
    expected: [...elements, ...elements],
    checkClosed: () => assert.equal(world.env.disk.openHandles, 0),
  };
});

/** Numbers beyond 2^53 are another matter. */
const small = fc.jsonValue({ maxDepth: 2 }).filter((value) => !/\d{16}/.test(JSON.stringify(value)));

describe("a JSON array", () => {
  test("may stand on one line or on many, be empty, and begin with a byte order mark", async () => {
    for (const text of [
      '[{"a":1},{"a":2}]',
      '\ufeff [ {\n"a":1}\r\n,\n{"a":2}]\n\n',
      '[\n  {\n    "a": 1\n  },\n  { "a": 2 }\n]\n',
    ]) {
      for (const readSize of [1, 5, "256kb"]) {
        assert.deepEqual((await read(text, { readSize })).records, [{ a: 1 }, { a: 2 }], text);
      }
    }
    for (const text of ["[]", " [\n ] \n"])
      assert.deepEqual(await read(text), { records: [], issues: [], invalid: [] });
  });

  test("has elements that are checked one by one, with their lines", async () => {
    const text = '[\n  {"a": 1},\n  {"a": "x"},\n  [7],\n  {"a"},\n  {"a": 2}\n]';
    const world = simWorld(1);
    world.env.disk.put("/in.json", text);
    const source = jsonl("/in.json", { array: true, invalid: "side", type: t.struct({ a: t.f64 }) });
    const { records, invalid } = await readAll<unknown>(source, world);
    assert.deepEqual(records, [{ a: 1 }, { a: 2 }]);
    assert.deepEqual(
      invalid.map(({ line }) => line),
      [3, 4, 5],
    );
    assert.equal(invalid[0]?.issues[0], 'a: expected a number, got "x"');
    assert.equal(invalid[0]?.raw, '{"a": "x"}');
  });

  test("that does not end, goes on after its end, or is none, is told as that", async () => {
    for (const [text, records, issue] of [
      ['[{"a":1},{"a":2}', 1, "the array does not end"],
      ['[{"a":1},', 1, "the array does not end"],
      ['[{"a":1}]\n[{"a":2}]', 1, "text after the end of the array"],
      ['[{"a":1}], 5, 6', 1, "text after the end of the array"],
      ["", 0, "not a JSON array"],
      ['{"a":1}\n{"a":2}\n', 0, "not a JSON array"],
      ['{"a":1}, {"a":2}', 0, "not a JSON array"],
    ] as const) {
      const { records: found, issues } = await read(text);
      assert.equal(found.length, records, text);
      assert.ok(
        issues.some((each) => each.includes(issue)),
        `${text}: ${issues.join()}`,
      );
    }
    assert.match((await read('[{"a":1},,{"a":2},]')).issues.join(), /1: not JSON.*1: not JSON/);
  });

  test("may be larger than a record may be, and an element that is too long is passed over", async () => {
    const long = `{"a":"${"x".repeat(500)}"}`;
    const text = `[${'{"a":1},'.repeat(200)}${long},{"a":2}]`;
    for (const readSize of [1, 64, 500, "256kb"] as const) {
      const { records, issues } = await read(text, { recordSizeMax: 100, readSize });
      assert.equal(records.length, 201);
      assert.match(issues.join(), /^1: longer than 100 B/);
    }
  });

  test("however it is written, cut, read, stopped and restored gives each element once", async () => {
    const property = fc.asyncProperty(
      fc.array(fc.dictionary(fc.string(), small, { maxKeys: 3 }), { maxLength: 10 }),
      fc.constantFrom(undefined, 1, "\t"),
      fc.record({ readSize: fc.integer({ min: 1, max: 12 }), splitSize: fc.integer({ min: 4, max: 30 }) }),
      fc.record({
        parallelism: fc.integer({ min: 1, max: 4 }),
        restartAfter: fc.integer({ min: 1, max: 6 }),
      }),
      async (values, indent, sizes, how) => {
        const world = simWorld(1);
        const text = JSON.stringify(values, null, indent);
        world.env.disk.put("/f", text);
        const { records } = await readAll<unknown>(jsonl("/f", { ...sizes, array: true }), world, how);
        const expected = (JSON.parse(text) as object[]).map((each) => JSON.stringify(each));
        assert.deepEqual(multiset(records.map((each) => JSON.stringify(each))), multiset(expected));
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });

  test("read as JSON Lines gives a hint, and so does a pretty-printed value", async () => {
    const hint = async (text: string) => (await read(text, { array: false })).issues[0];
    assert.match((await hint('[{"a":1},{"a":2}]')) ?? "", /say `array: true`/);
    assert.match((await hint('[\n{"a":1}\n]')) ?? "", /say `array: true`/);
    assert.match((await hint('{\n  "a": 1\n}\n')) ?? "", /one line.*jq -c/);
  });
});
