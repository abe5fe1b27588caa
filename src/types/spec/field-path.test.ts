import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { blackhole, col, count, first, generate, job, state, sum, t, tumbling } from "../../index.ts";
import { testJob } from "../../testing/index.ts";
import { fieldCode, pathSteps } from "./field-path.ts";
import type { TypeSpec } from "./type-spec.ts";

// biome-ignore lint/suspicious/noExplicitAny: one job for records of several forms
type Anything = any;

const read = (record: unknown, path: string): unknown =>
  new Function("record", `return ${fieldCode("record", path, "?.")};`)(record);

describe("a path names", () => {
  const readings: readonly [what: string, record: unknown, path: string, value: unknown][] = [
    ["a field", { a: 1 }, "a", 1],
    ["a field with a dot in its name", { "a.b": 1 }, "a.b", 1],
    ["a nested field", { a: { b: 1 } }, "a.b", 1],
    ["the field of that name rather than a nested one", { "a.b": 1, a: { b: 2 } }, "a.b", 1],
    ["the field of that name, null", { "a.b": null, a: { b: 2 } }, "a.b", null],
    ["the nested field where the other is undefined", { "a.b": undefined, a: { b: 2 } }, "a.b", 2],
    ["nothing below what is missing", { a: null }, "a.b.c", undefined],
    ["a field that ends with a dot", { "No.": 7 }, "No.", 7],
    ["a field with quotes in its name", { 'a"].b': 7 }, 'a"].b', 7],
  ];
  for (const [what, record, path, value] of readings) {
    test(what, () => assert.equal(read(record, path), value));
  }

  test("by type: the field of that name, else the nested one, or each record decides", () => {
    const inner: TypeSpec = { kind: "struct", fields: [{ name: "b", type: { kind: "f64" }, optional: false }] };
    const nested = { name: "a", type: inner, optional: false };
    const whole = (type: TypeSpec, optional: boolean) => ({ name: "a.b", type, optional });
    const steps = (...fields: Extract<TypeSpec, { kind: "struct" }>["fields"]) =>
      pathSteps({ kind: "struct", fields }, "a.b");
    assert.deepEqual(steps(nested), ["a", "b"]);
    assert.deepEqual(steps(whole({ kind: "f64" }, false), nested), ["a.b"]);
    assert.deepEqual(steps(whole({ kind: "f64" }, true)), ["a.b"]);
    assert.equal(steps(whole({ kind: "f64" }, true), nested), null);
    assert.equal(steps(whole({ kind: "any" }, false), nested), null);
    assert.equal(pathSteps(null, "a.b"), null);
  });
});

type Row = { readonly k: string; readonly v: number; readonly s: number };

const FORMS: Readonly<Record<string, (row: Row, index: number) => unknown>> = {
  dotted: ({ k, v, s }) => ({ "a.k": k, "a.v": v, "a.s": s }),
  nested: ({ k, v, s }) => ({ a: { k, v, s } }),
  both: ({ k, v, s }) => ({ "a.k": k, "a.v": v, "a.s": s, a: { k: "no", v: -1, s: 1 } }),
  "now one, now the other": ({ k, v, s }, index) =>
    index % 2 === 0 ? { a: { k, v, s } } : { "a.k": k, "a.v": v, "a.s": s },
};

const number = t.f64;
const Inner = t.struct({ k: t.string, v: number, s: number });
const TYPES: Readonly<Record<string, unknown>> = {
  dotted: t.struct({ "a.k": t.string, "a.v": number, "a.s": number }),
  nested: t.struct({ a: Inner }),
  both: t.struct({ "a.k": t.string, "a.v": number, "a.s": number, a: Inner }),
  "now one, now the other": t.struct({
    "a.k": t.string.optional(),
    "a.v": number.optional(),
    "a.s": number.optional(),
    a: Inner.optional(),
  }),
};

const rows: readonly Row[] = Array.from({ length: 40 }, (_, n) => ({ k: `k${n % 7}`, v: n, s: 1_700_000_000_000 + n }));
const sums = (from: readonly Row[]) =>
  [...new Set(from.map(({ k }) => k))]
    .map((k) => from.filter((row) => row.k === k))
    .map((group) => `${group[0]?.k}: ${group.length}, ${group.reduce((total, { v }) => total + v, 0)}`)
    .sort();

const USES: Readonly<Record<string, (rows: Anything) => Anything>> = {
  process: (records) =>
    records.keyBy("a.k").process({
      uid: "sums",
      state: { sum: state.value(t.f64), count: state.value(t.f64) },
      out: t.string,
      onRecord(record: Anything, ctx: Anything) {
        ctx.state.sum.set((ctx.state.sum.get() ?? 0) + (record["a.v"] ?? record.a.v));
        ctx.state.count.set((ctx.state.count.get() ?? 0) + 1);
        ctx.timers.set("end", 1_800_000_000_000);
      },
      onTimer(_timer: unknown, ctx: Anything) {
        ctx.emit(`${ctx.key}: ${ctx.state.count.get()}, ${ctx.state.sum.get()}`);
      },
    }),
  window: (records) =>
    records
      .keyBy("a.k")
      .window(tumbling("1d"))
      .aggregate({ n: count(), v: sum("a.v" as never), k: first("a.k" as never) })
      .map((row: Anything) => `${row["a.k"] === row.k ? row.k : "differs"}: ${row.n}, ${row.v}`),
};

const build = (type: unknown, use: (rows: Anything) => Anything) =>
  job({ name: "paths" }, (env) => {
    const records: Anything = env.from(
      "in",
      generate(0, (n) => n, type === null ? {} : { type: type as never }),
    );
    use(records.parallelism(1).eventTime({ at: "a.s" }).filter(col("a.v").gt(-1))).to("out", blackhole());
  });

const cases = Object.keys(FORMS).flatMap((form) =>
  Object.keys(USES).flatMap((use) => [1, 2].map((parallelism) => ({ form, use, parallelism }))),
);

describe("one rule wherever a path is read", () => {
  for (const { form, use, parallelism } of cases) {
    for (const isDeclared of [false, true]) {
      const records = `${isDeclared ? "declared" : "undeclared"} records, parallelism ${parallelism}`;
      test(`${use} of ${form} fields of ${records}`, async () => {
        const declared = build(isDeclared ? TYPES[form] : null, USES[use]!);
        await using run = await testJob(declared, { parallelism });
        run.source<unknown>("in").push(...rows.map(FORMS[form]!));
        await run.end();
        assert.deepEqual(((await run.sink("out").rows()) as string[]).sort(), sums(rows));
      });
    }
  }

  test("a field that is not there is refused, and what was asked for is not suggested", async () => {
    const asked = build(null, (records) => records.filter(col("a.b.c").gt(1)));
    await using run = await testJob(asked);
    run.source<unknown>("in").push({ a: { s: 1_700_000_000_000, v: 1, "b.c": 1 } });
    await assert.rejects(run.end(), { code: "FIELD_UNKNOWN", fix: /^(?!did you mean "a\.b\.c")/ });
  });
});
