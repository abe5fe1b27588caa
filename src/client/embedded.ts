// The embedded runtime: job masters, their TaskManager and its slots in one process tree, for one job or several.
//
// With thread slots it is what `millrace run` does; with local slots everything runs in the calling thread (`--local`,
// tests).

import type { ParamsText } from "../api/params.ts";
import { canonicalJson } from "../base/canonical-json.ts";
import type { Env } from "../base/env.ts";
import type { EngineError } from "../base/errors.ts";
import { hexDigits } from "../base/hex-digits.ts";
import type { Attempt, JobId, LeaderEpoch } from "../base/ids.ts";
import type { Savepoint } from "../checkpoint/savepoint.ts";
import type { Configuration } from "../config/configuration.ts";
import type { JobGraph } from "../graph/job-graph.ts";
import type { Plan } from "../graph/plan.ts";
import type { JobCheckpoints } from "../jobmanager/checkpointing/job-checkpoints.ts";
import { JobMaster, type JobResult, type RowsMessage } from "../jobmanager/job-master.ts";
import type { RecoveryOptions } from "../jobmanager/recovery/job-failures.ts";
import { pipelinedRegions } from "../jobmanager/recovery/regions.ts";
import { restartStrategyOf } from "../jobmanager/recovery/restart-strategy.ts";
import { type TaskManagerMemory, taskManagerMemory } from "../memory/task-manager-memory.ts";
import { MetricRates } from "../metrics/metric-rates.ts";
import type { MetricStore } from "../metrics/metric-store.ts";
import { directTransport } from "../network/direct-transport.ts";
import { MESSAGE_BYTES_MAX } from "../network/framed-connection.ts";
import type { Transport } from "../network/transport.ts";
import type { SinkClaim } from "../operators/sink.ts";
import { errorData } from "../protocol/error-data.ts";
import { DropCounts, type Fence } from "../protocol/fence.ts";
import type { StopHow } from "../protocol/job-messages.ts";
import type { JobDescriptor } from "../protocol/slot-messages.ts";
import type { SlotRunner } from "../taskmanager/runner/slot-runner.ts";
import type { TaskManager } from "../taskmanager/task-manager.ts";
import { TaskManagerGateway } from "../taskmanager/task-manager-gateway.ts";
import type { OpenedCheckpoints } from "./checkpoints.ts";
import { type CheckpointsTold, checkpointsTold, type ToldOf } from "./checkpoints-told.ts";
import { JobEnding } from "./job-ending.ts";
import { type PlannedJob, withSlots } from "./job-plan.ts";
import { Savepoints } from "./savepoints.ts";

export type EmbeddedOptions = {
  readonly env: Env;
  readonly planned: Pick<PlannedJob, "graph" | "defaults">;
  /** What `planned.claim` gave; released when nothing of the job is left. */
  readonly claimed?: SinkClaim;
  /** What `checkpointsOpen` gave; released when nothing of the job is left. Default: the job takes no checkpoints. */
  readonly checkpoints?: OpenedCheckpoints;
  /** URL of the job's bundle for thread slots; null for local ones, which get the job itself. */
  readonly bundle: string | null;
  readonly params: ParamsText;
  readonly configuration: Configuration;
  readonly runner: SlotRunner;
  /** Between job master and TaskManager; within the thread by default. */
  readonly transport?: Transport;
  /** Runs jobs already, or has; the job waits for no slots. Default: one of its own, which ends with the job. */
  readonly host?: EmbeddedHost;
  readonly checks: boolean;
  /** Of the machine, for the memory model. */
  readonly machineBytes: number;
  readonly print: (lines: string) => void;
  /** Rows of sinks for whoever started the job; `master.rowsRead` makes room for more. Dropped by default. */
  readonly onRows?: (rows: RowsMessage) => void;
  readonly log: (line: string) => void;
  /** Of errors that the job goes on after. Default: what they say themselves. */
  readonly toldOf?: ToldOf;
};

