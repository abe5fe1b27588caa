// What of a task is part of a snapshot, by operator: its parts say it themselves, here it is put together and given
// back.

import { assert } from "../../base/errors.ts";
import type { SubtaskSnapshot } from "../../checkpoint/format/subtask-state.ts";
import type { SourceSplit } from "../../operators/source.ts";
import type { KeyedStateStore } from "../../state/contract/keyed-state.ts";
import type { KeyGroupRange } from "../../state/keys/key-groups.ts";
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

/** What one operator starts from: of each part that which all subtasks had that this one takes over. */
export type RestoredState = {
  readonly keyed: readonly { readonly group: number; readonly bytes: Buffer }[];
  readonly parts: Readonly<Record<string, readonly Buffer[]>>;
};

/** By uid. */
export type RestoredStates = ReadonlyMap<string, RestoredState>;

export class TaskState {
  readonly #parts: StatePart[] = [];
  readonly #keyed: KeyedPart[] = [];

  add(part: StatePart): void {
    this.#parts.push(part);
  }

  addKeyed(part: KeyedPart): void {
    this.#keyed.push(part);
  }

  /** Before the first record; not more than once. */
  restore(restored: RestoredStates): void {
    for (const { uid, store, groups } of this.#keyed) {
      for (const { group, bytes } of restored.get(uid)?.keyed ?? []) {
        assert(group >= groups.first && group <= groups.last, `key group ${group} of another subtask`);
        store.restore(group, new ByteCursor(bytes));
      }
    }
    for (const { uid, name, holder } of this.#parts) {
      for (const bytes of restored.get(uid)?.parts[name] ?? []) holder.restore(new ByteCursor(bytes));
    }
  }

  /** As it is now; sinks and their committables come later. */
  snapshot(
    subtask: number,
    source: { readonly uid: string; snapshot(): readonly SourceSplit[] } | null,
  ): SubtaskSnapshot[] {
    const uids = new Set([...this.#keyed, ...this.#parts].map(({ uid }) => uid));
    if (source !== null) uids.add(source.uid);
    return [...uids].map((uid) => ({
      uid,
      subtask,
      parts: this.#partsOf(uid),
      keyed: this.#keyedOf(uid),
      splits: source?.uid === uid ? source.snapshot() : [],
    }));
  }

  #partsOf(uid: string): SubtaskSnapshot["parts"] {
    const parts: Record<string, Uint8Array> = {};
    for (const part of this.#parts) {
      if (part.uid === uid) parts[part.name] = written((out) => part.holder.snapshot(out));
    }
    return parts;
  }

  #keyedOf(uid: string): SubtaskSnapshot["keyed"] {
    const part = this.#keyed.find((each) => each.uid === uid);
    if (part === undefined) return null;
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
