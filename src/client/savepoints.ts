// The savepoints of a job that runs: one at a time, in the order in which they were asked for.
//
//   P1. A savepoint is taken with a checkpoint, and announced when all that was prepared for that is committed:
//       whatever becomes of the job afterwards, it never goes back behind the savepoint, so that no output is of both.
//   P2. Where it is to be is looked at before anything is asked of the job. What goes wrong with a savepoint is the
//       matter of whoever has asked for it: the job goes on.
//   P3. That of a stop is written when the job has ended, from its last checkpoint, which stays whatever becomes of it.

import { resolve } from "node:path";
import { aboutText } from "../base/duration.ts";
import type { Env } from "../base/env.ts";
import { type EngineError, ExternalError, UserError } from "../base/errors.ts";
import { hexDigits } from "../base/hex-digits.ts";
import type { JobId } from "../base/ids.ts";
import { memorySizeText } from "../base/memory-size.ts";
import { isOfStore } from "../checkpoint/completed-store.ts";
import type { CheckpointMetadata } from "../checkpoint/format/metadata.ts";
import {
  type Savepoint,
  type SavepointTarget,
  savepointAbort,
  savepointTarget,
  savepointWrite,
} from "../checkpoint/savepoint.ts";
import type { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import { isBounded, type Plan } from "../graph/plan.ts";
import type { JobMaster, JobResult } from "../jobmanager/job-master.ts";
import type { OpenedCheckpoints } from "./checkpoints.ts";

export type SavepointsOptions = {
  readonly env: Env;
  readonly configuration: Configuration;
  readonly plan: Plan;
  readonly jobId: JobId;
  /** Undefined: the job takes none. */
  readonly checkpoints: OpenedCheckpoints | undefined;
  readonly master: JobMaster;
  readonly log: (line: string) => void;
};

export type SavepointAtEnd = {
  readonly written: Promise<Savepoint>;
  /** The job is not stopped. */
  readonly giveUp: () => Promise<void>;
};

/** What a stop waits for. */
type Wanted = { readonly target: SavepointTarget; readonly written: PromiseWithResolvers<Savepoint> };

const NAME_DIGITS = 12;

export class Savepoints {
  readonly #options: SavepointsOptions;
  #last: Promise<unknown> = Promise.resolve();
  #wanted: Wanted | null = null;
  /** A stop has asked for its savepoint: also while the place of that is still looked at. */
  #isLastAsked = false;

  constructor(options: SavepointsOptions) {
    this.#options = options;
  }

  /** Of the job as it is now; `path` as the user has it, null for the place that the configuration says. */
  take(path: string | null): Promise<Savepoint> {
    const taken = this.#last.then(() => this.#take(path));
    this.#last = taken.catch(() => undefined);
    return taken;
  }

  /** P3. Resolves once the place is there; it is written, or fails, when the job has ended. */
  async takeAtEnd(path: string | null): Promise<SavepointAtEnd> {
    if (this.#isLastAsked) throw notRunning("is being stopped with a savepoint already");
    this.#isLastAsked = true;
    const target = await this.#target(path).catch((error: unknown) => {
      this.#isLastAsked = false;
      throw error;
    });
    const written = Promise.withResolvers<Savepoint>();
    written.promise.catch(() => undefined); // For whoever has asked.
    this.#wanted = { target, written };
    return {
      written: written.promise,
      giveUp: () => {
        this.#wanted = null;
        this.#isLastAsked = false;
        return this.#abort(target);
      },
    };
  }

  /** The job has ended so: writes what a stop has asked for. Resolves when nothing is written any more. */
  async end(result: JobResult): Promise<void> {
    await this.#last;
    const wanted = this.#wanted;
    this.#wanted = null;
    if (wanted === null) return;
    const { target, written } = wanted;
    try {
      written.resolve(await this.#takeLast(target, result));
    } catch (error) {
      written.reject(error);
      this.#options.log(
        `${(error as EngineError).message}; the job can be started again from its checkpoint directory`,
      );
    }
  }

  async #take(path: string | null): Promise<Savepoint> {
    const { env, plan, master } = this.#options;
    const startedMs = env.clock.monotonicMs();
    const target = await this.#target(path);
    try {
      if (!master.isRunning) throw notRunning(`is ${phaseText(master)}`);
      const { metadata, release } = await master.takeCheckpoint();
      try {
        return await this.#write(target, metadata, { settled: !isBounded(plan), startedMs });
      } finally {
        await release();
      }
    } catch (error) {
      await this.#abort(target);
      throw error;
    }
  }

  async #takeLast(target: SavepointTarget, { outcome, error }: JobResult): Promise<Savepoint> {
    const { env, plan, master } = this.#options;
    const startedMs = env.clock.monotonicMs();
    const id = master.checkpointing?.completed.at(-1);
    if (outcome === "failed" || id === undefined) {
      await this.#abort(target);
      const why = error === null ? "the job has ended before any checkpoint" : `the job has failed: ${error.message}`;
      throw new ExternalError("SAVEPOINT_ABORTED", `there is no savepoint: ${why}`, {
        fix: "start the job again, which goes on from its newest checkpoint, and stop it once it runs",
      });
    }
    const metadata = await this.#opened().directory.store.metadata(id);
    // What a bounded job has written is shown when it has come to its end, and not before.
    const settled = !isBounded(plan) || outcome === "finished";
    return this.#write(target, metadata, { settled, startedMs });
  }

  async #write(
    target: SavepointTarget,
    metadata: CheckpointMetadata,
    { settled, startedMs }: { readonly settled: boolean; readonly startedMs: number },
  ): Promise<Savepoint> {
    const { env, configuration, log } = this.#options;
    const compression = configuration.get(OPTIONS.checkpointingCompression);
    const { storage } = this.#opened().directory;
    const savepoint = await savepointWrite(env.disk, target, { storage, metadata }, { compression, settled });
    const took = aboutText(env.clock.monotonicMs() - startedMs);
    log(`savepoint ${savepoint.path} is there (${memorySizeText(savepoint.bytes)}, took ${took})`);
    return savepoint;
  }

  /** Why there is none is what counts, and not that something is left of it. */
  async #abort(target: SavepointTarget): Promise<void> {
    await savepointAbort(this.#options.env.disk, target).catch(() => undefined);
  }

  /** P2 */
  async #target(path: string | null): Promise<SavepointTarget> {
    const { env, jobId } = this.#options;
    const { cwd, savepointDirectory: directory, directory: own } = this.#opened();
    const name = `savepoint-${jobId.slice(0, 6)}-${hexDigits(env.random, NAME_DIGITS)}`;
    const given = path === null ? null : resolve(cwd, path);
    if (given !== null && isOfStore(given, own.path)) {
      throw new UserError("SAVEPOINT_TARGET_EXISTS", `${given} would be taken for what the job keeps there itself`, {
        fix: "give the savepoint another name, or a place outside of the checkpoint directory",
      });
    }
    return savepointTarget(env.disk, { path: given, directory, name });
  }

  #opened(): OpenedCheckpoints {
    const { checkpoints } = this.#options;
    if (checkpoints !== undefined) return checkpoints;
    throw new UserError("SAVEPOINT_WITHOUT_CHECKPOINTS", "the job takes no checkpoints, and so there is no savepoint", {
      fix: `start it with --checkpoint-dir DIR (${OPTIONS.checkpointDirectory.key})`,
    });
  }
}

/** Why it cannot be asked for anything. */
function phaseText({ state: { phase } }: JobMaster): string {
  if (phase === "deploying") return "being started";
  return phase === "running" ? "being stopped" : "not running: it ends, or starts again after a failure";
}

/** What is asked of a job all of whose tasks have to run. */
export function notRunning(what: string): ExternalError {
  return new ExternalError("JOB_NOT_RUNNING", `the job ${what}`, { fix: "ask again once it runs" });
}
