// Hands out the splits of one source to its subtasks. Runs in the slot of the source's first subtask, because
// enumerators may be user code, and user code runs in slots only.

import { UserError } from "../base/errors.ts";
import type { SourceSplit, SplitEnumerator } from "../operators/source.ts";
import { describe } from "../types/describe.ts";
import { connectorFailure } from "./user-failure.ts";

type Waiting = { readonly subtask: number; readonly answer: (split: SourceSplit | null) => void };

export class SourceCoordinator {
  readonly #enumerator: SplitEnumerator;
  readonly #operator: string;
  readonly #failed: (error: unknown) => void;
  #waiting: Waiting[] = [];
  #started = false;

  /** `wake` of the enumerator's context has to call `retry`. `operator`: uid of the source. */
  constructor(enumerator: SplitEnumerator, operator: string, failed: (error: unknown) => void) {
    this.#enumerator = enumerator;
    this.#operator = operator;
    this.#failed = failed;
  }

  async start(): Promise<void> {
    try {
      await this.#enumerator.start();
    } catch (error) {
      throw connectorFailure("source", this.#operator, error);
    }
    this.#started = true;
    this.retry();
  }

  /** The answer comes at once, or later when the enumerator has to wait. */
  request(subtask: number, answer: (split: SourceSplit | null) => void): void {
    this.#waiting.push({ subtask, answer });
    this.retry();
  }

  /** Tries to answer those who wait, in the order they asked. */
  retry(): void {
    if (!this.#started) return;
    try {
      this.#waiting = this.#waiting.filter(({ subtask, answer }) => {
        const split = this.#enumerator.next(subtask);
        if (split === "wait") return true;
        if (split !== null) checkSplit(split);
        answer(split);
        return false;
      });
    } catch (error) {
      this.#failed(connectorFailure("source", this.#operator, error));
    }
  }

  close(): Promise<void> {
    return this.#enumerator.close();
  }
}

function checkSplit(split: unknown): void {
  if (typeof (split as Partial<SourceSplit> | undefined)?.id === "string") return;
  throw new UserError("SOURCE_SPLIT_INVALID", `next() of the enumerator gave ${describe(split)}`, {
    fix: 'return a split { id, position } with a text as id, "wait", or null when there will be none',
  });
}
