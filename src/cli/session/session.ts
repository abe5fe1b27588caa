// What commands about a job have in common: configuration, bundle, job, and how their errors are told.
//
// Owns: the bundle, until `dispose`.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Job } from "../../api/job.ts";
import { UserError } from "../../base/errors.ts";
import { type Bundle, moduleBundle, moduleWatch } from "../../client/bundle/bundle-node.ts";
import { fileText } from "../../client/bundle/bundle-sources-node.ts";
import { configFileLayer } from "../../client/config-node.ts";
import { isDebugged } from "../../client/debugged-node.ts";
import { type ErrorReport, errorReports } from "../../client/errors/error-report.ts";
import { machineEnvironment, parallelismLayer } from "../../client/machine-node.ts";
import { type LoadedModule, loadFailure, neverLoaded } from "../../client/module-failure-node.ts";
import { type ConfigLayer, Configuration } from "../../config/configuration.ts";
import { OPTIONS } from "../../config/options.ts";
import type { Plan } from "../../graph/plan.ts";
import { neverReturned } from "../../taskmanager/failures/user-failure.ts";
import { jobLoad } from "../../taskmanager/runner/job-load-node.ts";
import { type CommandLine, lastValue, nextCommand, pairs } from "./arguments.ts";
import { watchMain } from "./main-watch.ts";

const NAMED = {
  "checkpoint-dir": OPTIONS.checkpointDirectory,
  from: OPTIONS.restorePath,
  "renamed-from": OPTIONS.restoreJobName,
  "allow-non-restored": OPTIONS.ignoreUnclaimedState,
} as const;
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
  #loading: LoadedModule = { file: "the configuration file", cwd: this.cwd };
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
      ...machineEnvironment(),
      {
        origin: { kind: "command line" },
        values: {
          ...values,
          ...(given !== null && { [key]: given }),
          ...this.#optionValues(),
        },
      },
    ];
    return new Configuration(layers);
  }

  /** Those of the configuration that have a name on the command line. */
  #optionValues(): Record<string, string> {
    const values: Record<string, string> = {};
    for (const [name, { key }] of Object.entries(NAMED)) {
      const value = this.line.flags.has(name) ? "true" : lastValue(this.line, name);
      if (value !== null) values[key] = value;
    }
    return values;
  }

  /** Bundles and loads the job that the command line names. */
  async job(): Promise<Job> {
    const { positional } = this.line;
    this.#bundle = await this.#found(moduleBundle(positional, { cwd: this.cwd, what: "job file" }));
    const timeoutMs = (await this.configuration()).get(OPTIONS.watchdogTimeout);
    watchMain({
      timeoutMs,
      onSlow: (slow) => this.onSlow(slow),
      onStuck: (stack) => this.onStuck(neverReturned("user code", timeoutMs, stack)),
    });
    this.#loading = { file: positional, cwd: this.cwd };
    try {
      return await this.#within(timeoutMs, jobLoad(this.#bundle.url));
    } catch (error) {
      throw loadFailure(this.#loading, error);
    }
  }

  /** Calls `onBuilt` when the job has been bundled, and after each change of it; gives what ends that. */
  watch(onBuilt: () => void): Promise<() => Promise<void>> {
    return this.#found(moduleWatch(this.line.positional, { cwd: this.cwd, what: "job file", onBuilt }));
  }

  async #found<T>(made: Promise<T>): Promise<T> {
    try {
      return await made;
    } catch (error) {
      throw this.#withExtension(error) ?? error;
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
    return neverLoaded(this.#loading, waitedMs);
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
