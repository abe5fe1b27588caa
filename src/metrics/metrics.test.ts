import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { METRIC_NUMBERS, type MetricDefinition, MetricRegistry, metricMemory } from "./metric-registry.ts";
import { MetricStore } from "./metric-store.ts";

function setUp() {
  const memory = metricMemory();
  const definitions: MetricDefinition[] = [];
  const registry = new MetricRegistry(memory, (definition) => definitions.push(definition));
  const store = new MetricStore();
  /** As the slot's announcement does. */
  const announce = () => store.define(0, memory, definitions.splice(0));
  return { registry, store, announce };
}

const SCOPE = { vertex: 1, subtask: 2, operator: "op" };

describe("metrics in shared memory", () => {
  test("M1, M2: a reader sees counters and gauges by name and operator, without a message per update", () => {
    const { registry, store, announce } = setUp();
    const scope = registry.scope(SCOPE);
    scope.count("numLateRecordsDropped");
    announce();
    scope.count("numLateRecordsDropped", 4);
    scope.gauge("level", 7);
    scope.gauge("level", 3);
    announce();
    assert.equal(store.sum("numLateRecordsDropped"), 5);
    assert.equal(store.sum("level"), 3);
    assert.equal(
      store.sum("level", (entry) => entry.operator === "other"),
      0,
    );
    assert.deepEqual(
      store.entries().map(({ name, slot, operator, subtask }) => ({ name, slot, operator, subtask })),
      [
        { name: "numLateRecordsDropped", slot: 0, operator: "op", subtask: 2 },
        { name: "level", slot: 0, operator: "op", subtask: 2 },
      ],
    );
  });

  test("frozen numbers stay when the memory changes", () => {
    const { registry, store, announce } = setUp();
    const scope = registry.scope(SCOPE);
    scope.count("a", 2);
    announce();
    store.freeze();
    scope.count("a", 2);
    assert.equal(store.sum("a"), 2);
  });

  test("a run of counters is one view for generated code", () => {
    const { registry, store, announce } = setUp();
    const view = registry.scope({ ...SCOPE, operator: null }).counters([
      { operator: "a", name: "numRecordsOut" },
      { operator: "b", name: "numRecordsOut" },
    ]);
    view[0]! += 3;
    view[1]! += 4;
    announce();
    assert.equal(
      store.sum("numRecordsOut", (entry) => entry.operator === "b"),
      4,
    );
  });

  test("M4: a further definition of numbers that are there reads them, also as a sum; the first one stays", () => {
    const { registry, store, announce } = setUp();
    const [one, two] = ["one", "two"].map((operator) => registry.scope({ ...SCOPE, operator }));
    assert.ok(one !== undefined && two !== undefined);
    const [a, b] = [one.index("counter", "numRecordsOut"), two.index("counter", "numRecordsOut")];
    const task = registry.scope({ ...SCOPE, operator: null });
    two.alias("counter", "numRecordsIn", [a]);
    two.alias("counter", "numRecordsIn", [b]);
    task.alias("counter", "numRecordsOut", [a, b]);
    task.alias("counter", "refused", [a, -1]);
    one.count("numRecordsOut", 3);
    two.count("numRecordsOut", 4);
    announce();
    assert.equal(store.sum("numRecordsIn"), 3);
    assert.equal(
      store.sum("numRecordsOut", ({ operator }) => operator === null),
      7,
    );
    assert.equal(store.sum("refused"), 0);
  });

  test("a metric is defined once, whoever asks for its scope", () => {
    const { registry, store, announce } = setUp();
    for (let i = 0; i < 3; i += 1) registry.scope({ ...SCOPE }).count("a");
    announce();
    assert.deepEqual([store.entries().length, store.sum("a")], [1, 3]);
  });

  test("M3: what exceeds the memory is refused and counted, and using it does no harm", () => {
    const { registry, store, announce } = setUp();
    const scope = registry.scope(SCOPE);
    for (let i = 0; i < METRIC_NUMBERS; i += 1) scope.count(`c${i}`);
    scope.count("beyond");
    scope.gauge("beyond", 1);
    scope.observe("beyond", 1);
    const view = scope.counters([{ operator: "x", name: "y" }]);
    view[0]! += 1;
    announce();
    assert.equal(store.refused(), 4);
    assert.equal(store.sum("beyond"), 0);
    assert.equal(store.sum(`c${METRIC_NUMBERS - 1}`), 1);
  });
});

test("histograms of several subtasks are one distribution; what is no finite number is not observed", () => {
  const { registry, store, announce } = setUp();
  const [one, two] = [registry.scope(SCOPE), registry.scope({ ...SCOPE, subtask: 3 })];
  for (const value of [1, 2, Number.NaN, Infinity]) one.observe("latency", value);
  for (const value of [-5, 6]) two.observe("latency", value);
  registry.scope({ ...SCOPE, subtask: 4 }).index("histogram", "latency");
  announce();
  const { count, min, max, mean, p99 } = store.histogram(...store.entries());
  assert.deepEqual({ count, min, max, mean, p99 }, { count: 4, min: -5, max: 6, mean: 1, p99 });
  assert.ok(Math.abs(p99 - 6) < 0.5);
  assert.equal(store.histogram().mean, 0);
});

test("histograms tell count, sum and extremes exactly, quantiles within 8 %", () => {
  const values = fc.array(fc.double({ min: 1e-5, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(values, (observed) => {
      const { registry, store, announce } = setUp();
      const scope = registry.scope(SCOPE);
      for (const value of observed) scope.observe("latency", value);
      announce();
      const summary = store.histogram(store.entries()[0]!);
      const sorted = [...observed].sort((a, b) => a - b);
      assert.equal(summary.count, observed.length);
      assert.deepEqual([summary.min, summary.max], [sorted[0], sorted.at(-1)]);
      for (const [quantile, actual] of [
        [0.5, summary.p50],
        [0.95, summary.p95],
        [0.99, summary.p99],
      ] as const) {
        const exact = sorted[Math.ceil(quantile * sorted.length) - 1]!;
        assert.ok(Math.abs(actual - exact) <= 0.08 * exact, `p${quantile}: ${actual}, exactly ${exact}`);
      }
    }),
  );
});

test("E3: the next attempt of a task counts from zero, in the thread that it had or another one, and has one entry", () => {
  const { registry, store, announce } = setUp();
  const other = { ...SCOPE, subtask: SCOPE.subtask + 1 };
  for (const name of [SCOPE, other]) registry.scope(name).count("numRecordsIn", 5);
  registry.scope(SCOPE).observe("latency", 7);
  announce();
  registry.begin(SCOPE);
  const sumOf = (subtask: number): number => store.sum("numRecordsIn", (entry) => entry.subtask === subtask);
  assert.deepEqual([sumOf(SCOPE.subtask), sumOf(other.subtask)], [0, 5]);
  assert.equal(store.histogram(...store.entries().filter(({ kind }) => kind === "histogram")).count, 0);
  registry.scope(SCOPE).count("numRecordsIn", 2);
  assert.equal(sumOf(SCOPE.subtask), 2);
  const before = store.entries().length;
  const memory = metricMemory();
  const next = new MetricRegistry(memory, (definition) => store.define(0, memory, [definition]));
  next.scope(SCOPE).count("numRecordsIn", 3);
  assert.deepEqual([sumOf(SCOPE.subtask), sumOf(other.subtask)], [3, 0], "nothing of a thread that has ended");
  assert.equal(store.entries().length, before);
});
