import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OperatorDriver } from "../../../test/operators/operator-driver.ts";
import { ROW_KIND } from "../../types/bytes/row-kind.ts";
import { aggregateSet, collect, count, sum } from "../aggregates/aggregate.ts";
import { fieldTypes } from "../expressions/field-types.ts";
import { session, sliding, tumbling, type WindowSpec } from "./time/window-spec.ts";
import { windowOperator } from "./window-operator.ts";

type Row = { key: string; value: number; ts: number };

const HOUR = 3_600_000;

function driverOf(
  window: WindowSpec,
  limits: { limitBytes?: number; heapLimitBytes?: number } = {},
  partials = false,
): OperatorDriver {
  const set = aggregateSet(
    { n: count(), total: sum("value"), ...(limits.heapLimitBytes && { list: collect("value") }) },
    [],
  );
  return new OperatorDriver(
    {
      make: () =>
        windowOperator({
          window,
          allowedLatenessMs: 0,
          lateOutput: false,
          partials,
          key: { field: "key", of: null, type: { kind: "string" } },
          keyName: "key",
          set,
          fields: fieldTypes({
            kind: "struct",
            fields: [{ name: "value", type: { kind: "f64" }, optional: false }],
          }),
        }),
      keyType: { kind: "string" },
      keyOf: (record) => (record as Row).key,
      room: () => 1_000,
      overrun: 0,
      ...limits,
    },
    1,
  );
}

function send(driver: OperatorDriver, rows: readonly Row[]): void {
  driver.records(
    rows.map((record) => ({ record, timestampMs: record.ts })),
    null,
  );
}

const iso = (ms: unknown) => new Date(Number(ms)).toISOString().slice(0, 16);

