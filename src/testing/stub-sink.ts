// What stands in for a sink in tests: it keeps the rows that arrive, for the test to look at.

import type { Sink, SinkWriter } from "../operators/sink.ts";
import type { Json } from "../operators/source.ts";
import { ROW_KIND, type RowKind } from "../types/bytes/row-kind.ts";

export class StubSink implements Sink<unknown> {
  readonly kind: string;
  readonly guarantee: Sink<unknown>["guarantee"];
  /** In the order of arrival; so are their kinds. */
  readonly rows: unknown[] = [];
  readonly kinds: RowKind[] = [];
  /** Rows that `take` has given out. */
  taken = 0;
  /** Rows that the last checkpoint covers. */
  #covered = 0;
  readonly #original: Sink<unknown>;

  constructor(original: Sink<unknown>) {
    this.kind = original.kind;
    this.guarantee = original.guarantee;
    this.#original = original;
  }

  /** Of the checkpoint that the test has taken now. */
  covered(): void {
    this.#covered = this.rows.length;
  }

  /** The job has crashed: what no checkpoint covers was never shown, unless the sink shows rows at once. */
  rewind(): void {
    if (this.guarantee !== "exactly-once") return;
    this.rows.length = this.#covered;
    this.kinds.length = this.#covered;
    this.taken = Math.min(this.taken, this.#covered);
  }

  describe(): Json {
    return this.#original.describe();
  }

  createWriter(): SinkWriter<unknown> {
    return {
      open: async () => undefined,
      write: (record, _timestampMs, kind = ROW_KIND.insert) => {
        this.rows.push(record);
        this.kinds.push(kind);
        return true;
      },
      flush: async () => undefined,
      prepareCommit: async () => [],
      abort: async () => undefined,
      close: async () => undefined,
    };
  }
}
