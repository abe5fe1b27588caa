// A TaskManager's end of its sessions with job masters: carries out what they ask, tells them what slots say, and reads
// the metrics of their jobs.
//
//   G1. A slot that closes, or is lost, is told to the session whose tasks it had, and to no other.
//   G2. When a job master is lost, what runs for it is cancelled and ended: nobody would ever tell it to commit.

import type { Env, TimerHandle } from "../base/env.ts";
import { type EngineError, InternalError } from "../base/errors.ts";
import { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import { type JobVertex, jobGraphOf, planParse } from "../graph/job-graph.ts";
import type { TaskManagerMemory } from "../memory/task-manager-memory.ts";
import { MetricStore } from "../metrics/metric-store.ts";
import type { Transport } from "../network/transport.ts";
import { type EngineErrorData, errorData } from "../protocol/error-data.ts";
import type { DropCounts, Fence } from "../protocol/fence.ts";
import { type Session, SessionListener } from "../protocol/session.ts";
import { sessionTiming } from "../protocol/session-timing.ts";
import type { FromSlot, JobDescriptor, TaskId } from "../protocol/slot-messages.ts";
import type { FromTaskManager, ToTaskManager } from "../protocol/task-manager-messages.ts";
import type { SlotRunner } from "./runner/slot-runner.ts";
import { type JobSlots, TaskManager } from "./task-manager.ts";

export type TaskManagerGatewayOptions = {
  readonly env: Env;
  readonly configuration: Configuration;
  readonly memory: TaskManagerMemory;
  readonly runner: SlotRunner;
  readonly transport: Transport;
  readonly address: string;
  readonly dropped: DropCounts;
};

type Deploy = Extract<ToTaskManager, { readonly kind: "deploy" }>;

/** What runs for one session. */
type JobRun = {
  readonly session: Session<FromTaskManager>;
  readonly metrics: MetricStore;
  readonly slots: JobSlots;
  /** What is run, once that was said. */
  job: JobDescriptor | null;
  /** Slots that were given tasks and not released. */
  readonly open: Set<number>;
  /** Of a session that was lost: until when its slots may take to close. */
  patience: TimerHandle | null;
};

export class TaskManagerGateway {
  readonly taskManager: TaskManager;
  readonly #options: TaskManagerGatewayOptions;
  readonly #sessions: SessionListener<FromTaskManager, ToTaskManager>;
  /** By `attemptKey`. */
  readonly #metrics = new Map<string, MetricStore>();
  readonly #runs = new Set<JobRun>();

  constructor(options: TaskManagerGatewayOptions) {
    const { env, configuration, transport, address, dropped } = options;
    this.#options = options;
    this.taskManager = new TaskManager(options);
    this.#sessions = new SessionListener(transport, address, {
      ...{ env, dropped, timing: sessionTiming(configuration) },
      open: (fence, session) => this.#open(fence, session),
    });
  }

  /** Metrics of an attempt of a job that runs here, or will. */
  metricsOf(fence: Pick<Fence, "job" | "attempt">): MetricStore {
    let metrics = this.#metrics.get(attemptKey(fence));
    if (metrics === undefined) {
      metrics = new MetricStore(this.#options.env.clock);
      this.#metrics.set(attemptKey(fence), metrics);
    }
    return metrics;
  }

  async close(): Promise<void> {
    this.#sessions.close();
    for (const { metrics, patience } of this.#runs) {
      metrics.freeze();
      patience?.cancel();
    }
    await this.taskManager.close();
  }

  #open(fence: Fence, session: Session<FromTaskManager>) {
    const run: JobRun = {
      session,
      metrics: this.metricsOf(fence),
      slots: this.taskManager.slotsFor({
        fence,
        onMessage: (slot, message) => this.#onSlotMessage(run, slot, message),
        chains: (vertices) => chains(run, vertices),
        onSlotLost: (slot, tasks, error) => this.#onSlotLost(run, slot, tasks, errorData(error)),
      }),
      job: null,
      open: new Set(),
      patience: null,
    };
    this.#runs.add(run);
    return {
      receive: (message: ToTaskManager) => this.#onMessage(run, message),
      lost: (error: EngineError) => {
        this.#metrics.delete(attemptKey(fence));
        this.#onJobMasterLost(run, error);
      },
    };
  }

  #onMessage(run: JobRun, message: ToTaskManager): void {
    switch (message.kind) {
      case "deploy":
        this.#deploy(run, message);
        break;
      case "toSlot":
        run.slots.post(message.slot, message.message);
        break;
      default:
        this.#release(run, message.slot);
    }
  }

  #deploy(run: JobRun, message: Deploy): void {
    const { slot, job, tasks } = message;
    run.job = job;
    run.open.add(slot);
    try {
      run.slots.deploy(slot, job, tasks);
    } catch (error) {
      const ids = tasks.map(({ id }) => id);
      this.#onSlotLost(run, slot, ids, errorData(error));
    }
  }

  #release(run: JobRun, slot: number): void {
    const released = (error: EngineErrorData | null): void => {
      run.session.send({ kind: "released", slot, error });
    };
    this.#end(run, slot).then(
      () => released(null),
      (cause: unknown) => released(errorData(new InternalError("SLOT_END", `slot ${slot} did not end`, { cause }))),
    );
  }

  async #end(run: JobRun, slot: number): Promise<void> {
    await run.slots.release(slot);
    run.open.delete(slot);
    if (run.patience !== null) this.#forgetOnceEnded(run);
  }

  #forgetOnceEnded(run: JobRun): void {
    if (run.open.size > 0) return;
    run.patience?.cancel();
    this.#runs.delete(run);
  }

  /** G1 */
  #onSlotMessage(run: JobRun, slot: number, message: FromSlot): void {
    if (message.kind === "metrics") {
      run.metrics.define(slot, run.slots.metricMemory(slot), message.definitions);
    } else if (run.patience !== null) {
      if (message.kind === "closed") this.#endIfEmpty(run, slot);
    } else run.session.send({ kind: "fromSlot", slot, message });
  }

  /** G1 */
  #onSlotLost(run: JobRun, slot: number, tasks: readonly TaskId[], error: EngineErrorData): void {
    run.session.send({ kind: "slotLost", slot, tasks, error });
    if (run.patience !== null) this.#endIfEmpty(run, slot);
  }

  #endIfEmpty(run: JobRun, slot: number): void {
    if (run.slots.isEmpty(slot)) void this.#end(run, slot);
  }

  /** G2 */
  #onJobMasterLost(run: JobRun, error: EngineError): void {
    const { env, configuration } = this.#options;
    run.metrics.freeze();
    this.#forgetOnceEnded(run);
    if (run.open.size === 0) return; // It has ended, and said so.
    env.log.write("warn", `what runs in ${run.open.size} slots is cancelled`, { reason: error.message });
    const endAll = (): void => {
      for (const slot of [...run.open]) void this.#end(run, slot);
    };
    run.patience = env.timers.after(configuration.get(OPTIONS.cancellationTimeout), endAll, { background: true });
    for (const slot of [...run.open]) {
      run.slots.post(slot, { kind: "cancel", tasks: null, discard: false });
      this.#endIfEmpty(run, slot);
    }
  }
}

function attemptKey({ job, attempt }: Pick<Fence, "job" | "attempt">): string {
  return `${job}/${attempt}`;
}

/** Vertices of the job graph, by their indexes. */
function chains({ job }: JobRun, indexes: readonly number[]): readonly JobVertex[] {
  if (job === null) return [];
  const chaining = new Configuration(job.config).get(OPTIONS.operatorChaining);
  const { vertices } = jobGraphOf(planParse(job.planText), { chaining });
  return vertices.filter((_, index) => indexes.includes(index));
}
