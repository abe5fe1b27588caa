// Looks at some records of each output, in slots: what was handed on has to stay as it is, because others may hold it,
// and holds no promises.
// (Under checks all records are frozen instead, freeze.ts: that names the line, but makes all code slower.)
//
//   W1. No chance decides which records are looked at: the first of each of the first BATCHES_FIRST batches and then of
//       one in BATCHES_EVERY; of records that are offered one by one, the first OFFERS_FIRST and then one in
//       OFFERS_EVERY. How many records are a batch depends on the pace of the job, so that later ones differ by run.
//   W2. A record is copied before anybody has it, and compared after each of the chain's operators that it was given
//       to, whenever one of the next KEPT records is looked at, and at the end of the input.
//   W3. So a function that changes each record that it gets, or has given, fails the job at the first record; one that
//       changes few may pass.
//   W4. Rows of numbers that the engine makes for one sink are that sink's own, and not watched (chain.ts).
//
// Measured on records of 7 fields: 5 µs to copy, keep and compare one, so 20 ns per batch and less than 1 ns per record
// that is offered by itself. Where nobody else looks at such a record, V8 has to make it as well, for some 15 ns: W4.

import { UserError } from "../../base/errors.ts";
import { detached } from "../../state/budget/detached-value.ts";
import { heldPromise } from "./held-promise.ts";
import { type Difference, difference } from "./record-difference.ts";

const BATCHES_FIRST = 16;
const BATCHES_EVERY = 256;
const OFFERS_FIRST = 16;
const OFFERS_EVERY = 16_384;
const KEPT = 4;

/** `by`: operator of the chain that changed it, by its index; null: any that has had it. */
type OnChanged = (output: number, change: Difference, by: number | null) => Error;

export type RecordWatchErrors = {
  readonly onChanged: OnChanged;
  /** `path`: where the promise is. */
  readonly onPromise: (output: number, path: string) => Error;
};

type Watched = { readonly record: unknown; readonly copy: unknown };

class OutputWatch {
  batches = 0;
  offers = 0;
  readonly kept: Watched[] = [];
}

export class RecordWatch {
  /** By output: records to be offered before the next one is looked at. */
  readonly left: Int32Array;
  readonly #outputs: readonly OutputWatch[];
  readonly #errors: RecordWatchErrors;

  constructor(outputs: number, errors: RecordWatchErrors) {
    this.left = new Int32Array(outputs);
    this.#outputs = Array.from({ length: outputs }, () => new OutputWatch());
    this.#errors = errors;
  }

  /** Asked once per batch: whether its first record is to be looked at. */
  due(output: number): boolean {
    const watch = this.#outputs[output]!;
    watch.batches += 1;
    return watch.batches <= BATCHES_FIRST || watch.batches % BATCHES_EVERY === 0;
  }

  look(output: number, record: unknown): void {
    const watch = this.#outputs[output]!;
    watch.offers += 1;
    this.left[output] = watch.offers < OFFERS_FIRST ? 0 : OFFERS_EVERY;
    const promise = heldPromise(record);
    if (promise !== null) throw this.#errors.onPromise(output, promise);
    this.#compare(output, null);
    watch.kept.push({ record, copy: detached(record) });
    if (watch.kept.length > KEPT) watch.kept.shift();
  }

  /** Operator `by` has worked on the record that was looked at last. */
  still(output: number, by: number): void {
    const last = this.#outputs[output]!.kept.at(-1);
    if (last !== undefined) this.#expectSame(output, last, by);
  }

  end(): void {
    for (let output = 0; output < this.#outputs.length; output += 1) this.#compare(output, null);
  }

  #compare(output: number, by: number | null): void {
    for (const watched of this.#outputs[output]!.kept) this.#expectSame(output, watched, by);
  }

  #expectSame(output: number, { record, copy }: Watched, by: number | null): void {
    const change = difference(copy, record);
    if (change !== null) throw this.#errors.onChanged(output, change, by);
  }
}

/** The error for a record that was changed. `by`: "map "tax"", or all that may have done it. */
export function recordChanged(by: string, { path, was, is }: Difference, at: { operator: string }): UserError {
  const what = path === "" ? "it" : `its field ${path}`;
  return new UserError("RECORD_MUTATED", `${by} changed a record that was handed on: ${what} was ${was} and is ${is}`, {
    fix:
      "records are immutable, because others may hold them: make a changed copy, like { ...record, field }, and return " +
      "or emit that; with --local the error names the line",
    ...at,
  });
}
