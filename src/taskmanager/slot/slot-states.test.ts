import assert from "node:assert/strict";
import { test } from "node:test";
import type { Env } from "../../base/env.ts";
import { Configuration } from "../../config/configuration.ts";
import type { PlanOperator } from "../../graph/plan.ts";
import { SegmentPool } from "../../memory/segment-pool.ts";
import { type MetricDefinition, MetricRegistry, metricMemory } from "../../metrics/metric-registry.ts";
import type { KeyedStateStore } from "../../state/contract/keyed-state.ts";
import { KeyBatch } from "../../state/keys/key-batch.ts";
import { keyGroupOf } from "../../state/keys/key-groups.ts";
import { PAGE_BYTES } from "../../state/pages/page-allocator.ts";
import { SimEnv } from "../../testing/sim-env.ts";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import { slotHeapBudget, slotStates } from "./slot-states.ts";

const BLOCK_BYTES = 1 << 20;
/** And key groups: each subtask has the one of its number. */
const SUBTASKS = 8;
const keyHash = compileKeyHash({ kind: "f64" }, "slot states test");
const TABLE = { name: "sums", key: "number", namespaced: false, listed: false, blob: false } as const;

type Logged = { readonly message: string; readonly fields: Readonly<Record<string, unknown>> };

/** The states of a slot with 2 MiB of managed memory. */
function setUp() {
  const pool = SegmentPool.create({
    name: "managed memory",
    configKey: "taskmanager.memory.managed.size",
    segments: 4,
    segmentSize: BLOCK_BYTES,
    groupLimits: [2],
  });
  const logged: Logged[] = [];
  const log = { write: (_level: string, message: string, fields = {}) => logged.push({ message, fields }) };
  const env = { ...new SimEnv({ seed: 1 }), log } as unknown as Env;
  const definitions: MetricDefinition[] = [];
  const registry = new MetricRegistry(metricMemory(), (definition) => definitions.push(definition));
  const states = slotStates({
    env,
    configuration: new Configuration([]),
    pool,
    limitBytes: 2 * BLOCK_BYTES,
    heapBudget: slotHeapBudget(BLOCK_BYTES),
    jobId: "job-1",
    slot: 0,
  });
  return {
    pool,
    logged,
    states,
    storeFor: (uid: string, subtask: number): KeyedStateStore => {
      const operator = {
        uid,
        kind: "window",
        parallelism: SUBTASKS,
        maxParallelism: SUBTASKS,
        key: { type: { kind: "f64" } },
      };
      return states.storeFor(operator as PlanOperator, subtask, registry.scope({ vertex: 0, subtask, operator: uid }));
    },
    metric: (uid: string, subtask: number, name: string): number | undefined => {
      const found = definitions.find((each) => {
        return each.operator === uid && each.subtask === subtask && each.name === name && each.kind === "gauge";
      });
      return found && registry.values[found.index];
    },
  };
}

/** Keeps a text of 1,000 characters for each of so many keys of a subtask. */
function fill(store: KeyedStateStore, subtask: number, count: number): void {
  const value = store.value({ kind: "value", name: "texts", type: { kind: "string" }, ttlMs: null }, null);
  for (let key = 0, kept = 0; kept < count; key += 1) {
    const hash = keyHash(key);
    if (keyGroupOf(hash, SUBTASKS) !== subtask) continue;
    store.setKey(key, hash);
    value.set("x".repeat(1_000));
    kept += 1;
  }
}

test("each operator of each subtask has its own figures of managed memory, which end at 0 with it", async () => {
  const { states, storeFor, metric, pool, logged } = setUp();
  const [one, other] = [storeFor("sums", 0), storeFor("sums", 4)];
  assert.deepEqual(
    ["managedMemoryUsed", "managedMemoryPeak"].map((name) => metric("sums", 0, name)),
    [0, 0],
  );
  fill(one, 0, 100);
  fill(other, 4, 10);
  const used = [0, 4].map((subtask) => metric("sums", subtask, "managedMemoryUsed"));
  assert.ok(used[0]! > 100_000 && used[1]! > 10_000 && used[1]! < used[0]!, `${used}`);
  assert.ok(used.every((bytes) => bytes! % PAGE_BYTES === 0));
  assert.equal(metric("sums", 0, "managedMemoryMax"), 2 * BLOCK_BYTES);
  one.release();
  assert.equal(metric("sums", 0, "managedMemoryUsed"), 0);
  assert.equal(metric("sums", 0, "managedMemoryPeak"), used[0]);
  assert.equal(metric("sums", 4, "managedMemoryUsed"), used[1], "what others hold stays theirs");
  other.release();
  await states.release();
  assert.deepEqual([logged, pool.stats().leased], [[], 0]);
});

test("who has no memory left is told which subtask of which operator holds it", () => {
  const { storeFor } = setUp();
  fill(storeFor("large", 0), 0, 1_500);
  assert.throws(() => fill(storeFor("small", 5), 5, 1_500), {
    code: "STATE_BUDGET_EXCEEDED",
    operator: "small",
    message:
      /^state "texts" of operator "small" \(subtask 6 of 8\) .* beside "texts" of "large" \(subtask 1 of 8\) with/,
  });
});

test("pages that an operator leaves behind are laid to it by name, and free again while the slot goes on", async () => {
  const { states, storeFor, metric, pool, logged } = setUp();
  const store = storeFor("leaky", 1);
  const table = store.tables.table({ ...TABLE, valueWords: 8, initial: null });
  const batch = new KeyBatch(1);
  batch.hashNumbers(1);
  assert.ok(table.resolveIn(0, batch, 0) >= 0);
  table.release = () => undefined;
  store.release();
  assert.equal(logged.length, 1);
  const [{ message, fields }] = logged as [Logged];
  assert.match(message, /operator "leaky" \(subtask 2 of 8\) of job job-1 has ended .* memory: "sums" 8 KiB$/);
  assert.deepEqual(fields, { jobId: "job-1", slot: 0, operator: "leaky" });
  assert.equal(metric("leaky", 1, "managedMemoryUsed"), 0);
  fill(storeFor("next", 0), 0, 1_500);
  await states.release();
  assert.equal(pool.stats().leased, 0);
});
