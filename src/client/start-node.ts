// `start`: runs a job from a program of the user's own, in slots of this process.
//
//   S1. The program goes on whatever the job's code does: that code runs in threads of its own, also while the plan is
//       built. No signal is listened for, nothing of the process is replaced.
//   S2. Nothing of a job is left when its `result` has settled: no thread, timer or file in progress.

import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { callSite, locatedAt } from "../api/checks/call-site.ts";
import { isJob, type Job } from "../api/job.ts";
import type { SinkHandle } from "../api/sink-handle.ts";
import type { Env } from "../base/env.ts";
import { nodeEnv } from "../base/env-node.ts";
import { EngineError, type SourceLocation, UserError } from "../base/errors.ts";
import type { Savepoint } from "../checkpoint/savepoint.ts";
import { Configuration, type ConfigValues } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import type { JobMetrics } from "../protocol/job-messages.ts";
import { nodeDisk } from "../storage/node-disk.ts";
import { isLoadingJob } from "../taskmanager/runner/job-load-node.ts";
import { threadSlotRunner } from "../taskmanager/runner/slot-runner-node.ts";
import { checkOptions, FLAG, FUNCTION, NUMBER, type OptionKind, withoutEffect } from "../types/check-options.ts";
import { describe } from "../types/spec/describe.ts";
import { type Bundle, moduleBundle } from "./bundle/bundle-node.ts";
import { type CheckpointsOptions, checkpointsOpen, type OpenedCheckpoints } from "./checkpoints.ts";
import { builtFromCode, type ParamValue, paramsText } from "./code-params.ts";
import type { Controlled } from "./control/run-control.ts";
import { type OpenRun, runOpen } from "./control/run-place-node.ts";
import { embeddedHandle } from "./embedded-handle.ts";
import { errorReports } from "./errors/error-report.ts";
import { toldError } from "./errors/told-error.ts";
import { MemoryShare } from "./host-memory-node.ts";
import type { ExceptionHistory, JobSummary, StopOptions, StoppedSummary } from "./job-handle.ts";
import { machineBytes, machineEnvironment, parallelismLayer } from "./machine-node.ts";
import { planInThread } from "./planner-node.ts";

/** Values by name, as the schema of the job's parameters has them; they reach it as text. */
type ParamsOf<J> =
  J extends Job<unknown, infer P>
    ? unknown extends P
      ? Readonly<Record<string, ParamValue>>
      : P extends Record<string, never>
        ? P
        : { readonly [K in keyof P]?: ParamValue }
    : never;

type HandleIn<Sinks> = Sinks extends SinkHandle ? Sinks : Sinks extends readonly (infer H)[] ? H : never;

/** Row types by uid of the sinks that the builder returns. */
type RowsOf<J> =
  J extends Job<infer Sinks, unknown>
    ? [HandleIn<Sinks>] extends [never]
      ? Readonly<Record<string, unknown>>
      : { [H in Extract<HandleIn<Sinks>, SinkHandle> as H extends SinkHandle<infer U> ? U : never]: RowOf<H> }
    : never;

type RowOf<H> = H extends SinkHandle<string, infer T> ? T : never;

export type StartOptions<J extends Job = Job> = {
  /** Parameters of the job, as values or as the text of the command line. */
  readonly params?: ParamsOf<J>;
  /** Subtasks of operators that name none. Default: the machine's cores, at most 4. */
  readonly parallelism?: number;
  /** Options of the configuration. They outrank the environment; configuration files are not looked for. */
  readonly config?: ConfigValues;
  /**
   * Start from this savepoint, checkpoint or checkpoint directory (`execution.state-recovery.path`). Where
   * `execution.checkpointing.dir` has checkpoints already, with `fresh` only.
   */
  readonly from?: string;
  /** Name that the job had when what is in `from` was taken; only where it has another one now. */
  readonly renamedFrom?: string;
  /** Begin anew though there are checkpoints in `execution.checkpointing.dir`; they are kept aside. Default: false. */
  readonly fresh?: boolean;
  /** Drop what a checkpoint has of operators that the job does not have any more. Default: false, it is refused. */
  readonly allowNonRestored?: boolean;
  /** Aborting it cancels the job. */
  readonly signal?: AbortSignal;
  /** Takes the lines of `print()` sinks. Default: standard output. */
  readonly print?: (lines: string) => void;
  /** Takes what the engine logs and what the job's code writes to its console. Default: standard error. */
  readonly log?: (lines: string) => void;
};

