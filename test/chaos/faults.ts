// What may happen to a job: each fault says in which phase of it it has come about, and leaves it running or ended.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CliProcess, type Ended, millrace } from "../integration/cli-process.ts";
import type { ChaosJob, Fault } from "./chaos-job.ts";
import { checkpointFiles, newestId } from "./checkpoint-files.ts";
import type { DurableRun } from "./recover-process.ts";
import { Strace, straceCommand, straceHits, straceLetsGo, type Tampering } from "./strace.ts";
import {
  DISK_CALLS,
  diskPaths,
  FINISH_POINT,
  KILL_POINTS,
  type KillPoint,
  killAt,
  type Phase,
  REMOVE_CALLS,
  RESTORE_POINTS,
} from "./tamper-points.ts";

const WAIT_MS_MAX = 1_500;
/** Then strace looks again for what files there are. */
const ATTACHED_MS = 4_000;
const TIMES_MAX = 8;
const SLOW_MS = 300;
const HOUR_S = 3_600;

async function kill(job: ChaosJob, run: DurableRun): Promise<Phase | null> {
  const { code } = await run.kill();
  if (code === 0) job.hasEnded(run);
  return code === 0 ? null : "running";
}

/** A process that begins is given some time, which may be too short for its first checkpoint. */
async function killEarly(job: ChaosJob, run: DurableRun): Promise<Phase | null> {
  if ((await kill(job, run)) === null) return null;
  const next = job.start();
  await Promise.race([delay(job.random.below(2 * WAIT_MS_MAX)), next.ended]);
  return (await kill(job, next)) && "restore";
}

async function killPoint(job: ChaosJob, run: DurableRun, point: KillPoint): Promise<Phase | null> {
  // A bounded job commits at its end, which comes.
  for (let times = 0; run.isRunning && (job.isBounded || times < TIMES_MAX); times += 1) {
    const tampering = killAt(point, job);
    if (tampering.paths.length === 0) return null;
    await attached(job, run, tampering, async () => void (await Promise.race([run.ended, delay(ATTACHED_MS)])));
  }
  if (run.isRunning) return null;
  const { code } = await run.ended;
  if (code !== null) job.hasEnded(run);
  return code === null ? point.phase : null;
}

/** While a process goes on from where the one before it was killed. */
async function killRestore(job: ChaosJob, run: DurableRun, point: KillPoint): Promise<Phase | null> {
  if ((await kill(job, run)) === null) return null;
  const tampering = killAt(point, job, drawn(job, ["1", "1", "2"]));
  if (tampering.paths.length === 0) return null;
  const next = job.start({ under: straceCommand(tampering, logOf(job)) });
  try {
    await next.checkpointed();
  } catch (error) {
    const { code, stderr } = await next.ended;
    if (code === null) return point.phase;
    if (!job.hasEnded(next)) throw new Error(stderr, { cause: error });
  }
  await straceLetsGo(next.child.pid!);
  return null; // It did not come that way, and runs.
}

/** The disk fails or is slow for some time; the job may fail, and goes on by itself. */
async function disk(job: ChaosJob, run: DurableRun, calls: string, effect: string): Promise<Phase | null> {
  const when = drawn(job, ["1", "1..3", "1+"]);
  const isReached = await attached(job, run, { calls, effect, paths: diskPaths(job), when }, async (strace) => {
    const endMs = performance.now() + ATTACHED_MS;
    while (run.isRunning && strace.hits === 0 && performance.now() < endMs) await delay(20);
    await delay(job.random.below(WAIT_MS_MAX));
    return strace.hits > 0;
  });
  await job.checkpointed(run);
  return isReached ? "running" : null;
}

/** The disk fails while a process begins: that goes on from an older checkpoint, tries again or ends with an error. */
async function diskRestore(job: ChaosJob, run: DurableRun): Promise<Phase | null> {
  if ((await kill(job, run)) === null) return null;
  const calls = drawn(job, ["openat", "read,pread64", "fsync", "rename", "mkdir", REMOVE_CALLS]);
  const tampering = { calls, effect: "error=EIO", paths: diskPaths(job), when: drawn(job, ["1", "2", "1..3"]) };
  const next = job.start({ under: straceCommand(tampering, logOf(job)) });
  const early = job.random.below(3) === 0 ? delay(job.random.below(2 * WAIT_MS_MAX)).then(() => next.kill()) : null;
  try {
    await next.checkpointed();
  } catch (error) {
    const { code, stderr } = await next.ended;
    if (code === 0) job.hasEnded(next);
    else if (code !== null && !/the disk reports EIO/.test(stderr)) throw new Error(stderr, { cause: error });
  }
  await early;
  await straceLetsGo(next.child.pid!);
  return straceHits(logOf(job)) > 0 && !job.isFinished ? "restore" : null;
}

