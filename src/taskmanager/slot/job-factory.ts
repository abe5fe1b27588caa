// Rebuilds a job in a slot and makes its tasks.

import { type Job, jobBuild } from "../../api/job.ts";
import type { Env } from "../../base/env.ts";
import { assert, UserError } from "../../base/errors.ts";
import { pagesFill } from "../../checkpoint/format/pack-file.ts";
import { DirectoryStorage } from "../../checkpoint/storage/directory-storage.ts";
import { Configuration } from "../../config/configuration.ts";
import { OPTIONS } from "../../config/options.ts";
import { type JobGraph, jobGraphOf, planParse } from "../../graph/job-graph.ts";
import type { Plan, PlanOperator } from "../../graph/plan.ts";
import { firstDifference, planDiff } from "../../graph/plan-diff.ts";
import type { MetricRegistry, MetricScope } from "../../metrics/metric-registry.ts";
import type { Sink } from "../../operators/sink.ts";
import type { EnumeratorContext, Source } from "../../operators/source.ts";
import type { FromSlot, JobDescriptor, SlotWiring, TaskDescriptor, TaskId } from "../../protocol/slot-messages.ts";
import type { KeyedStateStore } from "../../state/contract/keyed-state.ts";
import type { LinkBuilder } from "../build/links.ts";
import { restoredStates } from "../build/restored-states.ts";
import type { OperatorFunctions, SourceWatermarks, TaskBuildContext } from "../build/subtask.ts";
import { taskBuild } from "../build/task-build.ts";
import { RowOutlets } from "../drivers/row-outlet.ts";
import { SinkCommitters } from "../drivers/sink-committers.ts";
import { SourceCoordinator } from "../drivers/source-coordinator.ts";
import { connectorCall } from "../failures/user-failure.ts";
import type { RestoredStates } from "../task/task-state.ts";
import type { SlotTask, TaskFactory } from "./slot.ts";
import { SlotCheckpoints } from "./slot-checkpoints.ts";

export type JobFactoryOptions = {
  readonly env: Env;
  /** The job of a bundle, or the one that is already here. */
  readonly load: (bundle: string | null) => Promise<Job>;
  readonly links: (configuration: Configuration, wiring: SlotWiring) => LinkBuilder;
  /** Keyed state for the operators of one deployment. */
  readonly states: (configuration: Configuration, job: JobDescriptor) => StateFactory;
  readonly metrics: MetricRegistry;
  readonly send: (message: FromSlot) => void;
  readonly wake: () => void;
  /** Fails a task from outside a turn. */
  readonly fail: (task: TaskId, error: unknown) => void;
  /** The slot is not to touch anything any more. */
  readonly isAbandoned: () => boolean;
  readonly stubs: JobStubs | null;
};

/** What a test puts in place of parts of a job, or looks at, without changing its plan. */
export type JobStubs = {
  /** An operator's functions, with stubs among them. */
  readonly functions: (uid: string, functions: OperatorFunctions) => OperatorFunctions;
  readonly sourceWatermarks: SourceWatermarks;
  /** Nothing is read by this subtask of a source for now: event time goes on without it. */
  readonly isUnread: (uid: string, subtask: number) => boolean;
  readonly onStore: (uid: string, subtask: number, store: KeyedStateStore) => void;
};

export interface StateFactory {
  /** `scope`: metrics of the operator in this subtask. */
  storeFor(operator: PlanOperator, subtask: number, scope: MetricScope): KeyedStateStore;
  release(): Promise<void>;
}

