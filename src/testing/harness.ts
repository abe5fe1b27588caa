// `harness`: one keyed operator of a job on its own (a process function, a window), without tasks, exchanges or slots.
// Every verb acts at once, so that a test reads like a script. Watermarks come as in a run, from the times of its
// records (harness-watermarks.ts); the test can take event time further.

import { isJob, type Job, job, jobBuild } from "../api/job.ts";
import type { KeyedProcess, SideSchemas } from "../api/process-types.ts";
import { type Duration, durationMs } from "../base/duration.ts";
import { assert, UserError } from "../base/errors.ts";
import { builtFromCode, type ParamValues, paramsText } from "../client/code-params.ts";
import { asksForDeletes } from "../graph/changelog.ts";
import type { Plan, PlanOperator } from "../graph/plan.ts";
import { recordType } from "../graph/record-type.ts";
import { MetricRegistry, metricMemory } from "../metrics/metric-registry.ts";
import { MetricStore } from "../metrics/metric-store.ts";
import type { Operator, Output } from "../operators/operator.ts";
import type { StateDeclarations } from "../operators/process/state-declaration.ts";
import type { Sink } from "../operators/sink.ts";
import type { KeyedStateStore } from "../state/contract/keyed-state.ts";
import { managedStore } from "../state/managed/managed-store.ts";
import { heapBlocks } from "../state/pages/block-source.ts";
import { PageAllocator } from "../state/pages/page-allocator.ts";
import { operatorBuild } from "../taskmanager/build/operator-build.ts";
import type { KeyedInput } from "../taskmanager/chain/chain.ts";
import { freezeRecord } from "../taskmanager/chain/freeze.ts";
import { keyedInput } from "../taskmanager/chain/keyed-input.ts";
import { checkOptions, NUMBER } from "../types/check-options.ts";
import { compileRecordGuard, type RecordGuard } from "../types/record-guard.ts";
import { fieldOf } from "../types/spec/field-path.ts";
import type { StandardSchema } from "../types/spec/standard-schema.ts";
import type { TypeSpec } from "../types/spec/type-spec.ts";
import { t } from "../types/t.ts";
import { HarnessWatermarks } from "./harness-watermarks.ts";
import { SimEnv } from "./sim-env.ts";
import { stateValues } from "./state-view.ts";
import { emptySource } from "./stub-source.ts";
import { checkJob, checkMetricName, checkRecord, inputEnded, TIME, timeMsOf, uidUnknown } from "./test-input.ts";

export type HarnessOptions = {
  readonly seed?: number;
  /** Processing time at the start. Default: 2026-01-01T00:00:00Z. */
  readonly startTime?: number | Date;
  /** Parameters of the job, as values or as the text of the command line. */
  readonly params?: ParamValues;
};

/** What goes with a record. */
export type RecordOptions = {
  /** Event time, epoch milliseconds or a Date. Default: none. */
  readonly at?: number | Date;
  /** Key; needed only when the harness was made of a process function alone, which knows no `keyBy`. */
  readonly key?: unknown;
  /** Second input of a connected operator. */
  readonly input?: 0 | 1;
};

export interface Harness {
  readonly now: number;
  record(record: unknown, options?: RecordOptions): void;
  /**
   * Event time has reached `atMs`, or is further already; timers up to it fire. Between records of a job with
   * `eventTime` their times take it on by themselves, as in a run.
   */
  watermark(atMs: number | Date): void;
  /** Lets processing time pass; timers fire one by one at their times. */
  advanceClock(by: Duration): void;
  /** The input is complete: event time goes to its greatest, then to its end, and everything still open fires. */
  end(): void;
  /** What was emitted since the last call. */
  output<T = unknown>(): T[];
  /** What went to a side output since the last call. */
  side<T = unknown>(name: string): T[];
  /** Values of the declared states for a key, by name. */
  state<S extends Readonly<Record<string, unknown>> = Readonly<Record<string, unknown>>>(key: unknown): S;
  /** Times of named timers of a key; what is not set is left out. */
  timers(key: unknown, ...names: readonly string[]): Readonly<Record<string, number>>;
  /** Value of a metric; of a histogram, how much was observed; 0 when there is none. */
  metric(name: string): number;
}

const STATE_BYTES = 16 * 1024 ** 2;
const MAX_PARALLELISM = 128;

/** A harness of the operator `uid` of a job, with the key that the job gives it. */
export function harness(of: Job, uid: string, options?: HarnessOptions): Promise<Harness>;
/** A harness of a process function alone; records then come with their keys. */
export function harness<
  T,
  K,
  S extends StateDeclarations,
  O extends StandardSchema,
  X extends SideSchemas = Record<never, never>,
