// Builds a job's plan in a thread of its own, for programs that go on whatever the job's module and builder do: throw,
// exit, keep everything, never return.
//
//   P1. The thread has ended when there is an error, or when what sinks have claimed is released.

import { once } from "node:events";
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { ParamsText } from "../api/params.ts";
import type { PlanDefaults } from "../api/plan/plan-builder.ts";
import { assert, UserError } from "../base/errors.ts";
import type { ConfigLayer, Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import { jobGraphOf } from "../graph/job-graph.ts";
import type { Plan } from "../graph/plan.ts";
import type { SinkClaim } from "../operators/sink.ts";
import { type EngineErrorData, errorFromData } from "../protocol/error-data.ts";
import { neverReturned, withCulprit } from "../taskmanager/failures/user-failure.ts";
import { threadEnd, threadHeldBytes } from "../taskmanager/runner/slot-runner-node.ts";
import { stackSample } from "../taskmanager/runner/stack-sample-node.ts";
import { isDebugged } from "./debugged-node.ts";
import type { PlannedJob } from "./job-plan.ts";
import { type LoadedModule, loadFailure, neverLoaded } from "./module-failure-node.ts";

export type PlannerStart = {
  readonly bundle: string;
  readonly params: ParamsText;
  readonly layers: readonly ConfigLayer[];
};

export type FromPlanner =
  /** `holds`: the thread lives until it is told to release what sinks have claimed. */
  | { readonly kind: "planned"; readonly plan: Plan; readonly defaults: PlanDefaults; readonly holds: boolean }
  | { readonly kind: "released" }
  /** `loading`: of the module, not the builder. */
  | { readonly kind: "failed"; readonly error: EngineErrorData; readonly loading: boolean };

export type PlannerOptions = {
  readonly module: LoadedModule;
  readonly bundle: string;
  readonly params: ParamsText;
  readonly configuration: Configuration;
  /** Whether a stack passes through the job's own code. */
  readonly isOfJob: (stack: string) => boolean;
  /** Takes what the module writes to its console; without one it goes to the streams of the process. */
  readonly output: ((text: string) => void) | null;
  readonly signal: AbortSignal | undefined;
};

const MIB = 1024 ** 2;
const HELD_MIB_MAX = 512;
/** V8 ends the process when one allocation asks for much more than this leaves: looking comes first. */
const HEAP_MIB_MAX = 8 * HELD_MIB_MAX;
const LOOK_EVERY_MS = 100;
/** Of the time-out: a thread that only waits. */
const IDLE_MIN = 0.9;
/** Samples in a row: the thread is inside native code. */
const UNANSWERED_MAX = 2;
const END_WAIT_MS = 10_000;

export type ThreadPlan = Pick<PlannedJob, "graph" | "defaults"> & { readonly claimed: SinkClaim };

/** Throws a UserError for everything the user has to mend, and the reason of an aborted signal. */
export async function planInThread(options: PlannerOptions): Promise<ThreadPlan> {
  const { module, configuration, signal } = options;
  signal?.throwIfAborted();
  const worker = plannerWorker(options);
  const timeoutMs = configuration.get(OPTIONS.watchdogTimeout);
  const { promise, resolve, reject } = Promise.withResolvers<FromPlanner>();
  const abort = (): void => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const ended = new AbortController();
  void watch(worker, timeoutMs, { ...options, ended: ended.signal }).then((error) => error && reject(error));
  const looking = setInterval(() => void look(worker).then((error) => error && reject(error)), LOOK_EVERY_MS);
  worker.on("message", resolve);
  worker.on("error", (error) => reject(threadFailure(error)));
  worker.on("exit", () => reject(neverLoaded(module, null)));
  let holds = false;
  try {
    const message = await promise;
    if (message.kind === "failed") {
      const error = errorFromData(message.error);
      throw message.loading ? loadFailure(module, error) : error;
    }
    assert(message.kind === "planned", `a planner begins with its plan, not with "${message.kind}"`);
    const { plan, defaults } = message;
    holds = message.holds;
    const graph = jobGraphOf(plan, { chaining: configuration.get(OPTIONS.operatorChaining) });
    return { graph, defaults, claimed: { release: () => (holds ? released(worker) : Promise.resolve()) } };
  } finally {
    ended.abort();
    clearInterval(looking);
    signal?.removeEventListener("abort", abort);
    if (!holds) await atMost(END_WAIT_MS, threadEnd(worker));
  }
}

async function released(worker: Worker): Promise<void> {
  const answered = once(worker, "message"); // That it has released, or why it could not.
  worker.postMessage("release");
  await atMost(END_WAIT_MS, answered);
  await atMost(END_WAIT_MS, threadEnd(worker));
}

/** A thread inside native code never answers. */
function atMost(waitMs: number, answer: Promise<unknown>): Promise<unknown> {
  return Promise.race([answer, delay(waitMs, undefined, { ref: false })]);
}

function plannerWorker({ bundle, params, configuration, output }: PlannerOptions): Worker {
  const workerData: PlannerStart = { bundle, params, layers: configuration.layers };
  const compiled = new URL("./planner-worker.js", import.meta.url);
  const worker = new Worker(existsSync(compiled) ? compiled : new URL("./planner-worker.ts", import.meta.url), {
    name: "millrace-planner",
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
    execArgv: [], // What the test runner or a debugger gave to this process is not for it.
    trackUnmanagedFds: false, // As in a slot: it would close what has become another thread's.
    stdout: output !== null,
    stderr: output !== null,
  });
  if (output !== null)
    for (const stream of [worker.stdout, worker.stderr]) stream.setEncoding("utf8").on("data", output);
  return worker;
}

function threadFailure(error: unknown): unknown {
  return (error as { code?: unknown }).code === "ERR_WORKER_OUT_OF_MEMORY" ? outOfMemory(null) : error;
}

/** The error of a thread that holds too much; null for one that does not. */
async function look(worker: Worker): Promise<UserError | null> {
  return (await threadHeldBytes(worker)) > HELD_MIB_MAX * MIB ? outOfMemory(await stackSample(worker)) : null;
}

function outOfMemory(stack: string | null): UserError {
  const message = `the job's module or its builder keeps more than ${HELD_MIB_MAX} MiB`;
  const fix = "load data in sources or functions, not while the job is declared";
  return withCulprit(new UserError("JOB_BUILDER_OUT_OF_MEMORY", message, { fix }), stack, []);
}

/**
 * Why the thread comes to no end: a loop, or something that it waits for. Goes on while it is neither, for a busy
 * machine takes its time to start a thread; null once the thread has ended.
 */
async function watch(
  worker: Worker,
  timeoutMs: number,
  { module, isOfJob, ended }: PlannerOptions & { readonly ended: AbortSignal },
): Promise<UserError | null> {
  for (let unanswered = 0; ; ) {
    const before = worker.performance.eventLoopUtilization();
    await delay(timeoutMs, undefined, { ref: false, signal: ended }).catch(() => undefined);
    if (ended.aborted || isDebugged()) return null;
    const { idle } = worker.performance.eventLoopUtilization(before);
    if (idle > timeoutMs * IDLE_MIN) return neverLoaded(module, timeoutMs);
    const stack = await stackSample(worker);
    unanswered = stack === null ? unanswered + 1 : 0;
    if (unanswered === UNANSWERED_MAX || (stack !== null && isOfJob(stack))) {
      return neverReturned("user code", timeoutMs, stack);
    }
  }
}
