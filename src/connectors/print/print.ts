// `print()`: records as lines on the user's terminal, one each, with the columns of successive ones aligned; or the
// last ones as a table, once the job is done.

import { UserError } from "../../base/errors.ts";
import { cutText, padTextEnd, padTextStart, textWidth } from "../../base/text-width.ts";
import type { Sink, SinkWriter, SinkWriterContext } from "../../operators/sink.ts";
import { checkOptions, FLAG, type OptionKind, wholeNumberFrom, withoutEffect } from "../../types/check-options.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { withOp } from "../rows/op-field.ts";
import { tableLines } from "./row-table.ts";
import { fieldType, valueText } from "./value-text.ts";

const TABLE_ROWS_MAX = 10_000;

export type PrintOptions = {
  /** At most so many records per subtask; further ones are counted only. */
  readonly limit?: number;
  /** Longer lines are cut; 240 characters by default. */
  readonly width?: number;
  /**
   * Instead of a line per record, one table of the last `table.last` records of each subtask when the job has ended;
   * nothing when it fails.
   */
  readonly table?: { readonly last: number };
  /**
   * Rows of every kind, with the field "op" before their own: "+I" for an insert, "-U" and "+U" for the row before an
   * update and after it, "-D" for a delete. Default: false; updates are rows like any others.
   */
  readonly op?: boolean;
};

const LIMIT: OptionKind = { takes: "a number from 0 on", accepts: (value) => typeof value === "number" && value >= 0 };

export function print(options: PrintOptions = {}): Sink<unknown> {
  const code = "CONNECTOR_OPTION_INVALID";
  checkOptions({
    of: "print",
    given: options,
    takes: { limit: LIMIT, width: wholeNumberFrom(1), table: true, op: FLAG },
    code,
  });
  if (options.table) checkOptions({ of: "table", given: options.table, takes: { last: true }, code });
  const { limit = Number.POSITIVE_INFINITY, width = 240, table = null, op = false } = options;
  if (table !== null && options.limit !== undefined) {
    throw withoutEffect("limit", "on a table", "leave limit out: table.last says how many rows there are");
  }
  if (table !== null && !(Number.isInteger(table.last) && table.last > 0 && table.last <= TABLE_ROWS_MAX)) {
    throw new UserError("PRINT_TABLE_INVALID", `a table of the last ${table.last} records cannot be printed`, {
      fix: `give a whole number from 1 to ${TABLE_ROWS_MAX}: print({ table: { last: 20 } })`,
    });
  }
  const sink: Sink<unknown> = {
    kind: "print",
    guarantee: "at-least-once",
    describe: () => ({
      limit: Number.isFinite(limit) ? limit : null,
      width,
      table: table?.last ?? null,
      ...(op && { op }),
    }),
    createWriter: (context) =>
      rowWriter(table === null ? new RowLines(context, limit, width) : new RowTable(context, width, table.last)),
  };
  return op ? withOp(sink) : sink;
}

const prefixOf = ({ uid, parallelism, subtaskIndex }: SinkWriterContext): string =>
  parallelism === 1 ? uid : `${uid}/${subtaskIndex}`;

/** What is printed between two looks at whether it is read; characters. */
const UNFLUSHED_MAX = 64 * 1024;

/** What happens to the rows of one subtask; there is nothing to commit. */
type Rows = {
  /** As that of a SinkWriter. */
  write(record: unknown): boolean;
  flush(): Promise<void>;
  abort(): void;
  close(): Promise<void>;
};

function rowWriter(rows: Rows): SinkWriter<unknown> {
  return {
    async open() {},
    write: (record) => rows.write(record),
    flush: () => rows.flush(),
    prepareCommit: async () => [],
    abort: async () => rows.abort(),
    close: () => rows.close(),
  };
}

class RowLines implements Rows {
  readonly #context: SinkWriterContext;
  readonly #prefix: string;
  readonly #limit: number;
  readonly #width: number;
  readonly #aligned: AlignedRows;
  #count = 0;
  #unflushed = 0;
  #printed = Promise.resolve();

  constructor(context: SinkWriterContext, limit: number, width: number) {
    this.#context = context;
    this.#prefix = prefixOf(context);
    this.#limit = limit;
    this.#width = width;
    this.#aligned = new AlignedRows(context.recordType ?? null);
  }

  write(record: unknown): boolean {
    this.#count += 1;
    if (this.#count <= this.#limit) this.#print(cutText(`${this.#prefix}  ${this.#aligned.text(record)}`, this.#width));
    return this.#unflushed < UNFLUSHED_MAX;
  }

  async flush(): Promise<void> {
    this.#unflushed = 0;
    await this.#printed;
  }

  abort(): void {} // What is printed is printed.

  async close(): Promise<void> {
    const hidden = this.#count - this.#limit;
    if (hidden > 0) await this.#context.print(`${this.#prefix}  … and ${hidden} more`);
  }

  #print(line: string): void {
    this.#unflushed += line.length;
    this.#printed = this.#context.print(line); // The last to be read.
  }
}

/** Keeps the last records, in a ring. */
class RowTable implements Rows {
  readonly #context: SinkWriterContext;
  readonly #width: number;
  readonly #ring: unknown[] = [];
  readonly #last: number;
  #count = 0;

  constructor(context: SinkWriterContext, width: number, last: number) {
    this.#context = context;
    this.#width = width;
    this.#last = last;
  }

  write(record: unknown): boolean {
    this.#ring[this.#count % this.#last] = record;
    this.#count += 1;
    return true;
  }

  async flush(): Promise<void> {}

  abort(): void {
    this.#count = 0;
  }

  async close(): Promise<void> {
    if (this.#count === 0) return;
    const first = this.#count > this.#last ? this.#count % this.#last : 0;
    const rows = [...this.#ring.slice(first), ...this.#ring.slice(0, first)];
    const shown = rows.length < this.#count ? `the last ${rows.length} of ${this.#count}` : `${rows.length}`;
    const head = `${prefixOf(this.#context)}: ${shown} ${this.#count === 1 ? "row" : "rows"}`;
    const lines = tableLines(rows, this.#context.recordType ?? null);
    // In one piece: the tables of other subtasks come at the same time.
    await this.#context.print([head, ...lines.map((line) => cutText(`  ${line}`, this.#width))].join("\n"));
  }
}

const CELL_WIDTH_MAX = 32;

/** Pads each field to the widest value seen so far, so that rows of one shape stand in columns. */
class AlignedRows {
  readonly #type: TypeSpec | null;
  readonly #widths = new Map<string, number>();

  constructor(type: TypeSpec | null) {
    this.#type = type;
  }

  text(record: unknown): string {
    if (typeof record !== "object" || record === null || Object.getPrototypeOf(record) !== Object.prototype) {
      return valueText(record, this.#type);
    }
    const cells = Object.entries(record).map(([name, value]) => `${name}: ${this.#cell(name, value)}`);
    return `{ ${cells.join("  ")} }`;
  }

  #cell(name: string, value: unknown): string {
    const text = valueText(value, fieldType(this.#type, name));
    const width = Math.max(this.#widths.get(name) ?? 0, Math.min(textWidth(text), CELL_WIDTH_MAX));
    this.#widths.set(name, width);
    return typeof value === "number" ? padTextStart(text, width) : padTextEnd(text, width);
  }
}
