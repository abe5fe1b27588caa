import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRates, meterName } from "./metric-rates.ts";
import { type MetricDefinition, MetricRegistry, metricMemory } from "./metric-registry.ts";
import { MetricStore } from "./metric-store.ts";

function world() {
  const memory = metricMemory();
  const clock = { ms: 5_000, nowMs: () => clock.ms, monotonicMs: () => clock.ms };
  const store = new MetricStore(clock);
  const define = (definition: MetricDefinition): void => store.define(0, memory, [definition]);
  return { registry: new MetricRegistry(memory, define), store, clock };
}

const OPERATOR = { vertex: 0, subtask: 0, operator: "a" };

test("meters have Flink's names", () => {
  assert.equal(meterName("numRecordsIn"), "numRecordsInPerSecond");
  assert.equal(meterName("accumulateBusyTimeMs"), "busyTimeMsPerSecond");
  assert.equal(meterName("accumulateBackPressuredTimeMs"), "backPressuredTimeMsPerSecond");
  assert.equal(meterName("currentInputWatermark"), null);
  assert.equal(meterName("numRecordsOut.late"), null);
});

test("a rate is the growth over the window, not since the start", () => {
  const { registry, store, clock } = world();
  const scope = registry.scope({ ...OPERATOR, operator: null });
  const rates = new MetricRates(store, 10_000);
  rates.start();
  scope.count("numRecordsIn", 1_000_000);
  for (let second = 0; second <= 30; second += 1) {
    rates.sample();
    scope.count("numRecordsIn", second < 20 ? 500 : 50);
    clock.ms += 1_000;
  }
  assert.deepEqual(
    rates.meters().map(({ name, perSecond }) => [name, perSecond]),
    [["numRecordsInPerSecond", 50]],
  );
});

test("in a run shorter than the window it is the growth since the start, whenever the counter appeared", () => {
  const { registry, store, clock } = world();
  const rates = new MetricRates(store);
  rates.start();
  clock.ms += 1_000;
  rates.start();
  registry.scope(OPERATOR).count("numRecordsOut", 30);
  registry.scope(OPERATOR).mark("alerts", 4);
  clock.ms += 1_000;
  assert.equal(rates.sum("numRecordsOutPerSecond"), 15);
  assert.equal(
    rates.sum("alerts", ({ operator }) => operator === "a"),
    2,
  );
  assert.equal(
    rates.sum("alerts", ({ operator }) => operator === "b"),
    0,
  );
});

test("before the start every rate is zero, and after the end it stays", () => {
  const { registry, store, clock } = world();
  const rates = new MetricRates(store);
  registry.scope(OPERATOR).count("numRecordsOut", 30);
  rates.sample();
  clock.ms += 1_000;
  assert.equal(rates.perSecond(0), 0);
  rates.start();
  assert.equal(rates.perSecond(0), 0);
  clock.ms += 1_000;
  store.freeze();
  clock.ms += 60_000;
  assert.equal(rates.perSecond(0), 30);
});

test("a task is nothing for longer than a second a second", () => {
  const { registry, store, clock } = world();
  const rates = new MetricRates(store);
  rates.start();
  registry.scope({ ...OPERATOR, operator: null }).count("accumulateIdleTimeMs", 1_030);
  clock.ms += 1_000;
  assert.equal(rates.sum("idleTimeMsPerSecond"), 1_000);
});
