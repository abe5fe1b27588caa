import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { multiset, readAll, sourceContract } from "../../../operators/source.contract.ts";
import { simWorld } from "../../../testing/world.ts";
import { type Type, t } from "../../../types/t.ts";
import type { FileOptions } from "../file-connector.ts";
import { jsonText } from "./json-encode.ts";
import { jsonl } from "./jsonl.ts";

async function read<T>(content: string | Uint8Array, options: FileOptions & { type?: Type<T> } = {}) {
  const world = simWorld(1);
  world.env.disk.put("/in.jsonl", content);
  const { type, ...others } = { invalid: "side" as const, ...options };
  const source = type === undefined ? jsonl("/in.jsonl", others) : jsonl("/in.jsonl", { ...others, type });
  const { records, invalid } = await readAll<unknown>(source, world);
  return { records, invalid, issues: invalid.map(({ line, issues }) => `${line}: ${issues.join("; ")}`) };
}

const items = Array.from({ length: 300 }, (_, n) => ({ n, text: n % 5 === 0 ? `é\n${"x".repeat(n)}` : "t" }));
const content = items.map((item) => `${JSON.stringify(item)}\n`).join("");

sourceContract("jsonl", () => {
  const world = simWorld(3);
  world.env.disk.put("/in/a.jsonl", content);
  world.env.disk.put("/in/b/c.jsonl", content.trimEnd());
  return {
    source: jsonl("/in", { splitSize: 500, readSize: 50 }),
    world,
    expected: [...items, ...items],
    checkClosed: () => assert.equal(world.env.disk.openHandles, 0),
  };
});

