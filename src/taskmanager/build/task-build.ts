// Builds a task from its descriptor and the rebuilt job: exchanges, drivers and operators, chain, in the order they
// need each other.

import { asOperator } from "../../base/errors.ts";
import { OPTIONS } from "../../config/options.ts";
import { isFirstEventTime } from "../../graph/time-order.ts";
import type { ResultPartition } from "../../network/result-partition.ts";
import { WatermarkCombiner } from "../../operators/event-time/watermark-combiner.ts";
import type { TaskDescriptor } from "../../protocol/slot-messages.ts";
import type { KeyedStateStore } from "../../state/contract/keyed-state.ts";
import { ChainMetrics } from "../chain/chain-metrics.ts";
import type { SourceDriver } from "../drivers/source-driver.ts";
import { waitingFilesTold } from "../drivers/waiting-files.ts";
import { Task } from "../task/task.ts";
import { holdingsClose, type TaskHoldings } from "../task/task-holdings.ts";
import { TaskMetrics } from "../task/task-metrics.ts";
import type { TaskParts } from "../task/task-parts.ts";
import type { RestoredStates } from "../task/task-state.ts";
import { Bindings } from "./bindings.ts";
import { chainBuild } from "./chain-build.ts";
import { appetiteBuild, gateBuild } from "./gate-build.ts";
import { operatorOpen } from "./operator-open.ts";
import { partitionBuild } from "./partition-build.ts";
import { sourceBuild } from "./source-build.ts";
import { Subtask, type TaskBuildContext } from "./subtask.ts";
import { WatermarkPaths } from "./watermark-paths.ts";

/** One use: holds what has been made so far, for the steps that follow or, when one fails, to be closed. */
class TaskBuilder {
  readonly #subtask: Subtask;
  readonly #metrics: ChainMetrics;
  readonly #bindings: Bindings;
  readonly #partitions: ResultPartition[] = [];
  readonly #stores: KeyedStateStore[] = [];
  #source: SourceDriver | null = null;

  constructor(context: TaskBuildContext, descriptor: TaskDescriptor, restored: RestoredStates) {
    const subtask = new Subtask(context, descriptor, restored);
    this.#subtask = subtask;
    this.#bindings = new Bindings(subtask);
    this.#metrics = new ChainMetrics({
      vertex: subtask.vertex,
      exchanges: descriptor.outputs.map((output) => subtask.edge(output.edge).edge),
      scope: (operator) => subtask.scope(operator),
    });
  }

  async build(): Promise<Task> {
    const { restored, context, descriptor, head, status, turn, input, plan, state } = this.#subtask;
    const { env, wake, sourceWatermarks, configuration } = context;
    const shared = {
      subtask: this.#subtask,
      bindings: this.#bindings,
      partitions: this.#partitions,
      metrics: this.#metrics,
    };
    for (const output of descriptor.outputs) this.#partitions.push(partitionBuild(this.#subtask, output));
    this.#bindings.make();
    const chain = chainBuild({ ...shared, counts: this.#metrics.counts });
    this.#bindings.connect(chain);
    const paths = new WatermarkPaths({ ...shared, chain });
    if (sourceWatermarks !== "alone") paths.tellSteps();
    const gate = gateBuild(this.#subtask);
    const metrics = new TaskMetrics({
      scope: this.#subtask.scope(null),
      clock: env.clock,
      wake,
      hasInputs: gate !== null,
      hasOutputs: this.#partitions.length > 0,
    });
    const eventTimes = this.#bindings.eventTimes.map(({ driver }) => driver);
    if (gate === null) this.#source = asOperator(head.uid, () => sourceBuild(this.#subtask, chain, eventTimes));
    const inputPath = paths.ofInput();
    for (const operator of this.#bindings.operators)
      operatorOpen(operator, { ...shared, chain, path: inputPath, stores: this.#stores });
    const combiner = new WatermarkCombiner(gate?.channels.length ?? 0);
    for (const { index, driver } of this.#bindings.eventTimes)
      state.add({ uid: this.#subtask.operatorAt(index).uid, name: "watermarks", holder: driver });
    state.add({ uid: head.uid, name: "input", holder: combiner });
    await state.restore(restored);
    return new Task({
      name: descriptor.name,
      clock: env.clock,
      status,
      turn,
      chain,
      gate,
      appetite: appetiteBuild(this.#subtask, gate),
      input,
      combiner,
      ...this.holdings,
      partitions: this.#partitions,
      ...this.#timing(paths),
      inputPath,
      loopOptions: (port, input) => ({ input, port, key: chain.options.keys[port] ?? null, timestamps: true }),
      metrics,
      subtask: descriptor.subtask,
      finished: descriptor.restore?.finished === true,
      state,
      mode: configuration.get(OPTIONS.checkpointingMode),
      taken: (snapshot) => context.taken(descriptor, snapshot),
      onFailure: (error) => waitingFilesTold(error, plan),
    });
  }

  #timing(paths: WatermarkPaths): Pick<TaskParts, "eventTimes" | "unheard"> {
    const { eventTimes } = this.#bindings;
    const { sourceWatermarks } = this.#subtask.context;
    if (sourceWatermarks === "alone") return { eventTimes: [], unheard: eventTimes.map(({ driver }) => driver) };
    const timed = eventTimes.map(({ index, driver }) => ({
      driver,
      path: paths.behind(index),
      hears: sourceWatermarks === "beside" && isFirstEventTime(this.#subtask.plan, this.#subtask.operatorAt(index).uid),
    }));
    return { eventTimes: timed, unheard: [] };
  }

  /** What has been made so far. */
  get holdings(): TaskHoldings {
    const { sinks, flatMaps, operators } = this.#bindings;
    return {
      source: this.#source,
      sinks,
      flatMaps: [...flatMaps].reverse(),
      operators: operators.map(({ operator }) => operator),
      stores: this.#stores,
    };
  }
}

/** When it fails, nothing is left of what was made. */
export async function taskBuild(context: TaskBuildContext, descriptor: TaskDescriptor): Promise<Task> {
  const builder = new TaskBuilder(context, descriptor, await context.restored(descriptor));
  try {
    return await builder.build();
  } catch (error) {
    await holdingsClose(builder.holdings, "abort").catch(() => undefined); // The first failure is the one to tell.
    throw error;
  }
}