describe("windows", () => {
  test("of a local day have 23, 24 and 25 hours", () => {
    for (const [from, expected] of [
      ["2024-03-30T00:30Z", ["2024-03-29T23:00 24", "2024-03-30T23:00 23", "2024-03-31T22:00 24"]],
      ["2024-10-26T00:30Z", ["2024-10-25T22:00 24", "2024-10-26T22:00 25", "2024-10-27T23:00 24"]],
    ] as const) {
      const driver = driverOf(tumbling("1d", { zone: "Europe/Berlin" }));
      const start = Date.parse(from);
      send(
        driver,
        Array.from({ length: 72 }, (_, hour) => ({ key: "a", value: 1, ts: start + hour * HOUR })),
      );
      driver.watermark(Number.POSITIVE_INFINITY);
      const days = driver.emitted
        .slice(0, 3)
        .map(({ row }) => `${iso(row.start)} ${(Number(row.end) - Number(row.start)) / HOUR}`);
      assert.deepEqual(days, expected);
      assert.equal(driver.emitted[1]?.row.n, expected[1].endsWith("23") ? 23 : 25);
    }
  });

  test("that slide by local days follow the clocks as well", () => {
    const driver = driverOf(sliding("2d", "1d", { zone: "America/New_York" }));
    send(driver, [{ key: "a", value: 1, ts: Date.parse("2024-03-10T12:00Z") }]);
    driver.watermark(Number.POSITIVE_INFINITY);
    assert.deepEqual(
      driver.emitted.map(({ row }) => `${iso(row.start)} ${iso(row.end)}`),
      ["2024-03-09T05:00 2024-03-11T04:00", "2024-03-10T05:00 2024-03-12T04:00"],
    );
  });

  test("give rows with the key, start, end and results in that order, and the event time of their last millisecond", () => {
    const driver = driverOf(tumbling("10ms"));
    send(driver, [{ key: "a", value: 2, ts: 25 }]);
    driver.watermark(28);
    assert.equal(driver.emitted.length, 0);
    driver.watermark(29);
    assert.deepEqual(driver.emitted, [
      { row: { key: "a", start: 20, end: 30, n: 1, total: 2 }, timestampMs: 29, kind: ROW_KIND.insert },
    ]);
    assert.deepEqual(Object.keys(driver.emitted[0]?.row ?? {}), ["key", "start", "end", "n", "total"]);
  });

  test("go on, each key group where its subtask was, when they are restored from several", () => {
    for (const window of [tumbling("10ms"), sliding("20ms", "10ms"), session("10ms")]) {
      for (const ahead of [0, 1]) {
        const driver = driverOf(window);
        driver.restart(2);
        const rows = (ts: number): Row[] => Array.from("abcdefgh", (key) => ({ key, value: 1, ts }));
        send(driver, rows(5));
        driver.watermark(1_000, ahead);
        driver.watermark(100, 1 - ahead);
        driver.restart(1);
        const before = driver.emitted.length;
        send(driver, rows(505));
        assert.equal(driver.emitted.length, before, "no window of them is over that was not over before");
        driver.watermark(Number.POSITIVE_INFINITY);
        const late = driver.counters.get("numLateRecordsDropped") ?? 0;
        assert.ok(late > 0 && late < 8, "those of the subtask that had got to 1000, and no others, are late");
        const counted = driver.emitted.reduce((sum, { row }) => sum + Number(row.n), 0);
        assert.equal(counted, (window.kind === "sliding" ? 2 : 1) * (8 + 8 - late), window.kind);
        assert.equal(driver.close(), 0);
      }
    }
  });

  test("cross gaps of years without looking at what lies between", () => {
    for (const window of [tumbling("1ms"), sliding("10ms", "1ms"), session("1ms")]) {
      const driver = driverOf(window);
      for (const ts of [0, 1e12, 8e15]) {
        send(driver, [{ key: "a", value: 1, ts }]);
        driver.watermark(ts);
      }
      driver.watermark(Number.POSITIVE_INFINITY);
      assert.equal(driver.emitted.length, window.kind === "sliding" ? 30 : 3);
      assert.equal(driver.entries, 0);
    }
  });

  test("refuse records without event time, naming the operator", () => {
    for (const window of [tumbling("1s"), sliding("2s", "1s"), session("1s")]) {
      assert.throws(() => send(driverOf(window), [{ key: "a", value: 1, ts: Number.NaN }]), {
        code: "TIMESTAMP_MISSING",
        message: /windows of op/,
      });
    }
  });

  test("that outgrow managed memory or heap are refused with operator, state and the key to raise", () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => ({ key: `key ${i}`, value: 1, ts: i % 50 }));
    for (const [window, state] of [
      [tumbling("10ms"), "windows"],
      [sliding("20ms", "10ms"), "windows"],
      [session("1ms"), "sessions"],
    ] as const) {
      assert.throws(() => send(driverOf(window, { limitBytes: 1024 * 1024 }), rows), {
        code: "STATE_BUDGET_EXCEEDED",
        message: new RegExp(`state "${state}( heads)?" of operator "op"`),
      });
      assert.throws(() => send(driverOf(window, { heapLimitBytes: 100_000 }), rows), {
        code: "STATE_BUDGET_EXCEEDED",
        fix: /task\.heap\.size/,
      });
    }
  });

  test("count the records behind a partial row that is late", () => {
    const driver = driverOf(tumbling("10ms"), {}, true);
    driver.watermark(100);
    driver.records([{ record: { key: "a", "#pane": 3, "#0": 7, "#1": 0, "#2": 0 }, timestampMs: 30 }], null);
    assert.equal(driver.counters.get("numLateRecordsDropped"), 7);
  });

  test("are refused when their sizes, offsets or zones make no sense", () => {
    assert.throws(() => tumbling("0s"), { code: "WINDOW_DURATION" });
    assert.throws(() => tumbling("0.5ms"), { code: "WINDOW_DURATION" });
    assert.throws(() => tumbling("1.5ms"), { code: "WINDOW_DURATION" });
    assert.throws(() => session("0ms"), { code: "WINDOW_DURATION" });
    assert.throws(() => sliding("1s", "2s"), { code: "WINDOW_SLIDE" });
    assert.throws(() => sliding("365d", "1ms"), { code: "WINDOW_SLIDE", message: /in 31,536,000,000/, fix: /31536ms/ });
    assert.equal(sliding("1000s", "1ms").kind, "sliding");
    const zoned = session as (gap: "1s", options: object) => unknown;
    assert.throws(() => zoned("1s", { zone: "Europe/Berlin" }), {
      code: "OPTION_WITHOUT_EFFECT",
      message: /^zone .* session/,
    });
    assert.throws(() => tumbling("1s", { offset: "0.1ms" }), { code: "WINDOW_DURATION" });
    assert.throws(() => tumbling("1d", { zone: "Mars/Olympus" }), { code: "WINDOW_ZONE" });
    assert.throws(() => tumbling("5 min" as never), { code: "DURATION_MALFORMED" });
    assert.deepEqual(tumbling("7d", { offset: "11d" }), {
      kind: "tumbling",
      sizeMs: 604_800_000,
      offsetMs: 345_600_000,
      zone: null,
    });
  });

  test("of one zone are the same, however its name is written", () => {
    for (const zone of ["Europe/Berlin", "europe/berlin", "EUROPE/BERLIN"]) {
      assert.deepEqual(tumbling("1d", { zone }), tumbling("1d", { zone: "Europe/Berlin" }), zone);
    }
  });
});
