// Keyed state: the managed table by batches against a `Map` of objects, and the stores record by record.
//
// node --conditions=millrace-source --expose-gc bench/state.bench.ts [keys] [records] [part of a case's name]
//
// Every case gets the same pseudo-random keys. Contestants take turns in ROUNDS rounds; a line shows the median round
// in CPU nanoseconds per record, and the memory per key after the last one. Filling is a round of its own, not shown.

import type { KeyedStateStore } from "../src/state/contract/keyed-state.ts";
import { heapStore } from "../src/state/heap/heap-store.ts";
import { KeyBatch } from "../src/state/keys/key-batch.ts";
import { managedStore } from "../src/state/managed/managed-store.ts";
import { heapBlocks } from "../src/state/pages/block-source.ts";
import { PageAllocator } from "../src/state/pages/page-allocator.ts";
import type { KeyedStoreOptions } from "../src/state/store/keyed-store.ts";
import { testOwner } from "../src/state/suites/test-owner.contract.ts";
import { ManagedTable } from "../src/state/table/managed-table.ts";
import { compileKeyHash, hashAscii, mixEnd } from "../src/types/keys/key-hash.ts";
import { t } from "../src/types/t.ts";

const KEYS = Number(process.argv[2] ?? 1_000_000);
const RECORDS = Number(process.argv[3] ?? 2_000_000);
/** Part of the names of the cases to run. */
const ONLY = process.argv[4] ?? "";
const BATCH = 512;
const ROUNDS = 7;
const MEMORY = 2 ** 30;
const TEXT_SIZE = 13;

/** Where the round begins in the sequence of keys: the order of access is never that of insertion. */
let roundStart = 0;

/** Random, but the same for all contestants. */
function keyAt(i: number): number {
  return (mixEnd(roundStart + i, 0) >>> 0) % KEYS;
}

type Contestant = {
  readonly name: string;
  /** Before each round, not measured. */
  readonly prepare?: () => void;
  readonly run: () => void;
  readonly bytes: () => number;
};

const setup = (key = t.f64.spec, allocator = new PageAllocator(heapBlocks(MEMORY, 2 ** 20))): KeyedStoreOptions => ({
  owner: testOwner(allocator, "bench"),
  key,
  maxParallelism: 128,
  keyGroups: { first: 0, last: 127 },
  allocator,
  clock: { nowMs: () => 0, monotonicMs: () => 0 },
  seed: 1,
  heapBudget: { limitBytes: MEMORY, configKey: "", usedBytes: 0 },
});

const ROW = {
  namespaced: false,
  listed: false,
  blob: false,
  valueWords: 3,
  initial: new Float64Array([0, 0, -Infinity]),
};

function update(table: ManagedTable, rows: Int32Array, from: number): void {
  const { f64, layout } = table;
  const { valueWord } = layout;
  for (let n = 0; n < BATCH; n += 1) {
    const at = rows[n]! + valueWord;
    const value = (from + n) & 1023;
    f64[at]! += 1;
    f64[at + 1]! += value;
    if (value > f64[at + 2]!) f64[at + 2] = value;
  }
}

function tableOfNumbers(): Contestant {
  const table = new ManagedTable({ ...ROW, name: "sum", key: "number" }, setup());
  const batch = new KeyBatch(BATCH);
  const rows = new Int32Array(BATCH);
  return {
    name: "number keys: managed table",
    run: () => {
      for (let from = 0; from < RECORDS; from += BATCH) {
        for (let n = 0; n < BATCH; n += 1) batch.numbers[n] = keyAt(from + n);
        batch.hashNumbers(BATCH);
        if (table.resolve(batch, BATCH, rows) < BATCH) throw table.exceeded();
        update(table, rows, from);
      }
    },
    bytes: () => table.account.bytes,
  };
}

type Totals = { count: number; sum: number; max: number };

function mapOf<K>(name: string, keyOf: (i: number) => K): Contestant {
  const map = new Map<K, Totals>();
  const heapBefore = heapUsed();
  return {
    name,
    run: () => {
      for (let i = 0; i < RECORDS; i += 1) {
        const key = keyOf(keyAt(i));
        const value = i & 1023;
        const totals = map.get(key);
        if (totals === undefined) {
          map.set(key, { count: 1, sum: value, max: value });
          continue;
        }
        totals.count += 1;
        totals.sum += value;
        if (value > totals.max) totals.max = value;
      }
    },
    bytes: () => heapUsed() - heapBefore,
  };
}

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

const textOf = (key: number): string => `sensor-${String(key).padStart(6, "0").slice(-6)}`;

