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
//   T5. A crash loses all that no checkpoint covers, as that of a process does: the job goes on from what it has
//       written to the simulated disk, and from nothing else. Sources give again what was pushed since, rows of
//       exactly-once sinks that were written since were never shown.

import { type Job, jobBuild } from "../api/job.ts";
import { type Duration, durationMs } from "../base/duration.ts";
import { assert, type EngineError, ExternalError, UserError } from "../base/errors.ts";
import { checkpointsOpen } from "../client/checkpoints.ts";
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
import type { SlotRunner } from "../taskmanager/runner/slot-runner.ts";
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
  /** Takes a checkpoint of all that was pushed so far. Rejects when the job has ended, or it could not be taken. */
  checkpoint(): Promise<void>;
  /**
   * The process of the job dies: everything since the last checkpoint is lost. What is pushed from now on waits for
   * `restore`. Of a job that has failed, once that was seen, too.
   */
  crash(): Promise<void>;
  /**
   * Starts the job again after a crash, from the last checkpoint, or anew when none was taken: what was pushed since
   * comes again. `parallelism` is that of operators that name none; by default it stays.
   */
  restore(options?: { readonly parallelism?: number }): Promise<void>;
  /** Takes a checkpoint, and goes on from it with another parallelism. */
  rescale(parallelism: number): Promise<void>;
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
  const test = new RunningTestJob(job, options);
  await test.start();
  return test;
}

type Stubs = {
  readonly script: TestScript;
  readonly sources: Map<string, StubSource>;
  readonly sinks: Map<string, StubSink>;
};

/** What runs since the last start. */
type Started = { readonly run: EmbeddedJob; readonly states: StateViews; readonly operators: Plan["operators"] };

/** Where the job leaves its checkpoints, and that it takes them, and begins again, when the test says so alone. */
const DURABLE: Readonly<Record<string, Setting>> = {
  [OPTIONS.checkpointDirectory.key]: "/checkpoints",
  [OPTIONS.checkpointingInterval.key]: "100000d",
  [OPTIONS.restartStrategy.key]: "none",
};

class RunningTestJob implements TestJob {
  readonly seed: number;
  readonly #job: Job;
  readonly #options: TestJobOptions;
  readonly #env: SimEnv;
  readonly #stubs: Stubs = { script: new TestScript(), sources: new Map(), sinks: new Map() };
  readonly #log: string[] = [];
  #parallelism: number;
  /** Null: it has crashed. */
  #started: Started | null = null;
  #result: JobResult | null = null;
  #failureSeen = false;

  constructor(job: Job, options: TestJobOptions) {
    const { seed = 1, startTime, parallelism = 1 } = options;
    this.seed = seed;
    this.#job = job;
    this.#options = options;
    this.#env = new SimEnv({ seed, ...(startTime !== undefined && { startMs: Number(startTime) }) });
    this.#env.disk.faults.latencyMaxMs = 0; // T1
    this.#parallelism = parallelism;
  }

