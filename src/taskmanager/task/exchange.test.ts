// Exchanges from end to end, in jobs under test: what arrives, and what is refused, by reference as over rings.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { difference } from "../../../test/arbitraries/same.ts";
import type { UserError } from "../../base/errors.ts";
import { OPTIONS } from "../../config/options.ts";
import {
  blackhole,
  collection,
  count,
  type Infer,
  type Job,
  job,
  max,
  type Stream,
  sum,
  t,
  tumbling,
} from "../../index.ts";
import { SEGMENTS_IN_FLIGHT_MAX } from "../../network/ring-link.ts";
import { type TestJobOptions, testJob } from "../../testing/index.ts";

/** The error with which the job fails on `records`, null when it takes them. */
async function failureOf(made: Job, records: readonly unknown[], options: TestJobOptions): Promise<UserError | null> {
  const run = await testJob(made, options);
  try {
    run.source("in").push(...records);
    await run.settle();
    return null;
  } catch (error) {
    return error as UserError;
  } finally {
    await run[Symbol.asyncDispose]();
  }
}

/** Behind the source, records go through a function, and over an exchange to another, in the same slot or not. */
function passing(apart: boolean, pass: (record: never) => unknown = (record) => record): Job {
  return job({ name: "passing" }, (env) => {
    const source = env.from("in", collection([])) as unknown as Stream<never>;
    const sent = source.slotGroup("a").map(pass).uid("sender").slotGroup("a");
    const received = sent.rebalance().map((record: unknown) => record);
    (apart ? received.slotGroup("b") : received.slotGroup("a")).to("out", blackhole());
  });
}

class Secret {
  #x = 1;
  y = this.#x;
}

const Row = t.struct({ k: t.string, v: t.f64, ts: t.timestamp });

describe("a record that does not fit fails the job whichever slot it would go to", () => {
  const aggregating = job({ name: "aggregating" }, (env) => {
    const keyed = env
      .from("in", collection<Infer<typeof Row>>([]))
      .map(Row, (row) => row)
      .uid("maker")
      .filter((row) => row.ts >= 0)
      .eventTime({ at: "ts" })
      .keyBy("k");
    keyed
      .window(tumbling("10ms"))
      .aggregate({ n: count(), s: sum("v"), m: max("v") })
      .to("windows", blackhole());
    keyed.aggregate({ n: count(), s: sum("v") }).to("totals", blackhole());
  });

  test("declared aggregates never see it: the operator that made it, the field and the record are named", async () => {
    for (const [v, actual] of [
      ["5", 'string "5"'],
      ["abc", 'string "abc"'],
      [undefined, "undefined"],
      [null, "null"],
      [5n, "bigint 5n"],
    ] as const) {
      const seen = new Set<string>();
      for (const parallelism of [1, 2, 3]) {
        const error = await failureOf(aggregating, [{ k: "x", v, ts: 1 }], { parallelism });
        assert.deepEqual([error?.code, error?.operator], ["CODEC_MISMATCH", "maker"]);
        seen.add(error!.message);
      }
      assert.deepEqual(
        [...seen],
        [`field v is ${actual}, not f64, in a record that leaves "maker": ${inspect({ k: "x", v, ts: 1 })}`],
      );
    }
  });

  test("what no codec carries is refused in undeclared records, within a slot as between slots", async () => {
    for (const value of [() => 1, Symbol("s"), new Secret(), new WeakMap(), { a: [new Secret()] }]) {
      const failures: string[] = [];
      for (const apart of [false, true]) {
        const error = await failureOf(
          passing(apart),
          [
            { id: 1, value: 1 },
            { id: 2, value },
          ],
          {},
        );
        assert.deepEqual([error?.code, error?.operator], ["CODEC_UNSUPPORTED", "sender"], inspect(value));
        assert.match(
          error!.message,
          /^field value\S* is an? .*, which cannot be carried from one task to another, in a/,
        );
        assert.match(error!.fix!, /plain|functions are synchronous/);
        failures.push(error!.message);
      }
      assert.equal(failures[0], failures[1]);
    }
  });

  test("records of other shapes, and shapes that change, are nobody's fault", async () => {
    const records = [{ id: 1 }, { id: "1" }, { other: null }, [1, 2], 5, undefined, null, { id: 1, at: new Date(0) }];
    for (const apart of [false, true]) assert.equal(await failureOf(passing(apart), records, {}), null);
  });

  test("KEY_INVALID shows the record that has no key", async () => {
    const keyed = job({ name: "keyed" }, (env) => {
      const rows = env.from("in", collection([])) as unknown as Stream<{ id: number; k: string }>;
      rows.keyBy("k").aggregate({ n: count() }).uid("counts").to("out", blackhole());
    });
    const error = await failureOf(keyed, [{ id: 7, k: null }], {});
    assert.deepEqual([error?.code, error?.operator], ["KEY_INVALID", "counts"]);
    assert.match(error!.message, /^the key of operator "counts" is null.* record \{ id: 7, k: null \}$/);
  });
});

