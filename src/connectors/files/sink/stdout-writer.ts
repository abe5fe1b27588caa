// Records as text on standard output. The text goes to whoever started the job, who owns the process's streams, in
// pieces of whole lines, and the job waits while nobody reads them.

import type { SinkWriter, SinkWriterContext } from "../../../operators/sink.ts";
import { RowBatch } from "../../rows/row-batch.ts";
import type { RowEncoder } from "../format/row-encoder.ts";
import { rowWithoutValues } from "./empty-row.ts";

const PIECE_LENGTH = 32 * 1024;

export class StdoutWriter implements SinkWriter<unknown> {
  readonly #context: SinkWriterContext;
  readonly #encoder: RowEncoder;
  #text = "";
  #hasBegun = false;

  constructor(context: SinkWriterContext, encoder: RowEncoder) {
    this.#context = context;
    this.#encoder = encoder;
  }

  async open(): Promise<void> {}

  write(record: unknown): boolean {
    if (!this.#hasBegun) this.#begin(record);
    this.#text += this.#encoder.line(record);
    return this.#text.length < PIECE_LENGTH;
  }

  async flush(): Promise<void> {
    if (this.#text === "") return;
    const piece = new RowBatch();
    piece.add(this.#text);
    this.#text = "";
    const bytes = piece.take()!;
    this.#context.metrics.count("numBytesOut", bytes.length);
    await this.#context.deliver(bytes);
  }

  async prepareCommit(): Promise<readonly []> {
    const row = this.#hasBegun ? null : rowWithoutValues(this.#context.recordType);
    if (row !== null) this.#begin(row);
    await this.flush();
    return []; // What was delivered is seen.
  }

  async abort(): Promise<void> {
    this.#text = "";
  }

  async close(): Promise<void> {}

  #begin(record: unknown): void {
    this.#hasBegun = true;
    this.#text += this.#encoder.begin(record);
  }
}
