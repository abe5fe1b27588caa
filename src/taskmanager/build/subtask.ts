// The subtask that is being built: what it is built from, where it stands in the plan, and what all parts of its task
// share.

import type { Env } from "../../base/env.ts";
import { assert } from "../../base/errors.ts";
import type { Configuration } from "../../config/configuration.ts";
import { OPTIONS } from "../../config/options.ts";
import type { JobEdge, JobGraph, JobVertex } from "../../graph/job-graph.ts";
import type { Plan, PlanOperator } from "../../graph/plan.ts";
import type { MetricScope } from "../../metrics/metric-registry.ts";
import type { TaskDescriptor } from "../../protocol/slot-messages.ts";
import type { KeyedStateStore } from "../../state/contract/keyed-state.ts";
import type { TaskStatus } from "../chain/chain.ts";
import { TurnClock } from "../drivers/turn-clock.ts";
import type { TakenSnapshot } from "../task/task-checkpoints.ts";
import { type RestoredStates, TaskState } from "../task/task-state.ts";
import type { LinkBuilder } from "./links.ts";

export type OperatorFunctions = Readonly<Record<string, unknown>>;

/**
 * What event-time operators do with the watermarks of sources, which tests give. "unheard": nothing, they make their
 * own. "beside": they go on by both. "alone": they let those of the sources through and make none.
 */
export type SourceWatermarks = "unheard" | "beside" | "alone";

export type TaskBuildContext = {
  readonly env: Env;
  readonly configuration: Configuration;
  readonly jobId: string;
  readonly graph: JobGraph;
  readonly functions: ReadonlyMap<string, OperatorFunctions>;
  readonly checks: boolean;
  readonly links: LinkBuilder;
  readonly sourceWatermarks: SourceWatermarks;
  readonly isUnread: (uid: string, subtask: number) => boolean;
  /** Keyed state of one operator of one subtask. */
  readonly storeFor: (operator: PlanOperator, subtask: number, scope: MetricScope) => KeyedStateStore;
  readonly metrics: (vertex: number, subtask: number, operator: string | null) => MetricScope;
  readonly wake: () => void;
  readonly print: (task: TaskDescriptor, sink: string, lines: string) => Promise<void>;
  /** Takes encoded rows for whoever started the job; resolves when more may follow. */
  readonly deliver: (task: TaskDescriptor, sink: string, rows: Uint8Array) => Promise<void>;
  readonly requestSplit: (task: TaskDescriptor) => void;
  readonly taken: (task: TaskDescriptor, snapshot: TakenSnapshot) => void;
  /** What the task starts from. */
  readonly restored: (task: TaskDescriptor) => Promise<RestoredStates>;
};

export class Subtask {
  readonly context: TaskBuildContext;
  readonly descriptor: TaskDescriptor;
  readonly vertex: JobVertex;
  /**
   * Tells the generated code of a task from that of others (GeneratedCode, G2): that of the same plan again has the
   * same text, and is warm.
   */
  readonly name: string;
  readonly status: TaskStatus = { full: false, failure: null };
  readonly turn: TurnClock;
  /** Says which channel of the gate the records at hand came by. */
  readonly input = { channel: 0 };
  readonly state: TaskState;
  readonly restored: RestoredStates;

  constructor(context: TaskBuildContext, descriptor: TaskDescriptor, restored: RestoredStates) {
    const vertex = context.graph.vertices[descriptor.vertex];
    assert(vertex !== undefined, `no vertex ${descriptor.vertex}`);
    this.context = context;
    this.descriptor = descriptor;
    this.restored = restored;
    this.vertex = vertex;
    this.name = `${context.graph.plan.hash} ${descriptor.id}`;
    this.turn = new TurnClock(context.env.clock);
    this.state = new TaskState(context.wake);
  }

  get plan(): Plan {
    return this.context.graph.plan;
  }

  /** The first operator of the chain. */
  get head(): PlanOperator {
    return this.operatorAt(0);
  }

  operatorAt(index: number): PlanOperator {
    const operator = this.vertex.operators[index];
    assert(operator !== undefined, `no operator ${index}`);
    return operator;
  }

  /** Any operator of the plan. */
  operator(uid: string): PlanOperator {
    const operator = this.plan.operators.find((candidate) => candidate.uid === uid);
    assert(operator !== undefined, `no operator ${uid}`);
    return operator;
  }

  edge(index: number): JobEdge {
    const edge = this.context.graph.edges[index];
    assert(edge !== undefined, `no edge ${index}`);
    return edge;
  }

  functions(uid: string): OperatorFunctions {
    return this.context.functions.get(uid) ?? {};
  }

  /** Metrics of an operator; null: of the task. */
  scope(operator: string | null): MetricScope {
    return this.context.metrics(this.descriptor.vertex, this.descriptor.subtask, operator);
  }

  /** The longest that a record may wait for others of its batch. */
  get bufferTimeoutMs(): number {
    const { configuration } = this.context;
    return configuration.get(OPTIONS.bufferTimeoutEnabled) ? configuration.get(OPTIONS.bufferTimeout) : Infinity;
  }
}
