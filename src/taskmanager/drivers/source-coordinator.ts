// Hands out the splits of one source to its subtasks. Runs in the slot of the source's first subtask, because
// enumerators may be user code, and user code runs in slots only.
//
//   C1. Who asks is answered in the order of asking, as soon as the enumerator has an answer for it; one that has to
//       wait does not hold up the others.
//   C2. A subtask of a bounded source is released, once and for all, when nothing that it may still get begins
//       anything: what is left to hand out goes on where its last split ends. Until then its watermark waits. Who is
//       told that there is no more knows by that.
//   C3. One question at a time: whoever calls back from within an answer, a release or the enumerator, which may wake
//       at any time, is heard once these are through. So each request gets one answer, and nobody is forgotten.
//   C4. A coordinator that has failed or closes asks its enumerator nothing more, whoever wakes or asks it.

import { UserError } from "../../base/errors.ts";
import type { Source, SourceSplit, SplitEnumerator } from "../../operators/source.ts";
import { describe } from "../../types/spec/describe.ts";
import { connectorFailure } from "../failures/user-failure.ts";

export type SplitRequest = {
  readonly subtask: number;
  readonly answer: (split: SourceSplit | null) => void;
  /** Called after the answer, at some time, and at most once per subtask. */
  readonly release: () => void;
};

export type SourceCoordinatorOptions = {
  /** `wake` of its context has to call `retry`. */
  readonly enumerator: SplitEnumerator;
  readonly source: Pick<Source<unknown>, "bounded" | "streams">;
  /** Uid of the source. */
  readonly operator: string;
  readonly failed: (error: unknown) => void;
};

/** So often in a row an enumerator may wake its coordinator from within and have nothing. */
const MOST_IN_VAIN = 1_000;

export class SourceCoordinator {
  readonly #options: SourceCoordinatorOptions;
  readonly #enumerator: SplitEnumerator;
  #waiting: SplitRequest[] = [];
  /** By subtask: the split each has got last. Null: released (C2). */
  readonly #held = new Map<number, { readonly split: SourceSplit; readonly release: () => void } | null>();
  #phase: "starting" | "running" | "over" = "starting";
  #retrying = false;
  /** Somebody has asked for a try since the last one began. */
  #again = false;

  constructor(options: SourceCoordinatorOptions) {
    this.#options = options;
    this.#enumerator = options.enumerator;
  }

  async start(): Promise<void> {
    try {
      await this.#enumerator.start();
    } catch (error) {
      throw connectorFailure("source", this.#options.operator, error);
    }
    if (this.#phase === "over") return; // Closed meanwhile.
    this.#phase = "running";
    this.retry();
  }

  /** The answer comes at once, or later when the enumerator has to wait. */
  request(request: SplitRequest): void {
    this.#waiting.push(request);
    this.retry();
  }

  /** Tries to answer those who wait (C1). Called by what it calls, it tries again once it is through (C3). */
  retry(): void {
    if (this.#phase !== "running") return;
    this.#again = true;
    if (this.#retrying) return;
    this.#retrying = true;
    try {
      for (let vain = 0; this.#again; ) {
        vain = this.#answerAll() ? 0 : vain + 1;
        if (vain > MOST_IN_VAIN) throw new Error("the enumerator calls wake from within and has nothing, without end");
        if (this.#options.source.bounded) this.#releaseAll();
      }
    } catch (error) {
      this.#phase = "over";
      this.#options.failed(connectorFailure("source", this.#options.operator, error));
    } finally {
      this.#retrying = false;
    }
  }

  close(): Promise<void> {
    this.#phase = "over";
    this.#waiting = [];
    return this.#enumerator.close();
  }

  /** Whether somebody has got an answer. */
  #answerAll(): boolean {
    this.#again = false;
    const asked = this.#waiting;
    this.#waiting = []; // Who asks meanwhile comes after them.
    const left = asked.filter((request) => !this.#tryAnswer(request));
    this.#waiting = [...left, ...this.#waiting];
    return left.length < asked.length;
  }

  #tryAnswer({ subtask, answer, release }: SplitRequest): boolean {
    if (this.#phase === "over") return false; // Closed by what an answer led to.
    const split = this.#enumerator.next(subtask);
    if (split === "wait") return false;
    if (split !== null) checkSplit(split);
    if (this.#held.get(subtask) !== null) this.#held.set(subtask, split === null ? null : { split, release });
    answer(split);
    return true;
  }

  #releaseAll(): void {
    for (const [subtask, held] of this.#held) {
      if (this.#phase === "over") return;
      if (held === null || !this.#onlyFollows(held.split)) continue;
      this.#held.set(subtask, null);
      held.release();
    }
  }

  #onlyFollows(split: SourceSplit): boolean {
    return this.#options.source.streams === "one" || this.#enumerator.onlyFollows?.(split) === true;
  }
}

function checkSplit(split: unknown): void {
  if (typeof (split as Partial<SourceSplit> | undefined)?.id === "string") return;
  throw new UserError("SOURCE_SPLIT_INVALID", `next() of the enumerator gave ${describe(split)}`, {
    fix: 'return a split { id, position } with a text as id, "wait", or null when there will be none',
  });
}
