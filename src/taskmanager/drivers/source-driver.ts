// Drives one source reader from the task loop: asks for splits, polls, applies the policy for invalid rows.
//
//   D1. One split is asked for at the start and one more whenever one is finished; the answer null ends the asking.
//   D2. Indexed sources run in the generated loop: which split, and how far, is said by operators/indexed-ranges.ts.
//   D3. No reader keeps a job from ending by what it forgets: "end" leaves the splits that it was given, and counts
//       only once there are no more; "wait" without a split and without hope of one is "end"; a split that it neither
//       left nor names in its snapshot while it waits fails the task.
//   D4. A bounded source makes no watermark before its coordinator has said that what this reader may still get only
//       goes on where it is, or that there is no more: anything else may be older than what has been read.

import type { Clock } from "../../base/env.ts";
import { assert, UserError } from "../../base/errors.ts";
import type { IssueCounts } from "../../metrics/issue-counts.ts";
import { type Changelog, kindsOf } from "../../operators/changelog.ts";
import { type IndexedRange, IndexedRanges, type RangeWork } from "../../operators/indexed-ranges.ts";
import type { Output } from "../../operators/operator.ts";
import type {
  IndexedSource,
  InvalidPolicy,
  InvalidRow,
  PollResult,
  SourceOutput,
  SourceReader,
  SourceSplit,
} from "../../operators/source.ts";
import type { RowKind } from "../../types/bytes/row-kind.ts";
import { describe } from "../../types/spec/describe.ts";
import type { Loop } from "../chain/chain.ts";
import { connectorFailure, recordText } from "../failures/user-failure.ts";

export type SourceDriverOptions = {
  readonly uid: string;
  readonly clock: Clock;
  readonly reader: SourceReader<unknown>;
  /** Set for sources whose records the generated loop makes. */
  readonly indexed: IndexedSource<unknown> | null;
  readonly policy: InvalidPolicy;
  /** The source ends: a reader without a split has nothing to wait for once there are no more. */
  readonly bounded: boolean;
  /** Of its records. Default: all are inserts. */
  readonly changelog?: Changelog;
  /** There are no watermarks before the end. */
  readonly batch: boolean;
  /** Nothing is read here for now, and event time goes on without it: a test feeds other subtasks. Default: never. */
  readonly isUnread?: () => boolean;
  /** The rest of the chain, and what follows `side.invalid`. */
  readonly output: Output;
  readonly invalid: Output;
  readonly counts: Pick<IssueCounts, "add">;
  readonly splits: {
    /** The reader has got it. */
    add(split: string): void;
    enter(split: string): void;
    leave(split: string): void;
    /** Everything that the reader may still get has been begun (D4). */
    release(): void;
  };
  /** Asks the coordinator; the answer comes by `onSplits`. */
  readonly requestSplit: () => void;
};