export type EmbeddedJob = {
  readonly jobId: JobId;
  readonly plan: Plan;
  readonly graph: JobGraph;
  readonly memory: TaskManagerMemory;
  /** What its tasks have counted; of those that began anew, since then. */
  readonly metrics: MetricStore;
  /** How fast its counters grow; exact to the minute when sampled every few seconds. */
  readonly rates: MetricRates;
  /** Knows how far its tasks are, what has failed, and which sinks have committed. */
  readonly master: JobMaster;
  /** Resolves when its tasks have ended. */
  readonly ended: Promise<JobResult>;
  readonly taskManager: TaskManager;
  /** Control messages of the past, or of others, that were dropped. */
  readonly dropped: DropCounts;
  /** Of the job as a whole: restarts and checkpoints over all attempts, by Flink's names. `nowMs`: monotonic. */
  jobManagerMetrics(nowMs: number): Readonly<Record<string, number>>;
  /** Ends the job and leaves nothing of what it has not committed. */
  readonly cancel: () => void;
  /** Ends the job: an endless one keeps what it has written, a bounded one leaves nothing half done. */
  stop(): void;
  /**
   * As `stop`; with `drain` its input ends where it is, windows fire, and it has come to its end. Resolves when nothing
   * of it is left, with what it has left as a savepoint, where one was asked for: null for its usual place.
   */
  readonly stopWith: (how: StopHow) => Promise<Savepoint | null>;
  /** Writes a savepoint while the job goes on; null: to its usual place. */
  readonly savepoint: (path: string | null) => Promise<Savepoint>;
  /** Somebody has ended the job. */
  readonly isEnding: boolean;
  /** Ends the job for a reason that its slots have not seen. */
  fail(error: EngineError): void;
  /** A thread of the job could not be ended; the process has to be killed. */
  readonly stranded: boolean;
  /** Resolves when nothing of the job is left. */
  readonly result: Promise<JobResult>;
};

const TASK_MANAGER = "taskmanager";
const JOB_ID_DIGITS = 32;
/** Nobody else leads an embedded job. */
const FIRST_EPOCH = 0 as LeaderEpoch;
const FIRST_ATTEMPT = 0 as Attempt;

/** Starts a job. Throws a UserError for everything the user has to mend first. */
export function embeddedStart(options: EmbeddedOptions): EmbeddedJob {
  try {
    return started(options);
  } catch (error) {
    void released(options);
    throw error;
  }
}

function started(options: EmbeddedOptions): EmbeddedJob {
  const { env, params } = options;
  const { checkpoints } = options;
  const { graph, defaults } = options.planned;
  const { plan } = graph;
  const configuration = withSlots(options.configuration, graph);
  const jobId = hexDigits(env.random, JOB_ID_DIGITS) as JobId;
  const { transport, dropped, gateway } = options.host ?? embeddedHost({ ...options, configuration });
  const close = async (): Promise<void> => {
    if (options.host === undefined) await gateway.close();
  };
  const job: JobDescriptor = {
    jobId,
    bundle: options.bundle,
    params,
    defaults,
    planHash: plan.hash,
    planText: canonicalJson(plan),
    config: configuration.layers,
    checks: options.checks,
    ...(checkpoints !== undefined && { checkpoints: checkpoints.directory.path }),
  };
  const told = checkpointsTold({
    ...options,
    regions: pipelinedRegions(graph).map((region) => namesOf(graph, region)),
  });
  const master: JobMaster = new JobMaster({
    ...{ env, configuration, graph, transport, dropped, job, taskManager: TASK_MANAGER },
    ...{ print: options.print, log: options.log },
    fence: { job: jobId, attempt: FIRST_ATTEMPT, epoch: FIRST_EPOCH },
    onRows: options.onRows ?? (({ task, sink, rows }) => master.rowsRead({ task, sink, bytes: rows.byteLength })),
    checkpoints: checkpointsOf(options, told),
    recovery: recoveryOf(options, told, configuration),
  });
  const counted = new Counted(gateway, master);
  void master.running().then(() => counted.now.rates.start());
  const { log } = options;
  const savepoints = new Savepoints({ env, configuration, plan, jobId, checkpoints, master, log });
  const ending = new JobEnding({ master, savepoints, checkpoints, configuration, plan, log });
  try {
    master.start();
  } catch (error) {
    void close();
    throw error;
  }
  const afterwards = master.result.then((ended) => ending.afterwards(ended));
  const result = leavingNothing(afterwards, close, options);
  return {
    jobId,
    plan,
    graph,
    memory: gateway.taskManager.memory,
    get metrics() {
      return counted.now.metrics;
    },
    get rates() {
      return counted.now.rates;
    },
    master,
    ended: master.result,
    taskManager: gateway.taskManager,
    dropped,
    jobManagerMetrics: (nowMs) => ({
      ...master.restartMetrics(nowMs),
      ...(checkpoints !== undefined && told.stats.metrics(master.checkpointing?.pending.length ?? 0)),
    }),
    cancel: () => ending.cancel(),
    stop: () => ending.stop(),
    stopWith: (how) => ending.stopWith(how, result),
    savepoint: (path) => savepoints.take(path),
    get isEnding() {
      return master.isEnding;
    },
    fail: (error) => master.fail(error),
    get stranded() {
      return gateway.taskManager.stranded;
    },
    result,
  };
}

