// Where event time stands among the windows of a subtask, by key group (group-progress.ts).
//
//   P1. Windows before `openOf` have ended: their results were given. Windows before `keptOf` are forgotten, lateness
//       included.
//   P2. keptOf <= openOf; neither goes back.

import { readF64, writeF64 } from "../../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../../types/bytes/codec.ts";
import { GroupProgress } from "../../group-progress.ts";
import type { PaneFrame } from "../time/pane-frame.ts";

export class PaneProgress {
  readonly #frame: PaneFrame;
  readonly #open: GroupProgress;
  readonly #kept: GroupProgress;

  constructor(frame: PaneFrame, groups: number) {
    this.#frame = frame;
    this.#open = new GroupProgress(groups);
    this.#kept = new GroupProgress(groups);
  }

  /** The first window that is still to come, for some key group. */
  get open(): number {
    return this.#open.least;
  }

  /** Panes from this one on belong to no window that has ended, for any key group. */
  get settled(): number {
    return this.#frame.settledBefore(this.#open.most);
  }

  openOf(group: number): number {
    return this.#open.of(group);
  }

  keptOf(group: number): number {
    return this.#kept.of(group);
  }

  /** Whether all key groups have come to the same window. */
  get isEven(): boolean {
    return this.#open.isEven;
  }

  /** Whether a key group was given the results of a window before. */
  isAhead(group: number, window: number): boolean {
    return window < this.#open.of(group);
  }

  /** Whether all windows of the pane are forgotten, for every key group. */
  isLate(pane: number): boolean {
    return this.#frame.lastWindowOf(pane) < this.#kept.least;
  }

  /** The same for one key group. */
  isLateFor(group: number, pane: number): boolean {
    return this.#frame.lastWindowOf(pane) < this.#kept.of(group);
  }

  /** Windows before this one have ended. */
  openAt(window: number): void {
    this.#open.advance(window);
  }

  keepFrom(window: number): void {
    this.#kept.advance(window);
  }

  snapshot(group: number, out: ByteWriter): void {
    writeF64(out, this.openOf(group));
    writeF64(out, this.keptOf(group));
  }

  restore(group: number, input: ByteReader): void {
    this.#open.restore(group, readF64(input));
    this.#kept.restore(group, readF64(input));
  }
}
