// What every sink guarantees whose rows are outside once they are flushed. Those that commit: file-sink.test.ts.

import { STDOUT_PATH } from "../../src/base/disk.ts";
import { blackhole, csv, jsonl, print, rows } from "../../src/index.ts";
import { flushingSinkContract } from "../../src/operators/sink.contract.ts";
import { simWorld } from "../../src/testing/world.ts";

const SINKS = {
  blackhole: blackhole(),
  print: print(),
  "print with ops": print({ op: true }),
  "print as a table": print({ table: { last: 2 } }),
  rows: rows(),
  "csv to standard output": csv(STDOUT_PATH),
  "jsonl to standard output": jsonl(STDOUT_PATH),
} as const;

for (const [name, sink] of Object.entries(SINKS)) flushingSinkContract(name, sink, () => simWorld(1));
