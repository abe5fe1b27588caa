// How far something has come, by key group: a watermark, the windows that were given.
//
// A subtask brings all its groups on together. After a restore they may come from several subtasks that had got
// differently far: each group is where it was, until the slowest has caught up with it.
//
//   G1. No group ever goes back, and all have come to `least`.

export class GroupProgress {
  /** Where the slowest group is. */
  least = -Infinity;
  /** Where the furthest group is. */
  most = -Infinity;
  readonly #groups: number;
  /** Where restored groups were; null once all are at `least`. */
  #restored: Float64Array | null = null;

  constructor(groups: number) {
    this.#groups = groups;
  }

  /** Whether all groups are at the same place. */
  get isEven(): boolean {
    return this.least === this.most;
  }

  /** Where a group is, counted from the subtask's first. */
  of(group: number): number {
    return this.#restored === null ? this.least : Math.max(this.least, this.#restored[group]!);
  }

  /** All groups have come to this at least. */
  advance(to: number): void {
    this.least = Math.max(this.least, to);
    if (this.least < this.most) return;
    this.most = this.least;
    this.#restored = null;
  }

  /** To be called for each group before anything advances. */
  restore(group: number, to: number): void {
    const isFirst = this.#restored === null;
    this.#restored ??= new Float64Array(this.#groups).fill(-Infinity);
    this.#restored[group] = to;
    this.least = isFirst ? to : Math.min(this.least, to);
    this.most = isFirst ? to : Math.max(this.most, to);
  }
}