async function full(job: ChaosJob, run: DurableRun): Promise<Phase | null> {
  const filler = fill(job);
  try {
    await run.until(() => run.stderr.includes("was given up"), "a checkpoint is given up");
  } finally {
    rmSync(filler);
  }
  await job.checkpointed(run);
  return "running";
}

async function killWhileFull(job: ChaosJob, run: DurableRun): Promise<Phase | null> {
  const filler = fill(job);
  await delay(job.random.below(WAIT_MS_MAX));
  const phase = await kill(job, run);
  rmSync(filler);
  return phase;
}

function fill({ checkpoints }: ChaosJob): string {
  const filler = join(checkpoints, "filler");
  spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"]);
  return filler;
}

/** A slot ends, or user code in it throws. */
async function onDemand(job: ChaosJob, run: DurableRun, way: string): Promise<Phase | null> {
  const attempts = (): number => run.stderr.split(/^attempt \d+ runs /m).length;
  const before = attempts();
  const startedMs = performance.now();
  writeFileSync(job.onDemand, way);
  try {
    await run.until(() => attempts() > before, `an attempt after ${way}`);
  } finally {
    rmSync(job.onDemand, { force: true });
  }
  await job.checkpointed(run);
  job.told.recoveriesMs.push(performance.now() - startedMs);
  return "running";
}

/** One bit of one file of the newest checkpoint, while nothing runs. */
async function flip(job: ChaosJob, run: DurableRun): Promise<Phase | null> {
  if ((await kill(job, run)) === null) return null;
  const newest = newestId(job.checkpoints);
  // The one before it may be damaged already.
  if (newest === null || newest < job.damaged + 3) return null;
  const file = drawn(job, checkpointFiles(job.checkpoints, newest));
  const bytes = readFileSync(file);
  const at = job.random.below(bytes.length);
  bytes[at] = bytes[at]! ^ (1 << job.random.below(8));
  writeFileSync(file, bytes);
  job.damaged = newest;
  return "running";
}

/** The time of day jumps, and jumps back. */
async function clock(job: ChaosJob, run: DurableRun): Promise<Phase | null> {
  job.clock.jumpTo(drawn(job, [-24, -1, 1, 24]) * HOUR_S);
  await delay(WAIT_MS_MAX);
  await job.checkpointed(run);
  if (job.random.below(2) === 0 && (await kill(job, run)) === null) return null;
  job.clock.jumpTo(0);
  return "running";
}

async function savepoint(job: ChaosJob, run: DurableRun): Promise<Phase | null> {
  const path = newSavepoint(job);
  const { code, stderr } = await millrace(["savepoint", "--run", job.checkpoints, path]);
  if (code !== 0 && run.isRunning) throw new Error(stderr);
  if (code === 0) job.savepoint = path;
  await job.checkpointed(run);
  return code === 0 ? "savepoint" : null;
}

/** It is there whole, or not at all: a later start from it says so. */
async function killInSavepoint(job: ChaosJob, run: DurableRun): Promise<Phase | null> {
  const path = newSavepoint(job);
  const asked = new CliProcess(["savepoint", "--run", job.checkpoints, path]);
  const log = `the savepoint ${path}`;
  const isBegun = (): boolean => existsSync(path) || asked.child.exitCode !== null || run.stderr.includes(log);
  while (!isBegun() && !hasUnfinished(job)) await delay(2);
  await delay(job.random.below(40));
  const phase = await kill(job, run);
  await asked.ended;
  if (existsSync(path)) job.savepoint = path;
  return phase && "savepoint";
}

function hasUnfinished({ scratch }: ChaosJob): boolean {
  return readdirSync(join(scratch, "savepoints")).some((name) => name.startsWith(".unfinished-"));
}

/** The next process begins where the newest savepoint was taken, and writes into the same directory. */
async function fromSavepoint(job: ChaosJob, run: DurableRun): Promise<Phase | null> {
  if (job.savepoint === null) return savepoint(job, run);
  if ((await kill(job, run)) === null) return null;
  job.nextArguments = ["--from", job.savepoint, "--fresh"];
  return "restore";
}

