// Kinds of rows from end to end: sources and running aggregates give them, and sinks get them, whatever is between.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Change, ChangesKept, changes } from "../../../test/connectors/changes.ts";
import { col, count, type JobEnv, job, type Stream, sum, t } from "../../index.ts";
import type { Sink } from "../../operators/sink.ts";
import { type SimulationOptions, simulateJob } from "../../testing/simulate-job.ts";

const Row = t.struct({ id: t.f64, v: t.f64.nullable() });
type Row = { readonly id: number; readonly v: number | null };

const RETRACT = { kind: "retract" } as const;
const BY_ID = { kind: "upsert", key: ["id"], deletes: true } as const;

async function ran(build: (env: JobEnv) => void, options: Partial<SimulationOptions> = {}): Promise<void> {
  const { error } = await simulateJob(job({ name: "changelog" }, build), { seed: 1, parallelism: 1, ...options });
  if (error !== null) throw error;
}

const anyChange = fc.record<Change<Row>>({
  kind: fc.constantFrom(0, 1, 2, 3),
  row: fc.record({ id: fc.nat(9), v: fc.option(fc.nat(99)) }, { noNullPrototype: true }),
});
const anyChanges = fc.array(fc.tuple(anyChange, fc.constantFrom(1, 1, 300)), { maxLength: 8 }).map((runs) => {
  return runs.flatMap(([change, run]) => Array.from({ length: run }, () => change));
});

const sorted = (given: readonly Change<Row>[]) => given.map((change) => JSON.stringify(change)).sort();

