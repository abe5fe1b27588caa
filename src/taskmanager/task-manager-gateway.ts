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
import type { JobId } from "../protocol/ids.ts";
import { type Session, SessionListener } from "../protocol/session.ts";
import { sessionTiming } from "../protocol/session-timing.ts";
import type { FromSlot, TaskDescriptor } from "../protocol/slot-messages.ts";
import type { FromTaskManager, ToTaskManager } from "../protocol/task-manager-messages.ts";
import type { SlotRunner } from "./runner/slot-runner.ts";
import { TaskManager } from "./task-manager.ts";

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

/** What runs in the slots of one session. */
type JobSlots = {
  readonly session: Session<FromTaskManager>;
  readonly metrics: MetricStore;
  readonly deployed: Map<number, Deploy>;
  /** Slots that have not ended. */
  readonly open: Set<number>;
  /** Of a session that was lost: until when its slots may take to close. */
  patience: TimerHandle | null;
};

export class TaskManagerGateway {
  readonly taskManager: TaskManager;
  readonly #options: TaskManagerGatewayOptions;
  readonly #sessions: SessionListener<FromTaskManager, ToTaskManager>;
  readonly #metrics = new Map<JobId, MetricStore>();
  /** By slot. */
  readonly #owners = new Map<number, JobSlots>();

  constructor(options: TaskManagerGatewayOptions) {
    const { env, configuration, transport, address, dropped } = options;
    this.#options = options;
    this.taskManager = new TaskManager({
      ...options,
      onMessage: (slot, message) => this.#onSlotMessage(slot, message),
      chains: (slot, vertex) => this.#chains(slot, vertex),
      onSlotLost: (slot, error) => this.#onSlotLost(slot, error),
    });
    this.#sessions = new SessionListener(transport, address, {
      ...{ env, dropped, timing: sessionTiming(configuration) },
      open: (fence, session) => this.#open(fence, session),
    });
  }

  /** Metrics of a job that runs here, or will. */
  metricsOf(job: JobId): MetricStore {
    let metrics = this.#metrics.get(job);
    if (metrics === undefined) {
      metrics = new MetricStore(this.#options.env.clock);
      this.#metrics.set(job, metrics);
    }
    return metrics;
  }

  async close(): Promise<void> {
    this.#sessions.close();
    for (const { metrics, patience } of new Set(this.#owners.values())) {
      metrics.freeze();
      patience?.cancel();
    }
    await this.taskManager.close();
  }

  #open({ job }: Fence, session: Session<FromTaskManager>) {
    const slots: JobSlots = {
      session,
      metrics: this.metricsOf(job),
      deployed: new Map(),
      open: new Set(),
      patience: null,
    };
    return {
      receive: (message: ToTaskManager) => this.#onMessage(slots, message),
      lost: (error: EngineError) => {
        this.#metrics.delete(job);
        this.#onJobMasterLost(slots, error);
      },
    };
  }

  #onMessage(slots: JobSlots, message: ToTaskManager): void {
    switch (message.kind) {
      case "deploy":
        slots.deployed.set(message.slot, message);
        slots.open.add(message.slot);
        this.#owners.set(message.slot, slots);
        this.taskManager.start(message.slot);
        this.taskManager.deploy(message.slot, message.job, message.tasks);
        break;
      case "toSlot":
        if (this.#owners.get(message.slot) === slots) this.taskManager.post(message.slot, message.message);
        break;
      default:
        this.#release(slots, message.slot);
    }
  }

  #release(slots: JobSlots, slot: number): void {
    const released = (error: EngineErrorData | null): void => {
      slots.session.send({ kind: "released", slot, error });
    };
    this.#end(slots, slot).then(
      () => released(null),
      (cause: unknown) => released(errorData(new InternalError("SLOT_END", `slot ${slot} did not end`, { cause }))),
    );
  }

  async #end(slots: JobSlots, slot: number): Promise<void> {
    slots.open.delete(slot);
    if (this.#owners.get(slot) === slots) await this.taskManager.end(slot);
  }

  /** G1 */
  #onSlotMessage(slot: number, message: FromSlot): void {
    const slots = this.#owners.get(slot);
    if (slots === undefined) return;
    if (message.kind === "metrics") {
      slots.metrics.define(slot, this.taskManager.metricMemories()[slot], message.definitions);
    } else if (slots.patience !== null) {
      if (message.kind === "closed") void this.#end(slots, slot);
    } else slots.session.send({ kind: "fromSlot", slot, message });
  }

  /** G1 */
  #onSlotLost(slot: number, error: EngineError): void {
    const slots = this.#owners.get(slot);
    slots?.open.delete(slot);
    slots?.session.send({ kind: "slotLost", slot, error: errorData(error) });
  }

  /** G2 */
  #onJobMasterLost(slots: JobSlots, error: EngineError): void {
    const { env, configuration } = this.#options;
    slots.metrics.freeze();
    if (slots.open.size === 0) return; // It has ended, and said so.
    env.log.write("warn", `what runs in ${slots.open.size} slots is cancelled`, { reason: error.message });
    const endAll = (): void => {
      for (const slot of [...slots.open]) void this.#end(slots, slot);
    };
    slots.patience = env.timers.after(configuration.get(OPTIONS.cancellationTimeout), endAll, { background: true });
    for (const slot of slots.open) this.taskManager.post(slot, { kind: "cancel", commit: false });
  }

  /** What runs in a slot: of one vertex by its index in the job graph, null for all. */
  #chains(slot: number, vertex: number | null): readonly JobVertex[] {
    const deployed = this.#owners.get(slot)?.deployed.get(slot);
    if (deployed === undefined) return [];
    const chaining = new Configuration(deployed.job.config).get(OPTIONS.operatorChaining);
    const { vertices } = jobGraphOf(planParse(deployed.job.planText), { chaining });
    const runs = (index: number) => deployed.tasks.some((task: TaskDescriptor) => task.vertex === index);
    return vertices.filter((_, index) => index === (vertex ?? index) && runs(index));
  }
}
