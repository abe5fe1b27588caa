// A bounded job whose process dies again and again, on virtual time, against the same job undisturbed: what its sinks
// have committed in the end has to be the same.
//
// Owns: the simulated machine of each run. The job is the user's, with what its file sources read from the real disk;
// its sinks are stood in for by files of the simulated disk, so that nothing outside is touched.
//
//   Z1. Every run with crashes has the input and the parallelism of the undisturbed one, and differs from it in nothing
//       but the order of events and the crashes.
//   Z2. A job that gives other rows without any crash, in another order of events, is told apart: no crash is to blame.

import type { Job } from "../api/job.ts";
import { type Disk, STDIN_PATH } from "../base/disk.ts";
import { UserError } from "../base/errors.ts";
import { SeededRandom } from "../base/seeded-random.ts";
import { checkpointsOpen } from "../client/checkpoints.ts";
import { type EmbeddedJob, embeddedStart } from "../client/embedded.ts";
import { OPTIONS } from "../config/options.ts";
import { jsonl } from "../connectors/files/json/jsonl.ts";
import { filesFind } from "../connectors/files/paths/files-find.ts";
import { isBounded, type Plan } from "../graph/plan.ts";
import type { JobResult } from "../jobmanager/job-master.ts";
import type { Sink } from "../operators/sink.ts";
import type { JobStubs } from "../taskmanager/slot/job-factory.ts";
import { type ProcessOptions, SimMachine, spread } from "./sim-machine.ts";

export type ChaosOptions = {
  /** As a process that starts loads it: with modules that have kept nothing. */
  readonly job: () => Promise<Job>;
  readonly plan: Plan;
  readonly params: Readonly<Record<string, string>>;
  readonly parallelism: number;
  /** Crashes in all; some runs have several. */
  readonly crashes: number;
  readonly seed: number;
  /** What the job's file sources read. */
  readonly disk: Disk;
};

/** Rows of one sink that are there too often (`added`) or not often enough, each as JSON text. */
export type ChaosDifference = {
  readonly sink: string;
  readonly lost: readonly string[];
  readonly added: readonly string[];
};

export type ChaosReport = {
  readonly rows: number;
  readonly runs: number;
  readonly crashes: number;
  /** Null: all runs have given the same. */
  readonly failed: {
    /** Another order of events alone makes the difference (Z2). */
    readonly isUndisturbed: boolean;
    readonly run: number;
    readonly crashes: number;
    readonly differences: readonly ChaosDifference[];
  } | null;
};

const OUT = "/millrace-chaos/out";
const CHECKPOINTS = "/millrace-chaos/checkpoints";
const CRASHES_PER_RUN_MAX = 3;
const INPUT_BYTES_MAX = 256 * 1024 ** 2;
/** Of a run of which nobody knows how long it is. */
const EVERY = 500;
const EVENTS_MAX = 5_000_000;

type Rows = ReadonlyMap<string, readonly string[]>;
type Lived = { readonly rows: Rows; readonly events: number; readonly crashes: number };
type Input = readonly { readonly path: string; readonly bytes: Uint8Array }[];

/** Throws what the job fails with by itself, and UserErrors for jobs that cannot be tried so. */
export async function chaosRun(options: ChaosOptions): Promise<ChaosReport> {
  const { plan, seed, crashes } = options;
  checkPlan(plan);
  const input = await inputOf(plan, options.disk);
  const random = new SeededRandom(seed);
  const calm = await lived(options, input, { seed, ends: [], every: EVERY });
  const rows = [...calm.rows.values()].reduce((sum, { length }) => sum + length, 0);
  const report = (run: number, crashed: number, failed: ChaosReport["failed"]): ChaosReport => ({
    ...{ rows, runs: run, crashes: crashed, failed },
  });
  const every = (): number => Math.ceil(spread(random, calm.events / 20, calm.events / 3));
  const again = await lived(options, input, { seed: seed + 1, ends: [], every: every() });
  const byItself = differencesOf(calm.rows, again.rows);
  if (byItself.length > 0) return report(1, 0, { isUndisturbed: true, run: 1, crashes: 0, differences: byItself });
  let crashed = 0;
  for (let run = 1; ; run += 1) {
    const count = Math.min(crashes - crashed, 1 + random.below(CRASHES_PER_RUN_MAX));
    const ends = Array.from({ length: count }, () => 1 + random.below(calm.events));
    const disturbed = await lived(options, input, { seed: seed + 1 + run, ends, every: every() });
    crashed += disturbed.crashes;
    const differences = differencesOf(calm.rows, disturbed.rows);
    if (differences.length > 0) {
      return report(run, crashed, { isUndisturbed: false, run, crashes: disturbed.crashes, differences });
    }
    if (crashed >= crashes) return report(run, crashed, null);
  }
}

