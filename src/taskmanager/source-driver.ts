// Drives one source reader from the task loop: asks for splits, polls, applies the policy for invalid rows.
//
//   D1. One split is asked for at the start and one more whenever one is finished; the answer null ends the asking.
//   D2. Indexed sources run in the generated loop; record n is due n / rate seconds after the first.

import type { Clock } from "../base/env.ts";
import { assert, UserError, withOperator } from "../base/errors.ts";
import type { Output } from "../operators/operator.ts";
import type {
  IndexedSource,
  InvalidPolicy,
  InvalidRow,
  PollResult,
  SourceOutput,
  SourceReader,
  SourceSplit,
} from "../operators/source.ts";
import type { Loop } from "./chain.ts";
import { recordText } from "./user-failure.ts";

export type SourceDriverOptions = {
  readonly uid: string;
  readonly clock: Clock;
  readonly reader: SourceReader<unknown>;
  /** Set for sources whose records the generated loop makes. */
  readonly indexed: IndexedSource<unknown> | null;
  readonly policy: InvalidPolicy;
  /** The rest of the chain, and what follows `side.invalid`. */
  readonly output: Output;
  readonly invalid: Output;
  readonly onInvalid: (row: InvalidRow) => void;
  readonly splits: { enter(split: string): void; leave(split: string): void };
  /** Asks the coordinator; the answer comes by `onSplit`. */
  readonly requestSplit: () => void;
};

/** Characters of a row that its error shows: the issues say which column, and file and line where to look. */
const RAW_TEXT_MAX = 80;

type IndexedRange = { readonly id: string; next: number; readonly step: number };

/**
 * A source with a rate sleeps at least so long, and then gives all that is due. Woken for each record, 100,000 a second
 * took 1.9 s of processor time per second and had a p99 of 2.6 ms over an exchange; so, 0.56 s and 0.25 ms.
 */
const PACE_MS = 1;

export class SourceDriver {
  readonly #options: SourceDriverOptions;
  readonly #output: SourceOutput<unknown>;
  #loop: Loop | null = null;
  #ranges: IndexedRange[] = [];
  #noMoreSplits = false;
  #startedMs = NaN;

  constructor(options: SourceDriverOptions) {
    this.#options = options;
    const { output } = options;
    this.#output = {
      offer: (record, timestampMs) => output.offer(record, timestampMs),
      invalid: (row) => this.#onInvalid(row),
      enterSplit: (split) => options.splits.enter(split),
      leaveSplit: (split) => this.#leave(split),
    };
  }

  /** The compiled loop of an indexed source. */
  set loop(loop: Loop) {
    this.#loop = loop;
  }

  start(): void {
    this.#options.requestSplit();
  }

  onSplit(split: SourceSplit | null): void {
    if (split === null) {
      this.#noMoreSplits = true;
      this.#options.reader.noMoreSplits();
    } else if (this.#options.indexed === null) {
      this.#options.reader.addSplit(split);
    } else {
      this.#ranges.push(indexedRange(split));
      this.#options.splits.enter(split.id);
    }
  }

  poll(limit: number): PollResult {
    const { indexed, reader, uid } = this.#options;
    if (indexed !== null) return this.#generate(indexed, limit);
    try {
      return reader.poll(this.#output, limit);
    } catch (error) {
      throw withOperator(error, uid);
    }
  }

  /** Wall-clock time of the next record of a source with a rate; Infinity: it wakes the task itself. */
  nextPollMs(): number {
    const { indexed, clock } = this.#options;
    const [range] = this.#ranges;
    if (indexed === null || range === undefined || !Number.isFinite(indexed.ratePerSecond)) return Infinity;
    const waitMs = this.#startedMs + (range.next / indexed.ratePerSecond) * 1_000 - clock.monotonicMs();
    return clock.nowMs() + Math.max(PACE_MS, waitMs || 0);
  }

  /** Event time that the reader vouches for; -Infinity when it does not. */
  watermark(): number {
    return this.#options.reader.watermark?.() ?? -Infinity;
  }

  snapshot(): readonly SourceSplit[] {
    if (this.#options.indexed === null) return this.#options.reader.snapshot();
    return this.#ranges.map(({ id, next }) => ({ id, position: next }));
  }

  close(): Promise<void> {
    return this.#options.reader.close();
  }

  #generate(source: IndexedSource<unknown>, limit: number): PollResult {
    const [range] = this.#ranges;
    if (range === undefined) return this.#noMoreSplits ? "end" : "wait";
    const loop = this.#loop;
    assert(loop !== null, "an indexed source without its loop");
    const to = Math.min(source.count, range.next + limit * range.step, this.#due(source, range));
    if (to <= range.next && to < source.count) return "wait";
    range.next = loop(range.step, null, range.next, to);
    if (range.next >= source.count) {
      this.#ranges.shift();
      this.#leave(range.id);
    }
    return "more";
  }

  /** Index of the first record that is not due yet. */
  #due(source: IndexedSource<unknown>, range: IndexedRange): number {
    if (!Number.isFinite(source.ratePerSecond)) return Infinity;
    const nowMs = this.#options.clock.monotonicMs();
    if (Number.isNaN(this.#startedMs)) this.#startedMs = nowMs - (range.next / source.ratePerSecond) * 1_000;
    return Math.floor(((nowMs - this.#startedMs) / 1_000) * source.ratePerSecond) + 1;
  }

  #leave(split: string): void {
    this.#options.splits.leave(split);
    this.#options.requestSplit();
  }

  #onInvalid(row: InvalidRow): boolean {
    const { policy, invalid, uid } = this.#options;
    if (policy === "fail") throw invalidRow(uid, row);
    this.#options.onInvalid(row);
    return policy === "skip" || invalid.offer(row, NaN);
  }
}

function indexedRange(split: SourceSplit): IndexedRange {
  const step = Number(split.id.split("/")[1]);
  assert(Number.isInteger(step) && step > 0 && typeof split.position === "number", `not an indexed split: ${split.id}`);
  return { id: split.id, next: split.position, step };
}

function rawText(raw: unknown): string {
  const isLong = typeof raw === "string" && raw.length > RAW_TEXT_MAX;
  return isLong ? `${recordText(raw.slice(0, RAW_TEXT_MAX))}…` : recordText(raw);
}

function invalidRow(uid: string, row: InvalidRow): UserError {
  const place = row.file === undefined ? "" : `${row.file}${row.line === undefined ? "" : `:${row.line}`}: `;
  return new UserError("ROW_INVALID", `${place}${row.issues.join("; ")} in ${rawText(row.raw)}`, {
    fix: 'mend the row, or read on with invalid: "skip" (counted) or invalid: "side" (set aside in side.invalid)',
    operator: uid,
  });
}
