// A job that somebody started, as they see it: built on messages alone, so that the job may run anywhere.
//
//   H1. Nothing that the job does ends the program that holds the handle: a failure is in `result` and in what reads
//       rows, never an unhandled rejection.
//   H2. A failure that nobody has asked for is logged.

import { callSite, locatedAt } from "../api/checks/call-site.ts";
import type { Env, TimerHandle } from "../base/env.ts";
import { assert, type EngineError, UserError, unreachable } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import type { Savepoint } from "../checkpoint/savepoint.ts";
import { isToStdout } from "../connectors/files/sink/target-path.ts";
import type { Plan } from "../graph/plan.ts";
import { type EngineErrorData, errorData, errorFromData } from "../protocol/error-data.ts";
import type { FromJob, JobControl, JobEnd, JobException, JobMetrics, ToJob } from "../protocol/job-messages.ts";
import { UNREAD_BYTES_MAX } from "../taskmanager/drivers/row-outlet.ts";
import { checkOptions, FLAG } from "../types/check-options.ts";
import { describe } from "../types/spec/describe.ts";
import { RowQueue, type RowsFromJob } from "./row-queue.ts";

/** What a job came to. */
export type JobSummary = {
  readonly jobId: string;
  readonly name: string;
  /**
   * "stopped": ended by `stop`, and what it had written until then stands. "cancelled": ended by `cancel`, or by `stop`
   * before a bounded job was done; sinks that commit show nothing of it.
   */
  readonly outcome: "finished" | "stopped" | "cancelled";
  readonly metrics: JobMetrics;
};

/** Flink's exception history of a job. */
export type ExceptionHistory = {
  readonly entries: readonly ExceptionEntry[];
  /** There were more kinds of failures than are kept. */
  readonly truncated: boolean;
};

/** Failures of one kind, at one place; all but `count` and `firstAtMs` is of the last one. */
export type ExceptionEntry = Omit<JobException, "error"> & { readonly error: EngineError };

type Answer = Extract<FromJob, { readonly kind: "metrics" | "exceptions" }>;

export type StopOptions = {
  /**
   * Keeps what the job has come to as a savepoint: true, or where to, as `savepoint` has it. Default: false. Rejects
   * where that cannot be written; the job has ended then, and its checkpoint directory has what it had come to.
   */
  readonly savepoint?: boolean | string;
  /**
   * Ends the input of the job where it is: windows fire, all output is shown, and it cannot be gone on with. Default:
   * false.
   */
  readonly drain?: boolean;
};

export type StoppedSummary = JobSummary & {
  /** Null: none was asked for. */
  readonly savepoint: Savepoint | null;
};

export type HandleOptions = {
  readonly env: Env;
  readonly jobId: string;
  readonly plan: Pick<Plan, "name" | "operators">;
  readonly connection: JobControl;
  /** Makes places in an error those of the user's files. */
  readonly told: (error: EngineError) => EngineError;
  readonly log: (line: string) => void;
  /** The job has ended; before anybody else hears of it. */
  readonly onEnd?: () => void;
};

const NOBODY_READS_MS = 5_000;

export class JobHandle implements AsyncDisposable {
  readonly jobId: string;
  readonly name: string;
  readonly #options: HandleOptions;
  readonly #queues: ReadonlyMap<string, RowQueue>;
  readonly #end: Promise<JobEnd>;
  readonly #result: Promise<JobSummary>;
  readonly #requests = new Map<number, (answer: Answer) => void>();
  readonly #reminders = new Map<string, TimerHandle>();
  readonly #savepoints = new Map<number, PromiseWithResolvers<Savepoint | null>>();
  #resolveEnd: (end: JobEnd) => void = () => undefined;
  #requested = 0;
  #asked = false;

