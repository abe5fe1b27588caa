// `testJob`: runs a job in this thread on virtual time, with every source and sink stubbed.
//
// The job runs as it does elsewhere: the same plan, chains, exchanges with their codecs, state and timers, in as many
// slots as its parallelism needs, scheduled in an order drawn from a seed. Records are frozen before user functions see
// them.
//
//   T1. Nothing takes virtual time but `advanceClock`: whatever was pushed has flowed through when a verb that waits
//       resolves.
//   T2. Verbs take effect in their order: a record pushed after a watermark meets it wherever it goes.
//   T3. Watermarks are those of a run: `eventTime` makes them from the times of what was pushed. The test can take
//       event time further by `source(uid).watermark`, never hold it back. With `watermarks: "test"` it says all of
//       them, and `outOfOrder`, `every` and `idle` have no effect. Either way event time goes to its greatest when the
//       input ends, and then to its end, as in a run.
//   T4. The first verb after the job has failed, whichever it is, rejects with the job's error; so does the end of the
//       test.

import { type Job, jobBuild } from "../api/job.ts";
import { type Duration, durationMs } from "../base/duration.ts";
import { assert, type EngineError } from "../base/errors.ts";
import { builtFromCode, type ParamValues, paramsText } from "../client/code-params.ts";
import { type EmbeddedJob, embeddedStart } from "../client/embedded.ts";
import { jobPlan, planDefaults } from "../client/job-plan.ts";
import { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import { opKind, type RowOp, rowOp } from "../connectors/rows/op-field.ts";
import type { Plan } from "../graph/plan.ts";
import type { JobResult } from "../jobmanager/job-master.ts";
import type { MetricEntry } from "../metrics/metric-store.ts";
import type { Sink } from "../operators/sink.ts";
import type { InvalidRow, Source } from "../operators/source.ts";
import { localSlotRunner } from "../taskmanager/runner/slot-runner-local.ts";
import { checkOptions, NUMBER, oneOf } from "../types/check-options.ts";
import { SimEnv } from "./sim-env.ts";
import { StateViews } from "./state-view.ts";
import { StubSink } from "./stub-sink.ts";
import { StubSource, TestScript } from "./stub-source.ts";
import { checkJob, checkMetricName, TIME, timeMsOf, uidUnknown } from "./test-input.ts";

type Setting = string | number | boolean;

export type TestJobOptions = {
  /** Parallelism of operators that name none. Default: 1. */
  readonly parallelism?: number;
  /** Parameters of the job, as values or as the text of the command line. */
  readonly params?: ParamValues;
  /** Decides the order in which tasks run, and which subtask of a source gets the records. Default: 1. */
  readonly seed?: number;
  /**
   * Who says how far event time has come. `"eventTime"`: as in a run, so that a test cannot pass what a run would miss;
   * `source(uid).watermark` takes it further. `"test"`: the test alone, by `source(uid).watermark`; `outOfOrder`,
   * `every` and `idle` have no effect then. Default: `"eventTime"`.
   */
  readonly watermarks?: "eventTime" | "test";
  readonly config?: Readonly<Record<string, Setting>>;
  /** Processing time at the start, epoch milliseconds or a Date. Default: 2026-01-01T00:00:00Z. */
  readonly startTime?: number | Date;
};

export interface TestSource<T> {
  /**
   * Puts records into the stream. `at` names a subtask; by default all records of a source go to one, and keep their
   * order.
   */
  push(...records: readonly T[]): void;
  pushTo(subtask: number, ...records: readonly T[]): void;
  /**
   * As `push`, of a source whose records change others: "+I" an insert, "-U" and "+U" the row before an update and
   * after it, "-D" a row that is deleted. The job fails where the source's `changelog` has none such.
   */
  change(op: RowOp, ...records: readonly T[]): void;
  /** A row that could not be read, as a real source gives it. */
  invalid(row: InvalidRow): void;
  /**
   * Event time has reached `atMs` (epoch milliseconds or a Date), as records of a run that the test does not push would
   * take it there: nothing up to then is expected any more.
   */
  watermark(atMs: number | Date): void;
  /** Nothing more comes from this source. */
  end(): void;
}

export interface TestSink {
  /** All rows so far, after everything pushed has flowed through. */
  rows<T = unknown>(): Promise<T[]>;
  /** The rows since the last `take`. */
  take<T = unknown>(): Promise<T[]>;
  /**
   * All rows so far with what they are: "+I" an insert, "-U" and "+U" the row before an update and after it, "-D" a row
   * that is deleted.
   */
  changes<T = unknown>(): Promise<{ readonly op: RowOp; readonly row: T }[]>;
}

export interface TestJob extends AsyncDisposable {
  readonly seed: number;
  /** Processing time, epoch milliseconds. */
  readonly now: number;
  /** The source of that uid. */
  source<T = unknown>(uid: string): TestSource<T>;
  sink(uid: string): TestSink;
  /** Values of the declared states of a process function for a key, by name. */
  state<S extends Readonly<Record<string, unknown>> = Readonly<Record<string, unknown>>>(
    uid: string,
    key: unknown,
  ): Promise<S>;
  /**
   * Sum of a metric over all subtasks, of one operator or of all; meters are rates since the start. Of a histogram: how
   * much was observed.
   */
  metric(name: string, uid?: string): Promise<number>;
  /** Lets processing time pass; timers that fall due fire. */
  advanceClock(by: Duration): Promise<void>;
  /** Lets everything pushed flow through. */
  settle(): Promise<void>;
  /** Ends all sources and waits until the job has finished. */
  end(): Promise<void>;
}

/** Memory for a test: enough for thousands of keys, little enough that a test starts in milliseconds. */
const TEST_CONFIG: Readonly<Record<string, Setting>> = {
  [OPTIONS.bufferTimeout.key]: "0ms",
  [OPTIONS.watchdogTimeout.key]: "100000d",
  [OPTIONS.flinkSize.key]: "4gb",
  [OPTIONS.managedSize.key]: "128mb",
  [OPTIONS.networkMin.key]: "1mb",
  [OPTIONS.memoryPoison.key]: true,
};
const WATERMARKS = oneOf("eventTime", "test");
const MACHINE_BYTES = 8 * 1024 ** 3;

/** A bound that gives way to any key of the user's: none may need another one beside it. */
const NETWORK_BOUND: Readonly<Record<string, Setting>> = { [OPTIONS.networkMax.key]: "64mb" };
const NETWORK_KEYS = [OPTIONS.networkFraction.key, OPTIONS.networkMin.key, OPTIONS.networkMax.key];

/** Starts a job under test. Use it with `await using`, so that a failure nobody looked at fails the test. */
export async function testJob(job: Job, options: TestJobOptions = {}): Promise<TestJob> {
  checkJob("testJob", job);
  const takes = {
    parallelism: true,
    params: true,
    seed: NUMBER,
    watermarks: WATERMARKS,
    config: true,
    startTime: TIME,
  } as const;
  checkOptions({ of: "testJob", given: options, takes });
  const { seed = 1, parallelism = 1, watermarks = "eventTime" } = options;
  const env = new SimEnv({ seed, ...(options.startTime !== undefined && { startMs: Number(options.startTime) }) });
  const config = { ...options.config };
  const network = NETWORK_KEYS.some((key) => key in config) ? {} : NETWORK_BOUND;
  const configuration = new Configuration([
    {
      origin: { kind: "job" },
      values: { ...TEST_CONFIG, ...network, [OPTIONS.parallelism.key]: parallelism, ...config },
    },
  ]);
  const params = paramsText(options.params);
  const stubs = await builtFromCode(
    (given) => `testJob(job, ${given})`,
    () => stubsOf(job, params, { seed, configuration }),
  );
  const runner = localSlotRunner({
    env,
    load: async () => job,
    stubs: {
      functions: (uid, functions) => {
        const source = stubs.sources.get(uid);
        const sink = stubs.sinks.get(uid);
        return { ...functions, ...(source && { source }), ...(sink && { sink }) };
      },
      sourceWatermarks: watermarks === "test" ? "alone" : "beside",
      isUnread: (uid, subtask) => watermarks !== "test" && stubs.sources.get(uid)?.isUnread(subtask) === true,
      onStore: (uid, subtask, store) => stubs.states.addStore(uid, subtask, store),
    },
  });
  const run = embeddedStart({
    env,
    planned: await jobPlan(job, params, configuration),
    bundle: null,
    params,
    configuration,
    runner,
    checks: true,
    machineBytes: MACHINE_BYTES,
    print: () => undefined,
    log: () => undefined,
  });
  const test = new RunningTestJob(env, run, stubs);
  await test.settle();
  return test;
}

type Stubs = {
  readonly script: TestScript;
  readonly sources: ReadonlyMap<string, StubSource>;
  readonly sinks: ReadonlyMap<string, StubSink>;
  readonly states: StateViews;
  readonly operators: Plan["operators"];
};

async function stubsOf(
  job: Job,
  params: Readonly<Record<string, string>>,
  { seed, configuration }: { seed: number; configuration: Configuration },
): Promise<Stubs> {
  const { plan, functions } = await jobBuild(job, params, planDefaults(configuration));
  const script = new TestScript();
  const sources = new Map<string, StubSource>();
  const sinks = new Map<string, StubSink>();
  for (const { uid, kind, parallelism } of plan.operators) {
    const own = functions.get(uid) ?? {};
    if (kind === "source") {
      sources.set(
        uid,
        new StubSource(uid, own.source as Source<unknown>, {
          parallelism,
          target: seed,
          script,
          batch: plan.mode === "batch",
        }),
      );
    }
    if (kind === "sink") sinks.set(uid, new StubSink(own.sink as Sink<unknown>));
  }
  return { script, sources, sinks, states: new StateViews(plan, functions), operators: plan.operators };
}

class RunningTestJob implements TestJob {
  readonly seed: number;
  readonly #env: SimEnv;
  readonly #run: EmbeddedJob;
  readonly #stubs: Stubs;
  #result: JobResult | null = null;
  #failureSeen = false;

  constructor(env: SimEnv, run: EmbeddedJob, stubs: Stubs) {
    this.seed = env.seed;
    this.#env = env;
    this.#run = run;
    this.#stubs = stubs;
    void run.result.then((result) => {
      this.#result = result;
    });
  }

  get now(): number {
    return this.#env.clock.nowMs();
  }

  source<T>(uid: string): TestSource<T> {
    const source = known("source", this.#stubs.sources, uid);
    return {
      push: (...records) => source.push(records),
      pushTo: (subtask, ...records) => source.push(records, { subtask }),
      change: (op, ...records) => source.push(records, { rowKind: opKind(op) }),
      invalid: (row) => source.pushInvalid(row),
      watermark: (atMs) => source.watermark(timeMsOf("the watermark", atMs)),
      end: () => source.end(),
    };
  }

  sink(uid: string): TestSink {
    const sink = known("sink", this.#stubs.sinks, uid);
    return {
      rows: async <T>() => {
        await this.settle();
        return [...sink.rows] as T[];
      },
      take: async <T>() => {
        await this.settle();
        const rows = sink.rows.slice(sink.taken) as T[];
        sink.taken = sink.rows.length;
        return rows;
      },
      changes: async <T>() => {
        await this.settle();
        return sink.rows.map((row, index) => ({ op: rowOp(sink.kinds[index]!), row: row as T }));
      },
    };
  }

  async state<S extends Readonly<Record<string, unknown>>>(uid: string, key: unknown): Promise<S> {
    await this.settle();
    return this.#stubs.states.valuesOf(uid, key) as S;
  }

  async metric(name: string, uid?: string): Promise<number> {
    await this.settle();
    const { operators } = this.#stubs;
    const { metrics, rates } = this.#run;
    checkMetricName(name, { entries: metrics.entries(), operators });
    const known = operators.map((operator) => operator.uid);
    if (uid !== undefined && !known.includes(uid)) throw uidUnknown("operator", uid, known);
    // A task counts what its operators count: without a uid, each record once.
    const ofTasks = metrics.entries().some((entry) => entry.operator === null && entry.name === name);
    const matches = ({ operator }: MetricEntry): boolean =>
      uid === undefined ? operator === null || !ofTasks : operator === uid;
    return metrics.sum(name, matches) || rates.sum(name, matches);
  }

  async advanceClock(by: Duration): Promise<void> {
    await this.settle();
    await this.#env.advance(durationMs(by));
    this.#throwFailure();
  }

  settle(): Promise<void> {
    return this.#settle(() => this.#throwFailure());
  }

  async end(): Promise<void> {
    for (const source of this.#stubs.sources.values()) source.end();
    await this.settle();
    assert(this.#result !== null, `seed ${this.seed}: every source has ended, but the job does not finish`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#settle(() => undefined); // A failure on its way must not hide behind the cancellation.
    this.#run.cancel();
    await this.#settle(() => undefined);
    assert(this.#result !== null, `seed ${this.seed}: the job was cancelled, but does not end`);
    this.#checkMemory();
    if (!this.#failureSeen) this.#throwFailure();
  }

  async #settle(after: () => void): Promise<void> {
    await this.#stubs.script.play(() => this.#env.advance(0));
    after();
  }

  #throwFailure(): void {
    const error: EngineError | null = this.#result?.error ?? null;
    if (error === null) return;
    this.#failureSeen = true;
    throw error;
  }

  /** A job that has ended holds no segment, whatever ended it. */
  #checkMemory(): void {
    for (const pool of [this.#run.taskManager.network, this.#run.taskManager.managed]) {
      const { leased } = pool.stats();
      assert(
        leased === 0,
        `seed ${this.seed}: ${leased} segments of ${pool.name} are still leased by ${JSON.stringify(pool.report())}`,
      );
    }
  }
}

function known<T>(what: string, all: ReadonlyMap<string, T>, uid: string): T {
  const found = all.get(uid);
  if (found !== undefined) return found;
  throw uidUnknown(what, uid, all.keys());
}
