import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { recordFrom } from "../../test/arbitraries/typed-values.ts";
import { blackhole, col, collect, count, csv, generate, job, jsonl, state, t } from "../index.ts";
import { readAll } from "../operators/source.contract.ts";
import { harness, testJob } from "../testing/index.ts";
import { simWorld } from "../testing/world.ts";
import { fieldCode, fieldOf, ownField } from "./spec/field-path.ts";

// biome-ignore lint/suspicious/noExplicitAny: names that no type declares
type Anything = any;

/** What every object inherits something for. */
const NAMES = [
  "constructor",
  "toString",
  "__proto__",
  "hasOwnProperty",
  "valueOf",
  "isPrototypeOf",
  "toLocaleString",
  "propertyIsEnumerable",
  "__defineGetter__",
  "__lookupSetter__",
] as const;

type Row = Readonly<Record<string, string>>;

/** Each row with some of two such names, and a number to tell rows apart. */
const names = fc.shuffledSubarray([...NAMES], { minLength: 2, maxLength: 2 });
const masks = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 8 });
const rowsOf = (fields: readonly string[], given: readonly number[]): readonly Row[] =>
  given.map((mask, n) =>
    recordFrom([
      ["n", `${n}`],
      ...fields.filter((_, at) => mask & (1 << at)).map((name) => [name, `${name} ${n}`] as const),
    ]),
  ) as Row[];
const typeOf = (fields: readonly string[]): Anything =>
  t.struct(recordFrom([["n", t.string], ...fields.map((name) => [name, t.string.optional()] as const)]) as Anything);

const read = (record: unknown, path: string): unknown =>
  new Function("record", `return ${fieldCode("record", path, "?.")};`)(record);

describe("a field may be called anything", () => {
  test("where it is absent, code and lookups find nothing, on the record and below it", () => {
    for (const name of NAMES) {
      const own = recordFrom([[name, 7]]);
      for (const [record, path, value] of [
        [{}, name, undefined],
        [own, name, 7],
        [{ a: {} }, `a.${name}`, undefined],
        [{ a: own }, `a.${name}`, 7],
        [{ a: null }, `a.${name}`, undefined],
        [{}, `a.${name}`, undefined],
        [{}, `${name}.name`, undefined],
        [{ a: "text" }, `a.${name}`, undefined],
        [{ a: { [`b.${name}`]: 1 } }, `a.b.${name}`, undefined],
      ] as const) {
        assert.equal(read(record, path), value, path);
        assert.equal(fieldOf(record, path), value, path);
      }
    }
  });

  test("methods of what a record holds are no fields of it, its length and size are", () => {
    const record = { text: "abc", list: [1], map: new Map([[1, 2]]), at: new Date(0), n: 1 };
    for (const path of ["text.at", "text.link", "list.map", "list.at", "map.get", "at.getTime", "n.toFixed"]) {
      assert.equal(read(record, path), undefined, path);
      assert.equal(fieldOf(record, path), undefined, path);
    }
    assert.deepEqual(
      ["text.length", "list.length", "map.size"].map((path) => read(record, path)),
      [3, 1, 1],
    );
  });

  for (const isDeclared of [true, false]) {
    const what = isDeclared ? "declared" : "undeclared";
    test(`expressions, aggregates, keys, state and exchanges of ${what} records take absent as absent`, async () => {
      const property = fc.asyncProperty(names, masks, (fields, given) => checkUses(fields, given, isDeclared));
      await fc.assert(property, { numRuns: 40 });
    });
  }

  test("files give and take it: CSV with and without a type, JSON with and without a type", async () => {
    const property = fc.asyncProperty(names, masks, async (fields, given) => {
      const rows = rowsOf(fields, given);
      const type = typeOf(fields);
      const world = simWorld(1);
      const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
      world.env.disk.put("/in.jsonl", lines);
      const cell = (row: Row, name: string) => ownField(row, name) ?? "";
      const header = ["n", ...fields];
      const cells = rows.map((row) => header.map((name) => cell(row, name)));
      world.env.disk.put("/in.csv", [header, ...cells].join("\n"));
      const sources: readonly Anything[] = [jsonl("/in.jsonl"), jsonl("/in.jsonl", { type }), csv("/in.csv", { type })];
      for (const source of sources) {
        const { records } = await readAll<unknown>(source, world);
        assert.deepEqual(sorted(records as Row[]), sorted(rows));
      }
      const { records } = await readAll<unknown>(csv("/in.csv"), world);
      assert.deepEqual(
        (records as Row[]).map((row) => header.map((name) => cell(row, name))),
        cells,
      );
    });
    await fc.assert(property, { numRuns: 100 });
  });

  test("the key of a harness", async () => {
    const made = job({ name: "keys" }, (env) => {
      const records: Anything = env.from(
        "in",
        generate(0, () => ({}) as never, { type: t.struct({ "a.constructor": t.string } as Anything) }),
      );
      records
        .keyBy("a.constructor")
        .process({ uid: "p", out: t.string, onRecord: (_: Anything, ctx: Anything) => ctx.emit(ctx.key) })
        .to("out", blackhole());
    });
    const tested: Anything = await harness(made, "p");
    tested.record({ "a.constructor": "k" });
    assert.deepEqual(tested.output(), ["k"]);
  });
});

