import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SinkWriterContext } from "../../operators/sink.ts";
import { simWorld } from "../../testing/world.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { t } from "../../types/t.ts";
import { type PrintOptions, print } from "./print.ts";

type Printed = { readonly parallelism?: number; readonly type?: TypeSpec | null; readonly aborts?: boolean };

function contextOf(): SinkWriterContext {
  const { env } = simWorld(1);
  return {
    env,
    disk: env.disk,
    uid: "out",
    jobId: "job",
    subtaskIndex: 0,
    parallelism: 1,
    attempt: 0,
    restored: false,
    bounded: true,
    metrics: { count: () => {}, gauge: () => {}, mark: () => {}, observe: () => {} },
    print: async () => undefined,
    deliver: async () => undefined,
  };
}

async function printed(
  records: readonly unknown[],
  options: PrintOptions = {},
  { parallelism = 1, type = null, aborts = false }: Printed = {},
): Promise<string[]> {
  const lines: string[] = [];
  const writer = print(options).createWriter({
    ...contextOf(),
    parallelism,
    recordType: type,
    print: async (text) => void lines.push(text),
  });
  await writer.open();
  for (const record of records) assert.equal(writer.write(record, Number.NaN), true);
  await writer.flush();
  if (aborts) await writer.abort();
  else assert.deepEqual(await writer.prepareCommit(true), []);
  await writer.close();
  return lines;
}