/** A job that was started. */
export interface RunningJob<Rows = Readonly<Record<string, unknown>>> extends AsyncDisposable {
  readonly jobId: string;
  readonly name: string;
  /** Resolves when nothing of the job is left; rejects with an EngineError when it has failed. */
  readonly result: Promise<JobSummary>;
  /**
   * The rows of a sink made by `rows()`, as they are made. They wait to be read, and the job with them. One reader at a
   * time; a later one goes on where the last one stopped. Ends when the job has ended; throws the job's error when it
   * has failed, and ROWS_SINK_UNKNOWN for a sink that is none of those.
   */
  rows<Uid extends keyof Rows & string>(uid: Uid): AsyncIterableIterator<Rows[Uid], undefined>;
  /** Ends the job; what an endless one has written until now is committed and stands. Gives `result`. */
  stop(options?: StopOptions): Promise<StoppedSummary>;
  /**
   * Writes a savepoint while the job goes on: to `path`, which is not there yet, or, where that is a directory, to a
   * folder of its own in it; by default to `execution.checkpointing.savepoint-dir`, else the checkpoint directory.
   * Rejects with JOB_NOT_RUNNING, SAVEPOINT_ABORTED or SAVEPOINT_NOT_WRITTEN; the job goes on then, too.
   */
  savepoint(path?: string): Promise<Savepoint>;
  /** Ends the job and drops what it has not committed. Resolves when nothing of it is left, and never rejects. */
  cancel(): Promise<void>;
  /** What the job has done so far; after its end, what it had done. */
  metrics(): Promise<JobMetrics>;
  /**
   * What of the job has failed so far, the newest first: also what it went on after. What fails again at the same place
   * is there once, with how often it came. Sixteen kinds of failures are kept.
   */
  exceptions(): Promise<ExceptionHistory>;
}

/**
 * Starts the job that a module exports, in worker threads of this process: `await start(new URL("./job.ts",
 * import.meta.url))`. Resolves once it has been planned and is being deployed; rejects with an EngineError for what has
 * to be mended first.
 *
 * With the job's type, parameters and rows have theirs: `start<typeof job>(…)` after `import type job from "./job.ts"`.
 */
export async function start<J extends Job = Job>(
  file: URL | string,
  options: StartOptions<J> = {},
): Promise<RunningJob<RowsOf<J>>> {
  const location = callSite();
  try {
    const job = await started(file, options, location);
    return job as RunningJob<object> as RunningJob<RowsOf<J>>;
  } catch (error) {
    throw locatedAt(location, error);
  }
}

const TAKES: Readonly<Record<keyof StartOptions, true | OptionKind>> = {
  ...{ params: true, parallelism: NUMBER, config: true, fresh: FLAG, allowNonRestored: FLAG },
  ...{ from: true, renamedFrom: true },
  ...{ signal: true, print: FUNCTION, log: FUNCTION },
};

async function started(
  file: URL | string,
  options: StartOptions,
  location: SourceLocation | null,
): Promise<RunningJob> {
  checkOptions({ of: "start", given: options, takes: TAKES });
  if (isLoadingJob()) throw startedWhileLoading();
  const { params = {}, signal } = options;
  signal?.throwIfAborted();
  const cwd = process.cwd();
  const module = { file: relative(cwd, resolve(cwd, pathOf(file))), cwd };
  const configuration = configurationOf(options);
  const bundle = await bundleOf(module);
  const share = new MemoryShare();
  try {
    return await builtFromCode(
      (given) => `start(file, ${given})`,
      () => begin({ module, bundle, configuration, share, params: paramsText(params), options }),
    );
  } catch (error) {
    share.release();
    bundle.dispose();
    if (!(error instanceof EngineError)) throw error;
    // They were given there, not in the job.
    if (error.code.startsWith("PARAMS_") && location !== null) error.location = location;
    throw toldError(error, { bundle, plan: null });
  }
}

/** Each of its threads would load the file, and so start the job, without end. */
function startedWhileLoading(): UserError {
  return new UserError("START_WHILE_LOADING", "start was called while the file of a job was loaded", {
    fix: "each thread of a job loads its file: keep the job in a file of its own, or call start within if (import.meta.main) { … }",
  });
}

type Beginning = {
  readonly module: { readonly file: string; readonly cwd: string };
  readonly bundle: Bundle;
  readonly configuration: Configuration;
  readonly share: MemoryShare;
  readonly params: Readonly<Record<string, string>>;
  readonly options: StartOptions;
};

