// Those records, generated, exchanged between two slots, read and discarded.
//
// `cross`: one sender in one slot, one receiver in the other, so that every record is encoded and decoded: the
// headline. `both`: two and two, as Flink runs it at parallelism 2; there half of the records stay in their slot and
// pass by reference.
//
// `full`: as `cross`, but batches leave only when they are full. What `cross` takes more is the price of low latency.
//
// Beside it: what generating, encoding and decoding alone cost. That runs in two threads at once, because two threads
// share one physical core on many machines, and each is slower then than alone.

import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { heapView } from "../../src/base/memory-view.ts";
import { compileBatchCodec } from "../../src/types/batch/batch-codec.ts";
import exchange from "../jobs/exchange.ts";
import { Trade, trade } from "../jobs/records.ts";
import { type Measured, median, ratioOf, report, resultOf } from "../result.ts";
import { cpuSecondsSince, measureJob, runsWanted, WORKER_ARGS } from "../run-job.ts";

const EVENTS = 20_000_000;
const MODULE = new URL("../jobs/exchange.ts", import.meta.url).href;
const CODEC_EVENTS = 6_000_000;

/** Generates, encodes in batches of a segment, decodes and uses `events` records. */
function codecWork(events: number): number {
  const codec = compileBatchCodec(Trade.spec, { timestamps: true, extraFields: "refuse" }, "bench");
  const view = heapView(64 * 1024);
  const writer = codec.createWriter();
  const reader = codec.createReader();
  let seen = 0;
  for (let n = 0; n < events; n += 1) {
    writer.append(trade(n, 1_000_000), n);
    if (writer.bytes < 32_256) continue;
    const size = writer.encodedSize();
    writer.encode(view, 0);
    reader.open(view, 0, size);
    for (let i = 0; i < reader.count; i += 1) seen += (reader.record(i) as { qty: number }).qty + reader.timestamp(i);
  }
  return seen;
}

async function codecOnly(): Promise<Measured> {
  const workers = [0, 1].map(() => new Worker(new URL(import.meta.url), { execArgv: WORKER_ARGS }));
  const all = (): Promise<unknown> =>
    Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("message", resolve))));
  await all(); // Both are warm.
  const cpu = process.cpuUsage();
  const atMs = performance.now();
  for (const worker of workers) worker.postMessage("go");
  await all();
  const measured = {
    events: 2 * CODEC_EVENTS,
    wallSeconds: (performance.now() - atMs) / 1_000,
    cpuSeconds: cpuSecondsSince(cpu),
  };
  await Promise.all(workers.map((worker) => worker.terminate()));
  return measured;
}

async function main(): Promise<void> {
  const cross: Measured[] = [];
  const both: Measured[] = [];
  const full: Measured[] = [];
  const codec: Measured[] = [];
  const batchesCross: number[] = [];
  const batchesFull: number[] = [];
  let batches = 0;
  const run = (mode: string, config: Record<string, string> = {}): Promise<Measured> =>
    measureJob(
      {
        job: exchange,
        module: MODULE,
        params: { events: String(EVENTS), mode },
        config: { "parallelism.default": 2, ...config },
      },
      EVENTS,
      {
        onDone: ({ metrics }) => {
          batches = metrics.sum("numBuffersOut");
        },
      },
    );
  for (let round = 0; round < runsWanted(); round += 1) {
    cross.push(await run("cross"));
    batchesCross.push(batches);
    codec.push(await codecOnly());
    full.push(await run("cross", { "execution.buffer-timeout.enabled": "false" }));
    batchesFull.push(batches);
    both.push(await run("both"));
  }
  const nsOf = ({ cpuSeconds, events }: Measured): number => (cpuSeconds / events) * 1e9;
  const ns = (runs: readonly Measured[]): number => median(runs.map(nsOf));
  // Round by round: the machine is faster in some minutes than in others.
  const beyond = cross.map((measured, round) => nsOf(measured) - nsOf(codec[round]!));
  report(
    resultOf("exchange", cross, {
      nsGenerateEncodeDecode: ns(codec),
      nsBeyondEncodeDecode: median(beyond),
      lostByLatency: { cpu: ratioOf(cross, full) - 1, batches: median(batchesCross) / median(batchesFull) - 1 },
      parallelism2: { eventsPerCpuSecond: 1e9 / ns(both), nsPerEvent: ns(both) },
    }),
  );
}

if (isMainThread) {
  await main();
} else {
  codecWork(CODEC_EVENTS / 4);
  parentPort?.on("message", () => parentPort?.postMessage(codecWork(CODEC_EVENTS)));
  parentPort?.postMessage("warm");
}
