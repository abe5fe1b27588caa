// Sinks that are slow, on virtual time.

import type { Sink } from "../../src/index.ts";

/** A sink that takes so many rows at a time, and makes its task wait for so long after them. */
export type Slowness = { readonly rows: number; readonly ms: number };

/** As `sink`, but slow. */
export function slowed<T>(sink: Sink<T>, { rows, ms }: Slowness): Sink<T> {
  return {
    ...sink,
    createWriter: (context) => {
      const { timers } = context.env;
      const writer = sink.createWriter(context);
      let taken = 0;
      const pause = (): Promise<void> => new Promise((resolve) => timers.after(ms, resolve));
      return {
        open: () => writer.open(),
        write: (record, timestampMs, kind) => {
          taken += 1;
          return writer.write(record, timestampMs, kind) && taken < rows;
        },
        flush: async () => {
          if (taken >= rows) {
            await pause();
            taken = 0;
          }
          await writer.flush();
        },
        prepareCommit: (...why) => writer.prepareCommit(...why),
        ...(writer.snapshot !== undefined && { snapshot: () => writer.snapshot!() }),
        abort: () => writer.abort(),
        close: () => writer.close(),
      };
    },
  };
}
