import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readAll, sourceContract } from "../../operators/source.contract.ts";
import type { IndexedSource } from "../../operators/source.ts";
import { simWorld } from "../../testing/world.ts";
import { t } from "../../types/t.ts";
import { datagen, generate } from "./datagen.ts";
import { gen } from "./fields.ts";

const Tick = t.struct({
  symbol: t.string,
  price: t.f64,
  side: t.enum("buy", "sell"),
  at: t.timestamp,
  note: t.string.optional(),
});

const ticks = (seed: number, count = 1_000) =>
  datagen({
    count,
    seed,
    fields: {
      id: gen.sequence(10, 2),
      symbol: gen.choice(["A", "B", "C"], [8, 1, 1]),
      price: gen.normal(100, 5),
      quantity: gen.integer(1, 6),
      note: gen.string({ distinct: 50, length: 12 }),
      at: gen.timestamp({ start: "2026-01-01T00:00:00Z", step: "1s", jitter: "5s" }),
      hot: gen.boolean(0.25),
    },
  });

const recordsOf = <T>(source: IndexedSource<T>): T[] =>
  Array.from({ length: source.count }, (_, index) => source.generate(index));

sourceContract("datagen", () => {
  const source = ticks(7);
  return { source, world: simWorld(1), expected: recordsOf(source) };
});

sourceContract("generate, with a rate", () => {
  const source = generate(300, (index, random) => ({ index, value: random.next() }), { rate: 5_000 });
  return { source, world: simWorld(2), expected: recordsOf(source) };
});

