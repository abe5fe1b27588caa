// Builds a task from its descriptor and the rebuilt job: operators, drivers, exchanges, chain, in the order they need
// each other.

import type { Env } from "../../base/env.ts";
import { asOperator, assert } from "../../base/errors.ts";
import type { Configuration } from "../../config/configuration.ts";
import { OPTIONS } from "../../config/options.ts";
import type { JobEdge, JobGraph, JobVertex } from "../../graph/job-graph.ts";
import { isBounded, type PlanOperator } from "../../graph/plan.ts";
import { outputType, recordType } from "../../graph/record-type.ts";
import { isFirstEventTime } from "../../graph/time-order.ts";
import { carriesMarks } from "../../graph/watermark-steps.ts";
import { IssueCounts } from "../../metrics/issue-counts.ts";
import type { MetricScope } from "../../metrics/metric-registry.ts";
import { InputGate } from "../../network/input-gate.ts";
import { ResultPartition } from "../../network/result-partition.ts";
import { WatermarkCombiner } from "../../operators/event-time/watermark-combiner.ts";
import type { Operator, OperatorContext, Output } from "../../operators/operator.ts";
import type { Sink, SinkWriterContext } from "../../operators/sink.ts";
import type { IndexedSource, InvalidPolicy, Source, SourceReaderContext } from "../../operators/source.ts";
import type { TaskDescriptor, TaskInput, TaskOutput } from "../../protocol/slot-messages.ts";
import type { KeyedStateStore } from "../../state/contract/keyed-state.ts";
import { keyGroupRangeOf } from "../../state/keys/key-groups.ts";
import { compileBatchCodec } from "../../types/batch/batch-codec.ts";
import type { StandardSchema } from "../../types/spec/standard-schema.ts";
import { Chain, type ChainBinding, optionsOf, type TaskStatus } from "../chain/chain.ts";
import { ChainMetrics, type WatermarkMember } from "../chain/chain-metrics.ts";
import { filterProbe } from "../chain/filter-probe.ts";
import { keyedInput } from "../chain/keyed-input.ts";
import { type PathStep, WatermarkPath } from "../chain/watermark-path.ts";
import type { EventTimeDriver } from "../drivers/event-time-driver.ts";
import { FlatMapDriver } from "../drivers/flat-map-driver.ts";
import { ParseDriver } from "../drivers/parse-driver.ts";
import { SinkDriver } from "../drivers/sink-driver.ts";
import { SourceDriver } from "../drivers/source-driver.ts";
import { TurnClock } from "../drivers/turn-clock.ts";
import { waitingFilesTold } from "../drivers/waiting-files.ts";
import { exchangeRefusal } from "../failures/exchange-refusal.ts";
import { concernsRecord, connectorCall, messageOf, userFailure } from "../failures/user-failure.ts";
import { holdingsClose, Task, type TaskHoldings, type TaskParts } from "../task/task.ts";
import { TaskMetrics } from "../task/task-metrics.ts";
import { combinerBuild } from "./combiner-build.ts";
import { eventTimeBuild } from "./event-time-build.ts";
import { codecAtFirst, exchangeSelector, exchangeShape } from "./exchange-build.ts";
import type { LinkBuilder } from "./links.ts";
import { operatorBuild } from "./operator-build.ts";

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
  readonly storeFor: (operator: PlanOperator, subtask: number) => KeyedStateStore;
  readonly metrics: (vertex: number, subtask: number, operator: string | null) => MetricScope;
  readonly wake: () => void;
  readonly print: (lines: string) => void;
  /** Takes encoded rows for whoever started the job; resolves when more may follow. */
  readonly deliver: (task: TaskDescriptor, sink: string, rows: Uint8Array) => Promise<void>;
  readonly requestSplit: (task: TaskDescriptor) => void;
};

type Driven = {
  readonly bindings: ChainBinding[];
  readonly flatMaps: FlatMapDriver[];
  readonly parses: { readonly index: number; readonly driver: ParseDriver }[];
  readonly eventTimes: { readonly index: number; readonly driver: EventTimeDriver }[];
  readonly sinks: SinkDriver[];
  readonly operators: { readonly index: number; readonly operator: Operator }[];
};