describe("print", () => {
  test("each line is sent at once, and nothing follows 64 KiB of lines that nobody has read", async () => {
    const lines: string[] = [];
    const reads = Promise.withResolvers<void>();
    const writer = print().createWriter({
      ...contextOf(),
      print: async (line) => {
        lines.push(line);
        await reads.promise;
      },
    });
    const row = { text: "x".repeat(100) };
    let written = 1;
    while (writer.write(row, Number.NaN)) {
      written += 1;
      assert.ok(written < 1_000, "it never said that it is full");
      assert.equal(lines.length, written - 1);
    }
    assert.equal(written, Math.ceil((64 * 1024) / lines[0]!.length));
    let flushed = false;
    const flush = writer.flush().then(() => {
      flushed = true;
    });
    await new Promise(setImmediate);
    assert.equal(flushed, false);
    reads.resolve();
    await flush;
    assert.equal(writer.write(row, Number.NaN), true);
  });

  test("rows of one shape stand in columns, numbers to the right", async () => {
    assert.deepEqual(
      await printed([
        { symbol: "AAPL", price: 1.5, at: new Date(0) },
        { symbol: "X", price: 12.25, at: null },
        { symbol: "GOOGL", price: 3, at: undefined },
      ]),
      [
        'out  { symbol: "AAPL"  price: 1.5  at: 1970-01-01T00:00:00.000Z }',
        'out  { symbol: "X"     price: 12.25  at: null                     }',
        'out  { symbol: "GOOGL"  price:     3  at: undefined                }',
      ],
    );
  });

  test("any value prints on one line, bounded", async () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    const lines = await printed([
      "line\nbreak",
      -0,
      12n,
      [1, [2, [3, [4]]]],
      new Map([["a", new Set([1])]]),
      new Uint8Array(20),
      { text: "x".repeat(10_000), f: () => 1 },
      cycle,
      null,
    ]);
    assert.ok(lines.every((line) => !line.includes("\n") && line.length <= 240));
    assert.deepEqual(lines.slice(0, 5), [
      'out  "line\\nbreak"',
      "out  -0",
      "out  12n",
      "out  [1, [2, [3, […]]]]",
      'out  Map(1) { "a" => Set(1) { 1 } }',
    ]);
    assert.match(lines[5]!, /^out {2}Uint8Array \[0, 0, 0, 0, 0, 0, 0, 0, …\]$/);
    assert.deepEqual(await printed([new Uint8Array(8)]), ["out  Uint8Array [0, 0, 0, 0, 0, 0, 0, 0]"]);
  });

  test("an object without fields of its own shows what it is", async () => {
    class Secret {
      #x = 1;
      static of = (secret: Secret): number => secret.#x;
    }
    const lines = await printed([
      { r: /a b/g },
      [new RangeError("too\nmuch"), Object.assign(new Error("e"), { code: 1 })],
      [new ArrayBuffer(2), new DataView(new ArrayBuffer(1))],
      [new WeakSet(), new WeakMap()],
      [new Secret(), {}],
    ]);
    assert.deepEqual(lines.slice(0, 2), ["out  { r: /a b/g }", "out  [RangeError: too much, Error: e]"]);
    assert.match(lines[2]!, /^out {2}\[ArrayBuffer \{ .*<00 00>.*, DataView \{/);
    assert.match(lines[3]!, /^out {2}\[WeakSet .*, WeakMap \{ <items unknown> \}\]$/);
    assert.equal(lines[4], "out  [Secret {}, {}]");
  });

  test("a promise is refused: nothing is known of it", async () => {
    await assert.rejects(printed([[Promise.resolve(1)]]), { code: "FUNCTION_RETURNED_PROMISE" });
  });

  test("the limit counts what it hides, and subtasks are told apart", async () => {
    assert.deepEqual(await printed([1, 2, 3, 4], { limit: 2 }, { parallelism: 3 }), [
      "out/0  1",
      "out/0  2",
      "out/0  … and 2 more",
    ]);
    assert.deepEqual(await printed([1, 2, 3], { limit: 2, width: 1_000 }), ["out  1", "out  2", "out  … and 1 more"]);
    assert.deepEqual(await printed([1, 2], { limit: 2 }), ["out  1", "out  2"]);
    assert.deepEqual(await printed([12_345], { width: 1 }), ["…"]);
  });

  test("signs that a terminal would obey are shown as escapes, in lines and in tables", async () => {
    const row = { a: "\u001b[2J\u0007\u009b1m" };
    assert.deepEqual(await printed([row]), ['out  { a: "\\u001b[2J\\u0007\\u009b1m" }']);
    const [table = ""] = await printed([row], { table: { last: 1 } });
    assert.deepEqual(table.split("\n").at(-1), "  \\u001b[2J\\u0007\\u009b1m");
  });

  test("a table shows the last records, rounded, under one heading, once the job has ended", async () => {
    const rows = [
      { week: "2020-01-06", vwap: 1.5, note: "dropped" },
      { week: "2020-01-13", vwap: 1234.56789, note: null },
      { week: "2020-01-20", vwap: 3, high: true },
    ];
    const [table = "", ...others] = await printed(rows, { table: { last: 2 } });
    assert.deepEqual(others, [], "in one piece, so that no other subtask's lines come in between");
    assert.deepEqual(table.split("\n"), [
      "out: the last 2 of 3 rows",
      "  week            vwap  note  high",
      "  2020-01-13  1,234.57",
      "  2020-01-20      3.00        true",
    ]);
    assert.deepEqual(await printed([], { table: { last: 2 } }), []);
    assert.deepEqual(await printed(rows, { table: { last: 2 } }, { aborts: true }), [], "nor when it has failed");
    assert.throws(() => print({ table: { last: 0 } }), { code: "PRINT_TABLE_INVALID" });
    assert.throws(() => print({ table: { last: 9 }, limit: 9 }), { code: "OPTION_WITHOUT_EFFECT", message: /^limit / });
  });

  test("what the type says is a time shows as a date, where one can show it", async () => {
    const Visit = t.struct({ at: t.timestamp, left: t.timestamp.nullable(), ms: t.f64 });
    const Path = t.list(t.struct({ on: t.timestamp.optional() }));
    assert.deepEqual(
      await printed(
        [
          { at: 60_000, left: 90_000, ms: 60_000 },
          { at: Number.POSITIVE_INFINITY, left: 0.5, ms: 1 },
        ],
        {},
        { type: Visit.spec },
      ),
      [
        "out  { at: 1970-01-01T00:01:00.000Z  left: 1970-01-01T00:01:30.000Z  ms: 60000 }",
        "out  { at:                 Infinity  left:                      0.5  ms:     1 }",
      ],
    );
    assert.deepEqual(await printed([[{ on: 1 }, {}]], {}, { type: Path.spec }), [
      "out  [{ on: 1970-01-01T00:00:00.001Z }, {}]",
    ]);
    assert.deepEqual(
      await printed([{ at: 60_000, left: null, ms: 60_000 }], { table: { last: 1 } }, { type: Visit.spec }),
      ["out: 1 row\n  at                        left      ms\n  1970-01-01T00:01:00.000Z        60,000"],
    );
    assert.deepEqual(await printed([{ at: 0 }]), ["out  { at: 0 }"]);
  });
});