describe("a changelog", () => {
  const ways = fc.record({
    declared: fc.boolean(),
    parallelism: fc.constantFrom(1, 3),
    realLinks: fc.boolean(),
    apart: fc.boolean(),
    /** Each row to every subtask, or all to one. */
    toAll: fc.boolean(),
    seed: fc.nat(),
  });

  test("keeps the kind of each record through functions, expressions and exchanges, of declared and learned types", async () => {
    await fc.assert(
      fc.asyncProperty(anyChanges, ways, async (given, { declared, apart, toAll, ...options }) => {
        const kept = new ChangesKept<Row>();
        await ran((env) => {
          const source = env.from("in", changes(given, RETRACT, declared ? Row : undefined)).parallelism(1);
          const some = source.filter(col("id").lt(9)).parallelism(1);
          const passed = some.map(({ id, v }) => ({ id: id + 1, v })).parallelism(1);
          const sent = (toAll ? passed.broadcast() : passed.global()).filter(({ id }) => id !== 3);
          const twice = sent.flatMap((row) => [row, { ...row, id: -row.id }]);
          (apart ? twice.slotGroup("b") : twice).to("out", kept.sink("changes"));
        }, options);
        const expected = given
          .filter(({ row }) => row.id < 9 && row.id !== 2)
          .flatMap(({ kind, row: { id, v } }) => [1, -1].map((sign) => ({ kind, row: { id: sign * (id + 1), v } })));
        const copies = Array.from({ length: toAll ? options.parallelism : 1 }, () => expected);
        assert.deepEqual(sorted(kept.got), sorted(copies.flat()));
        if (copies.length === 1) assert.deepEqual(kept.got, expected, "in order");
      }),
      { numRuns: 60 },
    );
  });

  test("keeps it through a generator, and an array, that wait for room", async () => {
    const given: Change<Row>[] = [0, 1, 2, 3].map((kind) => ({
      kind: kind as Change<Row>["kind"],
      row: { id: kind, v: 1 },
    }));
    const ways: Record<string, (row: Row) => Iterable<Row>> = {
      *generator(row) {
        for (let each = 0; each < 3_000; each += 1) yield row;
      },
      array: (row) => Array.from({ length: 3_000 }, () => row),
    };
    for (const [name, many] of Object.entries(ways)) {
      const kept = new ChangesKept<Row>();
      await ran((env) => {
        const rows = env.from("in", changes(given, RETRACT, Row)).flatMap(many);
        rows.rebalance().to("out", kept.sink("changes")).parallelism(1);
      });
      assert.deepEqual(
        kept.got,
        given.flatMap((change) => Array.from({ length: 3_000 }, () => change)),
        name,
      );
    }
  });

  test("of a running aggregate begins each key with an insert and goes on with updates, by the columns of its key", async () => {
    const inserts = [1, 2, 1, 1, 2].map((id, v): Change<Row> => ({ kind: 0, row: { id, v } }));
    for (const parallelism of [1, 2]) {
      const kept = new ChangesKept<unknown>();
      await ran(
        (env) => {
          const rows = env.from("in", changes(inserts, { kind: "append" }, Row));
          rows.keyBy("id").aggregate({ n: count() }).to("out", kept.sink("upsert"));
        },
        { parallelism },
      );
      const of = (id: number) => kept.got.filter(({ row }) => (row as Row).id === id);
      assert.deepEqual(
        of(1),
        [0, 2, 2].map((kind, at) => ({ kind, row: { id: 1, n: at + 1 } })),
      );
      assert.deepEqual(
        of(2),
        [0, 2].map((kind, at) => ({ kind, row: { id: 2, n: at + 1 } })),
      );
      assert.deepEqual(
        kept.keys,
        Array.from({ length: parallelism }, () => ["id"]),
      );
    }
  });

  test("of a reduce does the same", async () => {
    const inserts = [1, 2, 1, 1].map((id, v): Change<Row> => ({ kind: 0, row: { id, v } }));
    const kept = new ChangesKept<Row>();
    await ran((env) => {
      const rows = env.from("in", changes(inserts, { kind: "append" }, Row));
      rows
        .keyBy("id")
        .reduce("last", (_, right) => right)
        .to("out", kept.sink("upsert"));
    });
    assert.deepEqual(
      kept.got.map(({ kind, row: { id } }) => [kind, id]),
      [
        [0, 1],
        [0, 2],
        [2, 1],
        [2, 1],
      ],
    );
    assert.deepEqual(kept.keys, [["id"]]);
  });

  test("of a reduce that changes the key fails where rows are kept by key, and nowhere else", async () => {
    const inserts = [1, 2, 1].map((id, v): Change<Row> => ({ kind: 0, row: { id, v } }));
    const keys: Record<string, (rows: Stream<Row>, sink: Sink<unknown>) => void> = {
      "a field": (rows, sink) =>
        void rows
          .keyBy("id")
          .reduce("moved", ({ v }, { id }) => ({ id: id + 1, v }))
          .to("out", sink),
      "two fields": (rows, sink) =>
        void rows
          .map(t.struct({ id: t.f64, w: t.f64 }), ({ id }) => ({ id, w: 0 }))
          .keyBy("id", "w")
          .reduce("moved", ({ w }, { id }) => ({ id, w: w + 1 }))
          .to("out", sink),
    };
    for (const moved of Object.values(keys)) {
      const kept = new ChangesKept<unknown>();
      const given = (env: JobEnv) => env.from("in", changes(inserts, { kind: "append" }, Row));
      await ran((env) => moved(given(env), kept.sink()));
      assert.equal(kept.got.length, 3);
      for (const takes of ["upsert", "changes"] as const) {
        await assert.rejects(
          ran((env) => moved(given(env), kept.sink(takes))),
          { code: "REDUCE_KEY_CHANGED" },
        );
      }
    }
  });

  test("of a batch job's aggregate is one of inserts", async () => {
    const kept = new ChangesKept<unknown>();
    const inserts = [1, 1, 1].map((id, v): Change<Row> => ({ kind: 0, row: { id, v } }));
    const { error } = await simulateJob(
      job({ name: "batch", mode: "batch" }, (env) => {
        const rows = env.from("in", changes(inserts, { kind: "append" }, Row));
        rows.keyBy("id").aggregate({ n: count() }).keyBy("n").aggregate({ of: count() }).to("out", kept.sink());
      }),
      { seed: 1, parallelism: 1 },
    );
    assert.equal(error, null);
    assert.deepEqual(kept.got, [{ kind: 0, row: { n: 3, of: 1 } }]);
  });
});

