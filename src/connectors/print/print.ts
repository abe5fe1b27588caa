// `print()`: records as lines on the user's terminal, one each, with the columns of successive ones aligned.

import type { Sink, SinkWriter, SinkWriterContext } from "../../operators/sink.ts";
import { valueText } from "./value-text.ts";

export type PrintOptions = {
  /** At most so many records per subtask; further ones are counted only. */
  readonly limit?: number;
  /** Longer lines are cut; 240 characters by default. */
  readonly width?: number;
};

export function print(options: PrintOptions = {}): Sink<unknown> {
  const { limit = Number.POSITIVE_INFINITY, width = 240 } = options;
  return {
    kind: "print",
    guarantee: "at-least-once",
    describe: () => ({ limit: Number.isFinite(limit) ? limit : null, width }),
    createWriter: (context) => new PrintWriter(context, limit, width),
  };
}

class PrintWriter implements SinkWriter<unknown> {
  readonly #context: SinkWriterContext;
  readonly #prefix: string;
  readonly #limit: number;
  readonly #width: number;
  readonly #aligned = new AlignedRows();
  #count = 0;

  constructor(context: SinkWriterContext, limit: number, width: number) {
    this.#context = context;
    this.#prefix = context.parallelism === 1 ? context.uid : `${context.uid}/${context.subtaskIndex}`;
    this.#limit = limit;
    this.#width = width;
  }

  async open(): Promise<void> {}

  write(record: unknown): boolean {
    this.#count += 1;
    if (this.#count <= this.#limit) {
      const line = `${this.#prefix}  ${this.#aligned.text(record)}`;
      this.#context.print(line.length > this.#width ? `${line.slice(0, this.#width - 1)}…` : line);
    }
    return true;
  }

  async flush(): Promise<void> {}

  async prepareCommit(): Promise<readonly never[]> {
    return [];
  }

  async commit(): Promise<void> {}
  async abort(): Promise<void> {}

  async close(): Promise<void> {
    const hidden = this.#count - this.#limit;
    if (hidden > 0) this.#context.print(`${this.#prefix}  … and ${hidden} more`);
  }
}

const CELL_WIDTH_MAX = 32;

/** Pads each field to the widest value seen so far, so that rows of one shape stand in columns. */
class AlignedRows {
  readonly #widths = new Map<string, number>();

  text(record: unknown): string {
    if (typeof record !== "object" || record === null || Object.getPrototypeOf(record) !== Object.prototype) {
      return valueText(record);
    }
    const cells = Object.entries(record).map(([name, value]) => `${name}: ${this.#cell(name, value)}`);
    return `{ ${cells.join("  ")} }`;
  }

  #cell(name: string, value: unknown): string {
    const text = valueText(value);
    const width = Math.max(this.#widths.get(name) ?? 0, Math.min(text.length, CELL_WIDTH_MAX));
    this.#widths.set(name, width);
    return typeof value === "number" ? text.padStart(width) : text.padEnd(width);
  }
}
