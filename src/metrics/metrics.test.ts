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
    assert.equal(registry.refused, 4);
    assert.equal(store.sum("beyond"), 0);
    assert.equal(store.sum(`c${METRIC_NUMBERS - 1}`), 1);
  });
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
