// Folds the records of each key into one with a user's function; emits the new value for each record, the first of a
// key as an insert, the others as updates.

import { assert } from "../../base/errors.ts";
import type { KeyedStateStore, ReducedState, StateSpec } from "../../state/contract/keyed-state.ts";
import { ROW_KIND } from "../../types/bytes/row-kind.ts";
import type { Operator, OperatorContext } from "../operator.ts";

export type ReduceOperatorOptions = {
  readonly state: Extract<StateSpec, { kind: "reducing" }>;
  readonly reduce: (left: unknown, right: unknown) => unknown;
  /** Null: fail. Else told about a record on which the user's function threw; the key's value stays as it was. */
  readonly onThrow: ((error: unknown, record: unknown, timestampMs: number) => void) | null;
};

type Opened = {
  readonly context: OperatorContext;
  readonly store: KeyedStateStore;
  readonly value: ReducedState<unknown>;
};

export class ReduceOperator implements Operator {
  readonly #options: ReduceOperatorOptions;
  #opened: Opened | null = null;
  /** Whether the key at hand had a value. */
  #isUpdate = false;

  constructor(options: ReduceOperatorOptions) {
    this.#options = options;
  }

  open(context: OperatorContext): void {
    const { state: store, uid } = context;
    assert(store !== null, `operator ${uid} has a key, and so a state store`);
    const { reduce } = this.#options;
    const value = store.reducing(this.#options.state, (left, right) => {
      this.#isUpdate = true;
      return reduce(left, right);
    });
    this.#opened = { context, store, value };
  }

  prefetch(hashes: Int32Array, count: number): void {
    this.#open().store.prefetch(hashes, count);
  }

  onRecord(record: unknown, timestampMs: number, key: unknown, hash: number): void {
    const { context, store, value } = this.#open();
    store.setKey(key, hash);
    this.#isUpdate = false;
    let reduced: unknown;
    try {
      reduced = value.add(record);
    } catch (error) {
      if (this.#options.onThrow === null) throw error;
      this.#options.onThrow(error, record, timestampMs);
      return;
    }
    context.output.offer(reduced, timestampMs, this.#isUpdate ? ROW_KIND.updateAfter : ROW_KIND.insert);
  }

  onWatermark(): boolean {
    return true;
  }

  nextProcessingTimeMs(): number {
    return Infinity;
  }

  onProcessingTime(): boolean {
    return true;
  }

  close(): void {
    this.#opened = null;
  }

  #open(): Opened {
    assert(this.#opened !== null, "the operator is open");
    return this.#opened;
  }
}