>(process: KeyedProcess<T, K, S, O, X>, options?: HarnessOptions): Promise<Harness>;
export async function harness(of: unknown, second?: unknown, third?: HarnessOptions): Promise<Harness> {
  if (typeof second === "string" || isJob(of)) {
    checkJob("harness", of);
    return operatorHarness(of as Job, second as string, third ?? {});
  }
  if (typeof of !== "object" || of === null) checkJob("harness", of);
  const process = of as KeyedProcess<unknown, unknown, StateDeclarations, StandardSchema, SideSchemas>;
  const alone = job({ name: process.uid }, (env) => {
    const keyed = env.from("input", emptySource).keyBy(() => null, t.any);
    keyed.process(process as never).to("output", nowhere);
  });
  return operatorHarness(alone, process.uid, (second ?? {}) as HarnessOptions, "given");
}

async function operatorHarness(
  of: Job,
  uid: string,
  options: HarnessOptions,
  keys: "computed" | "given" = "computed",
): Promise<Harness> {
  checkOptions({ of: "harness", given: options, takes: { seed: NUMBER, startTime: TIME, params: true } });
  const defaults = { parallelism: 1, maxParallelism: MAX_PARALLELISM, preAggregation: false };
  const { plan, functions } = await builtFromCode(
    (given) => `harness(job, ${JSON.stringify(uid)}, ${given})`,
    () => jobBuild(of, paramsText(options.params), defaults),
  );
  const operator = plan.operators.find((candidate) => candidate.uid === uid);
  if (operator === undefined || operator.key === null) {
    const keyed = plan.operators.filter((candidate) => candidate.key !== null).map((candidate) => candidate.uid);
    throw uidUnknown("keyed operator", uid, keyed);
  }
  const own = functions.get(uid) ?? {};
  const object = operatorBuild({
    mode: "stream",
    operator,
    functions: own,
    input: recordType(plan, operator),
    rightInput: recordType(plan, operator, 1),
    isRead: () => true,
    isKept: asksForDeletes(plan, uid),
    checks: true,
    onThrow: null,
  });
  const rightKey = (operator.options as { rightKey?: NonNullable<PlanOperator["key"]> } | null)?.rightKey;
  const left = keyedInput(operator.key, own.key, { id: `harness ${uid}`, operator: uid });
  const right =
    rightKey === undefined ? left : keyedInput(rightKey, own.rightKey, { id: `harness ${uid} 1`, operator: uid });
  return new OperatorHarness(operator, object, {
    watermarks: new HarnessWatermarks(plan, uid),
    keys: [left, right],
    inputs: [inputOf(plan, operator, 0), inputOf(plan, operator, 1)],
    given: keys === "given",
    declared: (own.state ?? {}) as StateDeclarations,
    options,
  });
}

type HarnessInput = { readonly type: TypeSpec | null; readonly fits: RecordGuard | null };

function inputOf(plan: Plan, operator: PlanOperator, input: 0 | 1): HarnessInput {
  const type = recordType(plan, operator, input);
  return { type, fits: type === null ? null : compileRecordGuard(type, "refuse", `harness ${operator.uid} ${input}`) };
}

type HarnessParts = {
  readonly watermarks: HarnessWatermarks;
  readonly keys: readonly [KeyedInput, KeyedInput];
  readonly inputs: readonly [HarnessInput, HarnessInput];
  /** Keys come with the records. */
  readonly given: boolean;
  readonly declared: StateDeclarations;
  readonly options: HarnessOptions;
};

class OperatorHarness implements Harness {
  readonly #plan: PlanOperator;
  readonly #operator: Operator;
  readonly #parts: HarnessParts;
  readonly #store: KeyedStateStore;
  readonly #emitted = new Map<string, unknown[]>();
  readonly #metrics = new MetricStore();
  #nowMs: number;
  #watermark = -Infinity;
  /** The last one that the test has given. */
  #said = -Infinity;
  /** Greatest event time of any record. */
  #greatest = -Infinity;

  constructor(plan: PlanOperator, operator: Operator, parts: HarnessParts) {
    const { options } = parts;
    this.#plan = plan;
    this.#operator = operator;
    this.#parts = parts;
    const env = new SimEnv({ seed: options.seed ?? 1 });
    this.#nowMs = options.startTime === undefined ? env.clock.nowMs() : Number(options.startTime);
    const clock = { nowMs: () => this.#nowMs, monotonicMs: () => this.#nowMs };
    const keyGroups = { first: 0, last: plan.maxParallelism - 1 };
    const allocator = new PageAllocator(heapBlocks(STATE_BYTES));
    this.#store = managedStore({
      owner: allocator.openOwner({ job: "harness", operator: plan.uid, subtask: 0, parallelism: 1 }),
      key: plan.key?.type ?? { kind: "any" },
      maxParallelism: plan.maxParallelism,
      keyGroups,
      allocator,
      clock,
      seed: options.seed ?? 1,
      heapBudget: { limitBytes: STATE_BYTES, configKey: "taskmanager.memory.task.heap.size", usedBytes: 0 },
    });
    const memory = metricMemory();
    const registry = new MetricRegistry(memory, (definition) => this.#metrics.define(0, memory, [definition]));
    operator.open({
      env: { ...env, clock },
      uid: plan.uid,
      subtaskIndex: 0,
      parallelism: 1,
      maxParallelism: plan.maxParallelism,
      keyGroups,
      output: this.#outputOf(""),
      side: (name) => this.#outputOf(name),
      state: this.#store,
      metrics: registry.scope({ vertex: 0, subtask: 0, operator: plan.uid }),
      full: () => false,
      pause: () => false,
      watermark: () => this.#watermark,
      channel: () => 0,
    });
  }