function checkPlan(plan: Plan): void {
  if (!isBounded(plan)) {
    throw new UserError("CHAOS_ENDLESS", `the job "${plan.name}" has no end: there are no rows to compare`, {
      fix: "give its sources an end for the test, by a parameter for example",
    });
  }
  const stream = plan.operators.find(
    (operator) => operator.kind === "source" && pathsOf(operator).includes(STDIN_PATH),
  );
  if (stream === undefined) return;
  throw new UserError("CHAOS_STREAM", `"${stream.uid}" reads standard input, which cannot be read again`, {
    fix: "write it to a file, and let the job read that",
    operator: stream.uid,
  });
}

function pathsOf({ options }: Plan["operators"][number]): readonly string[] {
  const { paths } = (options ?? {}) as { readonly paths?: unknown };
  return Array.isArray(paths) ? paths.map(String) : [];
}

async function inputOf({ operators }: Plan, disk: Disk): Promise<Input> {
  const input: { path: string; bytes: Uint8Array }[] = [];
  let size = 0;
  for (const operator of operators.filter(({ kind }) => kind === "source")) {
    const paths = pathsOf(operator);
    for (const { path } of paths.length === 0 ? [] : await filesFind(disk, paths)) {
      await using file = await disk.open(path, "read");
      const bytes = new Uint8Array((await file.stat()).size);
      size += bytes.length;
      if (size > INPUT_BYTES_MAX) {
        throw new UserError("CHAOS_INPUT_LARGE", `the job reads more than ${INPUT_BYTES_MAX} bytes`, {
          fix: "give it a smaller input: it is read again for each run, from memory",
          operator: operator.uid,
        });
      }
      for (let at = 0, count = -1; count !== 0; at += count) count = await file.read(bytes, at, bytes.length - at, at);
      input.push({ path, bytes });
    }
  }
  return input;
}

/**
 * One run, from its first start to its end. `ends`: with which event, since its start, each process dies. `every`: so
 * many events lie between two checkpoints.
 */
async function lived(
  options: ChaosOptions,
  input: Input,
  { seed, ends, every }: { readonly seed: number; readonly ends: readonly number[]; readonly every: number },
): Promise<Lived> {
  const machine = new SimMachine(seed, EVENTS_MAX);
  const random = new SeededRandom(seed ^ 0xc4a05);
  const { env } = machine;
  for (const { path, bytes } of input) env.disk.put(path, bytes);
  const process = processOf(options);
  let events = 0;
  let crashes = 0;
  for (let start = 0; ; start += 1) {
    const job = await options.job();
    let run: EmbeddedJob | null = null;
    let ended: { readonly result: JobResult } | { readonly error: unknown } | null = null;
    void started(machine, job, process, (begun) => {
      run = begun;
    }).then(
      (result) => {
        ended = { result };
      },
      (error: unknown) => {
        ended = { error };
      },
    );
    let count = 0;
    const endsAt = ends[start] ?? Infinity;
    await env.runUntilIdle(() => {
      count += 1;
      if (count % every === 0) checkpointAsked(run);
      return ended !== null || count > endsAt;
    });
    events += count;
    const how = ended as { readonly result: JobResult } | { readonly error: unknown } | null;
    if (how === null && count <= endsAt) throw stands();
    env.crash(how === null && random.next() < 0.5 ? "power" : "process");
    if (how === null) crashes += 1;
    else if ("error" in how) throw how.error;
    else return { rows: rowsOf(machine, options.plan), events, crashes };
  }
}