export function jobFactory(options: JobFactoryOptions): TaskFactory {
  return {
    async deploy(job, descriptors, wiring) {
      const configuration = new Configuration(job.config);
      const { graph, functions } = await rebuild(options, job, configuration);
      assert(!options.isAbandoned(), "the slot was ended while its job was loaded");
      const states = options.states(configuration, job);
      const links = options.links(configuration, wiring);
      const { env, metrics, wake, send } = options;
      const checkpoints = slotCheckpoints(options, job, configuration);
      const outlets = new Map(descriptors.map(({ id }) => [id, new RowOutlets(id, send)]));
      const context: TaskBuildContext = {
        env,
        configuration,
        jobId: job.jobId,
        graph,
        functions,
        checks: job.checks || configuration.get(OPTIONS.freezeRecords),
        links,
        sourceWatermarks: options.stubs?.sourceWatermarks ?? "unheard",
        isUnread: (uid, subtask) => options.stubs?.isUnread(uid, subtask) === true,
        storeFor: (operator, subtask, scope) => {
          const store = states.storeFor(operator, subtask, scope);
          options.stubs?.onStore(operator.uid, subtask, store);
          return store;
        },
        metrics: (vertex, subtask, operator) => metrics.scope({ vertex, subtask, operator }),
        wake,
        print: ({ id }, sink, lines) => outlets.get(id)!.of(sink).deliver(lines),
        deliver: ({ id }, sink, rows) => outlets.get(id)!.of(sink).deliver(rows),
        requestSplit: ({ vertex, subtask, id }) => send({ kind: "splitRequest", vertex, subtask, task: id }),
        taken: (descriptor, snapshot) => checkpoints?.taken(descriptor, snapshot),
        restored: async ({ restore }) => {
          if (restore === undefined || checkpoints === null) return NOTHING;
          const { place, states: kept } = restore;
          const storage = place === null ? checkpoints.storage : new DirectoryStorage(env.disk, place);
          return restoredStates(storage, kept, {
            isOwn: place === null,
            fill: (fills) => pagesFill(storage, fills, () => assert(!options.isAbandoned(), "the slot was ended")),
          });
        },
      };
      const tasks: SlotTask[] = [];
      try {
        for (const descriptor of descriptors) {
          metrics.begin(descriptor);
          const task = await taskBuild(context, descriptor);
          tasks.push({ descriptor, task, outlets: outlets.get(descriptor.id)!, coordinator: null });
        }
        return {
          tasks: tasks.map((task) => {
            return { ...task, coordinator: coordinatorOf(options, { graph, functions }, task.descriptor) };
          }),
          committers: new SinkCommitters({
            ...{ env, jobId: job.jobId },
            sink: (uid) => functions.get(uid)?.sink as Sink<unknown>,
          }),
          checkpoints,
          release: () => states.release(),
        };
      } catch (error) {
        // Nobody else knows of what was built so far. What goes wrong in closing it comes from the first failure.
        await Promise.allSettled(tasks.map(({ task }) => task.close("abort")));
        await states.release();
        throw error;
      }
    },
  };
}

const NOTHING: RestoredStates = new Map();

function slotCheckpoints(
  { env, send }: JobFactoryOptions,
  { checkpoints }: JobDescriptor,
  configuration: Configuration,
): SlotCheckpoints | null {
  if (checkpoints === undefined) return null;
  return new SlotCheckpoints({
    clock: env.clock,
    storage: new DirectoryStorage(env.disk, checkpoints),
    inlineBytesMax: configuration.get(OPTIONS.checkpointingInlineThreshold),
    compression: configuration.get(OPTIONS.checkpointingCompression),
    send,
  });
}

async function rebuild(
  options: JobFactoryOptions,
  job: JobDescriptor,
  configuration: Configuration,
): Promise<{ graph: JobGraph; functions: ReadonlyMap<string, OperatorFunctions> }> {
  const declared = await options.load(job.bundle);
  const { plan, functions } = await jobBuild(declared, job.params, job.defaults);
  if (plan.hash !== job.planHash) throw planDiffers(planParse(job.planText), plan);
  const graph = jobGraphOf(plan, { chaining: configuration.get(OPTIONS.operatorChaining) });
  const { stubs } = options;
  if (stubs === null) return { graph, functions };
  return { graph, functions: new Map([...functions].map(([uid, own]) => [uid, stubs.functions(uid, own)])) };
}

/** Null: the task is not the first subtask of a source. */
function coordinatorOf(
  options: JobFactoryOptions,
  { graph, functions }: { graph: JobGraph; functions: ReadonlyMap<string, OperatorFunctions> },
  { id, vertex, subtask }: TaskDescriptor,
): SourceCoordinator | null {
  const head = graph.vertices[vertex]?.operators[0];
  if (subtask !== 0 || head?.kind !== "source") return null;
  const source = functions.get(head.uid)?.source as Source<unknown> | undefined;
  assert(source !== undefined, `no source for ${head.uid}`);
  const { env } = options;
  let coordinator: SourceCoordinator | null = null;
  const context: EnumeratorContext = {
    env,
    disk: env.disk,
    uid: head.uid,
    parallelism: head.parallelism,
    wake: () => coordinator?.retry(),
  };
  const enumerator = connectorCall("source", head.uid, () => source.createEnumerator(context));
  const failed = (error: unknown): void => options.fail(id, error);
  coordinator = new SourceCoordinator({ enumerator, source, operator: head.uid, failed });
  return coordinator;
}

function planDiffers(expected: Plan, actual: Plan): UserError {
  const operator = firstDifference(expected, actual);
  return new UserError(
    "PLAN_DIFFERS",
    `the job built here differs from the one submitted:\n${planDiff(expected, actual)}`,
    {
      fix: "builders must do the same each time: take what varies (time, randomness, environment, files) from params",
      ...(operator !== null && { operator }),
    },
  );
}