describe("JSON Lines", () => {
  test("without a type each line is an object with whatever it has", async () => {
    const { records, issues } = await read('\ufeff{"a":1,"b":[null,{"c":"é"}]}\r\n\n  \n{"__proto__":2}');
    assert.deepEqual(issues, []);
    assert.deepEqual(records[0], { a: 1, b: [null, { c: "é" }] });
    assert.deepEqual(Object.entries(records[1] as object), [["__proto__", 2]]);
  });

  test("a bad line is reported with its line and reason, and the others are read", async () => {
    const text = Buffer.concat([
      Buffer.from('{"a":1}\n{"a":\n[1]\n7\nnull\n"'),
      Buffer.of(0xff),
      Buffer.from('"\n{"a":"\\u0000"}\n{"a"'),
    ]);
    const { records, invalid, issues } = await read(text);
    assert.deepEqual(records, [{ a: 1 }, { a: "\0" }]);
    assert.match(issues[0]!, /^2: not JSON: /);
    assert.deepEqual(issues.slice(1, 5), [
      "3: not a JSON object; if the file is one JSON array, say `array: true`",
      "4: not a JSON object",
      "5: not a JSON object",
      "6: bytes that are not UTF-8 (see the option `encoding`)",
    ]);
    assert.match(issues[5]!, /^8: not JSON: /);
    assert.equal(invalid[0]?.raw, '{"a":');
    assert.equal(invalid[0]?.file, "/in.jsonl");
  });

  test("a declared type is checked to the depth of it, and the path of what is wrong is named", async () => {
    const type = t.struct({
      user: t.struct({ tags: t.list(t.string) }),
      "odd key": t.i32.optional(),
      kind: t.union(t.f64, t.bool),
    });
    const lines = [
      '{"user":{"tags":["a"],"extra":1},"kind":true}',
      '{"user":{"tags":["a",true]},"kind":1}',
      '{"kind":1}',
      '{"user":{"tags":[]},"odd key":1.5,"kind":1}',
      '{"user":{"tags":[]},"kind":"x"}',
      "[]",
    ];
    const { records, issues } = await read(lines.join("\n"), { type });
    assert.deepEqual(records, [{ user: { tags: ["a"] }, kind: true }]);
    assert.deepEqual(issues, [
      "2: user.tags[1]: expected a string, got true",
      "3: user: expected an object, got absent",
      '4: ["odd key"]: expected a 32-bit integer, got 1.5',
      '5: kind: expected one of f64, bool, got "x"',
      "6: expected an object, got []; if the file is one JSON array, say `array: true`",
    ]);
  });

  test("what JSON has no form for is read back under its type as it was written", async () => {
    const type = t.struct({
      at: t.timestamp,
      date: t.date,
      big: t.bigint,
      wide: t.i64,
      byName: t.map(t.string, t.f64),
      byNumber: t.map(t.f64, t.list(t.date)),
      tags: t.set(t.string),
      raw: t.bytes,
      floats: t.typed("Float32Array"),
      bigs: t.typed("BigInt64Array"),
      none: t.null,
      any: t.any,
      maybe: t.f64.nullable(),
    });
    const value = {
      at: 12.5,
      date: new Date(1e12),
      big: -(10n ** 30n),
      wide: 2n ** 62n,
      byName: new Map([
        ["a", 1],
        ["__proto__", 2],
      ]),
      byNumber: new Map([[1.5, [new Date(0)]]]),
      tags: new Set(["x", "y"]),
      raw: Uint8Array.of(0, 255),
      floats: Float32Array.of(0.5, -0.25),
      bigs: BigInt64Array.of(-5n),
      none: null,
      any: { deep: [1, null] },
      maybe: null,
    };
    const { records, issues } = await read(jsonText(value), { type });
    assert.deepEqual(issues, []);
    assert.deepEqual(records, [value]);
  });

  test("a field that may be undefined is read as that where it is absent, and left out where it may be absent", async () => {
    const type = t.struct({
      there: t.bool.optional().nullable(),
      either: t.union(t.bool, t.undefined),
      absent: t.bool.nullable().optional(),
    });
    const { records, issues } = await read('{}\n{"there":null,"either":true,"absent":null}\n{"either":null}', { type });
    assert.deepEqual(records, [
      { there: undefined, either: undefined },
      { there: null, either: true, absent: null },
    ]);
    assert.match(issues.join(), /^3: either: expected one of bool, undefined, got null$/);
  });

  test("timestamps as ISO text become numbers, and elements that do not fit their array are refused", async () => {
    const type = t.struct({ at: t.timestamp, raw: t.bytes.optional() });
    const { records, issues } = await read('{"at":"2026-01-01"}\n{"at":"soon"}\n{"at":0,"raw":[1,256]}', { type });
    assert.deepEqual(records, [{ at: Date.UTC(2026, 0, 1) }]);
    assert.deepEqual(issues, [
      '2: at: expected a date-time or epoch milliseconds, got "soon"',
      "3: raw[1]: expected an element of Uint8Array, got 256",
    ]);
  });

  test("however a file is cut and read, stopped and restored, each record comes once and each bad row with its line", async () => {
    const line = fc.oneof(
      fc.json({ maxDepth: 1 }).map((text) => `{"v":${text}}`),
      fc.constantFrom("", " ", "{", "nope", '{"é":"𝄞"}'),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 12 }),
        fc.constantFrom("\n", "\r\n"),
        fc.record({ readSize: fc.integer({ min: 1, max: 12 }), splitSize: fc.integer({ min: 1, max: 25 }) }),
        fc.record({
          seed: fc.integer({ min: 1 }),
          parallelism: fc.integer({ min: 1, max: 4 }),
          restartAfter: fc.integer({ min: 1, max: 6 }),
        }),
        async (lines, lineBreak, sizes, how) => {
          const world = simWorld(how.seed);
          world.env.disk.put("/f", lines.join(lineBreak));
          const { records, invalid } = await readAll(jsonl("/f", { ...sizes, invalid: "side" }), world, how);
          const isBad = (text: string): boolean => text === "{" || text === "nope";
          const good = lines
            .filter((text) => text.trim() !== "" && !isBad(text))
            .map((text) => JSON.parse(text, exactly as never) as unknown);
          assert.deepEqual(multiset(records), multiset(good));
          const bad = lines.flatMap((text, index) => (isBad(text) ? [{ raw: text, line: index + 1 }] : []));
          assert.deepEqual(multiset(invalid.map(({ raw, line: at }) => ({ raw, line: at }))), multiset(bad));
        },
      ),
      { numRuns: 200 },
    );
  });
});

