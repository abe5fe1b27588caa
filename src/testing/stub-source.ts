// What stands in for a source in tests: it emits what the test pushes, in that order, and the watermarks that it says.
//
//   S1. Verbs are noted, and carried out in their order when the test waits. A watermark and an end are steps of their
//       own: what came before them has flowed through the whole job, and so have they, before what comes after them is
//       emitted.
//   S2. Records fit the declared type of the source, as those that a real one reads do: others are refused when they
//       are pushed.
//   S3. It describes itself as the source it stands for, so that the plan keeps its hash.
//   S4. Subtasks that the test feeds nothing while it feeds others hold event time back no more than those of a run
//       that have nothing to read. One that it pushes to counts again before anything flows.
//   S5. What a checkpoint does not cover is given again after a crash, in its order, to as many subtasks as there are
//       then.

import { UserError } from "../base/errors.ts";
import type { Changelog } from "../operators/changelog.ts";
import type {
  InvalidPolicy,
  InvalidRow,
  Json,
  PollResult,
  Source,
  SourceOutput,
  SourceReader,
  SourceReaderContext,
  SourceSplit,
  SplitEnumerator,
} from "../operators/source.ts";
import { ROW_KIND, type RowKind } from "../types/bytes/row-kind.ts";
import { compileRecordGuard, type RecordGuard } from "../types/record-guard.ts";
import type { TypeSpec } from "../types/spec/type-spec.ts";
import { checkBadRow, checkRecord, inputEnded } from "./test-input.ts";

type Item =
  | { readonly kind: "record"; readonly record: unknown; readonly rowKind: RowKind }
  | { readonly kind: "invalid"; readonly row: InvalidRow }
  | { readonly kind: "watermark"; readonly atMs: number }
  | { readonly kind: "end" };

/** A split for each subtask, which is what the test pushes to it. */
function stubSplits(): SplitEnumerator {
  const given = new Set<number>();
  return {
    start: async () => undefined,
    next: (subtask) => {
      if (given.has(subtask)) return null;
      given.add(subtask);
      return { id: `test/${subtask}`, position: null };
    },
    addBack: () => undefined,
    snapshot: () => null,
    restore: () => undefined,
    close: async () => undefined,
  };
}

/** What one subtask of the source has to emit. */
class StubReader implements SourceReader<unknown> {
  wake: () => void = () => undefined;
  #items: Item[] = [];
  #next = 0;
  #watermark: number;
  #splits: SourceSplit[] = [];

  constructor(watermark: number) {
    this.#watermark = watermark;
  }

  push(item: Item): void {
    this.#items.push(item);
    this.wake();
  }

  addSplit(split: SourceSplit): void {
    this.#splits.push(split);
  }

  noMoreSplits(): void {
    // The test says when the input ends.
  }

  poll(output: SourceOutput<unknown>, limit: number): PollResult {
    for (let emitted = 0; emitted < limit; emitted += 1) {
      const item = this.#items[this.#next];
      if (item === undefined) {
        this.#items = [];
        this.#next = 0;
        return "wait";
      }
      if (item.kind === "end") {
        for (const split of this.#splits) output.leaveSplit(split.id);
        this.#splits = [];
        return "end";
      }
      this.#next += 1;
      if (item.kind === "watermark") {
        this.#watermark = item.atMs; // The task delivers it before it polls again.
        return "more";
      }
      const room =
        item.kind === "record" ? output.offer(item.record, Number.NaN, item.rowKind) : output.invalid(item.row);
      if (!room) return "more";
    }
    return "more";
  }

  watermark(): number {
    return this.#watermark;
  }

  snapshot(): readonly SourceSplit[] {
    return this.#splits;
  }

  async close(): Promise<void> {
    this.wake = () => undefined;
  }
}

type Step = { readonly act: () => void; readonly settles: boolean };

/** What the test has said and the job has not seen yet (S1). */
export class TestScript {
  #steps: Step[] = [];
  /** Those that were carried out since the last checkpoint. */
  #played: Step[] = [];
  readonly #first: (() => void)[] = [];

  add(act: () => void, settles: boolean): void {
    this.#steps.push({ act, settles });
  }

  /** Comes before all steps that are there when the test waits, and flows through before the first of them. */
  addFirst(act: () => void): void {
    this.#first.push(act);
  }

