import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { blackhole, col, count, generate, job, max, sum, t } from "../../index.ts";
import { testJob } from "../../testing/index.ts";

// biome-ignore lint/suspicious/noExplicitAny: records whose type nobody declared
type Anything = any;

async function run(records: readonly unknown[], build: (rows: Anything) => Anything, parallelism = 1): Promise<void> {
  const declared = job({ name: "learned" }, (env) => {
    const rows = env
      .from(
        "in",
        generate(0, (n) => n),
      )
      .parallelism(1);
    build(rows).to("out", blackhole());
  });
  await using test = await testJob(declared, { parallelism });
  test.source<unknown>("in").push(...records);
  await test.end();
}

describe("a field that the first record of undeclared type does not have is refused", () => {
  const uses: readonly [what: string, build: (rows: Anything) => Anything][] = [
    ["by filter", (rows) => rows.filter(col("idd").gt(3)).uid("op")],
    ["by eventTime", (rows) => rows.eventTime({ at: "idd" }).uid("op")],
    ["by eventTime that skips", (rows) => rows.eventTime({ at: "idd" }).onError("skip").uid("op")],
    [
      "by an aggregate",
      (rows) =>
        rows
          .keyBy("name")
          .aggregate({ s: sum("idd" as never) })
          .uid("op"),
    ],
    [
      "beside one it has",
      (rows) =>
        rows
          .keyBy("name")
          .aggregate({ s: sum("id" as never), m: max("idd" as never) })
          .uid("op"),
    ],
  ];
  for (const [what, build] of uses) {
    for (const parallelism of [1, 2]) {
      test(`${what}, parallelism ${parallelism}`, async () => {
        const records = [
          { id: 1, name: "n" },
          { id: 2, name: "n", idd: 4 },
        ];
        await assert.rejects(run(records, build, parallelism), {
          code: "FIELD_UNKNOWN",
          message: '"op" reads the field "idd", which its first record does not have',
          fix: /^did you mean "id"\? The records have id, name; if it is optional, /,
          operator: "op",
        });
      });
    }
  }

  const later = [{ id: 1, idd: 9 }, { id: 2 }];
  const fine: readonly [what: string, records: readonly unknown[], build: (rows: Anything) => Anything][] = [
    ["one that only later records lack", later, (rows) => rows.global().filter(col("idd").gt(3))],
    ["one that is null or undefined", [{ id: null, idd: undefined }], (rows) => rows.filter(col("idd").gt(col("id")))],
    ["one below a missing one", [{ a: null }], (rows) => rows.filter(col("a.b").gt(3))],
    ["one that is asked for", [{}], (rows) => rows.filter(col("a").isNull().or(col("b").orElse(1).gt(3)))],
    ["records that are no objects", ["text"], (rows) => rows.filter(col("length").gt(3))],
    [
      "an aggregate of what later records lack",
      later,
      (rows) => rows.keyBy(() => 1, t.f64).aggregate({ s: sum("idd" as never) }),
    ],
    ["a count", [{ id: 1 }], (rows) => rows.keyBy("id").aggregate({ n: count() })],
  ];
  for (const [what, records, build] of fine) {
    for (const parallelism of [1, 2]) {
      test(`but not ${what}, parallelism ${parallelism}`, () => run(records, build, parallelism));
    }
  }
});
