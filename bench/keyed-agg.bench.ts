// count + sum + max by key in managed memory, against a `Map` of objects: the inner loop of every aggregate, without a
// job around.
//
// node --conditions=millrace-source --expose-gc bench/keyed-agg.bench.ts [keys] [records]

import { heapView } from "../src/base/memory-view.ts";
import { aggregateSet, count, max, sum } from "../src/operators/aggregates/aggregate.ts";
import { AggregateTable, STAGE_CAPACITY } from "../src/operators/aggregates/aggregate-table.ts";
import { fieldTypes } from "../src/operators/expressions/field-types.ts";
import type { RecordBatch } from "../src/operators/operator.ts";
import { compileBatchCodec } from "../src/types/batch/batch-codec.ts";
import { t } from "../src/types/t.ts";
import { operatorTables } from "../test/operators/operator-tables.ts";

const KEYS = Number(process.argv[2] ?? 1_000_000);
const RECORDS = Number(process.argv[3] ?? 8_000_000);
const BATCH = 4096;
const ROW = t.struct({ key: t.f64, value: t.f64 });

const TABLES = () =>
  operatorTables({ limitBytes: 2 ** 30, keyGroups: { first: 0, last: 127 }, maxParallelism: 128 }).tables;

type Row = { key: number; value: number };

/** Pseudo-random and cheap: the same for all contestants. */
function keyAt(i: number): number {
  return (Math.imul(i, 0x9e3779b1) >>> 0) % KEYS;
}

function makeBatches(): { view: ReturnType<typeof heapView>; size: number }[] {
  const codec = compileBatchCodec(ROW.spec, { timestamps: false, extraFields: "refuse" });
  const writer = codec.createWriter();
  const batches = [];
  for (let from = 0; from < RECORDS; from += BATCH) {
    for (let i = from; i < Math.min(RECORDS, from + BATCH); i += 1)
      writer.append({ key: keyAt(i), value: i & 1023 }, Number.NaN);
    const view = heapView(writer.encodedSize());
    batches.push({ view, size: writer.encode(view, 0) });
  }
  return batches;
}

function cpu(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const used = process.cpuUsage(before);
  return (used.user + used.system) * 1_000;
}

const codec = compileBatchCodec(ROW.spec, { timestamps: false, extraFields: "refuse" });

function columns(batches: ReturnType<typeof makeBatches>): void {
  const tables = TABLES();
  const groups = new AggregateTable({
    name: "groups",
    operator: "bench",
    label: `bench`,
    tables,
    key: { field: "key", of: null, type: { kind: "f64" } },
    keyName: "key",
    set: aggregateSet({ n: count(), total: sum("value"), top: max("value") }, ["key"]),
    fields: fieldTypes(ROW.spec),
    namespaced: false,
    extra: [],
    keepsExtra: false,
    bounds: false,
  });
  const reader = codec.createReader();
  const batch = { count: 0, rows: null, timestamps: null, reader } as {
    -readonly [K in keyof RecordBatch]: RecordBatch[K];
  };
  const ns = cpu(() => {
    for (const { view, size } of batches) {
      reader.open(view, 0, size);
      batch.count = reader.count;
      for (let from = 0; from < batch.count; from += STAGE_CAPACITY) {
        const n = Math.min(STAGE_CAPACITY, batch.count - from);
        groups.stage.stage(batch, from, 0, n);
        groups.resolve(n);
        groups.accumulate(0, n);
        groups.clear();
      }
    }
  });
  console.log(
    `columns  ${(ns / RECORDS).toFixed(0)} ns/record, ${(groups.table.account.bytes / groups.table.size).toFixed(1)} B/key, ${groups.table.size} keys`,
  );
  groups.table.release();
}

function rows(): void {
  const tables = TABLES();
  const groups = new AggregateTable({
    name: "groups",
    operator: "bench",
    label: `benchrows`,
    tables,
    key: { field: "key", of: null, type: { kind: "f64" } },
    keyName: "key",
    set: aggregateSet({ n: count(), total: sum("value"), top: max("value") }, ["key"]),
    fields: fieldTypes(ROW.spec),
    namespaced: false,
    extra: [],
    keepsExtra: false,
    bounds: false,
  });
  const chunk: Row[] = [];
  const ns = cpu(() => {
    for (let from = 0; from < RECORDS; from += STAGE_CAPACITY) {
      const n = Math.min(STAGE_CAPACITY, RECORDS - from);
      chunk.length = 0;
      for (let i = 0; i < n; i += 1) chunk.push({ key: keyAt(from + i), value: (from + i) & 1023 });
      groups.stage.stage({ count: n, rows: chunk, timestamps: null, reader: null }, 0, 0, n);
      groups.resolve(n);
      groups.accumulate(0, n);
      groups.clear();
    }
  });
  console.log(`rows     ${(ns / RECORDS).toFixed(0)} ns/record (making the records included)`);
  groups.table.release();
}

function map(batches: ReturnType<typeof makeBatches>): void {
  const groups = new Map<number, { n: number; total: number; top: number }>();
  const reader = codec.createReader();
  const ns = cpu(() => {
    for (const { view, size } of batches) {
      reader.open(view, 0, size);
      for (let i = 0; i < reader.count; i += 1) {
        const { key, value } = reader.record(i) as Row;
        const group = groups.get(key);
        if (group === undefined) groups.set(key, { n: 1, total: value, top: value });
        else {
          group.n += 1;
          group.total += value;
          if (value > group.top) group.top = value;
        }
      }
    }
  });
  console.log(`Map      ${(ns / RECORDS).toFixed(0)} ns/record`);
}

const batches = makeBatches();
for (let run = 0; run < 3; run += 1) {
  columns(batches);
  rows();
  map(batches);
}
