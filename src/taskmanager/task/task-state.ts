// What of a task is part of a snapshot, by operator: its parts say it themselves, here it is put together and given
// back.
//
//   K1. Stores that hold much are frozen, and written by pages while the task goes on; little is copied at once.

import { assert } from "../../base/errors.ts";
import type { SubtaskSnapshot } from "../../checkpoint/format/subtask-state.ts";
import type { SourceSplit } from "../../operators/source.ts";
import type { FrozenState, PageFill } from "../../state/contract/frozen-state.ts";
import type { KeyedStateStore } from "../../state/contract/keyed-state.ts";
import type { KeyGroupRange } from "../../state/keys/key-groups.ts";
import { isPageForm } from "../../state/table/page-form.ts";
import { ByteCursor, ByteSink } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";

/** Something with state that is no keyed state. */
export type StatePart = {
  /** Of the operator. */
  readonly uid: string;
  /** Unique for the operator. */
  readonly name: "watermarks" | "input";
  readonly holder: { snapshot(out: ByteWriter): void; restore(input: ByteReader): void };
};

export type KeyedPart = { readonly uid: string; readonly store: KeyedStateStore; readonly groups: KeyGroupRange };

/** Where the pages of key groups lie that were written by pages. */
export type PageSource = {
  /** Fills pages with what lies there. */
  readonly fill: (fills: readonly PageFill[]) => Promise<void>;
  /** Among the checkpoints of this job: the next ones can refer to it. */
  readonly isOwn: boolean;
};

/** What one operator starts from: of each part that which all subtasks had that this one takes over. */
export type RestoredState = {
  readonly pages: PageSource;
  readonly keyed: readonly { readonly group: number; readonly bytes: Buffer }[];
  readonly parts: Readonly<Record<string, readonly Buffer[]>>;
};

/** By uid. */
export type RestoredStates = ReadonlyMap<string, RestoredState>;

export class TaskState {
  readonly #parts: StatePart[] = [];
  readonly #keyed: KeyedPart[] = [];
  /** Those that may still be written. */
  #frozen: FrozenState[] = [];
  readonly #wake: () => void;

  /** `wake`: the task can go on. */
  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** What is written of the task's state waits for so much to be written that the task is to wait. */
  get isPressed(): boolean {
    return this.#frozen.length > 0 && this.#frozen.some(({ isPressed }) => isPressed);
  }

  add(part: StatePart): void {
    this.#parts.push(part);
  }

  addKeyed(part: KeyedPart): void {
    this.#keyed.push(part);
  }

  /** Before the first record; not more than once. */
  async restore(restored: RestoredStates): Promise<void> {
    for (const { uid, store, groups } of this.#keyed) {
      const own = restored.get(uid);
      if (own === undefined) continue;
      const fills: PageFill[] = [];
      for (const { group, bytes } of own.keyed) {
        assert(group >= groups.first && group <= groups.last, `key group ${group} of another subtask`);
        if (isPageForm(bytes)) fills.push(...store.load(group, new ByteCursor(bytes), own.pages.isOwn));
        else store.restore(group, new ByteCursor(bytes));
      }
      if (fills.length === 0) continue;
      await own.pages.fill(fills);
      store.loaded();
    }
    for (const { uid, name, holder } of this.#parts) {
      for (const bytes of restored.get(uid)?.parts[name] ?? []) holder.restore(new ByteCursor(bytes));
    }
  }

  /** What was taken for a checkpoint is part of a completed one. */
  completed(checkpoint: number): void {
    for (const { store } of this.#keyed) store.completed(checkpoint);
  }

  /**
   * As it is now; sinks and their committables come later. `canonical`: complete in itself, and not by pages. What was
   * frozen before it throws is given up.
   */
  snapshot(
    { checkpoint, canonical }: { readonly checkpoint: number; readonly canonical: boolean },
    subtask: number,
    source: { readonly uid: string; snapshot(): readonly SourceSplit[] } | null,
  ): SubtaskSnapshot[] {
    this.#frozen = this.#frozen.filter(({ isEnded }) => !isEnded);
    const before = this.#frozen.length;
    const freeze = canonical ? () => null : (store: KeyedStateStore) => this.#freeze(store, checkpoint);
    const uids = new Set([...this.#keyed, ...this.#parts].map(({ uid }) => uid));
    if (source !== null) uids.add(source.uid);
    try {
      return [...uids].map((uid) => ({
        uid,
        subtask,
        parts: this.#partsOf(uid),
        keyed: this.#keyedOf(uid, freeze),
        splits: source?.uid === uid ? source.snapshot() : [],
      }));
    } catch (error) {
      for (const frozen of this.#frozen.splice(before)) frozen.end();
      throw error;
    }
  }

  #partsOf(uid: string): SubtaskSnapshot["parts"] {
    const parts: Record<string, Uint8Array> = {};
    for (const part of this.#parts) {
      if (part.uid === uid) parts[part.name] = written((out) => part.holder.snapshot(out));
    }
    return parts;
  }

  #freeze(store: KeyedStateStore, checkpoint: number): FrozenState | null {
    const frozen = store.freeze(checkpoint, this.#wake);
    if (frozen !== null) this.#frozen.push(frozen);
    return frozen;
  }

  #keyedOf(uid: string, freeze: (store: KeyedStateStore) => FrozenState | null): SubtaskSnapshot["keyed"] {
    const part = this.#keyed.find((each) => each.uid === uid);
    if (part === undefined) return null;
    const frozen = freeze(part.store);
    if (frozen !== null) return frozen;
    const { first, last } = part.groups;
    const groups: Uint8Array[] = [];
    for (let group = first; group <= last; group += 1) groups.push(written((out) => part.store.snapshot(group, out)));
    return { first, groups };
  }
}

function written(write: (out: ByteWriter) => void): Uint8Array {
  const sink = new ByteSink();
  write(sink);
  return sink.bytes.subarray(0, sink.position);
}