async function checkUses(fields: readonly string[], given: readonly number[], isDeclared: boolean): Promise<void> {
  const rows = rowsOf(fields, isDeclared ? given : [3, ...given]); // The first tells which fields there are.
  const [name = "", other = ""] = fields;
  const result = other === "__proto__" ? "of proto" : other; // Refused as the name of a result.
  const made = everything(fields, result, isDeclared ? typeOf(fields) : null);
  await using run = await testJob(made, { parallelism: isDeclared ? 2 : 1 });
  run.source<unknown>("in").push(...rows);
  await run.end();
  const sink = async (uid: string) => sorted((await run.sink(uid).rows()) as Row[]);
  assert.deepEqual(await sink("moved"), sorted(rows));
  const isOwn = (row: Row) => Object.hasOwn(row, name);
  assert.deepEqual(await sink("without"), sorted(rows.filter((row) => !isOwn(row))));
  assert.deepEqual(await sink("with"), sorted(rows.filter(isOwn)));
  assert.equal((await sink("kept")).length, rows.length - 1);
  const counts = ((await run.sink("counts").rows()) as Anything[]).at(-1);
  assert.equal(counts[`n ${name}`], rows.filter(isOwn).length);
  assert.deepEqual([...(ownField(counts, result) as string[])].sort(), present(rows, other));
}

/** A job with whatever reads fields. */
function everything(fields: readonly string[], result: string, type: Anything) {
  const [name = "", other = ""] = fields;
  const declared = type === null ? {} : { type };
  return job({ name: "names" }, (env) => {
    const records: Anything = env.from(
      "in",
      generate(0, (n) => n, declared),
    );
    const moved = records.rebalance();
    moved.to("moved", blackhole());
    moved.filter((col(name) as Anything).isNull()).to("without", blackhole());
    moved.filter((col(name) as Anything).orElse("none").ne("none")).to("with", blackhole());
    const all = records.keyBy(() => "all", t.string);
    all.aggregate({ all: count(), [`n ${name}`]: count(name), [result]: collect(other) }).to("counts", blackhole());
    all
      .process({
        uid: "keeping",
        state: { [name]: state.value(type ?? t.any) },
        out: t.any,
        onRecord(record: Anything, ctx: Anything) {
          const before = ctx.state[name].get();
          if (before !== null) ctx.emit(before);
          ctx.state[name].set(record);
        },
      })
      .to("kept", blackhole());
  });
}

function present(rows: readonly Row[], name: string): readonly unknown[] {
  return rows.flatMap((row) => (Object.hasOwn(row, name) ? [ownField(row, name)] : [])).sort();
}

function sorted(rows: readonly Row[]): readonly string[] {
  return rows.map((row) => JSON.stringify(Object.entries(row))).sort();
}
