// Sliding windows of 10 s by 2 s against tumbling ones of 10 s: 10 M events over 100 s of event time, 10 k keys, the
// operator alone.
//
// node --conditions=millrace-source bench/windows.bench.ts [records] [size] [slide]

import type { Duration } from "../src/base/duration.ts";
import { heapView } from "../src/base/memory-view.ts";
import { aggregateSet, count, max, sum } from "../src/operators/aggregates/aggregate.ts";
import { fieldTypes } from "../src/operators/expressions/field-types.ts";
import type { OperatorContext } from "../src/operators/operator.ts";
import { session, sliding, tumbling, type WindowSpec } from "../src/operators/windows/time/window-spec.ts";
import { windowOperator } from "../src/operators/windows/window-operator.ts";
import { compileBatchCodec } from "../src/types/batch/batch-codec.ts";
import { t } from "../src/types/t.ts";
import { operatorTables } from "../test/operators/operator-tables.ts";

const RECORDS = Number(process.argv[2] ?? 10_000_000);
const SIZE = (process.argv[3] ?? "10s") as Duration;
const SLIDE = (process.argv[4] ?? "2s") as Duration;
const KEYS = 10_000;
const BATCH = 4_096;
const SPAN_MS = 100_000;
const WATERMARK_EVERY = 20_000;
const ROW = t.struct({ key: t.f64, value: t.f64 });
const CODEC = compileBatchCodec(ROW.spec, { timestamps: true, extraFields: "refuse" });

function encode(): { view: ReturnType<typeof heapView>; size: number; count: number }[] {
  const writer = CODEC.createWriter();
  const batches = [];
  for (let from = 0; from < RECORDS; from += BATCH) {
    const end = Math.min(RECORDS, from + BATCH);
    for (let i = from; i < end; i += 1) {
      writer.append(
        { key: (Math.imul(i, 0x9e3779b1) >>> 0) % KEYS, value: i & 1023 },
        Math.floor((i / RECORDS) * SPAN_MS),
      );
    }
    const view = heapView(writer.encodedSize());
    batches.push({ view, size: writer.encode(view, 0), count: end - from });
  }
  return batches;
}

function run(window: WindowSpec, batches: ReturnType<typeof encode>): string {
  const { tables } = operatorTables({
    limitBytes: 512 * 2 ** 20,
    keyGroups: { first: 0, last: 127 },
    maxParallelism: 128,
  });
  let rows = 0;
  const context = {
    uid: "window",
    subtaskIndex: 0,
    output: { offer: () => ++rows > 0 },
    state: { tables },
    metrics: { count: () => {} },
    full: () => false,
    pause: () => false,
  } as unknown as OperatorContext;
  const operator = windowOperator({
    window,
    allowedLatenessMs: 0,
    lateOutput: false,
    partials: false,
    key: { field: "key", of: null, type: { kind: "f64" } },
    keyName: "key",
    set: aggregateSet({ n: count(), total: sum("value"), top: max("value") }, []),
    fields: fieldTypes(ROW.spec),
  });
  operator.open(context);
  const reader = CODEC.createReader();
  const before = process.cpuUsage();
  let seen = 0;
  for (const { view, size, count: records } of batches) {
    reader.open(view, 0, size);
    operator.onBatch?.({ count: records, rows: null, timestamps: null, reader }, 0, 0);
    seen += records;
    if (seen % WATERMARK_EVERY < records) operator.onWatermark(Math.floor((seen / RECORDS) * SPAN_MS) - 1);
  }
  operator.onWatermark(Number.POSITIVE_INFINITY);
  const { user, system } = process.cpuUsage(before);
  const bytes = tables.usage().reduce((sum, each) => sum + each.bytes, 0);
  tables.release();
  return `${(((user + system) * 1_000) / RECORDS).toFixed(0)} ns per event, ${rows} rows, ${bytes} bytes left`;
}

const batches = encode();
for (let round = 0; round < 3; round += 1) {
  console.log("tumbling", run(tumbling(SIZE), batches));
  console.log("sliding ", run(sliding(SIZE, SLIDE), batches));
  console.log("session ", run(session("1s"), batches));
}
