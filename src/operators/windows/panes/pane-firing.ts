// How the windows of a pane operator get their results: tumbling-firing.ts, sliding-firing.ts.
//
// Rows of the table are (key, pane). The operator adds records to them, says when event time passes the end of a
// window, and removes the rows of panes whose windows are forgotten.

export type LateRow = {
  /** The row that it was added to. */
  readonly address: number;
  /** Records that were added. */
  readonly added: number;
  /** The windows that are given anew. All have the row's pane. */
  readonly first: number;
  readonly last: number;
};

export interface PaneFiring {
  /** Staged record 0 went into a row of a pane some of whose windows have ended. */
  amend(address: number, pane: number): void;
  /** Emits the results of all keys in a window. False when it stopped half-way (O6): call again. */
  fire(window: number): boolean;
  /** Emits what a late record, or the partial result of several, makes of windows that have ended. */
  update(late: LateRow): void;
}