  async play(settle: () => Promise<void>): Promise<void> {
    if (this.#first.length > 0) {
      for (const act of this.#first.splice(0)) act();
      await settle();
    }
    for (let step = this.#steps.shift(); step !== undefined; step = this.#steps.shift()) {
      if (step.settles) await settle();
      step.act();
      this.#played.push(step);
      if (step.settles) await settle();
    }
    await settle();
  }

  /** A checkpoint covers all that was played. */
  covered(): void {
    this.#played = [];
  }

  /** What no checkpoint covers comes again. */
  rewind(): void {
    this.#steps = [...this.#played, ...this.#steps];
    this.#played = [];
  }
}

/** Where records go, and what they are. */
type Pushed = { readonly subtask?: number; readonly rowKind?: RowKind };

type StubSourceOptions = {
  readonly parallelism: number;
  /** There are no watermarks before the end. */
  readonly batch: boolean;
  /** Picks the subtask that gets the records; every subtask gets the watermarks. */
  readonly target: number;
  readonly script: TestScript;
};

export class StubSource implements Source<unknown> {
  readonly kind: string;
  readonly type: TypeSpec | null;
  readonly bounded: boolean;
  readonly streams = "one";
  readonly invalid: InvalidPolicy;
  readonly changelog?: Changelog;
  readonly #uid: string;
  readonly #original: Source<unknown>;
  #readers: StubReader[] = [];
  readonly #seed: number;
  readonly #script: TestScript;
  readonly #batch: boolean;
  readonly #fits: RecordGuard | null;
  /** Subtasks that records were pushed to. */
  #read = new Set<number>();
  #watermark = -Infinity;
  #ended = false;
  /** When the last checkpoint was taken. */
  #covered = { watermark: -Infinity };

  constructor(uid: string, original: Source<unknown>, options: StubSourceOptions) {
    this.kind = original.kind;
    this.type = original.type;
    this.bounded = original.bounded;
    this.invalid = original.invalid;
    if (original.changelog !== undefined) this.changelog = original.changelog;
    this.#uid = uid;
    this.#original = original;
    this.#seed = options.target;
    this.rewind(options.parallelism);
    this.#script = options.script;
    this.#batch = options.batch;
    this.#fits = this.type === null ? null : compileRecordGuard(this.type, "refuse", `test source ${uid}`);
  }

  describe(): Json {
    return this.#original.describe();
  }

  createEnumerator(): SplitEnumerator {
    return stubSplits();
  }

  createReader(context: SourceReaderContext): SourceReader<unknown> {
    const reader = this.#reader(context.subtaskIndex);
    reader.wake = context.wake;
    return reader;
  }

  /** Of the checkpoint that the test has taken now. */
  covered(): void {
    this.#covered = { watermark: this.#watermark };
  }

  /** The job begins again, with so many subtasks (S5). */
  rewind(parallelism: number): void {
    this.#readers = Array.from({ length: parallelism }, () => new StubReader(this.#covered.watermark));
    this.#read = new Set([...this.#read].map((subtask) => subtask % parallelism));
  }

  get #target(): number {
    return this.#seed % this.#readers.length;
  }

  push(records: readonly unknown[], { subtask, rowKind = ROW_KIND.insert }: Pushed = {}): void {
    this.#reader(subtask ?? this.#target); // Refuses one that is not there.
    this.#checkOpen();
    if (records.length > 0) this.#reads(subtask ?? this.#target);
    for (const record of records) checkRecord(this.#fits, this.type, record, `record pushed to "${this.#uid}"`);
    this.#script.add(() => {
      const reader = this.#reader((subtask ?? this.#target) % this.#readers.length);
      for (const record of records) reader.push({ kind: "record", record, rowKind });
    }, false);
  }

  pushInvalid(row: InvalidRow): void {
    this.#checkOpen();
    checkBadRow(row);
    this.#script.add(() => this.#reader(this.#target).push({ kind: "invalid", row }), false);
  }

  watermark(atMs: number): void {
    this.#checkOpen();
    if (this.#batch) {
      throw new UserError("TEST_WATERMARK_BATCH", `"${this.#uid}" has no watermark before its end: batch mode`, {
        fix: "push the records and call end(), as the input of a batch job does",
      });
    }
    if (!(atMs >= this.#watermark)) {
      throw new UserError("TEST_WATERMARK_BACK", `the watermark of "${this.#uid}" cannot go back to ${atMs}`, {
        fix: `event time has reached ${this.#watermark} already; give a later time`,
      });
    }
    this.#watermark = atMs;
    this.#toAll({ kind: "watermark", atMs });
  }

  /** The test feeds other subtasks of the source, and not this one (S4). */
  isUnread(subtask: number): boolean {
    return this.#read.size > 0 && !this.#read.has(subtask) && !this.#ended;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#toAll({ kind: "end" });
  }

  #reads(subtask: number): void {
    if (this.#read.has(subtask)) return;
    this.#read.add(subtask);
    this.#script.addFirst(() => {
      for (const reader of this.#readers) reader.wake();
    });
  }

  #toAll(item: Item): void {
    this.#script.add(() => {
      for (const reader of this.#readers) reader.push(item);
    }, true);
  }

  #checkOpen(): void {
    if (!this.#ended) return;
    throw inputEnded(`source "${this.#uid}"`);
  }

  #reader(subtask: number): StubReader {
    const reader = this.#readers[subtask];
    if (reader === undefined) {
      throw new UserError("TEST_SUBTASK_UNKNOWN", `"${this.#uid}" has no subtask ${subtask}`, {
        fix: `use 0 to ${this.#readers.length - 1}`,
      });
    }
    return reader;
  }
}

/** A source that is declared and never read. */
export const emptySource: Source<unknown> = {
  kind: "empty",
  type: null,
  bounded: true,
  invalid: "fail",
  describe: () => null,
  createEnumerator: stubSplits,
  createReader: () => new StubReader(-Infinity),
};
