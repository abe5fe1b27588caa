// How the windows of a pane operator get their results: tumbling-firing.ts, sliding-firing.ts.
//
// Rows of the table are (key, pane). The operator adds records to them and says when event time passes the end of a
// window.

export interface PaneFiring {
  /** The rows of the first `count` staged records were found or added. */
  onResolved(count: number): void;
  /** A row came out of a snapshot. */
  onRestored(address: number): void;
  /** Staged record 0 went into a row of a pane some of whose windows have ended. */
  amend(address: number, pane: number): void;
  /** Emits the results of all keys in a window. False when the output was full: call again. */
  fire(window: number): boolean;
  /** Emits the result of one row's key in a window that has fired before. */
  update(address: number, window: number): void;
  /** Removes the rows of a pane. */
  forget(pane: number): void;
}