  get now(): number {
    return this.#nowMs;
  }

  record(record: unknown, options: RecordOptions = {}): void {
    checkOptions({ of: "record", given: options, takes: { at: true, key: true, input: true } });
    const { at, key, input = 0 } = options;
    const { uid } = this.#plan;
    if (this.#said === Infinity) throw inputEnded(`the input of "${uid}"`);
    const { fits, type } = this.#parts.inputs[input];
    checkRecord(fits, type, record, `record given to "${uid}"`);
    freezeRecord(record);
    const timeMs = at === undefined ? Number.NaN : timeMsOf("the time of a record", at);
    if (timeMs > this.#greatest) this.#greatest = timeMs;
    this.#advance(this.#parts.watermarks.before(timeMs, input));
    if (this.#operator.onBatch !== undefined) {
      const batch = { count: 1, rows: [record], timestamps: Float64Array.of(timeMs), reader: null };
      assert(this.#operator.onBatch(batch, 0, input) === 1, "the record was not taken");
      return;
    }
    const keyOf = this.#parts.keys[input];
    const own = this.#parts.given ? key : this.#keyOf(keyOf, record);
    keyOf.doubtful(own, record);
    this.#operator.onRecord(record, timeMs, own, keyOf.hash(own), input);
  }

  watermark(atMs: number | Date): void {
    const watermark = timeMsOf("the watermark", atMs);
    if (!(watermark >= this.#said)) {
      throw new UserError("TEST_WATERMARK_BACK", `the watermark cannot go back to ${watermark}`, {
        fix: `event time has reached ${this.#said} already; give a later time`,
      });
    }
    this.#said = watermark;
    this.#advance(watermark);
  }

  #advance(watermark: number): void {
    if (watermark <= this.#watermark) return;
    this.#watermark = watermark;
    while (!this.#operator.onWatermark(watermark));
  }

  advanceClock(by: Duration): void {
    const untilMs = this.#nowMs + durationMs(by);
    for (
      let dueMs = this.#operator.nextProcessingTimeMs();
      dueMs <= untilMs;
      dueMs = this.#operator.nextProcessingTimeMs()
    ) {
      this.#nowMs = Math.max(this.#nowMs, dueMs);
      this.#operator.onProcessingTime(this.#nowMs);
    }
    this.#nowMs = untilMs;
  }

  end(): void {
    this.#advance(this.#greatest); // As a run does.
    this.watermark(Infinity);
  }

  output<T>(): T[] {
    return this.#take<T>("");
  }

  side<T>(name: string): T[] {
    const sides = this.#plan.sides.map((side) => side.name);
    if (!sides.includes(name)) throw uidUnknown("side output", name, sides);
    return this.#take<T>(name);
  }

  #take<T>(name: string): T[] {
    const emitted = this.#emitted.get(name) ?? [];
    this.#emitted.set(name, []);
    return emitted as T[];
  }

  state<S>(key: unknown): S {
    this.#setKey(key);
    return stateValues(this.#parts.declared, this.#store) as S;
  }

  timers(key: unknown, ...names: readonly string[]): Readonly<Record<string, number>> {
    this.#setKey(key);
    const { event, processing } = this.#store.timers;
    const times = names.map((name) => [name, event.get(name) ?? processing.get(name)] as const);
    return Object.fromEntries(times.flatMap(([name, atMs]) => (atMs === undefined ? [] : [[name, atMs]])));
  }

  metric(name: string): number {
    checkMetricName(name, { entries: this.#metrics.entries(), operators: [this.#plan] });
    return this.#metrics.sum(name);
  }

  #setKey(key: unknown): void {
    this.#store.setKey(key, this.#parts.keys[0].hash(key));
  }

  #keyOf({ field, key }: KeyedInput, record: unknown): unknown {
    if (field === null) return (key as (record: unknown) => unknown)(record);
    return fieldOf(record, field);
  }

  #outputOf(name: string): Output {
    this.#emitted.set(name, []);
    return {
      offer: (record) => {
        this.#emitted.get(name)?.push(record);
        return true;
      },
    };
  }
}

const nowhere: Sink<unknown> = {
  kind: "nowhere",
  guarantee: "at-least-once",
  describe: () => ({}),
  createWriter: () => assert(false, "a harness has no tasks") as never,
};