/** What the tasks count; with a further session of the job anew. */
class Counted {
  readonly #gateway: TaskManagerGateway;
  readonly #master: JobMaster;
  #fence: Fence;
  #metrics: MetricStore;
  #rates: MetricRates;

  constructor(gateway: TaskManagerGateway, master: JobMaster) {
    this.#gateway = gateway;
    this.#master = master;
    this.#fence = master.fence;
    this.#metrics = gateway.metricsOf(this.#fence);
    this.#rates = new MetricRates(this.#metrics);
  }

  get now(): { readonly metrics: MetricStore; readonly rates: MetricRates } {
    if (this.#fence !== this.#master.fence) {
      this.#fence = this.#master.fence;
      this.#metrics = this.#gateway.metricsOf(this.#fence);
      this.#rates = new MetricRates(this.#metrics);
      this.#rates.start();
    }
    return { metrics: this.#metrics, rates: this.#rates };
  }
}

function namesOf({ vertices }: JobGraph, region: readonly number[]): readonly string[] {
  return region.map((vertex) => vertices[vertex]!.name);
}

function checkpointsOf({ checkpoints, env }: EmbeddedOptions, told: CheckpointsTold): JobCheckpoints | null {
  if (checkpoints === undefined) return null;
  const { directory, state, restored } = checkpoints;
  if (restored !== null) told.stats.onRestored(restored.metadata.id, env.clock.nowMs());
  const onCompleted: JobCheckpoints["onCompleted"] = (checkpoint) => {
    told.onCompleted(checkpoint);
    checkpoints.onCompleted();
  };
  return { ...told, onCompleted, store: directory.store, state, restored };
}

/** None without checkpoints, nor where what has been read cannot be read again. */
function recoveryOf(
  { checkpoints, env }: EmbeddedOptions,
  told: CheckpointsTold,
  configuration: Configuration,
): RecoveryOptions | null {
  if (checkpoints?.repeatable !== true) return null;
  return {
    strategy: restartStrategyOf(configuration),
    newest: () => checkpoints.newest(told.unreadable),
    onFailed: told.onAttemptFailed,
    onStuck: told.onStuck,
    onRestored: ({ metadata }) => told.stats.onRestored(metadata.id, env.clock.nowMs()),
    onRecovered: told.onRecovered,
  };
}

/** How the job came out stands also when a lock cannot be removed, as in a directory that has become read-only. */
async function released({ claimed, checkpoints, log }: EmbeddedOptions): Promise<void> {
  try {
    await checkpoints?.release();
    await claimed?.release();
  } catch (error) {
    log(`where sinks wrote to stays locked until this process ends: ${errorData(error).message}`);
  }
}

async function leavingNothing(
  result: Promise<JobResult>,
  close: () => Promise<void>,
  options: EmbeddedOptions,
): Promise<JobResult> {
  try {
    return await result;
  } finally {
    try {
      await close();
    } finally {
      await released(options);
    }
  }
}

/** A TaskManager that runs jobs one after the other, or several at a time. */
export type EmbeddedHost = {
  readonly transport: Transport;
  readonly dropped: DropCounts;
  /** For its owner to close. */
  readonly gateway: TaskManagerGateway;
};

export function embeddedHost(
  options: Pick<EmbeddedOptions, "env" | "configuration" | "runner" | "machineBytes" | "transport">,
): EmbeddedHost {
  const { env, configuration, runner, machineBytes } = options;
  // It has to take what a slot may say, in its envelope.
  const transport = options.transport ?? directTransport(env, 2 * MESSAGE_BYTES_MAX);
  const memory = taskManagerMemory(configuration, { machineBytes });
  const dropped = new DropCounts();
  const shared = { env, configuration, memory, runner, transport, dropped };
  return { transport, dropped, gateway: new TaskManagerGateway({ ...shared, address: TASK_MANAGER }) };
}
