// CPU time of reading and writing files, for docs/adr/0004-own-csv-scanner.md: from bytes on the disk to objects, and
// back.
//
// node --conditions=millrace-source bench/files.bench.ts

import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { csv, type Files, jsonl, t } from "millrace";
import { nodeEnv } from "../src/base/env-node.ts";
import { nodeDisk } from "../src/storage/node-disk.ts";

const RUNS = 5;
const ROWS = 1_000_000;
const env = nodeEnv(nodeDisk());
const metrics = { count: () => {}, gauge: () => {}, mark: () => {}, observe: () => {} };
const turn = (): Promise<void> => new Promise((resolve) => env.timers.soon(resolve));

/** Reads all records through one reader; returns how many there were. */
async function readAll(source: Files<unknown>): Promise<number> {
  const common = { env, disk: env.disk, uid: "bench", parallelism: 1, metrics, wake: () => {} };
  const splits = source.createEnumerator(common);
  await splits.start();
  const reader = source.createReader({ ...common, subtaskIndex: 0 });
  let rows = 0;
  const output = {
    offer: () => {
      rows += 1;
      return true;
    },
    invalid: (row: unknown) => {
      throw new Error(JSON.stringify(row));
    },
    enterSplit: () => {},
    leaveSplit: () => {},
  };
  for (let split = splits.next(0); split !== null && split !== "wait"; split = splits.next(0)) {
    for (const each of [split].flat()) reader.addSplit(each);
  }
  reader.noMoreSplits();
  for (let answer = reader.poll(output, 1_024); answer !== "end"; answer = reader.poll(output, 1_024)) {
    if (answer === "wait") await turn();
  }
  await reader.close();
  return rows;
}

async function writeAll(sink: Files<unknown>, records: readonly unknown[]): Promise<number> {
  const job = {
    jobId: "bench",
    attempt: 0,
    restored: false,
    bounded: true,
    deliver: async () => undefined,
    print: async () => {},
  };
  const writer = sink.createWriter({
    env,
    disk: env.disk,
    uid: "bench",
    subtaskIndex: 0,
    parallelism: 1,
    metrics,
    ...job,
  });
  await writer.open();
  for (let index = 0; index < ROWS; index += 1) {
    if (!writer.write(records[index % records.length], Number.NaN)) await writer.flush();
  }
  const committables = await writer.prepareCommit(true);
  await sink.createCommitter?.({ env, disk: env.disk, uid: "bench", ...job }).commit(committables);
  await writer.close();
  return ROWS;
}

/** The median of the CPU time of all threads, after one run to warm up. */
async function measure(name: string, bytes: () => number, run: () => Promise<number>): Promise<void> {
  const perRow: number[] = [];
  for (let index = -1; index < RUNS; index += 1) {
    const start = process.cpuUsage();
    const rows = await run();
    const { user, system } = process.cpuUsage(start);
    if (index >= 0) perRow.push(((user + system) * 1_000) / rows);
  }
  const median = perRow.sort((left, right) => left - right)[RUNS >> 1]!;
  const rate = (1_000 / median).toFixed(2);
  const speed = ((bytes() / ROWS / median) * 1_000).toFixed(0);
  process.stdout.write(
    `${name.padEnd(34)} ${median.toFixed(0).padStart(6)} ns/row ${rate.padStart(7)} M rows/s ${speed.padStart(5)} MB/s\n`,
  );
}

const root = mkdtempSync(join(tmpdir(), "millrace-bench-"));
try {
  const records = Array.from({ length: 10_000 }, (_, n) => ({
    symbol: `S${((n * 7_919) % 9_973).toString(36).toUpperCase()}`,
    price: ((n * 2_654_435_761) % 10_000_000) / 10_000,
    volume: (n * 40_503) % 1_000_000,
  }));
  const lines = records.map(({ symbol, price, volume }) => `${symbol},${price.toFixed(4)},${volume}\n`);
  const quoted = records.map(({ symbol, price, volume }) => `"${symbol}","${price.toFixed(4)}","a ""b"", ${volume}"\n`);
  const objects = records.map((record) => `${JSON.stringify(record)}\n`);
  const file = (name: string, header: string, body: readonly string[]): string => {
    writeFileSync(join(root, name), header + body.join("").repeat(ROWS / body.length));
    return join(root, name);
  };
  const plain = file("plain.csv", "symbol,price,volume\n", lines);
  const escaped = file("quoted.csv", "symbol,price,text\n", quoted);
  const json = file("rows.jsonl", "", objects);
  const size = (path: string) => (): number => statSync(path).size;
  const written = (directory: string) => (): number => {
    const parts = readdirSync(directory).filter((name) => name.startsWith("part-"));
    return parts.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  };
  const Row = t.struct({ symbol: t.string, price: t.f64, volume: t.f64 });
  const Quoted = t.struct({ symbol: t.string, price: t.f64, text: t.string });

  await measure("read csv, typed", size(plain), () => readAll(csv(plain, { type: Row })));
  await measure("read csv, texts", size(plain), () => readAll(csv(plain)));
  await measure("read csv, quoted and escaped", size(escaped), () => readAll(csv(escaped, { type: Quoted })));
  await measure("read jsonl", size(json), () => readAll(jsonl(json)));
  await measure("read jsonl, typed", size(json), () => readAll(jsonl(json, { type: Row })));
  await measure("write csv", written(join(root, "csv")), () => writeAll(csv(join(root, "csv")), records));
  await measure("write jsonl", written(join(root, "jsonl")), () => writeAll(jsonl(join(root, "jsonl")), records));
} finally {
  rmSync(root, { recursive: true, force: true });
}
