// The committers of a job's sinks in one slot: each made when it is first needed, from the sink alone, so that a slot
// can commit what tasks of other slots have prepared.
//
//   C1. A committer has one call at a time; those of different sinks go on beside each other.
//   C2. A call is tried once: whether it is tried again, and where, the job decides.

import type { Env } from "../../base/env.ts";
import { assert } from "../../base/errors.ts";
import type { Sink, SinkCommitter } from "../../operators/sink.ts";
import type { PreparedSink } from "../../protocol/slot-messages.ts";
import { connectorCall, connectorFailure } from "../failures/user-failure.ts";

export type SinkCommittersOptions = {
  readonly env: Env;
  readonly jobId: string;
  readonly sink: (uid: string) => Sink<unknown>;
};

type Entry = { readonly committer: SinkCommitter; last: Promise<void> };

export class SinkCommitters {
  readonly #options: SinkCommittersOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: SinkCommittersOptions) {
    this.#options = options;
  }

  commit({ sink, committables }: PreparedSink): Promise<void> {
    return this.#call(sink, (committer) => committer.commit(committables));
  }

  discard({ sink, committables }: PreparedSink): Promise<void> {
    return this.#call(sink, async (committer) => committer.discard?.(committables));
  }

  /** Waits for the calls under way, then closes all. Rejects with the first failure of a close. */
  async close(): Promise<void> {
    const closed = [...this.#entries].map(([uid, { last, committer }]) =>
      last.then(() => named(uid, async () => committer.close?.())),
    );
    this.#entries.clear();
    for (const result of await Promise.allSettled(closed)) if (result.status === "rejected") throw result.reason;
  }

  /** C1 */
  async #call(uid: string, work: (committer: SinkCommitter) => Promise<void>): Promise<void> {
    const entry = this.#entry(uid);
    const result = entry.last.then(() => named(uid, () => work(entry.committer)));
    entry.last = result.catch(() => undefined); // For whoever called: the next call does not depend on it.
    await result;
  }

  #entry(uid: string): Entry {
    let entry = this.#entries.get(uid);
    if (entry === undefined) {
      const { env, jobId, sink } = this.#options;
      const committer = connectorCall("sink", uid, () =>
        sink(uid).createCommitter?.({ env, disk: env.disk, uid, jobId }),
      );
      assert(committer !== undefined, `the sink "${uid}" commits without a committer`); // Drivers refuse that.
      entry = { committer, last: Promise.resolve() };
      this.#entries.set(uid, entry);
    }
    return entry;
  }
}

/** A failure says which sink it is, whether the method rejects or throws. */
async function named(uid: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw connectorFailure("sink", uid, error);
  }
}
