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
//   C5. From its snapshot on, until all readers of its source have made theirs (`goOn`), nothing is handed out. A split
//       that was handed out before reaches its reader before the reader is asked for its snapshot: both come from here
//       by the same way. So a checkpoint has each split once: with the enumerator, with a reader, or it has been left.
//   C6. A reader that starts again from a checkpoint gives back what it had then, with its position, and what it has
//       been given since: these are handed out again, first, and as they were. It does so once per checkpoint: what has
//       gone to another reader since is that one's.
//   C7. What one reader gives back may be older than what others, which are released, have read. So it goes to those
//       that are not, the one that starts again among them, and nobody is released before it has gone.

import { assert, UserError } from "../../base/errors.ts";
import type { Json, Source, SourceSplit, SplitEnumerator } from "../../operators/source.ts";
import { describe } from "../../types/spec/describe.ts";
import { connectorFailure } from "../failures/user-failure.ts";

export type SplitRequest = {
  readonly subtask: number;
  /**
   * With all that it gets, which it has to have before it reads any of it: what is late depends on how far each of its
   * splits is. Null: there will be no more.
   */
  readonly answer: (splits: readonly SourceSplit[] | null) => void;
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

/** A snapshot of a coordinator, and what the readers of its source had in the same checkpoint. */
export type RestoredSource = {
  readonly checkpoint: number;
  readonly coordinator: Json;
  readonly splits: readonly SourceSplit[];
};

/** What a subtask is not released from yet: its last split, null when it has had several at a time. */
type Held = { readonly split: SourceSplit | null; readonly release: () => void };

type Given = { readonly subtask: number; readonly split: SourceSplit; readonly since: number };

/** A checkpoint before all others. */
const NONE = -1;

/** So often in a row an enumerator may wake its coordinator from within and have nothing. */
const MOST_IN_VAIN = 1_000;

export class SourceCoordinator {
  readonly #options: SourceCoordinatorOptions;
  readonly #enumerator: SplitEnumerator;
  #waiting: SplitRequest[] = [];
  /** By subtask, of those that have asked. Null: released (C2). */
  readonly #held = new Map<number, Held | null>();
  /** The last snapshot; before the first nothing is kept of what is handed out, since all start anew then. */
  #checkpoint = NONE;
  /** Whether readers are still to make theirs (C5). */
  #stopped = false;
  /** What was handed out since the last checkpoint that is complete, and since which snapshot. */
  #given: Given[] = [];
  /** By subtask: the checkpoint of which it has given its splits back. */
  readonly #gaveBack = new Map<number, number>();
  /** The same for all subtasks, whose splits came with a restore. */
  #restored = NONE;
  /** Splits that one reader has given back and nobody has got yet (C7). */
  readonly #back = new Set<string>();
  #phase: "starting" | "running" | "over" = "starting";
  #retrying = false;
  /** Somebody has asked for a try since the last one began. */
  #again = false;

  constructor(options: SourceCoordinatorOptions) {
    this.#options = options;
    this.#enumerator = options.enumerator;
  }

  /** Of the source. */
  get uid(): string {
    return this.#options.operator;
  }

  /** In a restored job with what is to go on; the readers there are may be other ones, and fewer or more. */
  async start(restored: RestoredSource | null = null): Promise<void> {
    try {
      if (restored !== null) this.#enumerator.restore(restored.coordinator);
      await this.#enumerator.start();
      if (restored !== null) this.#restore(restored);
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
    if (this.#phase !== "running" || this.#stopped) return;
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

  /** What is not handed out, as it is from now until `goOn` (C5). Between two calls of others only. */
  snapshot(checkpoint: number): Json {
    assert(this.#phase === "running" && !this.#retrying, "a coordinator is snapshotted while it runs");
    assert(checkpoint > this.#checkpoint, `checkpoint ${checkpoint} after ${this.#checkpoint}`);
    this.#checkpoint = checkpoint;
    this.#stopped = true;
    return this.#enumerator.snapshot();
  }

  /** All readers have made their snapshots, or the checkpoint is given up. */
  goOn(): void {
    this.#stopped = false;
    this.retry();
  }

  /** Nobody starts again from an earlier checkpoint than this one any more. */
  completed(checkpoint: number): void {
    this.#given = this.#given.filter(({ since }) => since >= checkpoint);
  }

  /** A subtask starts again from this checkpoint, in which its reader had these splits (C6). */
  giveBack(subtask: number, checkpoint: number, splits: readonly SourceSplit[]): void {
    assert(this.#checkpoint !== NONE && !this.#retrying, "a subtask starts again by itself from a checkpoint only");
    const isBack = ({ subtask: by, since }: Given): boolean => by === subtask && since >= checkpoint;
    const given = this.#given.filter(isBack).map(({ split }) => split);
    this.#given = this.#given.filter((each) => !isBack(each));
    const had = (this.#gaveBack.get(subtask) ?? this.#restored) < checkpoint ? splits : [];
    this.#gaveBack.set(subtask, checkpoint);
    this.#waiting = this.#waiting.filter((request) => request.subtask !== subtask); // Of the reader before it.
    this.#held.delete(subtask);
    const back = [...had, ...given];
    if (this.#options.source.bounded) for (const { id } of back) this.#back.add(id);
    if (back.length > 0) this.#enumerator.addBack(back);
    this.retry();
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
    if (this.#phase === "over" || this.#stopped) return false; // By what an answer led to.
    const isReleased = this.#held.get(subtask) === null;
    if (isReleased && this.#back.size > 0) return false; // C7
    const next = this.#enumerator.next(subtask);
    if (next === "wait") return false;
    if (next === null) {
      this.#held.set(subtask, null);
      answer(null);
      return true;
    }
    const splits = checkedSplits(next);
    if (!isReleased) this.#hold(subtask, { split: splits.length === 1 ? splits[0]! : null, release });
    for (const split of splits) this.#note(subtask, split);
    answer(splits);
    return true;
  }

  #hold(subtask: number, held: Held): void {
    const before = this.#held.get(subtask);
    this.#held.set(subtask, before?.split === null ? before : held);
  }

  #note(subtask: number, split: SourceSplit): void {
    this.#back.delete(split.id);
    if (this.#checkpoint !== NONE) this.#given.push({ subtask, split, since: this.#checkpoint });
  }

  #restore({ checkpoint, splits }: RestoredSource): void {
    this.#checkpoint = checkpoint;
    this.#restored = checkpoint;
    if (splits.length > 0) this.#enumerator.addBack(splits);
  }

  #releaseAll(): void {
    if (this.#back.size > 0) return; // C7
    for (const [subtask, held] of this.#held) {
      if (this.#phase === "over") return;
      if (held === null || !this.#onlyFollows(held.split)) continue;
      this.#held.set(subtask, null);
      held.release();
    }
  }

  #onlyFollows(split: SourceSplit | null): boolean {
    if (this.#options.source.streams === "one") return true;
    return split !== null && this.#enumerator.onlyFollows?.(split) === true;
  }
}

function checkedSplits(next: SourceSplit | readonly SourceSplit[]): readonly SourceSplit[] {
  const splits = (Array.isArray(next) ? next : [next]) as readonly SourceSplit[];
  const isSplit = (split: unknown): boolean => typeof (split as Partial<SourceSplit> | undefined)?.id === "string";
  if (splits.length > 0 && splits.every(isSplit)) return splits;
  throw new UserError("SOURCE_SPLIT_INVALID", `next() of the enumerator gave ${describe(next)}`, {
    fix: 'return a split { id, position } with a text as id, an array of some, "wait", or null when there will be none',
  });
}
