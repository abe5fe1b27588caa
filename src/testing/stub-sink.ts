// What stands in for a sink in tests: it keeps the rows that arrive, for the test to look at.

import type { Sink, SinkWriter } from "../operators/sink.ts";
import type { Json } from "../operators/source.ts";

export class StubSink implements Sink<unknown> {
  readonly kind: string;
  readonly guarantee: Sink<unknown>["guarantee"];
  /** In the order of arrival. */
  readonly rows: unknown[] = [];
  /** Rows that `take` has given out. */
  taken = 0;
  readonly #original: Sink<unknown>;

  constructor(original: Sink<unknown>) {
    this.kind = original.kind;
    this.guarantee = original.guarantee;
    this.#original = original;
  }

  describe(): Json {
    return this.#original.describe();
  }

  createWriter(): SinkWriter<unknown> {
    return {
      open: async () => undefined,
      write: (record) => {
        this.rows.push(record);
        return true;
      },
      flush: async () => undefined,
      prepareCommit: async () => [],
      commit: async () => undefined,
      abort: async () => undefined,
      close: async () => undefined,
    };
  }
}