describe("the maximum size is one of records", () => {
  const config = { [OPTIONS.recordSizeMax.key]: "64kb" };

  test("a record above it is refused, with its operator and its largest field", async () => {
    const error = await failureOf(passing(true), [{ id: 1, note: "n", text: "x".repeat(70_000) }], { config });
    assert.deepEqual([error?.code, error?.operator], ["RECORD_TOO_LARGE", "sender"]);
    assert.match(
      error!.message,
      /^a record that leaves "sender" takes 70\d{3} bytes, 70\d{3} of them its field "text"; the maximum is 65536$/,
    );
  });

  test("many records from one call, and large ones one after the other, are no large record", async () => {
    const flat = job({ name: "flat" }, (env) => {
      const source = env.from("in", collection([])) as unknown as Stream<{ times: number; size: number }>;
      source
        .slotGroup("a")
        .flatMap(({ times, size }) => Array.from({ length: times }, (_, id) => ({ id, text: "x".repeat(size) })))
        .slotGroup("a")
        .rebalance()
        .map(({ id, text }) => ({ id, size: text.length }))
        .slotGroup("b")
        .to("out", blackhole());
    });
    await using run = await testJob(flat, { config });
    run.source("in").push({ times: 2_000, size: 1_000 }, { times: 30, size: 60_000 });
    const rows = await run.sink("out").rows<{ id: number; size: number }>();
    assert.equal(rows.length, 2_030);
    rows.forEach((row, index) => {
      assert.deepEqual(row, index < 2_000 ? { id: index, size: 1_000 } : { id: index - 2_000, size: 60_000 });
    });
  });

  test("no more segments may be configured for a channel than its ring has entries", () => {
    const { type } = OPTIONS.maxBuffersPerChannel;
    assert.equal(type.parse(SEGMENTS_IN_FLIGHT_MAX), SEGMENTS_IN_FLIGHT_MAX);
    assert.equal(type.parse(SEGMENTS_IN_FLIGHT_MAX + 1), undefined);
  });
});

describe("whatever structured clone carries goes from task to task as it was", () => {
  const sparse: unknown[] = [1];
  sparse[2] = 3;
  sparse[10] = undefined;
  const self: Record<string, unknown> = { n: 1 };
  self.self = self;
  const values: readonly unknown[] = [
    ...[undefined, null, true, NaN, -0, 0, 1.5, Infinity, 2 ** 53, 1n << 200n, -1n],
    ...["", "ascii", "é", "日本", "\ud800", "a\udc00b", "x".repeat(100_000), "日".repeat(40_000)],
    ...[new Date(Number.NaN), new Date(5), /x/gi, new TypeError("x", { cause: 1 }), new AggregateError([1], "y")],
    ...[
      new Map<unknown, unknown>([
        [NaN, -0],
        [{}, undefined],
      ]),
      new Set([undefined, -0]),
    ],
    ...[[], [undefined], sparse, Object.assign([1, 2], { x: 1 }), [[1], ["a", null]], {}, { a: undefined }],
    ...[
      { 2: 1, 1: 2, b: 1, a: 2 },
      JSON.parse('{"__proto__":1}'),
      Object.create(null),
      self,
      { deep: { deeper: [self] } },
    ],
    ...[new Uint8Array([1]), new Float32Array([NaN, -0]), new BigInt64Array([-5n]), new Float16Array([1.5])],
    ...[
      Buffer.from("hi"),
      new ArrayBuffer(3),
      new DataView(new ArrayBuffer(4), 1),
      new Uint8Array(new ArrayBuffer(8), 2, 3),
    ],
    ...[Object(1), Object("boxed"), Object(2n)],
  ];

  for (const type of ["learned", "any"] as const) {
    for (const apart of [true, false]) {
      test(`as records and as fields of type ${type}, ${apart ? "between slots" : "within one"}`, async () => {
        const carrying = job({ name: "carrying" }, (env) => {
          const source = env.from("in", collection([])) as unknown as Stream<unknown>;
          const from = source.slotGroup("a");
          const sent = type === "any" ? from.map(t.any, (value) => value) : from.map((value) => value);
          const received = sent
            .slotGroup("a")
            .rebalance()
            .map((value: unknown) => value);
          received.slotGroup(apart ? "b" : "a").to("out", blackhole());
        });
        await using run = await testJob(carrying);
        for (const record of values.flatMap((value) => [value, { id: 1, value }])) {
          run.source("in").push(record);
          const rows = await run.sink("out").take();
          assert.equal(rows.length, 1);
          assert.equal(difference(rows[0], record), null, inspect(record));
        }
      });
    }
  }
});
