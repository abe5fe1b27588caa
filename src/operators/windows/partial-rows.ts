// Partial results as records: what travels from a combiner to its window operator.
//
//   { <key>: the key, "#pane": its pane, "#0" … "#n": words of the accumulators, "#objects"?: its objects as bytes }
//
// The slot word (aggregate-layout.ts) means nothing elsewhere and is left out.

import { ByteCursor, ByteSink } from "../../types/byte-buffer.ts";
import { GeneratedCode, objectLiteral } from "../../types/generated-code.ts";
import type { StructField, TypeSpec } from "../../types/type-spec.ts";
import type { AggregateLayout } from "../aggregates/aggregate-layout.ts";
import type { AggregateTable } from "../aggregates/aggregate-table.ts";

const PANE = "#pane";
const OBJECTS = "#objects";

export type PartialRow = { readonly [PANE]: number; readonly [OBJECTS]?: Uint8Array };

/** Type of the partial rows. Keys' names do not start with "#" (see canCombine). */
export function partialType(layout: AggregateLayout, keyName: string, keyType: TypeSpec): TypeSpec {
  const field = (name: string, type: TypeSpec): StructField => ({ name, type, optional: false });
  const words = wordNumbers(layout).map((word) => field(`#${word}`, { kind: "f64" }));
  const objects = layout.slotWord === -1 ? [] : [field(OBJECTS, { kind: "bytes", array: "Uint8Array" })];
  return { kind: "struct", fields: [field(keyName, keyType), field(PANE, { kind: "f64" }), ...words, ...objects] };
}

type Make = (memory: Float64Array, at: number, key: unknown, pane: number, objects: Uint8Array | null) => PartialRow;
type Load = (row: unknown, memory: Float64Array) => void;

export class PartialRows {
  readonly #groups: AggregateTable;
  readonly #keyName: string;
  readonly #make: Make;
  readonly #load: Load;
  readonly #scratch: Float64Array;
  readonly #sink = new ByteSink();

  constructor(groups: AggregateTable, keyName: string, label: string) {
    const { layout } = groups;
    this.#groups = groups;
    this.#keyName = keyName;
    this.#scratch = layout.empty.slice();
    const code = new GeneratedCode({});
    const words = wordNumbers(layout);
    const fields = [
      { name: keyName, value: "key" },
      { name: PANE, value: "pane" },
      ...words.map((word) => ({ name: `#${word}`, value: `f64[at + ${word}]` })),
      ...(layout.slotWord === -1 ? [] : [{ name: OBJECTS, value: "objects" }]),
    ].map((field) => ({ ...field, present: null }));
    const loads = words.map((word) => `f64[${word}] = row[${JSON.stringify(`#${word}`)}];`);
    const functions = `{
  make(f64, at, key, pane, objects) { return ${objectLiteral(code, fields)}; },
  load(row, f64) { ${loads.join(" ")} },
}`;
    const built = code.build(`partials ${label}`, functions) as { readonly make: Make; readonly load: Load };
    this.#make = built.make;
    this.#load = built.load;
  }

  /** Accumulators at `at` in `memory` as a partial row. */
  rowOf(memory: Float64Array, at: number, key: unknown, pane: number): PartialRow {
    const { layout, objects } = this.#groups;
    if (layout.slotWord === -1) return this.#make(memory, at, key, pane, null);
    const sink = this.#sink;
    sink.position = 0;
    objects.write(memory[at + layout.slotWord]!, sink);
    return this.#make(memory, at, key, pane, Uint8Array.from(sink.bytes.subarray(0, sink.position)));
  }

  keyOf(row: unknown): unknown {
    return (row as Record<string, unknown>)[this.#keyName];
  }

  paneOf(row: unknown): number {
    return (row as PartialRow)[PANE];
  }

  /** Records behind a partial row. */
  countOf(row: unknown): number {
    return (row as Record<string, number>)[`#${this.#groups.layout.countWord}`] ?? 0;
  }

  /** Merges a partial row into accumulators. */
  merge(row: unknown, memory: Float64Array, at: number): void {
    const { layout, objects, program } = this.#groups;
    const scratch = this.#scratch;
    this.#load(row, scratch);
    const bytes = (row as PartialRow)[OBJECTS];
    if (bytes !== undefined) {
      scratch[layout.slotWord] = objects.read(
        new ByteCursor(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)),
      );
    }
    program.merge(memory, at, scratch, 0);
    this.#groups.closeObjects(scratch, 0);
  }
}

function wordNumbers(layout: AggregateLayout): number[] {
  return Array.from(layout.empty.keys()).filter((word) => word !== layout.slotWord);
}
