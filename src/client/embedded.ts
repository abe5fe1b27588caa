// The embedded runtime: job master, TaskManager and slots in one process tree, for one job.
//
// With thread slots it is what `millrace run` does; with local slots everything runs in the calling thread (`--local`,
// tests).

import type { ParamsText } from "../api/params.ts";
import { canonicalJson } from "../base/canonical-json.ts";
import type { Env } from "../base/env.ts";
import type { EngineError } from "../base/errors.ts";
import type { Configuration } from "../config/configuration.ts";
import type { JobGraph } from "../graph/job-graph.ts";
import { isBounded, type Plan } from "../graph/plan.ts";
import { JobMaster, type JobResult, type RowsMessage } from "../jobmanager/job-master.ts";
import { type TaskManagerMemory, taskManagerMemory } from "../memory/task-manager-memory.ts";
import type { MetricRates } from "../metrics/metric-rates.ts";
import type { MetricStore } from "../metrics/metric-store.ts";
import type { SinkClaim } from "../operators/sink.ts";
import type { SlotRunner } from "../taskmanager/runner/slot-runner.ts";
import { TaskManager } from "../taskmanager/task-manager.ts";
import { type PlannedJob, withSlots } from "./job-plan.ts";

export type EmbeddedOptions = {
  readonly env: Env;
  readonly planned: Pick<PlannedJob, "graph" | "defaults">;
  /** What `planned.claim` gave; released when nothing of the job is left. */
  readonly claimed?: SinkClaim;
  /** URL of the job's bundle for thread slots; null for local ones, which get the job itself. */
  readonly bundle: string | null;
  readonly params: ParamsText;
  readonly configuration: Configuration;
  readonly runner: SlotRunner;
  readonly checks: boolean;
  /** Of the machine, for the memory model. */
  readonly machineBytes: number;
  readonly print: (lines: string) => void;
  /** Rows of sinks for whoever started the job; `master.rowsRead` makes room for more. Dropped by default. */
  readonly onRows?: (rows: RowsMessage) => void;
  readonly log: (line: string) => void;
};

export type EmbeddedJob = {
  readonly jobId: string;
  readonly plan: Plan;
  readonly graph: JobGraph;
  readonly memory: TaskManagerMemory;
  readonly metrics: MetricStore;
  /** How fast its counters grow; exact to the minute when sampled every few seconds. */
  readonly rates: MetricRates;
  /** Knows how far its tasks are, and which sinks have committed. */
  readonly master: JobMaster;
  readonly taskManager: TaskManager;
  /** Ends the job and leaves nothing of what it has not committed. */
  cancel(): void;
  /** Ends the job: an endless one keeps what it has written, a bounded one leaves nothing half done. */
  stop(): void;
  /** Ends the job for a reason that its slots have not seen. */
  fail(error: EngineError): void;
  /** A thread of the job could not be ended; the process has to be killed. */
  readonly stranded: boolean;
  /** Resolves when nothing of the job is left. */
  readonly result: Promise<JobResult>;
};

/** Starts a job. Throws a UserError for everything the user has to mend first. */
export function embeddedStart(options: EmbeddedOptions): EmbeddedJob {
  try {
    return started(options);
  } catch (error) {
    void options.claimed?.release();
    throw error;
  }
}

function started(options: EmbeddedOptions): EmbeddedJob {
  const { env, params } = options;
  const { graph, defaults } = options.planned;
  const { plan } = graph;
  const configuration = withSlots(options.configuration, graph);
  const memory = taskManagerMemory(configuration, { machineBytes: options.machineBytes });
  const jobId = newJobId(env);
  let master: JobMaster | null = null;
  const taskManager = new TaskManager({
    env,
    configuration,
    memory,
    runner: options.runner,
    onMessage: (slot, message) => master?.onMessage(slot, message),
    chains: (slot, vertex) => master?.chains(slot, vertex) ?? [],
    onSlotLost: (slot, error) => master?.onSlotLost(slot, error),
  });
  master = new JobMaster({
    env,
    configuration,
    graph,
    job: {
      jobId,
      bundle: options.bundle,
      params,
      defaults,
      planHash: plan.hash,
      planText: canonicalJson(plan),
      config: configuration.layers,
      checks: options.checks,
    },
    slots: taskManager,
    print: options.print,
    onRows: options.onRows ?? (({ task, sink, rows }) => master?.rowsRead({ task, sink, bytes: rows.byteLength })),
    log: options.log,
  });
  master.start();
  return {
    jobId,
    plan,
    graph,
    memory,
    metrics: master.metrics,
    rates: master.rates,
    master,
    taskManager,
    cancel: () => master.cancel(false),
    stop: () => master.cancel(!isBounded(plan)),
    fail: (error) => master.fail(error),
    get stranded() {
      return taskManager.stranded;
    },
    result: master.result.finally(() => taskManager.close()).finally(() => options.claimed?.release()),
  };
}

function newJobId(env: Env): string {
  const digits = Array.from({ length: 32 }, () => Math.floor(env.random.next() * 16).toString(16));
  return digits.join("");
}
