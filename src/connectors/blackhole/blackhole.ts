// `blackhole()`: takes every record and does nothing with it, for measurements.

import type { Sink, SinkWriter } from "../../operators/sink.ts";

export function blackhole(): Sink<unknown> {
  return {
    kind: "blackhole",
    guarantee: "exactly-once",
    describe: () => null,
    createWriter: (): SinkWriter<unknown> => ({
      async open() {},
      write: () => true,
      async flush() {},
      prepareCommit: async () => [],
      async abort() {},
      async close() {},
    }),
  };
}
