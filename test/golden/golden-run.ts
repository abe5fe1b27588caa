// Runs the job of the golden snapshots on virtual time, on the files of one and until it is stopped; and reads what is
// in them, without the job.

import { SeededRandom } from "../../src/base/seeded-random.ts";
import { rowJson } from "../../src/cli/commands/state-text.ts";
import type { CheckpointMetadata } from "../../src/checkpoint/format/metadata.ts";
import { CompletedCheckpointStore } from "../../src/checkpoint/completed-store.ts";
import { CheckpointReader } from "../../src/checkpoint/reading/checkpoint-reader.ts";
import type { SimDisk } from "../../src/testing/sim-disk.ts";
import { SimFaults } from "../../src/testing/sim-faults.ts";
import { simulateStarts } from "../../src/testing/simulate-starts.ts";
import { type Given, goldenJob } from "./golden-job.ts";
import { MemoryStorage } from "./memory-storage.ts";

/** By path below the checkpoint directory. */
export type Files = ReadonlyMap<string, Uint8Array>;

export type GoldenRun = {
  readonly files: Files;
  /** Its last checkpoint, taken when it was stopped. */
  readonly newest: CheckpointMetadata;
  /** What its sinks were given, by their names. */
  readonly written: Readonly<Record<string, readonly unknown[]>>;
  readonly committed: Readonly<Record<string, readonly unknown[]>>;
  /** What the job said of itself. */
  readonly log: readonly string[];
};

const FOLDER = "/checkpoints/";

export type GoldenOptions = {
  readonly from?: Files;
  readonly more?: number;
  readonly config?: Readonly<Record<string, string | number | boolean>> | undefined;
};

export async function goldenRun(options: GoldenOptions = {}): Promise<GoldenRun> {
  const { from, more, config } = options;
  const given: Given = { written: {}, committed: {} };
  let newest: CheckpointMetadata | null = null;
  const { disk, log } = await simulateStarts(goldenJob(given, more), {
    seed: 1,
    faults: new SimFaults([], new SeededRandom(1)),
    parallelism: () => 1,
    config: () => ({
      ...{ "execution.checkpointing.interval": "1h", "pipeline.max-parallelism": 4 },
      ...{ "execution.checkpointing.data-inline-threshold": "4kb", ...config },
    }),
    stopMs: 20_000,
    prepare: (own) => {
      for (const [path, bytes] of from ?? []) own.put(FOLDER + path, bytes);
    },
    onEnded: (_, at) => {
      if (at !== "damaged") newest = at;
    },
  });
  if (newest === null) throw new Error("it has taken no checkpoint");
  return { files: filesOf(disk), newest, log, ...given };
}

function filesOf(disk: SimDisk): Files {
  const paths = disk.paths().filter((path) => path.startsWith(FOLDER) && !/\/\./.test(path));
  return new Map(paths.map((path) => [path.slice(FOLDER.length), disk.get(path)!]));
}

/** All rows of the newest checkpoint in these files, one line for each, sorted. */
export async function rowsIn(files: Files): Promise<string[]> {
  const storage = new MemoryStorage(files);
  const unexpected = (_: number, error: Error): never => {
    throw error;
  };
  const metadata = await new CompletedCheckpointStore(storage).newest(async () => undefined, unexpected);
  if (metadata === null) throw new Error("there is no checkpoint");
  const reader = new CheckpointReader(storage, metadata);
  const lines: string[] = [];
  for (const read of reader.operators()) {
    const { uid } = read.operator;
    await reader.rows(read, {
      row: (row) => lines.push(`${uid} ${row.state} ${rowJson(row)}`),
      undecoded: (name, bytes) => lines.push(`${uid} ${name} ${bytes} bytes`),
    });
    for (const { subtask, splits } of read.state.subtasks) {
      if (splits.length > 0) lines.push(`${uid} splits of ${subtask} ${JSON.stringify(splits)}`);
    }
    if (read.state.coordinator !== null) lines.push(`${uid} coordinator ${JSON.stringify(read.state.coordinator)}`);
  }
  await reader.close();
  return lines.sort();
}