/** One use: the steps of making a task share what was made before. */
class TaskBuilder {
  readonly #context: TaskBuildContext;
  readonly #descriptor: TaskDescriptor;
  readonly #vertex: JobVertex;
  readonly #status: TaskStatus = { full: false, failure: null };
  readonly #turn: TurnClock;
  readonly #input = { channel: 0 };
  readonly #name: string;
  readonly #partitions: ResultPartition[] = [];
  readonly #driven: Driven = { bindings: [], flatMaps: [], parses: [], eventTimes: [], sinks: [], operators: [] };
  readonly #stores: KeyedStateStore[] = [];
  readonly #metrics: ChainMetrics;
  #chain: Chain | null = null;
  #source: SourceDriver | null = null;

  constructor(context: TaskBuildContext, descriptor: TaskDescriptor) {
    const vertex = context.graph.vertices[descriptor.vertex];
    assert(vertex !== undefined, `no vertex ${descriptor.vertex}`);
    this.#context = context;
    this.#turn = new TurnClock(context.env.clock);
    this.#descriptor = descriptor;
    this.#vertex = vertex;
    this.#name = `${context.jobId} ${descriptor.id}`;
    this.#metrics = new ChainMetrics({
      vertex,
      exchanges: descriptor.outputs.map((output) => this.#edge(output.edge).edge),
      scope: (operator) => this.#scope(operator),
    });
  }

  build(): Task {
    const { env, wake } = this.#context;
    for (const output of this.#descriptor.outputs) this.#partitions.push(this.#partition(output));
    this.#vertex.operators.forEach((operator, index) => {
      this.#driven.bindings.push(asOperator(operator.uid, () => this.#binding(operator, index)));
    });
    const chain = this.#makeChain();
    this.#chain = chain;
    this.#connectDrivers(chain);
    if (this.#context.sourceWatermarks !== "alone") this.#connectSteps();
    const gate = this.#gate();
    const metrics = new TaskMetrics({
      scope: this.#scope(null),
      clock: env.clock,
      wake,
      hasInputs: gate !== null,
      hasOutputs: this.#partitions.length > 0,
    });
    const [head] = this.#vertex.operators;
    if (gate === null) this.#source = asOperator(head?.uid ?? "", () => this.#makeSource(chain));
    this.#openOperators(chain);
    return new Task({
      name: `${this.#vertex.name} (${this.#descriptor.subtask + 1}/${this.#vertex.parallelism})`,
      clock: env.clock,
      status: this.#status,
      turn: this.#turn,
      chain,
      gate,
      input: this.#input,
      combiner: new WatermarkCombiner(gate?.channels.length ?? 0),
      ...this.holdings,
      partitions: this.#partitions,
      ...this.#timing(),
      inputPath: this.#inputPath(),
      loopOptions: (port, input) => ({ input, port, key: this.#key(port), timestamps: true }),
      metrics,
      onFailure: (error) => waitingFilesTold(error, this.#context.graph.plan),
    });
  }

  #timing(): Pick<TaskParts, "eventTimes" | "unheard"> {
    const { eventTimes } = this.#driven;
    const { sourceWatermarks, graph } = this.#context;
    if (sourceWatermarks === "alone") return { eventTimes: [], unheard: eventTimes.map(({ driver }) => driver) };
    const timed = eventTimes.map(({ index, driver }) => ({
      driver,
      path: this.#path(index),
      hears: sourceWatermarks === "beside" && isFirstEventTime(graph.plan, this.#vertex.operators[index]?.uid ?? ""),
    }));
    return { eventTimes: timed, unheard: [] };
  }

  /** What has been made so far. */
  get holdings(): TaskHoldings {
    const { sinks, flatMaps, operators } = this.#driven;
    return {
      source: this.#source,
      sinks,
      flatMaps: [...flatMaps].reverse(),
      operators: operators.map(({ operator }) => operator),
      stores: this.#stores,
    };
  }

  #functions(operator: PlanOperator): OperatorFunctions {
    return this.#context.functions.get(operator.uid) ?? {};
  }

  #scope(operator: string | null): MetricScope {
    return this.#context.metrics(this.#descriptor.vertex, this.#descriptor.subtask, operator);
  }

  #edge(index: number): JobEdge {
    const edge = this.#context.graph.edges[index];
    assert(edge !== undefined, `no edge ${index}`);
    return edge;
  }

  #operator(uid: string): PlanOperator {
    const operator = this.#context.graph.plan.operators.find((candidate) => candidate.uid === uid);
    assert(operator !== undefined, `no operator ${uid}`);
    return operator;
  }

  #partition(output: TaskOutput): ResultPartition {
    const { configuration, graph, links } = this.#context;
    const edge = this.#edge(output.edge);
    const to = graph.vertices[edge.toVertex];
    assert(to !== undefined, `no vertex ${edge.toVertex}`);
    const name = `${this.#name} edge ${output.edge}`;
    const senders = links.senders(output.links, output.segments);
    return new ResultPartition({
      name,
      senders,
      selector: exchangeSelector({
        edge,
        to,
        functions: this.#context.functions.get(edge.edge.to) ?? {},
        channels: senders.length,
        subtask: this.#descriptor.subtask,
        name,
      }),
      timestamps: true,
      shape: exchangeShape(edge, this.#operator(edge.edge.from), name),
      status: this.#status,
      batchBytesMax: links.batchBytesMax,
      bufferTimeoutMs: this.#bufferTimeoutMs(),
      overdraftRecordsMax: configuration.get(OPTIONS.overdraftRecords),
      recordBytesMax: links.recordBytesMax,
      refusal: exchangeRefusal(graph.plan, edge.edge),
      marks: carriesMarks(graph.plan, edge.edge),
    });
  }

  #binding(operator: PlanOperator, index: number): ChainBinding {
    const functions = this.#functions(operator);
    const { uid } = operator;
    switch (operator.kind) {
      case "source":
        return { f: (functions.source as Partial<IndexedSource<unknown>>).generate };
      case "map":
        return { f: functions.map };
      case "filter":
        return { f: functions.filter, p: filterProbe(operator) };
      case "flatMap": {
        const skipped = this.#onSkipped(index);
        const onThrow = (error: unknown, record: unknown, timestampMs: number): void => {
          if (operator.onError === "fail") throw userFailure(operator, error, record);
          skipped(error, record, timestampMs);
        };
        const driver = new FlatMapDriver({ uid, status: this.#status, turn: this.#turn, onThrow });
        this.#driven.flatMaps.push(driver);
        return { f: functions.flatMap, p: driver };
      }
      case "parse": {
        const policy = optionsOf<{ invalid: InvalidPolicy }>(operator).invalid;
        const driver = new ParseDriver({
          uid,
          schema: functions.schema as StandardSchema,
          policy,
          counts: new IssueCounts(this.#scope(uid)),
        });
        this.#driven.parses.push({ index, driver });
        return { p: driver };
      }
      case "eventTime":
        return this.#eventTime(operator, index);
      case "sink":
        return { w: this.#sink(operator, functions.sink as Sink<unknown>) };
      case "preAggregate": {
        const object = this.#combiner(operator);
        this.#driven.operators.push({ index, operator: object });
        return { o: object };
      }
      default: {
        const onThrow = operator.onError === "fail" ? null : this.#onSkipped(index);
        const object = operatorBuild({
          operator,
          mode: this.#context.graph.plan.mode,
          functions,
          input: recordType(this.#context.graph.plan, operator),
          rightInput: recordType(this.#context.graph.plan, operator, 1),
          isRead: (side) => this.#isRead(operator, side),
          checks: this.#context.checks,
          onThrow,
        });
        this.#driven.operators.push({ index, operator: object });
        return { o: object };
      }
    }
  }

  #combiner(operator: PlanOperator): Operator {
    return combinerBuild({
      graph: this.#context.graph,
      operator,
      functions: this.#functions(operator),
      bufferTimeoutMs: this.#bufferTimeoutMs(),
      name: this.#name,
    });
  }

  #bufferTimeoutMs(): number {
    const { configuration } = this.#context;
    return configuration.get(OPTIONS.bufferTimeoutEnabled) ? configuration.get(OPTIONS.bufferTimeout) : Infinity;
  }

  #isRead(operator: PlanOperator, side: string): boolean {
    return this.#context.graph.plan.edges.some((edge) => edge.from === operator.uid && edge.output === side);
  }

  #eventTime(operator: PlanOperator, index: number): ChainBinding {
    const skipped = this.#onSkipped(index);
    const driver = eventTimeBuild({
      graph: this.#context.graph,
      vertex: this.#vertex,
      operator,
      scope: this.#scope(operator.uid),
      log: this.#context.env.log,
      onMisfit: (record, error) => skipped(error, record, NaN),
    });
    this.#driven.eventTimes.push({ index, driver });
    return { f: this.#functions(operator).at, p: driver };
  }

  #sink(operator: PlanOperator, sink: Sink<unknown>): SinkDriver {
    const { env, graph, jobId, wake, print, deliver } = this.#context;
    const { subtask, attempt } = this.#descriptor;
    const context: SinkWriterContext = {
      env,
      disk: env.disk,
      uid: operator.uid,
      jobId,
      subtaskIndex: subtask,
      parallelism: operator.parallelism,
      attempt,
      restored: false,
      bounded: isBounded(graph.plan),
      recordType: recordType(graph.plan, operator),
      metrics: this.#scope(operator.uid),
      print,
      deliver: (rows) => deliver(this.#descriptor, operator.uid, rows),
    };
    const writer = connectorCall("sink", operator.uid, () => sink.createWriter(context));
    const driver = new SinkDriver({ uid: operator.uid, writer, wake });
    this.#driven.sinks.push(driver);
    return driver;
  }

  /** Counts a record on which a user function threw, and sets it aside when the policy says so. */
  #onSkipped(index: number): (error: unknown, record: unknown, timestampMs: number) => void {
    const operator = this.#vertex.operators[index];
    assert(operator !== undefined, `no operator ${index}`);
    const counts = new IssueCounts(this.#scope(operator.uid));
    return (error, record, timestampMs) => {
      if (!concernsRecord(error)) throw userFailure(operator, error, record);
      const message = messageOf(error);
      counts.add([message]);
      if (operator.onError === "side")
        this.#chain?.output(index, "errors").offer({ record, error: message }, timestampMs);
    };
  }

  #makeChain(): Chain {
    const skipped = this.#vertex.operators.map((_, index) => this.#onSkipped(index));
    return new Chain({
      vertex: this.#vertex,
      name: this.#name,
      exchanges: this.#descriptor.outputs.map((output, index) => {
        const { edge } = this.#edge(output.edge);
        const partition = this.#partitions[index];
        assert(partition !== undefined, `no partition ${index}`);
        const whole = edge.fields === null && outputType(this.#operator(edge.from), edge.output) !== null;
        return { from: edge.from, output: edge.output, emit: partition.emit, whole };
      }),
      sourceFits: this.#sourceFits(),
      checks: this.#context.checks,
      status: this.#status,
      counts: this.#metrics.counts,
      bindings: this.#driven.bindings,
      onSkipped: (operator, error, record, timestampMs) => skipped[operator]?.(error, record, timestampMs),
      keys: ([0, 1] as const).map((port) => this.#keyedInput(port)),
    });
  }

  #sourceFits(): boolean {
    const [head] = this.#vertex.operators;
    return head?.kind === "source" && (this.#functions(head).source as Source<unknown>).fits === true;
  }

  #keyedInput(port: 0 | 1): ReturnType<typeof keyedInput> | null {
    const [head] = this.#vertex.operators;
    if (head === undefined || head.key === null || this.#descriptor.inputs.length === 0) return null;
    const functions = this.#functions(head);
    const right = optionsOf<{ rightKey?: NonNullable<PlanOperator["key"]> }>(head).rightKey;
    const options = { id: `${this.#name} input ${port}`, operator: head.uid };
    if (port === 0) return keyedInput(head.key, functions.key, { ...options, location: functions.keyLocation });
    const location = functions.rightKeyLocation;
    return right === undefined ? null : keyedInput(right, functions.rightKey, { ...options, location });
  }

  #key(port: 0 | 1): { field: string | null } | null {
    return this.#chain?.options.keys[port] ?? null;
  }

  #connectDrivers(chain: Chain): void {
    for (const { index, driver } of this.#driven.parses) {
      if (this.#vertex.operators[index]?.sides.some((side) => side.name === "invalid"))
        driver.invalid = chain.output(index, "invalid");
    }
    this.#vertex.operators.forEach((operator, index) => {
      const driver = this.#driven.bindings[index]?.p;
      if (operator.kind === "flatMap" && driver instanceof FlatMapDriver) driver.output = chain.output(index, "");
    });
  }

  /** Event times are told to the exchanges that keep watermarks among their records. */
  #connectSteps(): void {
    const { plan } = this.#context.graph;
    for (const { index, driver } of this.#driven.eventTimes) {
      const steps: PathStep[] = [];
      const open = this.#next(index, steps);
      for (let at = open.shift(); at !== undefined; at = open.shift()) {
        const isStateless =
          this.#driven.bindings[at]?.o === undefined && this.#vertex.operators[at]?.kind !== "eventTime";
        if (isStateless) open.push(...this.#next(at, steps));
      }
      const marked = this.#partitions.filter((partition, exchange) => {
        const { edge } = this.#edge(this.#descriptor.outputs[exchange]?.edge ?? -1);
        return (
          carriesMarks(plan, edge) && steps.some((step) => step.kind === "partition" && step.partition === partition)
        );
      });
      if (marked.length === 0) continue;
      driver.onStep = (watermark) => {
        for (const partition of marked) partition.setWatermark(watermark);
      };
    }
  }

  #gate(): InputGate | null {
    const { inputs } = this.#descriptor;
    if (inputs.length === 0) return null;
    const channels = inputs.flatMap((input: TaskInput) => {
      const { edge } = this.#edge(input.edge);
      const shape = exchangeShape(
        this.#edge(input.edge),
        this.#operator(edge.from),
        `${this.#name} input ${input.edge}`,
      );
      const codec = codecAtFirst(shape);
      return input.links.map((link) => ({ receiver: this.#context.links.receiver(link), port: edge.input, codec }));
    });
    let compiled = 0;
    return new InputGate(channels, (spec, options) =>
      compileBatchCodec(spec, options, `${this.#name} shape ${++compiled}`),
    );
  }

  #makeSource(chain: Chain): SourceDriver {
    const { env, wake, requestSplit } = this.#context;
    const [operator] = this.#vertex.operators;
    assert(operator?.kind === "source", `vertex ${this.#vertex.name} has neither inputs nor a source`);
    const source = this.#functions(operator).source as Source<unknown>;
    const indexed = "generate" in source ? (source as IndexedSource<unknown>) : null;
    const scope = this.#scope(operator.uid);
    const nowhere: Output = { offer: () => true };
    const context: SourceReaderContext = {
      env,
      disk: env.disk,
      uid: operator.uid,
      subtaskIndex: this.#descriptor.subtask,
      parallelism: operator.parallelism,
      metrics: scope,
      wake,
    };
    const driver = new SourceDriver({
      uid: operator.uid,
      clock: env.clock,
      reader: connectorCall("source", operator.uid, () => source.createReader(context)),
      indexed,
      policy: source.invalid,
      bounded: source.bounded,
      batch: this.#context.graph.plan.mode === "batch",
      isUnread: () => this.#context.isUnread(operator.uid, this.#descriptor.subtask),
      output: chain.output(0, ""),
      invalid: source.invalid === "side" ? chain.output(0, "invalid") : nowhere,
      counts: new IssueCounts(scope),
      splits: {
        add: (split) => {
          for (const { driver: time } of this.#driven.eventTimes) time.addSplit(split);
        },
        release: () => {
          for (const { driver: time } of this.#driven.eventTimes) time.release();
        },
        enter: (split) => {
          for (const { driver: time } of this.#driven.eventTimes) time.enterSplit(split);
        },
        leave: (split) => {
          for (const { driver: time } of this.#driven.eventTimes) time.leaveSplit(split);
        },
      },
      requestSplit: () => requestSplit(this.#descriptor),
    });
    if (indexed !== null)
      driver.loop = chain.compileLoop({ input: { kind: "generate" }, port: 0, key: null, timestamps: false });
    return driver;
  }

  #openOperators(chain: Chain): void {
    const { env, storeFor } = this.#context;
    for (const { index, operator } of this.#driven.operators) {
      const plan = this.#vertex.operators[index];
      assert(plan !== undefined, `no operator ${index}`);
      const { subtask } = this.#descriptor;
      const state = plan.key === null ? null : storeFor(...storeOf(plan, subtask));
      if (state !== null) this.#stores.push(state);
      const path = this.#inputPath();
      const opened: OperatorContext = {
        env,
        uid: plan.uid,
        subtaskIndex: subtask,
        parallelism: plan.parallelism,
        maxParallelism: plan.maxParallelism,
        keyGroups: keyGroupRangeOf(subtask, plan.parallelism, plan.maxParallelism),
        output: chain.output(index, ""),
        side: (name) => chain.output(index, name),
        state,
        metrics: this.#scope(plan.uid),
        full: () => this.#status.full,
        pause: (rows) => this.#status.full || this.#turn.isOver(rows),
        watermark: () => path.delivered,
        channel: () => this.#input.channel,
      };
      asOperator(plan.uid, () => operator.open(opened));
    }
  }

  #inputPathMade: WatermarkPath | null = null;

  /** The way of watermarks that come from the inputs; a source's own begin at its event-time operators. */
  #inputPath(): WatermarkPath {
    this.#inputPathMade ??= this.#path(null);
    return this.#inputPathMade;
  }

  /**
   * Steps behind `from` (null: from the head on) up to the next event-time operators, which make watermarks of their
   * own.
   */
  #path(from: number | null): WatermarkPath {
    const steps: PathStep[] = [];
    const members: WatermarkMember[] = [];
    const open = from === null ? [0] : this.#next(from, steps);
    while (open.length > 0) {
      const index = open.shift();
      if (index === undefined) continue;
      const passes = this.#context.sourceWatermarks === "alone" || this.#vertex.operators[index]?.kind !== "eventTime";
      members.push({ index, passes });
      if (!passes) continue;
      const operator = this.#driven.bindings[index]?.o;
      if (operator !== undefined) steps.push({ kind: "operator", operator });
      open.push(...this.#next(index, steps));
    }
    return new WatermarkPath(steps, this.#status, this.#metrics.watermark(from, members));
  }

  /** Operators directly behind one; the exchanges it feeds become steps. */
  #next(index: number, steps: PathStep[]): number[] {
    const chain = this.#chain;
    const plan = this.#vertex.operators[index];
    if (chain === null || plan === undefined) return [];
    const next: number[] = [];
    for (const output of ["", ...plan.sides.map((side) => side.name)]) {
      for (const exchange of chain.shape.exchanges(index, output)) {
        const partition = this.#partitions[exchange];
        if (partition !== undefined) steps.push({ kind: "partition", partition });
      }
      next.push(...chain.shape.consumers(index, output));
    }
    return next;
  }
}

/** A combiner holds any key, whichever subtask it is: all its rows are of one key group, that of nobody. */
function storeOf(operator: PlanOperator, subtask: number): [PlanOperator, number] {
  return operator.kind === "preAggregate"
    ? [{ ...operator, parallelism: 1, maxParallelism: 1 }, 0]
    : [operator, subtask];
}

/** When it fails, nothing is left of what was made. */
export async function taskBuild(context: TaskBuildContext, descriptor: TaskDescriptor): Promise<Task> {
  const builder = new TaskBuilder(context, descriptor);
  try {
    return builder.build();
  } catch (error) {
    await holdingsClose(builder.holdings, "abort").catch(() => undefined); // The first failure is the one to tell.
    throw error;
  }
}
