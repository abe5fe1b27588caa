// What every slot has around it, whatever thread it runs in: pools, metrics, state, links, the factory of its tasks.

import type { Job } from "../../api/job.ts";
import type { Env } from "../../base/env.ts";
import type { Configuration } from "../../config/configuration.ts";
import { OPTIONS } from "../../config/options.ts";
import { SegmentPool } from "../../memory/segment-pool.ts";
import { type MetricDefinition, MetricRegistry } from "../../metrics/metric-registry.ts";
import type { Doorbell } from "../../network/data-link.ts";
import type { LocalLink } from "../../network/local-link.ts";
import type { FromSlot, SlotWiring } from "../../protocol/slot-messages.ts";
import { type LinkBuilder, SharedLinks } from "../build/links.ts";
import { type JobStubs, jobFactory } from "../slot/job-factory.ts";
import { Slot } from "../slot/slot.ts";
import { slotHeapBudget, slotStates } from "../slot/slot-states.ts";
import type { SlotStart } from "./slot-runner.ts";

export type SlotHostOptions = {
  readonly env: Env;
  readonly start: SlotStart;
  readonly doorbells: readonly Doorbell[];
  readonly load: (bundle: string | null) => Promise<Job>;
  readonly send: (message: FromSlot) => void;
  /** Gives the slot a turn soon. */
  readonly wake: () => void;
  /** Links of the simulation; the shared-memory ones by default. */
  readonly links?: (wiring: SlotWiring) => LinkBuilder;
  readonly stubs?: JobStubs;
};

export function slotHost(options: SlotHostOptions): Slot {
  const { env, start, send, wake } = options;
  const network = SegmentPool.attach(start.network, start.index + 1);
  const managed = SegmentPool.attach(start.managed, start.index + 1);
  const progress = new Int32Array(start.progress);
  const lastVertex = new Int32Array(start.lastVertex);
  const announce = announcer(env, send);
  const heapBudget = slotHeapBudget(start.heap.budgetBytes);
  const locals = new Map<string, LocalLink>();
  const slot: Slot = new Slot({
    env,
    factory: jobFactory({
      env,
      load: options.load,
      links: (configuration, wiring) =>
        options.links?.(wiring) ?? sharedLinks(configuration, { wiring, network, locals }, options),
      states: (configuration, job) =>
        slotStates({
          env,
          configuration,
          pool: managed,
          limitBytes: start.managedBytes,
          heapBudget,
          jobId: job.jobId,
          slot: start.index,
        }),
      metrics: new MetricRegistry(start.metrics, announce),
      send,
      wake,
      fail: (task, error) => slot.fail(task, error),
      isAbandoned: () => slot.isAbandoned,
      stubs: options.stubs ?? null,
    }),
    send,
    wake,
    turnBudgetMs: start.turnBudgetMs,
    onLook: () => Atomics.add(progress, start.index, 2),
    onTurn: (vertex) => {
      if (vertex !== null) Atomics.store(lastVertex, start.index, vertex + 1);
      Atomics.add(progress, start.index, 1);
    },
  });
  return slot;
}

function sharedLinks(
  configuration: Configuration,
  carriers: {
    readonly wiring: SlotWiring;
    readonly network: SegmentPool;
    readonly locals: Map<string, LocalLink>;
  },
  options: SlotHostOptions,
): LinkBuilder {
  const { wiring, network, locals } = carriers;
  return new SharedLinks({
    wiring,
    locals,
    view: network.view,
    segmentSize: network.segmentSize,
    segmentsPerChannel: configuration.get(OPTIONS.buffersPerChannel),
    segmentsPerChannelMax: configuration.get(OPTIONS.maxBuffersPerChannel),
    recordBytesMax: configuration.get(OPTIONS.recordSizeMax),
    doorbells: options.doorbells,
    ownSlot: options.start.index,
  });
}

/** Sends new metric definitions together, once per round of events. */
function announcer(env: Env, send: (message: FromSlot) => void): (definition: MetricDefinition) => void {
  let waiting: MetricDefinition[] = [];
  return (definition) => {
    waiting.push(definition);
    if (waiting.length > 1) return;
    env.timers.soon(() => {
      const definitions = waiting;
      waiting = [];
      send({ kind: "metrics", definitions });
    });
  };
}
