// What commands about a job have in common: configuration, bundle, job, and how their errors are told.
//
// Owns: the bundle, until `dispose`.

import { existsSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { relative, resolve } from "node:path";
import type { Job } from "../api/job.ts";
import { durationText } from "../base/duration.ts";
import { EngineError, type SourceLocation, UserError } from "../base/errors.ts";
import { type Bundle, moduleBundle } from "../client/bundle/bundle-node.ts";
import { fileText } from "../client/bundle/bundle-sources-node.ts";
import { configFileLayer } from "../client/config-node.ts";
import { type ErrorReport, errorReports } from "../client/errors/error-report.ts";
import { thrownText } from "../client/errors/thrown-text.ts";
import { type ConfigLayer, Configuration, environmentLayers } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import type { Plan } from "../graph/plan.ts";
import { jobLoad } from "../taskmanager/job-load-node.ts";
import { neverReturned } from "../taskmanager/user-failure.ts";
import { type CommandLine, lastValue, nextCommand, pairs } from "./arguments.ts";
import { isDebugged, watchMain } from "./main-watch.ts";

const PARALLELISM_MAX = 4;
const EXTENSIONS = [".ts", ".mts", ".js", ".mjs"];

export class Session {
  readonly line: CommandLine;
  readonly cwd = process.cwd();
  /** Set as soon as there is one: places of errors are looked up in it. */
  plan: Plan | null = null;
  /** User code in this thread never returns; called in an interruption of it, after which nothing else runs. */
  onStuck: (error: UserError) => void = () => undefined;
  /** User code in this thread has not returned for a second (called in an interruption of it), or has returned. */
  onSlow: (slow: boolean) => void = () => undefined;
  /** What module is loaded at present. */
  #loading = "the configuration file";
  #bundle: Bundle | null = null;
  #configuration: Promise<Configuration> | null = null;

  constructor(line: CommandLine) {
    this.line = line;
  }

  get bundle(): Bundle | null {
    return this.#bundle;
  }

  /** From file, environment and command line; read once. */
  configuration(): Promise<Configuration> {
    this.#configuration ??= this.#readConfiguration();
    return this.#configuration;
  }

  async #readConfiguration(): Promise<Configuration> {
    const file = await configFileLayer(this.cwd, lastValue(this.line, "config"));
    const values = pairs(this.line, "D");
    const given = lastValue(this.line, "parallelism");
    const { type, key } = OPTIONS.parallelism;
    if (given !== null && type.parse(given) === undefined) {
      throw new UserError("CONFIG_BAD_VALUE", `--parallelism (${key}) is ${JSON.stringify(given)}`, {
        fix: `expected ${type.expected}`,
      });
    }
    const layers: ConfigLayer[] = [
      parallelismLayer(this.line.flags.has("local")),
      ...(file === null ? [] : [file]),
      ...environmentLayers(engineVariables(process.env)),
      {
        origin: { kind: "command line" },
        values: given === null ? values : { ...values, [OPTIONS.parallelism.key]: given },
      },
    ];
    return new Configuration(layers);
  }

  /** Bundles and loads the job that the command line names. */
  async job(): Promise<Job> {
    const { positional } = this.line;
    try {
      this.#bundle = await moduleBundle(positional, { cwd: this.cwd, what: "job file" });
    } catch (error) {
      throw this.#withExtension(error) ?? error;
    }
    const timeoutMs = (await this.configuration()).get(OPTIONS.watchdogTimeout);
    watchMain({
      timeoutMs,
      onSlow: (slow) => this.onSlow(slow),
      onStuck: (stack) => this.onStuck(neverReturned("user code", timeoutMs, stack)),
    });
    this.#loading = positional;
    try {
      return await this.#within(timeoutMs, jobLoad(this.#bundle.url));
    } catch (error) {
      if (error instanceof UserError && error.code === "JOB_NOT_EXPORTED") {
        error.location = exportPlace(relative(this.cwd, resolve(this.cwd, positional)), fileText(positional) ?? "");
      }
      throw this.#moduleThrew(error) ?? error;
    }
  }

  /** For a job file whose name was given without its extension. */
  #withExtension(error: unknown): UserError | null {
    if (!(error instanceof UserError) || error.code !== "MODULE_FILE_MISSING") return null;
    const { positional, command } = this.line;
    const meant = EXTENSIONS.find((extension) => existsSync(resolve(this.cwd, positional + extension)));
    if (meant === undefined) return null;
    const fix = `did you mean ${nextCommand({ ...this.line, positional: positional + meant }, command.name)}?`;
    return new UserError(error.code, error.message, { fix });
  }

  /** `waitedMs`: how long; null: nothing is left that could end its waiting. */
  neverLoaded(waitedMs: number | null): UserError {
    const file = this.#loading;
    const look = "look for an await outside of functions in it and in what it imports";
    const place = this.#placeOf("await");
    const [message, fix] =
      waitedMs === null
        ? [`${file} waits for ever: what it awaits never settles`, look]
        : [
            `${file} has waited for ${durationText(waitedMs)} while it was loaded`,
            `${look}; if it has to wait that long, raise ${OPTIONS.watchdogTimeout.key}`,
          ];
    return new UserError("MODULE_NEVER_LOADED", message, { fix, ...(place !== null && { location: place }) });
  }

  /** For what a module threw that is no error, or none that can be read: it has no stack. */
  #moduleThrew(error: unknown): UserError | null {
    if (error instanceof EngineError && (error.code !== "MODULE_THREW" || error.cause instanceof Error)) return null;
    const cause = error instanceof EngineError ? error.cause : error;
    const place = cause instanceof Error ? null : this.#placeOf("throw");
    const message = `${this.#loading}, or what it imports, threw ${thrownText(cause)} while it was loaded`;
    return new UserError("MODULE_THREW", message, {
      fix: "mend what stands outside of functions there; errors that are thrown as new Error(…) show their place",
      ...(place !== null && { location: place }),
      cause,
    });
  }

  /** Where the module that is loaded has this word outside of functions; null unless it is plain from its text. */
  #placeOf(word: "await" | "throw"): SourceLocation | null {
    const file = relative(this.cwd, resolve(this.cwd, this.#loading));
    const outside = new RegExp(`^(?!\\s)(?:(?!=>|\\basync\\b|\\bfunction\\b|//|\\*).)*?\\b${word}\\b`);
    const lines = (fileText(this.#loading) ?? "").split("\n").map((line) => outside.exec(line)?.[0].length ?? 0);
    const [line = 0, ...others] = lines.flatMap((length, index) => (length > 0 ? [index + 1] : []));
    return line === 0 || others.length > 0 ? null : { file, line, column: (lines[line - 1] ?? 0) - word.length + 1 };
  }

  async #within<T>(timeoutMs: number, loading: Promise<T>): Promise<T> {
    if (isDebugged()) return loading;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.neverLoaded(timeoutMs)), timeoutMs).unref();
    });
    return Promise.race([loading, late]).finally(() => clearTimeout(timer));
  }

  errorReports(error: unknown): readonly ErrorReport[] {
    const sources = this.#bundle?.sources ?? null;
    return errorReports(error, { sources, plan: this.plan, text: (file) => sources?.text(file) ?? fileText(file) });
  }

  dispose(): void {
    this.#bundle?.dispose();
  }
}

/** What holds where nobody says otherwise. */
function parallelismLayer(local: boolean): ConfigLayer {
  const cores = availableParallelism();
  const from = local ? "--local" : `the machine's cores, ${cores}, at most ${PARALLELISM_MAX}`;
  return {
    origin: { kind: "default", from },
    values: { [OPTIONS.parallelism.key]: local ? 1 : Math.min(cores, PARALLELISM_MAX) },
  };
}

/** Of the machine, or of the container when that has less. */
export function machineBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** Where a module's default export stands, or where it begins. */
function exportPlace(file: string, text: string): SourceLocation {
  const before = text.slice(0, Math.max(0, text.search(/^export\s+default\b/m))).split("\n");
  return { file, line: before.length, column: 1 };
}

/** Variables of our own tests are none of the configuration's. */
function engineVariables(environment: NodeJS.ProcessEnv): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("MILLRACE_TEST_")));
}