function tableOfTexts(): Contestant {
  const table = new ManagedTable({ ...ROW, name: "sum", key: "bytes" }, setup(t.string.spec));
  const batch = new KeyBatch(BATCH);
  const rows = new Int32Array(BATCH);
  const column = Buffer.alloc(RECORDS * TEXT_SIZE);
  return {
    name: `${TEXT_SIZE}-character keys: managed table, from a text column`,
    prepare: () => {
      for (let i = 0; i < RECORDS; i += 1) column.write(textOf(keyAt(i)), i * TEXT_SIZE, "latin1");
    },
    run: () => {
      for (let from = 0; from < RECORDS; from += BATCH) {
        batch.position = 0;
        for (let n = 0; n < BATCH; n += 1) {
          const start = (from + n) * TEXT_SIZE;
          batch.hashes[n] = hashAscii(column, start, start + TEXT_SIZE);
          batch.stageAscii(n, column, start, start + TEXT_SIZE);
        }
        if (table.resolve(batch, BATCH, rows) < BATCH) throw table.exceeded();
        update(table, rows, from);
      }
    },
    bytes: () => table.account.bytes,
  };
}

/** The strings are there already, with their hashes: the best case of a `Map`. */
function mapOfTexts(): Contestant {
  const texts = Array.from({ length: KEYS }, (_, key) => textOf(key));
  return mapOf(`${TEXT_SIZE}-character keys: Map of objects`, (key) => texts[key]!);
}

const WELFORD = t.struct({ n: t.f64, mean: t.f64, m2: t.f64 });

function valueState(kind: "managed" | "heap", prefetched: boolean): Contestant {
  const heapBefore = heapUsed();
  const store: KeyedStateStore = kind === "managed" ? managedStore(setup()) : heapStore(setup());
  const spec = { kind: "value", name: "w", type: WELFORD.spec, ttlMs: null } as const;
  const state = store.value(spec, () => ({ n: 0, mean: 0, m2: 0 }));
  const hash = compileKeyHash(t.f64.spec, "bench");
  const hashes = new Int32Array(BATCH);
  return {
    name: `value state of 3 numbers, get and set per record: ${kind} store${prefetched ? ", prefetched by batches" : ""}`,
    run: () => {
      for (let from = 0; from < RECORDS; from += BATCH) {
        for (let n = 0; n < BATCH; n += 1) hashes[n] = hash(keyAt(from + n));
        if (prefetched) store.prefetch(hashes, BATCH);
        for (let n = 0; n < BATCH; n += 1) {
          store.setKey(keyAt(from + n), hashes[n]!);
          const { n: count, mean, m2 } = state.get();
          const delta = ((from + n) & 1023) - mean;
          state.set({ n: count + 1, mean: mean + delta / (count + 1), m2: m2 + delta * delta });
        }
      }
    },
    bytes: () => (kind === "managed" ? store.usage()[0]!.bytes : heapUsed() - heapBefore),
  };
}

function timersMoved(): Contestant {
  const store = managedStore(setup());
  const hash = compileKeyHash(t.f64.spec, "bench");
  let time = 0;
  return {
    name: "one timer per key, moved on with every record",
    run: () => {
      for (let i = 0; i < RECORDS; i += 1) {
        const key = keyAt(i);
        store.setKey(key, hash(key));
        store.timers.event.set("silence", time + 60_000);
        time += 1;
      }
    },
    bytes: () => store.usage().at(-1)!.bytes,
  };
}

function timersFired(): Contestant {
  const store = managedStore(setup());
  const hash = compileKeyHash(t.f64.spec, "bench");
  let bytes = 0;
  return {
    name: "timers set at random times and fired, per timer set and fired",
    run: () => {
      for (let i = 0; i < RECORDS; i += 1) {
        const key = keyAt(i);
        store.setKey(key, hash(key));
        store.timers.event.set("t", Math.imul(i, 0x85ebca6b) >>> 0);
      }
      bytes = store.usage().at(-1)!.bytes;
      store.timers.fire(
        "event",
        Infinity,
        () => undefined,
        () => false,
      );
    },
    bytes: () => bytes,
  };
}

function median(values: number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1]!;
}

function cpuNs(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}

function compare(makers: readonly (() => Contestant)[], keys: number): void {
  const contestants = makers.map((make) => make()).filter(({ name }) => name.includes(ONLY));
  const rounds = contestants.map((): number[] => []);
  for (let round = 0; round <= ROUNDS; round += 1) {
    roundStart = round * RECORDS;
    for (const [i, { run, prepare }] of contestants.entries()) {
      prepare?.();
      const ns = cpuNs(run) / RECORDS;
      if (round > 0) rounds[i]!.push(ns);
    }
  }
  for (const [i, { name, bytes }] of contestants.entries()) {
    const ns = median(rounds[i]!).toFixed(0).padStart(5);
    process.stdout.write(`${ns} ns  ${(bytes() / keys).toFixed(1).padStart(6)} B/key  ${name}\n`);
  }
}

process.stdout.write(`${KEYS} keys, ${RECORDS} records, batches of ${BATCH}\n`);
compare([tableOfNumbers, () => mapOf("number keys: Map of objects", (key) => key)], KEYS);
compare([tableOfTexts, mapOfTexts], KEYS);
compare([() => valueState("managed", false), () => valueState("managed", true), () => valueState("heap", false)], KEYS);
compare([timersMoved, timersFired], KEYS);
