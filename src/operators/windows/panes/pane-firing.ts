// How the windows of a pane operator get their results: tumbling-firing.ts, sliding-firing.ts.
//
// Rows of the table are (key, pane). The operator adds records to them, says when event time passes the end of a
// window, and removes the rows of panes whose windows are forgotten.

export interface PaneFiring {
  /** Staged record 0 went into a row of a pane some of whose windows have ended. */
  amend(address: number, pane: number): void;
  /** Emits the results of all keys in a window. False when it stopped half-way (O6): call again. */
  fire(window: number): boolean;
  /** Emits the results of one row's key in windows that have fired before, `first` to `last`. All have its pane. */
  update(address: number, first: number, last: number): void;
}