/** Nothing but a crash begins the job again. */
function processOf({ plan, params, parallelism }: ChaosOptions): ProcessOptions {
  return {
    ...{ params, parallelism, cuts: false, stubs: captured(plan) },
    config: {
      [OPTIONS.managedSize.key]: "256mb",
      [OPTIONS.managedBlockSize.key]: "1mb",
      [OPTIONS.networkMin.key]: "64mb",
      [OPTIONS.networkMax.key]: "64mb",
      [OPTIONS.segmentSize.key]: "32kb",
      [OPTIONS.checkpointDirectory.key]: CHECKPOINTS,
      [OPTIONS.checkpointingInterval.key]: "1s",
      [OPTIONS.restartStrategy.key]: "none",
    },
  };
}

/** Each sink commits into files of its own, whatever it is, and looks in the plan as it is. */
function captured({ operators }: Plan): JobStubs {
  const sinks = new Map(operators.filter(({ kind }) => kind === "sink").map(({ uid }, at) => [uid, `${OUT}/${at}/`]));
  return {
    functions: (uid, functions) => {
      const directory = sinks.get(uid);
      if (directory === undefined) return functions;
      const original = functions.sink as Sink<unknown>;
      const { createWriter, createCommitter } = jsonl(directory, { op: original.takes !== undefined });
      return { ...functions, sink: { ...original, createWriter, createCommitter } };
    },
    sourceWatermarks: "unheard",
    isUnread: () => false,
    onStore: () => undefined,
  };
}

/** One at a time: a job that does nothing else never comes to its end. */
function checkpointAsked(run: EmbeddedJob | null): void {
  if (run?.master.checkpointing?.pending.length === 0) run.master.checkpoint();
}

async function started(
  machine: SimMachine,
  job: Job,
  options: ProcessOptions,
  onBegun: (run: EmbeddedJob) => void,
): Promise<JobResult> {
  const { env } = machine;
  const process = await machine.process(job, options);
  const { plan } = process.planned.graph;
  const { configuration, log } = process;
  const opened = { env, cwd: "/", plan, configuration, log, fresh: false, allowNonRestored: false };
  const checkpoints = await checkpointsOpen(opened);
  const run = embeddedStart({ ...process, ...(checkpoints !== null && { checkpoints }) });
  onBegun(run);
  const result = await run.result;
  if (result.error !== null) throw result.error;
  return result;
}

function stands(): UserError {
  return new UserError("CHAOS_STANDS", "the job waits for something that is not simulated, and goes on with nothing", {
    fix: "time stands still here but for timers of the engine: try a job whose sources, sinks and functions do not wait for a network, a process or a clock of their own",
  });
}

function rowsOf({ env }: SimMachine, { operators }: Plan): Rows {
  const sinks = operators.filter(({ kind }) => kind === "sink");
  const paths = env.disk.paths().filter((path) => path.includes("/part-"));
  return new Map(
    sinks.map(({ uid }, at) => {
      const own = paths.filter((path) => path.startsWith(`${OUT}/${at}/part-`));
      const texts = own.map((path) => new TextDecoder().decode(env.disk.get(path)!));
      return [uid, texts.flatMap((text) => text.split("\n").filter((line) => line !== "")).sort()];
    }),
  );
}

function differencesOf(expected: Rows, found: Rows): readonly ChaosDifference[] {
  return [...expected].flatMap(([sink, rows]) => {
    const own = found.get(sink) ?? [];
    const lost = without(rows, own);
    const added = without(own, rows);
    return lost.length + added.length === 0 ? [] : [{ sink, lost, added }];
  });
}

/** As often as they are there more often. */
function without(rows: readonly string[], others: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const row of others) counts.set(row, (counts.get(row) ?? 0) + 1);
  return rows.filter((row) => {
    const count = counts.get(row) ?? 0;
    counts.set(row, count - 1);
    return count <= 0;
  });
}
