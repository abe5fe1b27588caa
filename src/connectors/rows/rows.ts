// `rows()`: hands its records to whoever started the job from code, who reads them with `rows(uid)` of the job's
// handle. Nothing is kept here beyond one batch: while nobody reads, the job waits.

import type { Sink, SinkWriter } from "../../operators/sink.ts";
import { RowBatch } from "./row-batch.ts";

/**
 * Rows for the program that started the job (`millrace/client`). They come as they are made, in order from each
 * subtask, and the job waits while they are not read. On the command line they are printed.
 */
export function rows(): Sink<unknown> {
  return {
    kind: "rows",
    guarantee: "at-least-once",
    describe: () => null,
    createWriter: ({ deliver }): SinkWriter<unknown> => {
      const batch = new RowBatch();
      return {
        async open() {},
        write: (record) => batch.add(record),
        async flush() {
          const bytes = batch.take();
          if (bytes !== null) await deliver(bytes);
        },
        prepareCommit: async () => [],
        async abort() {}, // What was read was read; the rest is forgotten with the writer.
        async close() {},
      };
    },
  };
}