/** Characters of a row that its error shows: the issues say which column, and file and line where to look. */
const RAW_TEXT_MAX = 80;
/** An option of the source that an issue names, behind which the row may be a good one. */
const OPTION_HINT = /\b(?:say|option) `(\w+)/;

export class SourceDriver {
  readonly uid: string;
  readonly #options: SourceDriverOptions;
  readonly #output: SourceOutput<unknown>;
  /** Null: the reader has the splits. */
  readonly #ranges: IndexedRanges | null;
  readonly #work: RangeWork = {
    enter: (split) => this.#enter(split),
    emit: (range, to) => this.#emit(range, to),
    leave: (split) => this.#leave(split),
  };
  #loop: Loop | null = null;
  #noMoreSplits = false;
  /** Splits given to the reader and not left. */
  readonly #splits = new Set<string>();
  #hadSplit = false;
  /** Whether the watermark waits (D4). */
  #held: boolean;
  #failure: { readonly error: unknown } | null = null;

  constructor(options: SourceDriverOptions) {
    this.uid = options.uid;
    this.#options = options;
    const { output, indexed, clock, changelog = { kind: "append" }, uid } = options;
    const kinds = kindsOf(changelog);
    this.#held = options.bounded;
    this.#ranges = indexed === null ? null : new IndexedRanges(indexed, clock);
    this.#output = {
      offer: (record, timestampMs, kind) => {
        if (kind !== undefined && !kinds.includes(kind)) throw kindUnknown(uid, kind, kinds);
        return output.offer(record, timestampMs, kind);
      },
      invalid: (row) => this.#onInvalid(row),
      enterSplit: (split) => this.#enter(split),
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

  /** All of an answer; null: there will be no more. */
  onSplits(splits: readonly SourceSplit[] | null): void {
    try {
      if (splits !== null) for (const split of splits) this.#add(split);
      else {
        this.#noMoreSplits = true;
        this.release();
        this.#options.reader.noMoreSplits();
      }
    } catch (error) {
      this.#failure = { error }; // Thrown by the poll that follows: nobody is here to take it.
    }
  }

  release(): void {
    if (this.#options.batch) return;
    this.#held = false;
    this.#options.splits.release();
  }

  poll(limit: number): PollResult {
    const { reader, uid } = this.#options;
    const ranges = this.#ranges;
    try {
      if (this.#failure !== null) throw this.#failure.error;
      if (ranges === null) return this.#checked(reader.poll(this.#output, limit));
    } catch (error) {
      throw connectorFailure("source", uid, error);
    }
    return this.#generate(ranges, limit);
  }

  /** Wall-clock time of the next record of a source with a rate; Infinity: it wakes the task itself. */
  nextPollMs(): number {
    const waitMs = this.#ranges?.waitMs() ?? Infinity;
    return waitMs === Infinity ? Infinity : this.#options.clock.nowMs() + waitMs;
  }

  /** Event time that the reader vouches for; -Infinity when it does not. */
  watermark(): number {
    return this.#held ? -Infinity : (this.#options.reader.watermark?.() ?? -Infinity);
  }

  get isUnread(): boolean {
    return this.#options.isUnread?.() === true;
  }

  snapshot(): readonly SourceSplit[] {
    return (this.#ranges ?? this.#options.reader).snapshot();
  }

  close(): Promise<void> {
    return this.#options.reader.close();
  }

  #add(split: SourceSplit): void {
    this.#splits.add(split.id);
    this.#options.splits.add(split.id);
    this.#hadSplit = true;
    if (this.#ranges === null) this.#options.reader.addSplit(split);
    else this.#ranges.add(split);
  }

  /** What the reader's answer means (D3). */
  #checked(result: PollResult): PollResult {
    const { uid, bounded } = this.#options;
    switch (result) {
      case "more":
        return result;
      case "wait":
        if (this.#splits.size > 0) this.#checkHeld();
        else if (this.#noMoreSplits && (bounded || this.#hadSplit)) return "end";
        return result;
      case "end":
        for (const split of this.#splits) this.#leave(split);
        return this.#noMoreSplits ? result : "wait";
      default:
        throw new UserError("SOURCE_POLL_RESULT", `poll of the source "${uid}" gave ${describe(result)}`, {
          fix: 'poll is synchronous and returns "more", "wait" or "end"',
        });
    }
  }

  /** A reader that waits for more of a split says in its snapshot where it is; if not, it has forgotten to leave it. */
  #checkHeld(): void {
    const named = this.#options.reader.snapshot();
    for (const id of this.#splits) {
      if (named.some((split) => split.id === id)) continue;
      throw new UserError(
        "SOURCE_SPLIT_NOT_LEFT",
        `the reader of the source "${this.#options.uid}" waits, has not left its split "${id}", and does not name it in snapshot() either`,
        {
          fix: `call output.leaveSplit(${JSON.stringify(id)}) after its last record, which asks for the next split; give those not left in snapshot()`,
        },
      );
    }
  }

  /** Once per poll and not per record: that is the generated loop. */
  #emit({ step, next }: IndexedRange, to: number): number {
    assert(this.#loop !== null, "an indexed source without its loop");
    return this.#loop(step, null, next, to);
  }

  #generate(ranges: IndexedRanges, limit: number): PollResult {
    const result = ranges.poll(limit, this.#work);
    if (result !== "none") return result;
    return this.#noMoreSplits ? "end" : "wait";
  }

  #enter(split: string): void {
    if (!this.#splits.has(split)) throw splitUnknown(this.#options.uid, "entered", split);
    this.#options.splits.enter(split);
  }

  #leave(split: string): void {
    if (!this.#splits.delete(split)) throw splitUnknown(this.#options.uid, "left", split);
    this.#options.splits.leave(split);
    if (!this.#noMoreSplits) this.#options.requestSplit();
  }

  #onInvalid(row: InvalidRow): boolean {
    const { policy, invalid, uid } = this.#options;
    if (policy === "fail") throw invalidRow(uid, row);
    this.#options.counts.add(row.issues);
    return policy === "skip" || invalid.offer(row, NaN);
  }
}

function splitUnknown(uid: string, did: string, split: unknown): UserError {
  return new UserError(
    "SOURCE_SPLIT_UNKNOWN",
    `the reader of the source "${uid}" ${did} ${JSON.stringify(split)}, which is none of its splits`,
    {
      fix: "enter and leave splits by the id that addSplit gave, each left once",
    },
  );
}

function kindUnknown(uid: string, kind: unknown, kinds: readonly RowKind[]): UserError {
  return new UserError(
    "SOURCE_ROW_KIND",
    `the reader of the source "${uid}" offered a record of kind ${describe(kind)}, and its kinds are ${kinds.join(", ")}`,
    { fix: "say in the source's changelog what its records may be, and give one of ROW_KIND" },
  );
}

function rawText(raw: unknown): string {
  const isLong = typeof raw === "string" && raw.length > RAW_TEXT_MAX;
  return isLong ? `${recordText(raw.slice(0, RAW_TEXT_MAX))}…` : recordText(raw);
}

function invalidRow(uid: string, row: InvalidRow): UserError {
  const place = row.file === undefined ? "" : `${row.file}${row.line === undefined ? "" : `:${row.line}`}: `;
  const issues = row.issues.join("; ");
  const option = OPTION_HINT.exec(issues)?.[1];
  return new UserError("ROW_INVALID", `${place}${issues} in ${rawText(row.raw)}`, {
    fix: `${option === undefined ? "" : `give the source the option \`${option}\`, `}mend the row, or read on with invalid: "skip" (counted) or invalid: "side" (set aside in side.invalid)`,
    operator: uid,
  });
}
