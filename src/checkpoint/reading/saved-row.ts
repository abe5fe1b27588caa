// What is stored for a key, as people read it: one row for each value, list, entry of a map, timer, window.

/** State of the rows that are timers. */
export const TIMERS = "timers";

export type SavedRow = {
  /** Name of the state, or of what an operator keeps for itself: "timers", "windows", "sessions", "aggregates", … */
  readonly state: string;
  readonly key: unknown;
  /** Which one of the key's it is: the key of an entry, the name of a timer, the bounds of a window. */
  readonly part: Readonly<Record<string, unknown>>;
  readonly value: unknown;
  /** When it was written, of a state with a time to live. */
  readonly writtenMs: number | null;
};

export type RowVisitor = {
  readonly row: (row: SavedRow) => void;
  /** What is there and cannot be decoded. */
  readonly undecoded: (name: string, bytes: number) => void;
};