describe("generated records", () => {
  test("go to the subtasks evenly, whoever asks first: event time grows in all of them alike", () => {
    const { env } = simWorld(1);
    const splits = ticks(7).createEnumerator({ env, disk: env.disk, uid: "ticks", parallelism: 3, wake: () => {} });
    const given = [1, 1, 0, 2, 0].map((subtask) => splits.next(subtask));
    assert.deepEqual(
      given.map((split) => (split === null || split === "wait" ? split : [split].flat().map(({ id }) => id))),
      [["1/3"], null, ["0/3"], ["2/3"], null],
    );
  });

  test("not handed out before a restore with fewer subtasks go to them at once, beside those that were", () => {
    const { env } = simWorld(1);
    const create = (parallelism: number) =>
      ticks(7).createEnumerator({ env, disk: env.disk, uid: "ticks", parallelism, wake: () => {} });
    const before = create(5);
    before.next(3);
    const restored = create(2);
    restored.restore(before.snapshot());
    restored.addBack([{ id: "3/5", position: 63 }]);
    const given = [1, 0, 1, 0].map((subtask) => restored.next(subtask));
    assert.deepEqual(given, [
      [
        { id: "3/5", position: 63 },
        { id: "1/5", position: 1 },
      ],
      [
        { id: "0/5", position: 0 },
        { id: "2/5", position: 2 },
        { id: "4/5", position: 4 },
      ],
      null,
      null,
    ]);
  });

  test("the n-th record depends on the seed and n alone", () => {
    const [one, two] = [ticks(7), ticks(7)];
    const forwards = recordsOf(one);
    const backwards = forwards.map((_, index) => two.generate(forwards.length - 1 - index)).reverse();
    assert.deepEqual(backwards, forwards);
    assert.notDeepEqual(recordsOf(ticks(8)), forwards);
  });

  test("a seed for records that take no random numbers is refused", () => {
    const refused = { code: "OPTION_WITHOUT_EFFECT", message: /^seed / };
    assert.throws(() => generate(1, (n) => n, { seed: 7 }), refused);
    generate(1, (n, random) => n + random.next(), { seed: 7 });
  });

  test("fields have the distributions that they are named after", () => {
    const records = recordsOf(ticks(3, 50_000));
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    const prices = records.map((record) => record.price);
    const average = mean(prices);
    assert.ok(Math.abs(average - 100) < 0.2, `${average}`);
    assert.ok(Math.abs(Math.sqrt(mean(prices.map((price) => (price - average) ** 2))) - 5) < 0.2);
    assert.ok(Math.abs(mean(records.map((record) => (record.symbol === "A" ? 1 : 0))) - 0.8) < 0.02);
    assert.ok(Math.abs(mean(records.map((record) => (record.hot ? 1 : 0))) - 0.25) < 0.02);
    assert.deepEqual([...new Set(records.map((record) => record.quantity))].sort(), [1, 2, 3, 4, 5, 6]);
    assert.equal(new Set(records.map((record) => record.note)).size, 50);
    assert.equal(records[5]?.id, 20);
    const start = Date.UTC(2026, 0, 1);
    assert.ok(records.every(({ at }, index) => at <= start + index * 1_000 && at >= start + index * 1_000 - 5_000));
  });

  test("neighbouring indexes, far indexes and fields of one record are not correlated", () => {
    const source = datagen({ fields: { a: gen.uniform(-1, 1), b: gen.uniform(-1, 1) } });
    for (const [base, step] of [
      [0, 1],
      [2 ** 31 - 500, 1],
      [2 ** 40, 2 ** 32],
      [0, 2 ** 20],
    ] as const) {
      let [ab, serial, previous] = [0, 0, 0];
      for (let n = 0; n < 20_000; n += 1) {
        const { a, b } = source.generate(base + n * step);
        ab += a * b;
        serial += a * previous;
        previous = a;
      }
      assert.ok(Math.abs(ab / 20_000) < 0.02, `a and b from ${base}: ${ab / 20_000}`);
      assert.ok(Math.abs(serial / 20_000) < 0.02, `successive ones from ${base}: ${serial / 20_000}`);
    }
  });

  test("a declared type is enough: its fields are made up, and given ones are taken", () => {
    const source = datagen({ type: Tick, count: 20, fields: { symbol: gen.choice(["X"]) } });
    for (const record of recordsOf(source)) {
      const result = Tick["~standard"].validate(record);
      assert.equal(result.issues, undefined, JSON.stringify(result));
      assert.equal(record.symbol, "X");
    }
    assert.equal(source.type, Tick.spec);
  });

  test("a field named __proto__ is a field like any other", () => {
    const record = datagen({ fields: { ["__proto__"]: gen.sequence(4) } as never }).generate(1);
    assert.deepEqual(Object.entries(record), [["__proto__", 5]]);
  });

  test("what cannot be generated is refused when the job is built", () => {
    const refused = (build: () => unknown): void => assert.throws(build, { code: "DATAGEN_INVALID" });
    assert.throws(() => datagen({ fields: {}, count: -1 }), { code: "DATAGEN_INVALID", message: /^the count .* -1$/ });
    assert.throws(() => datagen({ fields: {}, count: 5, rate: 0 }), {
      code: "DATAGEN_INVALID",
      message: "the rate of datagen is number 0",
      fix: "rate is a number of records per second above 0",
    });
    refused(() => gen.choice([]));
    refused(() => gen.integer(5, 1));
    refused(() => gen.string({ distinct: 100, length: 1 }));
    refused(() => datagen({ type: t.struct({ tags: t.list(t.string) }) }));
    refused(() => datagen({ type: t.f64 as never }));
  });

  test("record n is emitted n / rate seconds after the first, by all subtasks together", async () => {
    const { env, settle } = simWorld(1);
    const source = generate(100, (index) => ({ index, atMs: env.clock.monotonicMs() }), { rate: 10 });
    const { records } = await readAll(source, { env, settle }, { parallelism: 2 });
    const start = Math.min(...records.map(({ atMs }) => atMs));
    for (const { index, atMs } of records) assert.ok(atMs - start >= index * 100 - 101, `${index} at ${atMs - start}`);
    assert.ok(env.clock.monotonicMs() - start >= 9_700);
  });
});
