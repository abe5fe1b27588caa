// The panes that have rows, in order: a few dozen as a rule, hundreds of thousands where event times are far apart and
// much stays open. Sorted runs of a few hundred, so that what is added or deleted anywhere moves little.
//
//   P1. Runs are ascending and not empty, and each ends before the next one starts.

const RUN_MAX = 512;

export class PaneSet {
  readonly #runs: number[][] = [];
  /** The pane added last: the next record is mostly of the same. */
  #last = Number.NaN;

  add(pane: number): void {
    if (pane === this.#last) return;
    this.#last = pane;
    const at = Math.min(this.#runOf(pane), this.#runs.length - 1);
    const run = this.#runs[at];
    if (run === undefined) {
      this.#runs.push([pane]);
      return;
    }
    const index = positionIn(run, pane);
    if (run[index] === pane) return;
    run.splice(index, 0, pane);
    if (run.length <= RUN_MAX) return;
    // Panes that come in order fill their runs.
    const kept = index === RUN_MAX ? RUN_MAX : RUN_MAX / 2;
    this.#runs.splice(at + 1, 0, run.splice(kept));
  }

  delete(pane: number): void {
    this.#last = Number.NaN;
    const at = this.#runOf(pane);
    const run = this.#runs[at];
    if (run === undefined) return;
    const index = positionIn(run, pane);
    if (run[index] !== pane) return;
    run.splice(index, 1);
    if (run.length === 0) this.#runs.splice(at, 1);
  }

  /** The first pane at or after this one; Infinity for none. */
  from(pane: number): number {
    const run = this.#runs[this.#runOf(pane)];
    return run === undefined ? Number.POSITIVE_INFINITY : run[positionIn(run, pane)]!;
  }

  /** The last pane before this one; NaN for none. */
  before(pane: number): number {
    const at = this.#runOf(pane);
    const run = this.#runs[at];
    const index = run === undefined ? 0 : positionIn(run, pane);
    return (index > 0 ? run?.[index - 1] : this.#runs[at - 1]?.at(-1)) ?? Number.NaN;
  }

  /** Index of the first run that does not end before this pane. */
  #runOf(pane: number): number {
    const runs = this.#runs;
    let low = 0;
    let high = runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const run = runs[middle]!;
      if (run[run.length - 1]! < pane) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Index of the first pane of a run that is not before this one. */
function positionIn(run: readonly number[], pane: number): number {
  let low = 0;
  let high = run.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (run[middle]! < pane) low = middle + 1;
    else high = middle;
  }
  return low;
}