  constructor(options: HandleOptions) {
    const { jobId, plan, connection } = options;
    this.#options = options;
    this.jobId = jobId;
    this.name = plan.name;
    const queues = rowSinks(plan).map((uid) => [uid, new RowQueue(uid, (batch) => this.#onRead(batch))] as const);
    this.#queues = new Map(queues);
    this.#end = new Promise((resolve) => {
      this.#resolveEnd = resolve;
    });
    this.#result = this.#end.then((end) => this.#summary(end));
    this.#result.catch(() => undefined); // H1
    connection.receive({ message: (message) => this.#onMessage(message) });
  }

  /** As `result`, with more in it, and never rejects. */
  get end(): Promise<JobEnd> {
    this.#asked = true;
    return this.#end;
  }

  /** Resolves when nothing of the job is left; rejects with an EngineError when it has failed. */
  get result(): Promise<JobSummary> {
    this.#asked = true;
    return this.#result;
  }

  /**
   * The rows of a sink made by `rows()`. They wait to be read, and the job with them. One reader at a time; who reads
   * later goes on where the last one stopped. Ends when the job has ended, at once when it was cancelled; throws the
   * job's error when it has failed, after the rows that came before.
   */
  rows(uid: string): AsyncIterableIterator<unknown, undefined> {
    const queue = this.#queues.get(uid);
    if (queue === undefined) throw noRows(uid, this.#options.plan);
    return queue.read();
  }

  /** Ends the job and drops what it has not committed. Resolves when nothing of it is left, and never rejects. */
  async cancel(): Promise<void> {
    this.#options.connection.send({ kind: "cancel" });
    await this.#end;
  }

  /** Ends the job; what an endless one has written until now is committed and stands. Gives `result`, with more. */
  stop(options: StopOptions = {}): Promise<StoppedSummary> {
    return quiet(this.#stop(options));
  }

  /** Writes a savepoint while the job goes on. */
  savepoint(path?: string): Promise<Savepoint> {
    return quiet(this.#savepoint(path));
  }

  async #stop(options: StopOptions): Promise<StoppedSummary> {
    const { savepoint = false, drain = false } = options;
    checkOptions({ of: "stop", given: options, takes: { savepoint: true, drain: FLAG } });
    if (savepoint === false && !drain) {
      this.#options.connection.send({ kind: "stop" });
      return { ...(await this.result), savepoint: null };
    }
    const wanted = savepoint === false ? null : { path: savepoint === true ? null : savepointPath("stop", savepoint) };
    const written = this.#askSavepoint((request) => ({ kind: "stopWith", request, savepoint: wanted, drain }));
    const [taken, summary] = await Promise.all([written, this.result]);
    return { ...summary, savepoint: taken };
  }

  async #savepoint(path?: string): Promise<Savepoint> {
    const to = path === undefined ? null : savepointPath("savepoint", path);
    const taken = await this.#askSavepoint((request) => ({ kind: "savepoint", request, path: to }));
    assert(taken !== null, "a savepoint that was asked for");
    return taken;
  }

  #askSavepoint(message: (request: number) => ToJob): Promise<Savepoint | null> {
    this.#requested += 1;
    const answer = Promise.withResolvers<Savepoint | null>();
    this.#savepoints.set(this.#requested, answer);
    this.#options.connection.send(message(this.#requested));
    return answer.promise;
  }

  fail(error: EngineError): void {
    this.#options.connection.send({ kind: "fail", error: errorData(error) });
  }

  /** What the job has done so far; after its end, what it had done. */
  async metrics(): Promise<JobMetrics> {
    const answer = await this.#ask("metrics");
    assert(answer.kind === "metrics", "an answer to what was asked");
    return answer.metrics;
  }

  /**
   * What of the job has failed so far, the newest first: also what it went on after. The same is there once, with how
   * often it came; places are those of the user's files.
   */
  async exceptions(): Promise<ExceptionHistory> {
    const answer = await this.#ask("exceptions");
    assert(answer.kind === "exceptions", "an answer to what was asked");
    const { entries, truncated } = answer.exceptions;
    return { entries: entries.map((entry) => ({ ...entry, error: this.#error(entry.error) })), truncated };
  }

  #ask(kind: Answer["kind"]): Promise<Answer> {
    this.#requested += 1;
    const request = this.#requested;
    return new Promise((resolve) => {
      this.#requests.set(request, resolve);
      this.#options.connection.send({ kind, request });
    });
  }

  /** Cancels the job, if it runs. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel();
  }

  #onMessage(message: FromJob): void {
    switch (message.kind) {
      case "rows":
        this.#queues.get(message.sink)?.add(message);
        this.#remind(message.sink);
        break;
      case "metrics":
      case "exceptions":
        this.#requests.get(message.request)?.(message);
        this.#requests.delete(message.request);
        break;
      case "savepoint":
        this.#savepoints.get(message.request)?.resolve(message.savepoint);
        this.#savepoints.delete(message.request);
        break;
      case "refused":
        this.#savepoints.get(message.request)?.reject(this.#error(message.error));
        this.#savepoints.delete(message.request);
        break;
      case "ended":
        this.#onEnd(message.end);
        break;
      default:
        unreachable(message);
    }
  }

  #onRead({ task, sink, rows }: RowsFromJob): void {
    this.#options.connection.send({ kind: "rowsRead", task, sink, bytes: rows.byteLength });
  }

  #onEnd(end: JobEnd): void {
    for (const reminder of this.#reminders.values()) reminder.cancel();
    this.#options.onEnd?.();
    const error = end.error === null ? null : this.#error(end.error);
    const wasRead = [...this.#queues.values()].some((queue) => queue.wasRead);
    if (error !== null && !this.#asked && !wasRead) {
      this.#options.log(`job ${this.name} failed: ${error.code}: ${error.message}`); // H2
    }
    for (const queue of this.#queues.values()) queue.end(error, end.outcome === "cancelled");
    this.#resolveEnd(end);
  }

  #summary({ outcome, error, metrics }: JobEnd): JobSummary {
    if (error !== null) throw this.#error(error);
    if (outcome === "failed") throw new Error("a job has failed without an error");
    return { jobId: this.jobId, name: this.name, outcome, metrics };
  }

  #error(data: EngineErrorData): EngineError {
    return this.#options.told(errorFromData(data));
  }

  /** A job that waits for a reader who never comes looks like one that hangs. */
  #remind(uid: string): void {
    const queue = this.#queues.get(uid);
    if (queue === undefined || queue.wasRead || this.#reminders.has(uid)) return;
    if (queue.waitingBytes < UNREAD_BYTES_MAX) return;
    const { env, log } = this.#options;
    const remind = (): void => {
      if (!queue.wasRead) log(`job ${this.name} waits: nobody reads its rows; read rows("${uid}") of its handle`);
    };
    this.#reminders.set(uid, env.timers.after(NOBODY_READS_MS, remind, { background: true }));
  }
}

/** Sinks whose rows, or whose text for standard output, go to whoever started the job. */
export function rowSinks({ operators }: Pick<Plan, "operators">): readonly string[] {
  return operators
    .filter(
      ({ kind, options }) =>
        kind === "sink" && ((options as { sink?: unknown }).sink === "rows" || isToStdout(options)),
    )
    .map(({ uid }) => uid);
}

/** H1 */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function savepointPath(method: string, path: unknown): string {
  if (typeof path === "string" && path !== "") return path;
  throw new UserError("SAVEPOINT_PATH_INVALID", `${method} was given ${describe(path)} as the path of a savepoint`, {
    fix: "give the path as text, or leave it out for the usual place",
  });
}

function noRows(uid: string, plan: Pick<Plan, "operators">): UserError {
  const sinks = rowSinks(plan);
  const other = plan.operators.find((operator) => operator.uid === uid && operator.kind === "sink");
  const what = other === undefined ? `the job has no sink "${uid}"` : `the sink "${uid}" gives no rows to this program`;
  const near = nearest(uid, sinks);
  const fix =
    other !== undefined
      ? `let it end in rows() in the job: .to("${uid}", rows())`
      : near !== null
        ? `did you mean "${near}"?`
        : sinks.length > 0
          ? `sinks whose rows can be read: ${sinks.map((sink) => `"${sink}"`).join(", ")}`
          : 'let a stream of the job end in one whose rows can be read: .to("out", rows())';
  return locatedAt(callSite(), new UserError("ROWS_SINK_UNKNOWN", what, { fix }));
}