async function begin({ module, bundle, configuration, share, params, options }: Beginning): Promise<RunningJob> {
  const { signal, print = (lines) => process.stdout.write(`${lines}\n`), log } = options;
  const say = log ?? ((line: string) => void process.stderr.write(`${line}\n`));
  const output = log === undefined ? null : (text: string) => log(text.trimEnd());
  const runner = threadSlotRunner(output, () => share.residentBytes());
  const { claimed, ...planned } = await planInThread({
    module,
    bundle: bundle.url,
    params,
    configuration,
    isOfJob: (stack) => bundle.sources.frames(stack).length > 0,
    output,
    signal,
  });
  const { plan } = planned.graph;
  const env = nodeEnv(nodeDisk(), { logLevel: "warn", ...(log !== undefined && { writeLog: log }) });
  const checkpoints = await openedCheckpoints({ env, cwd: module.cwd, plan, configuration, log: say }, options).catch(
    async (error: unknown) => {
      await claimed.release();
      throw error;
    },
  );
  const { run, handle } = embeddedHandle({
    env,
    planned,
    claimed,
    ...(checkpoints !== null && { checkpoints, control: controlOf(checkpoints, env, say) }),
    bundle: bundle.url,
    params,
    configuration,
    runner,
    checks: false,
    machineBytes: machineBytes(),
    print,
    log: say,
    toldOf: (error) => errorReports(error, { sources: bundle.sources, plan, text: () => null })[0]!,
    told: (error) => toldError(error, { bundle, plan }),
    onEnd: () => {
      signal?.removeEventListener("abort", cancel);
      share.release();
      bundle.dispose();
    },
  });
  share.budgetBytes = run.memory.process.bytes;
  const cancel = (): void => void handle.cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  if (signal?.aborted) cancel();
  return handle;
}

async function openedCheckpoints(
  opening: Omit<CheckpointsOptions, "fresh">,
  options: StartOptions,
): Promise<OpenedCheckpoints | null> {
  if (opening.configuration.get(OPTIONS.checkpointDirectory) === null) refuseWithout(options);
  return checkpointsOpen({ ...opening, fresh: options.fresh === true });
}

function refuseWithout(options: StartOptions): void {
  const name = (["fresh", "from", "renamedFrom", "allowNonRestored"] as const).find((each) => options[each]);
  if (name === undefined) return;
  const fix = `give config: { "${OPTIONS.checkpointDirectory.key}": "dir" }, or leave it out`;
  throw withoutEffect(`${name} of start`, "without checkpoints", fix);
}

function controlOf({ directory }: OpenedCheckpoints, { timers }: Env, log: (line: string) => void) {
  return (job: Controlled): OpenRun => runOpen(job, { timers, directory: directory.path, log });
}

function configurationOf(options: StartOptions): Configuration {
  const { config = {}, parallelism, from, renamedFrom, allowNonRestored } = options;
  const values: ConfigValues = {
    ...config,
    ...(parallelism !== undefined && { [OPTIONS.parallelism.key]: parallelism }),
    ...(from !== undefined && { [OPTIONS.restorePath.key]: from }),
    ...(renamedFrom !== undefined && { [OPTIONS.restoreJobName.key]: renamedFrom }),
    ...(allowNonRestored !== undefined && { [OPTIONS.ignoreUnclaimedState.key]: allowNonRestored }),
  };
  return new Configuration([parallelismLayer(false), ...machineEnvironment(), { origin: { kind: "code" }, values }]);
}

function pathOf(file: unknown): string {
  if (typeof file === "string" && !file.startsWith("file:")) return file;
  if (file instanceof URL || typeof file === "string") {
    const url = new URL(file);
    if (url.protocol === "file:") return fileURLToPath(url);
  }
  const what = isJob(file) ? "a job itself" : describe(file);
  throw new UserError("START_FILE_INVALID", `start takes the file of a job's module, not ${what}`, {
    fix: 'name the file that exports the job by default, whose functions run in threads of their own: start(new URL("./job.ts", import.meta.url))',
  });
}

/** Of several mistakes, the first: whoever mends it meets the next. */
async function bundleOf({ file, cwd }: Beginning["module"]): Promise<Bundle> {
  try {
    return await moduleBundle(file, { cwd, what: "job file" });
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  }
}