const exactly = (_: string, value: unknown, { source }: { source: string }): unknown =>
  typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER && /^-?\d+$/.test(source)
    ? BigInt(source)
    : value;

describe("JSON text", () => {
  test("it is always valid JSON, on one line", () => {
    const values = fc.anything({
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withBigInt: true,
      withNullPrototype: true,
    });
    fc.assert(
      fc.property(fc.dictionary(fc.string(), values), (record) => {
        const text = jsonText(record);
        assert.ok(!text.includes("\n"));
        JSON.parse(text);
      }),
      { numRuns: 3_000 },
    );
  });

  test("NaN, infinities and invalid dates become null, bigints digits, undefined fields nothing", () => {
    const value = {
      a: Number.NaN,
      b: Number.NEGATIVE_INFINITY,
      c: new Date(Number.NaN),
      d: 10n ** 20n,
      e: undefined,
      f: [undefined, Number.NaN],
      g: Buffer.from([1]),
    };
    assert.equal(jsonText(value), '{"a":null,"b":null,"c":null,"d":100000000000000000000,"f":[null,null],"g":[1]}');
  });

  test("what has a toJSON is what that gives", () => {
    const money = { toJSON: () => new Map([["eur", 1n]]) };
    assert.equal(
      jsonText({ at: new Date(0), url: new URL("file:///a"), money, boxed: Object(1) }),
      '{"at":"1970-01-01T00:00:00.000Z","url":"file:///a","money":{"eur":1},"boxed":1}',
    );
  });

  test("a text that is too long is told as that", () => {
    const long = { toJSON: () => "x".repeat(2 ** 30) };
    assert.throws(() => jsonText({ long }), { code: "JSON_VALUE_UNSUPPORTED", message: /longer than 512 MiB/ });
  });

  test("what would be lost is an error that names the field", () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    const circular = new Map<string, unknown>();
    circular.set("self", circular);
    const refused = (value: unknown, message: RegExp): void =>
      assert.throws(() => jsonText(value), { code: "JSON_VALUE_UNSUPPORTED", message });
    refused({ a: { b: () => 1 } }, /field "b": JSON cannot hold a function/);
    refused({ a: Symbol("x") }, /field "a"/);
    refused({ a: [1, [Symbol("x")]] }, /field "0": JSON cannot hold a symbol/);
    refused({ a: [() => 1] }, /field "0": JSON cannot hold a function/);
    refused(cycle, /JSON cannot hold an object that contains itself$/);
    refused(new Map([["cycle", circular]]), /an object that contains itself/);
    class Secret {
      #x = 1;
      x = (): number => this.#x;
    }
    class Point {
      x = 1;
    }
    const lost: readonly (readonly [unknown, string])[] = [
      [new RangeError("r"), "a RangeError"],
      [/r/, "a RegExp"],
      [Promise.resolve(1), "a promise"],
      [new WeakMap(), "an instance of WeakMap"],
      [new ArrayBuffer(1), "an ArrayBuffer"],
      [new DataView(new ArrayBuffer(1)), "a DataView"],
      [new Secret(), "an instance of Secret"],
      [new Point(), "an instance of Point"],
      [{ toJSON: () => /r/ }, "a RegExp"],
    ];
    for (const [value, what] of lost) {
      refused({ a: [{ b: value }] }, new RegExp(`field "b": JSON cannot hold ${what}$`));
      refused(value, new RegExp(`^JSON cannot hold ${what}$`));
    }
    refused(undefined, /a record that is undefined/);
  });
});
