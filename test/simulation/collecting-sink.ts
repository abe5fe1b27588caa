// A sink that keeps its rows, with the time at which each came.

import type { Sink } from "../../src/index.ts";

export type Collected<T> = { readonly row: T; readonly atMs: number };

export function collecting<T>(): { readonly sink: Sink<T>; readonly seen: Collected<T>[] } {
  const seen: Collected<T>[] = [];
  const sink: Sink<T> = {
    kind: "collecting",
    guarantee: "at-least-once",
    describe: () => ({}),
    createWriter: ({ env }) => ({
      open: async () => undefined,
      write: (row) => seen.push({ row, atMs: env.clock.monotonicMs() }) > 0,
      flush: async () => undefined,
      prepareCommit: async () => [],
      abort: async () => undefined,
      close: async () => undefined,
    }),
  };
  return { sink, seen };
}