  async start(): Promise<void> {
    const configuration = this.#configuration();
    const params = paramsText(this.#options.params);
    const states = await builtFromCode(
      (given) => `testJob(job, ${given})`,
      () => this.#stub(params, configuration),
    );
    const planned = await jobPlan(this.#job, params, configuration);
    const log = (line: string): void => void this.#log.push(line);
    const { plan } = planned.graph;
    const opened = { env: this.#env, cwd: "/", plan, configuration, log, fresh: false, allowNonRestored: false };
    const checkpoints = await this.#timeless(checkpointsOpen(opened));
    assert(checkpoints !== null, "a job under test has a checkpoint directory");
    const run = embeddedStart({
      ...{ env: this.#env, planned, params, configuration, checkpoints, log },
      ...{ bundle: null, checks: true, machineBytes: MACHINE_BYTES, print: () => undefined },
      runner: this.#runner(states),
    });
    this.#started = { run, states, operators: plan.operators };
    this.#result = null;
    this.#failureSeen = false;
    void run.result.then((result) => {
      if (this.#started?.run === run) this.#result = result;
    });
    await this.settle();
  }

  #configuration(): Configuration {
    const config = { ...this.#options.config };
    const network = NETWORK_KEYS.some((key) => key in config) ? {} : NETWORK_BOUND;
    const parallelism = { [OPTIONS.parallelism.key]: this.#parallelism };
    const values = { ...TEST_CONFIG, ...network, ...parallelism, ...config, ...DURABLE };
    return new Configuration([{ origin: { kind: "job" }, values }]);
  }

  /** Sources and sinks of the test are the same in all of its starts. */
  async #stub(params: Readonly<Record<string, string>>, configuration: Configuration): Promise<StateViews> {
    const { script, sources, sinks } = this.#stubs;
    const { plan, functions } = await jobBuild(this.#job, params, planDefaults(configuration));
    for (const { uid, kind, parallelism } of plan.operators) {
      const own = functions.get(uid) ?? {};
      if (kind === "sink" && !sinks.has(uid)) sinks.set(uid, new StubSink(own.sink as Sink<unknown>));
      if (kind !== "source") continue;
      const options = { parallelism, target: this.seed, script, batch: plan.mode === "batch" };
      const known = sources.get(uid);
      if (known === undefined) sources.set(uid, new StubSource(uid, own.source as Source<unknown>, options));
      else known.rewind(parallelism);
    }
    return new StateViews(plan, functions);
  }

  #runner(states: StateViews): SlotRunner {
    const { sources, sinks } = this.#stubs;
    const isOfTest = this.#options.watermarks === "test";
    return localSlotRunner({
      env: this.#env,
      load: async () => this.#job,
      stubs: {
        functions: (uid, functions) => {
          const source = sources.get(uid);
          const sink = sinks.get(uid);
          return { ...functions, ...(source && { source }), ...(sink && { sink }) };
        },
        sourceWatermarks: isOfTest ? "alone" : "beside",
        isUnread: (uid, subtask) => !isOfTest && sources.get(uid)?.isUnread(subtask) === true,
        onStore: (uid, subtask, store) => states.addStore(uid, subtask, store),
      },
    });
  }

  /** What is done on the simulated disk. */
  async #timeless<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const done = work.finally(() => {
      isOver = true;
    });
    done.catch(() => undefined); // Thrown below.
    while (!isOver) await this.#env.advance(0);
    return done;
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
    return this.#running().states.valuesOf(uid, key) as S;
  }

  async metric(name: string, uid?: string): Promise<number> {
    await this.settle();
    const { operators, run } = this.#running();
    const { metrics, rates } = run;
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
    if (this.#started === null) return;
    assert(this.#result !== null, `seed ${this.seed}: every source has ended, but the job does not finish`);
  }

  async checkpoint(): Promise<void> {
    await this.settle();
    const { run } = this.#running();
    if (this.#result !== null) throw notRunning("the job has ended: there is nothing to take a checkpoint of");
    const completed = (): number => run.jobManagerMetrics(0).numberOfCompletedCheckpoints ?? 0;
    const before = completed();
    run.master.checkpoint();
    await this.settle();
    if (completed() === before) {
      throw new ExternalError("TEST_CHECKPOINT_FAILED", `no checkpoint was taken: ${this.#log.at(-1)}`, {
        fix: "look at what the message says; a connector or a function that never settles holds it up",
      });
    }
    this.#stubs.script.covered();
    for (const stub of [...this.#stubs.sources.values(), ...this.#stubs.sinks.values()]) stub.covered();
  }

  async crash(): Promise<void> {
    await this.#settle(() => {
      if (!this.#failureSeen) this.#throwFailure();
    });
    this.#running();
    if (this.#result !== null && this.#result.error === null) throw notRunning("the job has finished");
    this.#env.crash("process");
    this.#started = null;
    this.#stubs.script.rewind();
    for (const sink of this.#stubs.sinks.values()) sink.rewind();
  }

  async restore(options: { readonly parallelism?: number } = {}): Promise<void> {
    checkOptions({ of: "restore", given: options, takes: { parallelism: true } });
    if (this.#started !== null) throw notRunning("the job runs: there is nothing to restore", "call crash() first");
    this.#parallelism = options.parallelism ?? this.#parallelism;
    await this.start();
  }

  async rescale(parallelism: number): Promise<void> {
    await this.checkpoint();
    await this.crash();
    await this.restore({ parallelism });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#started === null) return; // It has crashed: nothing is left of it.
    await this.#settle(() => undefined); // A failure on its way must not hide behind the cancellation.
    this.#started.run.cancel();
    await this.#settle(() => undefined);
    assert(this.#result !== null, `seed ${this.seed}: the job was cancelled, but does not end`);
    this.#checkMemory();
    if (!this.#failureSeen) this.#throwFailure();
  }

  #running(): Started {
    if (this.#started !== null) return this.#started;
    throw notRunning("the job has crashed", "call restore() first");
  }

  async #settle(after: () => void): Promise<void> {
    if (this.#started === null) return; // What is pushed waits for the restore.
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
    const { network, managed } = this.#running().run.taskManager;
    for (const pool of [network, managed]) {
      const { leased } = pool.stats();
      assert(
        leased === 0,
        `seed ${this.seed}: ${leased} segments of ${pool.name} are still leased by ${JSON.stringify(pool.report())}`,
      );
    }
  }
}

function notRunning(what: string, fix = "start another testJob"): UserError {
  return new UserError("TEST_NOT_RUNNING", what, { fix });
}

function known<T>(what: string, all: ReadonlyMap<string, T>, uid: string): T {
  const found = all.get(uid);
  if (found !== undefined) return found;
  throw uidUnknown(what, uid, all.keys());
}
