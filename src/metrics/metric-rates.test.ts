import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRates, meterName } from "./metric-rates.ts";
import { type MetricDefinition, MetricRegistry, metricMemory } from "./metric-registry.ts";
import { MetricStore } from "./metric-store.ts";

function world(): { registry: MetricRegistry; store: MetricStore } {
  const memory = metricMemory();
  const store = new MetricStore();
  const define = (definition: MetricDefinition): void => store.define(0, memory, [definition]);
  return { registry: new MetricRegistry(memory, define), store };
}

test("meters have Flink's names", () => {
  assert.equal(meterName("numRecordsIn"), "numRecordsInPerSecond");
  assert.equal(meterName("accumulateBusyTimeMs"), "busyTimeMsPerSecond");
  assert.equal(meterName("accumulateBackPressuredTimeMs"), "backPressuredTimeMsPerSecond");
  assert.equal(meterName("currentInputWatermark"), null);
});

test("a rate is the growth over the window, not since the start", () => {
  const { registry, store } = world();
  const scope = registry.scope({ vertex: 0, subtask: 0, operator: null });
  const rates = new MetricRates(store, 10_000);
  scope.count("numRecordsIn", 1_000_000);
  for (let second = 0; second <= 30; second += 1) {
    rates.sample(second * 1_000);
    scope.count("numRecordsIn", 50);
  }
  assert.deepEqual(
    rates.meters().map(({ name, perSecond }) => [name, perSecond]),
    [["numRecordsInPerSecond", 50]],
  );
});

test("a counter that appears later grew from zero", () => {
  const { registry, store } = world();
  const rates = new MetricRates(store);
  rates.sample(0);
  registry.scope({ vertex: 0, subtask: 0, operator: "a" }).count("numRecordsOut", 30);
  rates.sample(2_000);
  assert.equal(rates.meters()[0]?.perSecond, 15);
});

test("without two samples every rate is zero", () => {
  const { registry, store } = world();
  registry.scope({ vertex: 0, subtask: 0, operator: "a" }).count("numRecordsOut", 30);
  const rates = new MetricRates(store);
  assert.equal(rates.perSecond(0), 0);
  rates.sample(5);
  assert.equal(rates.perSecond(0), 0);
});