describe("a filter behind updates by a key", () => {
  /** The rows that a store by key has at the end. */
  function stored(got: readonly Change<Row>[]): Row[] {
    const rows = new Map<number, Row>();
    for (const { kind, row } of got) {
      if (kind === 3) rows.delete(row.id);
      else rows.set(row.id, row);
    }
    return [...rows.values()].sort((a, b) => a.id - b.id);
  }

  const upserts = fc.array(
    fc.record<Change<Row>>({
      kind: fc.constantFrom(2, 2, 3),
      row: fc.record({ id: fc.nat(4), v: fc.nat(9) }, { noNullPrototype: true }),
    }),
    { maxLength: 60 },
  );

  for (const [name, filtered] of Object.entries({
    expression: (rows: Stream<Row>) => rows.filter(col("v").gt(4).or(col("v").eq(1))),
    function: (rows: Stream<Row>) => rows.filter(({ v }) => v === 1 || (v ?? 0) > 4),
  })) {
    test(`by an ${name}: a store by key has the rows whose last version passes, and no other`, async () => {
      await fc.assert(
        fc.asyncProperty(upserts, async (given) => {
          const kept = new ChangesKept<Row>();
          await ran((env) => void filtered(env.from("in", changes(given, BY_ID, Row))).to("out", kept.sink("upsert")));
          const expected = stored(given).filter(({ v }) => v === 1 || (v ?? 0) > 4);
          assert.deepEqual(stored(kept.got), expected);
        }),
        { numRuns: 50 },
      );
    });
  }

  test("that fails on an update, which is to be skipped, makes a delete of it: the row before it is no more", async () => {
    const kept = new ChangesKept<Row>();
    const given: Change<Row>[] = [
      { kind: 0, row: { id: 1, v: 7 } },
      { kind: 2, row: { id: 1, v: null } },
      { kind: 0, row: { id: 2, v: null } },
    ];
    await ran((env) => {
      const rows = env.from("in", changes(given, BY_ID, Row));
      rows
        .filter(({ v }) => v!.toFixed() !== "")
        .onError("skip")
        .to("out", kept.sink("upsert"));
    });
    assert.deepEqual(kept.got, [given[0], { kind: 3, row: given[1]!.row }]);
  });

  test("asks nobody about deletes, and makes none of inserts", async () => {
    const kept = new ChangesKept<Row>();
    const given: Change<Row>[] = [
      { kind: 0, row: { id: 1, v: 0 } },
      { kind: 2, row: { id: 1, v: 9 } },
      { kind: 3, row: { id: 1, v: null } },
    ];
    await ran((env) => {
      const rows = env.from("in", changes(given, BY_ID, Row));
      rows.filter(({ v }) => v!.toFixed().length > 0 && v! > 4).to("out", kept.sink("upsert"));
    });
    assert.deepEqual(kept.got, given.slice(1));
  });

  test("makes no deletes of rows by their key alone, nor where nobody keeps rows by key", async () => {
    const inserts = [1, 2, 1, 1].map((id, v): Change<Row> => ({ kind: 0, row: { id, v } }));
    const [byKey, plain] = [new ChangesKept<unknown>(), new ChangesKept<unknown>()];
    await ran((env) => {
      const totals = env
        .from("in", changes(inserts, { kind: "append" }, Row))
        .keyBy("id")
        .aggregate({ n: count() });
      totals.filter(col("id").eq(1)).to("by-key", byKey.sink("upsert"));
      totals.filter(col("n").ne(2)).to("plain", plain.sink());
    });
    assert.deepEqual(
      byKey.got.map(({ kind }) => kind),
      [0, 2, 2],
    );
    assert.deepEqual(
      plain.got.map(({ row }) => (row as { n: number }).n),
      [1, 1, 3],
    );
  });
});

