// `job(…)`: what a job module exports, and how it becomes a plan.

import { EngineError, type SourceLocation, UserError } from "../base/errors.ts";
import type { InvalidRow, Source } from "../operators/source.ts";
import { checkOptions, oneOf } from "../types/check-options.ts";
import { describe } from "../types/spec/describe.ts";
import { checkSchema } from "../types/spec/schema-spec.ts";
import type { Infer, StandardSchema } from "../types/spec/standard-schema.ts";
import { callSite, userFrame } from "./checks/call-site.ts";
import { checkChangelog, checkSourceType } from "./checks/check-argument.ts";
import { misspeltFix, sideOutputs } from "./checks/misplaced-call.ts";
import { type ParamsText, paramsParse } from "./params.ts";
import { connectorOptions } from "./plan/connector-options.ts";
import { type BuiltPlan, PlanBuilder, type PlanDefaults, uidCheck } from "./plan/plan-builder.ts";
import { outputOf } from "./plan/stream-origin.ts";
import { METHODS } from "./stages.ts";
import type { Split, Stream } from "./stream.ts";
import { Stream as StreamClass } from "./stream.ts";

/** Where a job's streams start. */
export interface JobEnv {
  /**
   * A stream of what a source reads. Rows that cannot be read go to `side.invalid` if the source says `invalid:
   * "side"`.
   */
  from<T>(uid: string, source: Source<T>): Split<T, { invalid: InvalidRow }>;
}

export type JobOptions<P extends StandardSchema> = {
  /** For people; unique names make several jobs easier to tell apart. */
  readonly name: string;
  /**
   * "batch": bounded input, results once at the end. There is no watermark before, so that no record is late, in
   * whatever order rows come. Default: "stream".
   */
  readonly mode?: "stream" | "batch";
  /** Whether a stream that leads to no sink, such as an aggregate that nobody reads, is a mistake. Default: "fail". */
  readonly unread?: "fail" | "allow";
  /** Schema of the parameters, which come as text (`--param key=value`). */
  readonly params?: P;
};

type NoParams = StandardSchema<unknown, Record<string, never>>;

const JOB = Symbol.for("millrace.job");
declare const types: unique symbol;

/** A job: a module's default export. `Sinks` is what its builder returns, `Params` what its schema gives. */
export interface Job<out Sinks = unknown, out Params = unknown> {
  readonly [JOB]: true;
  readonly [types]?: readonly [Sinks, Params];
  readonly name: string;
  readonly mode: "stream" | "batch";
  readonly unread: "fail" | "allow";
  readonly params: StandardSchema | null;
  readonly build: (env: JobEnv, params: never) => unknown;
  /** Where it was declared. */
  readonly location: SourceLocation | null;
}

/**
 * Declares a job. The builder runs in the client and in every worker, and must do the same each time. What it returns
 * (a sink, or several in an array) has no effect but on types: it says what rows can be read from code.
 */
export function job<P extends StandardSchema = NoParams, Sinks = unknown>(
  options: JobOptions<P>,
  build: (env: JobEnv, params: Infer<P>) => Sinks,
): Job<Sinks, Infer<P>> {
  const location = callSite();
  const missing =
    typeof options?.name !== "string" || options.name === "" ? "name" : typeof build === "function" ? null : "builder";
  if (missing !== null) {
    throw new UserError("JOB_INCOMPLETE", `the job has no ${missing}`, {
      fix: 'give it one: job({ name: "my-job" }, (env) => { … })',
      ...(location && { location }),
    });
  }
  const takes = { name: true, mode: oneOf("stream", "batch"), unread: oneOf("fail", "allow"), params: true } as const;
  checkOptions({ of: "job", given: options, takes });
  if (options.params !== undefined) checkSchema(options.params, "params");
  return {
    [JOB]: true,
    name: options.name,
    mode: options.mode ?? "stream",
    unread: options.unread ?? "fail",
    params: options.params ?? null,
    build,
    location,
  };
}

export function isJob(value: unknown): value is Job {
  return typeof value === "object" && value !== null && JOB in value;
}

/** Runs the job's builder. Throws a UserError for everything the user has to mend. */
export async function jobBuild(declared: Job, paramsText: ParamsText, defaults: PlanDefaults): Promise<BuiltPlan> {
  try {
    return await build(declared, paramsText, defaults);
  } catch (error) {
    if (error instanceof EngineError) error.location ??= declared.location ?? undefined;
    throw error;
  }
}

