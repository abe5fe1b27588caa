import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { OperatorDriver } from "../../../test/operators/operator-driver.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { t } from "../../types/t.ts";
import { aggregateSet, collect, count, sum } from "../aggregates/aggregate.ts";
import { fieldTypes } from "../expressions/field-types.ts";
import { AggregateOperator } from "./aggregate-operator.ts";

type Row = { key: unknown; value: number };

function driverOf(
  mode: "stream" | "batch",
  keyType: TypeSpec,
  rooms: readonly number[] = [1_000],
  limitBytes?: number,
): OperatorDriver {
  let turn = 0;
  const key = { field: "key", of: null, type: keyType };
  const set = aggregateSet({ n: count(), total: sum("value"), values: collect("value") }, ["key"]);
  const fields = fieldTypes(t.struct({ key: t.any, value: t.f64 }).spec);
  return new OperatorDriver(
    {
      make: () => new AggregateOperator({ mode, key, keyName: "key", set, fields, partials: false }),
      keyType,
      keyOf: (record) => (record as Row).key,
      overrun: 0,
      room: () => rooms[turn++ % rooms.length] as number,
      ...(limitBytes !== undefined && { limitBytes }),
    },
    1,
  );
}

const send = (driver: OperatorDriver, rows: readonly Row[]) =>
  driver.records(
    rows.map((record) => ({ record, timestampMs: Number.NaN })),
    null,
  );

const keys: Record<string, [TypeSpec, fc.Arbitrary<unknown>]> = {
  numbers: [{ kind: "f64" }, fc.constantFrom(0, -0, 1.5, Number.POSITIVE_INFINITY, -1e300)],
  texts: [{ kind: "string" }, fc.constantFrom("", "a", "ä", "\ud800", "a text of more than sixteen bytes")],
  dates: [{ kind: "date" }, fc.constantFrom(0, 1e12).map((ms) => new Date(ms))],
  structs: [
    t.struct({ a: t.string, b: t.f64.nullable() }).spec,
    fc.record({ a: fc.constantFrom("x", "y"), b: fc.constantFrom(1, 2, null) }, { noNullPrototype: true }),
  ],
  "values of any type": [{ kind: "any" }, fc.constantFrom(1, "1", true, 1n)],
};

const identity = (key: unknown) => `${typeof key} ${typeof key === "object" ? JSON.stringify(key) : String(key)}`;

describe("running aggregates", () => {
  for (const [name, [type, arbitrary]] of Object.entries(keys)) {
    test(`by ${name} give the updated row for each record, through snapshots, rescaling and full outputs`, () => {
      const steps = fc.array(
        fc.oneof(
          {
            weight: 4,
            arbitrary: fc.array(
              fc.record({ key: arbitrary, value: fc.integer({ min: -9, max: 9 }) }, { noNullPrototype: true }),
              { maxLength: 6 },
            ),
          },
          { weight: 1, arbitrary: fc.constantFrom(1, 2, 3) },
        ),
        { maxLength: 12 },
      );
      fc.assert(
        fc.property(steps, fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1 }), (list, rooms) => {
          const driver = driverOf("stream", type, rooms);
          const groups = new Map<string, Row[]>();
          for (const step of list) {
            if (typeof step === "number") {
              driver.restart(step);
              continue;
            }
            driver.emitted.length = 0;
            send(driver, step as Row[]);
            const expected = (step as Row[]).map((row) => {
              const group = [...(groups.get(identity(row.key)) ?? []), row];
              groups.set(identity(row.key), group);
              const values = group.map((each) => each.value);
              const key = Object.is(row.key, -0) ? 0 : row.key;
              return { key, n: values.length, total: values.reduce((a, b) => a + b, 0), values };
            });
            const sorted = (rows: readonly Record<string, unknown>[]) =>
              rows
                .map((row) => row)
                .sort((a, b) =>
                  identity(a.key) < identity(b.key)
                    ? -1
                    : identity(a.key) > identity(b.key)
                      ? 1
                      : Number(a.n) - Number(b.n),
                );
            assert.deepEqual(sorted(driver.emitted.map(({ row }) => row)), sorted(expected));
          }
          assert.equal(driver.close(), 0);
        }),
        { numRuns: 60 },
      );
    });
  }

  test("in batch mode give one row per key at the end, however full the output is", () => {
    for (const rooms of [[1_000], [1], [3, 1]]) {
      const driver = driverOf("batch", { kind: "f64" }, rooms);
      send(
        driver,
        Array.from({ length: 2_000 }, (_, i) => ({ key: i % 700, value: 1 })),
      );
      assert.equal(driver.emitted.length, 0);
      driver.restart(2);
      driver.watermark(5); // Some event time, which is not the end.
      assert.equal(driver.emitted.length, 0);
      driver.watermark(Infinity);
      const rows = driver.emitted.map(({ row }) => row).sort((left, right) => Number(left.key) - Number(right.key));
      assert.deepEqual(
        rows.map(({ key, n }) => [key, n]),
        Array.from({ length: 700 }, (_, key) => [key, key < 600 ? 3 : 2]),
      );
    }
  });

  test("refuse a key that is none, naming the operator", () => {
    for (const [type, key] of [
      [{ kind: "f64" }, Number.NaN],
      [{ kind: "f64" }, undefined],
      [{ kind: "string" }, null],
      [{ kind: "any" }, {}],
    ] as const) {
      const driver = driverOf("stream", type);
      const operator = () => send(driver, [{ key, value: 1 }]);
      assert.throws(operator, { code: "KEY_INVALID", message: /operator "op/ });
    }
  });

  test("that outgrow the managed memory are refused with operator, state and the key to raise", () => {
    const driver = driverOf("batch", { kind: "f64" }, [1_000], 512 * 1024);
    assert.throws(
      () =>
        send(
          driver,
          Array.from({ length: 50_000 }, (_, key) => ({ key, value: 1 })),
        ),
      {
        code: "STATE_BUDGET_EXCEEDED",
        message: /state "aggregates" of operator "op"/,
        fix: /taskmanager\.memory/,
      },
    );
  });
});
