// What the process of a job answers commands from outside, on any connection.
//
//   R1. Nothing is done for who does not know the token of the run.
//   R2. A command is answered before the run says that it has ended, whatever becomes of it.

import { timingSafeEqual } from "node:crypto";
import { UserError, unreachable } from "../../base/errors.ts";
import type { Savepoint } from "../../checkpoint/savepoint.ts";
import { errorData } from "../../protocol/error-data.ts";
import type { JobEnd, StopHow } from "../../protocol/job-messages.ts";
import type { RunReply, RunRequest, RunSide } from "../../protocol/run-messages.ts";

/** The job, as far as it can be asked for something. */
export type Controlled = {
  readonly name: string;
  savepoint(path: string | null): Promise<Savepoint>;
  /** Resolves when nothing of the job is left. */
  stopWith(how: StopHow): Promise<Savepoint | null>;
  cancel(): void;
  /** Somebody has ended it. */
  readonly isEnding: boolean;
};

export class RunControl {
  readonly #job: Controlled;
  readonly #token: Buffer;
  readonly #end = Promise.withResolvers<JobEnd["outcome"]>();
  readonly #answering = new Set<Promise<unknown>>();
  /** Commands that end the job, and were not refused. */
  readonly #asked = new Set<RunRequest>();

  constructor(job: Controlled, token: string) {
    this.#job = job;
    this.#token = Buffer.from(token);
  }

  /** Somebody has asked for the end of the job. */
  get isAsked(): boolean {
    return this.#asked.size > 0;
  }

  accept(side: RunSide): void {
    side.receive({ request: (request) => this.#answer(request) });
  }

  /** R2. The job has come to its end; resolves when everybody who has asked has their answer. */
  async ended(outcome: JobEnd["outcome"]): Promise<void> {
    this.#end.resolve(outcome);
    await Promise.allSettled(this.#answering);
  }

  #answer(request: RunRequest): Promise<RunReply> {
    const answer = this.#reply(request).catch((error: unknown): RunReply => {
      return { kind: "failed", error: errorData(error) };
    });
    this.#answering.add(answer);
    void answer.then(() => this.#answering.delete(answer));
    return answer;
  }

  async #reply(request: RunRequest): Promise<RunReply> {
    this.#check(request);
    switch (request.kind) {
      case "hello":
        return { kind: "hello", job: this.#job.name };
      case "savepoint":
        return { kind: "savepoint", savepoint: await this.#job.savepoint(request.path) };
      case "stop":
        return this.#stop(request);
      case "cancel":
        this.#asked.add(request);
        this.#job.cancel();
        return { kind: "ended", outcome: await this.#end.promise, savepoint: null };
      default:
        return unreachable(request);
    }
  }

  async #stop(request: Extract<RunRequest, { readonly kind: "stop" }>): Promise<RunReply> {
    this.#asked.add(request);
    try {
      const savepoint = await this.#job.stopWith(request);
      return { kind: "ended", outcome: await this.#end.promise, savepoint };
    } catch (error) {
      if (!this.#job.isEnding) this.#asked.delete(request);
      throw error;
    }
  }

  /** R1 */
  #check({ token }: RunRequest): void {
    const given = Buffer.from(String(token));
    if (given.length === this.#token.length && timingSafeEqual(given, this.#token)) return;
    throw new UserError("RUN_TOKEN_UNKNOWN", "the token given is not that of this run", {
      fix: "another process runs there since: try again",
    });
  }
}