async function stop(job: ChaosJob, run: DurableRun): Promise<Phase | null> {
  return stopped(job, run, await millrace(["stop", "--run", job.checkpoints, "--json"]));
}

async function stopWithSavepoint(job: ChaosJob, run: DurableRun): Promise<Phase | null> {
  const path = newSavepoint(job);
  const ended = await millrace(["stop", "--run", job.checkpoints, "--savepoint", path, "--json"]);
  const phase = await stopped(job, run, ended);
  if (phase === null) return null;
  job.savepoint = path;
  job.nextArguments = ["--from", path, "--fresh"];
  return phase;
}

async function cancel(job: ChaosJob, run: DurableRun): Promise<Phase | null> {
  return stopped(job, run, await millrace(["cancel", "--run", job.checkpoints, "--json"]));
}

async function stopped(job: ChaosJob, run: DurableRun, { code, stdout, stderr }: Ended): Promise<Phase | null> {
  const ended = await run.ended;
  if (ended.code !== 0) throw new Error(`it was asked to stop, and ended with ${ended.code}\n${ended.stderr}`);
  const { outcome } = (code === 0 ? JSON.parse(stdout) : {}) as { outcome?: string };
  if (outcome !== undefined && outcome !== "finished") return "stop";
  // It had finished before it was asked, or because of that.
  if (!job.hasEnded(run)) throw new Error(stderr);
  return null;
}

function newSavepoint({ scratch, random }: ChaosJob): string {
  return join(scratch, "savepoints", `s-${random.below(1_000_000_000)}`);
}

function logOf({ scratch }: ChaosJob): string {
  return join(scratch, "strace");
}

async function attached<T>(
  job: ChaosJob,
  run: DurableRun,
  tampering: Tampering,
  work: (strace: Strace) => Promise<T>,
): Promise<T> {
  const strace = await Strace.attach(run.child.pid!, tampering, logOf(job));
  try {
    return await work(strace);
  } finally {
    await strace.detach();
  }
}

function drawn<T>({ random }: ChaosJob, from: readonly T[]): T {
  return from[random.below(from.length)]!;
}

const demands = (ways: readonly string[]): Record<string, Fault> =>
  Object.fromEntries(ways.map((way) => [way, { weight: 2, happen: (job, run) => onDemand(job, run, way) }]));

const points = Object.entries(KILL_POINTS).map(([name, point]): [string, Fault] => [
  `kill.${name}`,
  {
    weight: 1,
    happen: (job, run) => killPoint(job, run, point),
  },
]);

const restores = Object.entries(RESTORE_POINTS).map(([name, point]): [string, Fault] => [
  `killRestore.${name}`,
  { weight: 1, happen: (job, run) => killRestore(job, run, point) },
]);

const disks = Object.entries(DISK_CALLS).map(([name, calls]): [string, Fault] => [
  `eio.${name.toLowerCase()}`,
  { weight: 1, happen: (job, run) => disk(job, run, calls, "error=EIO") },
]);

export const FAULTS: Readonly<Record<string, Fault>> = {
  kill: { weight: 3, happen: kill },
  killEarly: { weight: 3, happen: killEarly },
  killWhileFull: { weight: 2, happen: killWhileFull },
  killInSavepoint: { weight: 2, happen: killInSavepoint },
  ...Object.fromEntries(points),
  "kill.finish": { weight: 1, happen: (job, run) => killPoint(job, run, FINISH_POINT), isOfEnd: true },
  ...Object.fromEntries(restores),
  ...demands(["heap", "exit", "loop", "throw"]),
  ...Object.fromEntries(disks),
  "eio.restore": { weight: 3, happen: diskRestore },
  slow: { weight: 2, happen: (job, run) => disk(job, run, "fsync,fdatasync", `delay_enter=${SLOW_MS * 1_000}`) },
  full: { weight: 2, happen: full },
  flip: { weight: 2, happen: flip },
  clock: { weight: 2, happen: clock },
  savepoint: { weight: 2, happen: savepoint },
  fromSavepoint: { weight: 2, happen: fromSavepoint },
  stop: { weight: 1, happen: stop, isStop: true },
  stopWithSavepoint: { weight: 2, happen: stopWithSavepoint, isStop: true },
  cancel: { weight: 1, happen: cancel, isStop: true },
};