async function build(declared: Job, paramsText: ParamsText, defaults: PlanDefaults): Promise<BuiltPlan> {
  const params = await paramsParse(declared.params, paramsText);
  const builder = new PlanBuilder(defaults);
  const env: JobEnv & { to: unknown } = {
    from: (uid, source) => sourceStream(builder, uid, source),
    to: sinkOfNothing,
  };
  let returned: unknown;
  try {
    returned = (declared.build as (env: JobEnv, params: unknown) => unknown)(env, params);
  } catch (error) {
    throw builderFailure(declared.name, error);
  }
  if (returned instanceof Promise) {
    returned.catch(() => undefined); // The builder's own rejection would only hide what is wrong.
    throw new UserError("JOB_BUILDER_ASYNC", `the builder of job "${declared.name}" is asynchronous`, {
      fix: "declare the streams synchronously; load what they need in sources, or pass it by params",
    });
  }
  const { name, mode, unread } = declared;
  return builder.build({ name, mode, unread, params: { ...paramsText } });
}

function sourceStream<T>(builder: PlanBuilder, uid: string, source: Source<T>): Split<T, { invalid: InvalidRow }> {
  if (isSource(uid)) uidCheck(undefined, `source ${uid.kind}`, `env.from("in", ${uid.kind}(…))`);
  if (!isSource(source)) {
    throw new UserError("SOURCE_INVALID", `"${uid}" has no source: it is ${describe(source)}`, {
      fix: 'give a source as the second argument, for example env.from("in", csv("file.csv"))',
    });
  }
  checkSourceType(uid, source.type);
  checkChangelog(uid, source);
  const { bounded, changelog, invalid } = source;
  const node = builder.add({
    kind: "source",
    explicitUid: uidCheck(uid, `source ${source.kind}`),
    options: connectorOptions(
      {
        source: source.kind,
        bounded,
        live: source.live === true ? true : undefined,
        streams: source.streams === "one" ? "one" : undefined,
        changelog,
        invalid,
      },
      source.describe(),
    ),
    output: source.type,
    sides: source.invalid === "side" ? [{ name: "invalid", type: null }] : [],
    functions: { source },
  });
  const origin = {
    builder,
    outputs: [outputOf(node)],
    type: source.type,
    timed: false,
  };
  const stream = new StreamClass<T>(origin, source.invalid === "side" ? { invalid: null } : {});
  if (source.invalid !== "side") Object.defineProperty(stream, "side", { value: noInvalidRows(uid, source.kind) });
  return stream as Stream<T> as Split<T, { invalid: InvalidRow }>;
}

/** Side outputs of a source that sets nothing aside: to read from them is a mistake. */
function noInvalidRows(uid: string, kind: string): object {
  const invalid = (): never => {
    throw new UserError("SIDE_OUTPUT_OFF", `the source "${uid}" sets no invalid rows aside`, {
      fix: `ask for them where the source is made: ${kind}(…, { invalid: "side" })`,
    });
  };
  return sideOutputs(Object.defineProperty({}, "invalid", { get: invalid }));
}

function isSource(value: unknown): value is Source<unknown> {
  return typeof (value as Partial<Source<unknown>> | null | undefined)?.createReader === "function";
}

/** Sinks end streams; a job's environment has only `from`. */
function sinkOfNothing(uid: unknown): never {
  throw new UserError("SINK_WITHOUT_INPUT", `the sink ${describe(uid)} has no input: env.to is not a function`, {
    fix: 'sinks belong to streams: env.from("in", …).to("out", print())',
  });
}

function builderFailure(name: string, error: unknown): EngineError {
  if (error instanceof EngineError) {
    error.location ??= userFrame(error.stack ?? "") ?? undefined;
    return error;
  }
  const location = error instanceof Error ? userFrame(error.stack ?? "") : null;
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new UserError("JOB_BUILDER_THREW", `the builder of job "${name}" threw ${message}`, {
    fix: misspeltFix(error, ["from", ...METHODS]) ?? "mend the builder; it runs before the job starts",
    cause: error,
    ...(location && { location }),
  });
}
