// The panes that have rows, in order: a few dozen as a rule, so a sorted array.

export class PaneSet {
  readonly #panes: number[] = [];
  /** The pane added last: the next record is mostly of the same. */
  #last = Number.NaN;

  add(pane: number): void {
    if (pane === this.#last) return;
    this.#last = pane;
    const at = this.#position(pane);
    if (this.#panes[at] !== pane) this.#panes.splice(at, 0, pane);
  }

  delete(pane: number): void {
    this.#last = Number.NaN;
    const at = this.#position(pane);
    if (this.#panes[at] === pane) this.#panes.splice(at, 1);
  }

  /** The first pane at or after this one; Infinity for none. */
  from(pane: number): number {
    return this.#panes[this.#position(pane)] ?? Number.POSITIVE_INFINITY;
  }

  /** The last pane before this one; NaN for none. */
  before(pane: number): number {
    return this.#panes[this.#position(pane) - 1] ?? Number.NaN;
  }

  clear(): void {
    this.#panes.length = 0;
    this.#last = Number.NaN;
  }

  /** Index of the first pane that is not before this one. Mostly asked for one of the ends. */
  #position(pane: number): number {
    const panes = this.#panes;
    let low = 0;
    let high = panes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (panes[middle]! < pane) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