describe("what cannot be taken is refused when the plan is built, at the user's line", () => {
  const kept = new ChangesKept<unknown>();
  const totals = (env: JobEnv) =>
    env
      .from("in", changes<Row>([], { kind: "append" }, Row))
      .keyBy("id")
      .aggregate({ n: count() });

  const refusals: Record<string, [(env: JobEnv) => void, RegExp]> = {
    "a count of updates": [
      (env) => void totals(env).keyBy("n").aggregate({ of: count() }).to("out", kept.sink()),
      /^aggregate "aggregate" would count each update as a record of its own, and its input is updates by id \(upsert\)$/,
    ],
    "deletes in a sink of rows": [
      (env) => void env.from("in", changes<Row>([], BY_ID, Row)).to("out", kept.sink()),
      /^sink "out" takes no deletes, and its input is updates and deletes by id \(upsert\)$/,
    ],
    "retractions in a sink of rows": [
      (env) => void env.from("in", changes<Row>([], RETRACT, Row)).to("out", kept.sink()),
      /^sink "out" takes no deletes/,
    ],
    "updates whose key a function has taken": [
      (env) =>
        void totals(env)
          .map((row) => row)
          .to("out", kept.sink("upsert")),
      /^sink "out" keeps one row per key, and the key of its input is not known: map "map" makes other records of them$/,
    ],
    "updates that may overtake one another": [
      (env) => void totals(env).rebalance().to("out", kept.sink("upsert")),
      /rows of one key may overtake one another on the way from "aggregate" to "out"$/,
    ],
    "updates some of which are left out": [
      (env) => void totals(env).eventTime({ at: "n" }).onError("skip").to("out", kept.sink("upsert")),
      /the key of its input is not known: eventTime "eventTime" leaves out what has no time$/,
    ],
    "updates of two streams": [
      (env) => void totals(env).union(totals2(env)).to("out", kept.sink("upsert")),
      /rows of several streams may have one key$/,
    ],
    "retractions beside updates": [
      (env) =>
        void env
          .from("in2", changes<{ id: number; n: number }>([], RETRACT))
          .union(totals(env))
          .to("out", kept.sink("changes")),
      /^sink "out" cannot tell updates by a key from those that take back a row before/,
    ],
    "deletes in a process function": [
      (env) =>
        void env
          .from("in", changes<Row>([], BY_ID, Row))
          .keyBy("id")
          .process({ uid: "own", out: Row, onRecord: (row, context) => void context.emit(row) })
          .to("out", kept.sink()),
      /^process "own" takes no deletes/,
    ],
  };
  const totals2 = (env: JobEnv) =>
    env
      .from("other", changes<Row>([], { kind: "append" }, Row))
      .keyBy("id")
      .aggregate({ n: count() });

  for (const [name, [build, message]] of Object.entries(refusals)) {
    test(name, async () => {
      await assert.rejects(
        ran(build, { parallelism: 2 }),
        (error: Error & { code: string; location?: { file: string } }) => {
          assert.equal(error.code, "CHANGELOG_NOT_TAKEN");
          assert.match(error.message, message);
          assert.match(error.location?.file ?? "", /changelog\.test\.ts$/);
          return true;
        },
      );
    });
  }

  test("and what a source or a sink describes changes nothing of it", async () => {
    const source = { ...changes<Row>([], RETRACT, Row), describe: () => ({ changelog: { kind: "append" } }) };
    const sink = { ...kept.sink(), describe: () => ({ takes: "changes" }) };
    for (const given of [source, changes<Row>([], RETRACT, Row)])
      await assert.rejects(
        ran((env) => void env.from("in", given).to("out", sink)),
        { code: "CHANGELOG_NOT_TAKEN" },
      );
  });

  test("and what a source offers beyond its changelog fails the job", async () => {
    for (const [changelog, kinds] of [
      [{ kind: "append" }, [1, 2, 3]],
      [{ ...BY_ID, deletes: false }, [1, 3]],
      [BY_ID, [1]],
    ] as const)
      for (const kind of kinds)
        await assert.rejects(
          ran((env) => {
            const rows = env.from("in", changes<Row>([{ kind, row: { id: 1, v: 1 } }], changelog, Row));
            rows.to("out", kept.sink("changes"));
          }),
          { code: "SOURCE_ROW_KIND" },
        );
  });
});

test("inserts and retractions of two streams keep their kinds side by side", async () => {
  const given: Change<Row>[] = ([1, 2, 3, 0] as const).map((kind) => ({ kind, row: { id: kind, v: 1 } }));
  const inserts = [7, 8].map((id): Change<Row> => ({ kind: 0, row: { id, v: 1 } }));
  for (const parallelism of [1, 2]) {
    const kept = new ChangesKept<Row>();
    await ran(
      (env) => {
        const plain = env.from("plain", changes(inserts, { kind: "append" }, Row));
        const retracted = env.from("retracted", changes(given, RETRACT, Row));
        plain.union(retracted).to("out", kept.sink("changes"));
      },
      { parallelism },
    );
    assert.deepEqual(sorted(kept.got), sorted([...inserts, ...given]));
  }
});

test("updates go through a function with timers, and further sums behind it, as records of their own", async () => {
  const kept = new ChangesKept<unknown>();
  const inserts = [1, 2, 1].map((id): Change<Row> => ({ kind: 0, row: { id, v: 1 } }));
  await ran((env) => {
    const rows = env
      .from("in", changes(inserts, { kind: "append" }, Row))
      .keyBy("id")
      .aggregate({ n: count() });
    rows
      .keyBy("id")
      .process({ uid: "own", out: t.struct({ n: t.f64 }), onRecord: ({ n }, context) => void context.emit({ n }) })
      .keyBy(() => "all", t.string)
      .aggregate({ total: sum("n") })
      .to("out", kept.sink());
  });
  assert.deepEqual(
    kept.got.map(({ row }) => (row as { total: number }).total),
    [1, 2, 4],
  );
});
