// Partial results as records: what travels from a combiner to its window operator.
//
//   { <key>: the key, "#pane": its pane, "#0" … "#n": words of the accumulators,
//     "#objects": its objects as bytes, or null, "#value0" … : what they are made of, if it is one record }
//
// The slot word (aggregate-layout.ts) means nothing elsewhere and is left out. A single record makes no objects before
// it gets to where they are kept: its values travel, null for a missing one.

import { ByteCursor, ByteSink } from "../../../types/bytes/byte-buffer.ts";
import { GeneratedCode, objectLiteral } from "../../../types/bytes/generated-code.ts";
import type { StructField, StructSpec, TypeSpec } from "../../../types/spec/type-spec.ts";
import type { AggregateLayout } from "../../aggregates/aggregate-layout.ts";
import { inputCodes } from "../../aggregates/aggregate-program.ts";
import type { AggregateTable } from "../../aggregates/aggregate-table.ts";

/** What no record has. */
export const PANE = "#pane";
const OBJECTS = "#objects";
const VALUE = "#value";

export type PartialRow = { readonly [PANE]: number; readonly [OBJECTS]?: Uint8Array | null };

/** Type of the partial rows. Keys' names do not start with "#" (see canCombine). */
export function partialType(layout: AggregateLayout, keyName: string, keyType: TypeSpec): StructSpec {
  const field = (name: string, type: TypeSpec): StructField => ({ name, type, optional: false });
  const words = wordNumbers(layout).map((word) => field(`#${word}`, { kind: "f64" }));
  const bytes: TypeSpec = { kind: "nullable", inner: { kind: "bytes", array: "Uint8Array" } };
  const objects = layout.slotWord === -1 ? [] : [field(OBJECTS, bytes)];
  const values = layout.heaps.map(({ type }, n) => field(VALUE + n, type));
  const fields = [field(keyName, keyType), field(PANE, { kind: "f64" }), ...words, ...objects, ...values];
  return { kind: "struct", fields };
}

type Make = (memory: Float64Array, at: number, key: unknown, pane: number, objects: Uint8Array | null) => PartialRow;
type MakeOne = (memory: Float64Array, at: number, key: unknown, pane: number, i: number) => PartialRow;
type Load = (row: unknown, memory: Float64Array) => void;

export class PartialRows {
  readonly #groups: AggregateTable;
  readonly #keyName: string;
  readonly #make: Make;
  readonly #makeOne: MakeOne;
  readonly #load: Load;
  readonly #values: readonly string[];
  readonly #cursor = new ByteCursor(Buffer.alloc(0));
  readonly #scratch: Float64Array;
  readonly #sink = new ByteSink();

  constructor(groups: AggregateTable, keyName: string, label: string) {
    const { layout } = groups;
    this.#groups = groups;
    this.#keyName = keyName;
    this.#scratch = layout.empty.slice();
    const code = new GeneratedCode({});
    const inputs = inputCodes(code, groups.stage);
    const words = wordNumbers(layout);
    this.#values = layout.heaps.map((_, n) => VALUE + n);
    const literal = (objects: string, value: (n: number) => string) => {
      const fields = [
        { name: keyName, value: "key" },
        { name: PANE, value: "pane" },
        ...words.map((word) => ({ name: `#${word}`, value: `f64[at + ${word}]` })),
        ...(layout.slotWord === -1 ? [] : [{ name: OBJECTS, value: objects }]),
        ...this.#values.map((name, n) => ({ name, value: value(n) })),
      ];
      return objectLiteral(
        code,
        fields.map((field) => ({ ...field, present: null })),
      );
    };
    const valueOfOne = (n: number): string => {
      const { column, missing } = inputs[layout.heaps[n]!.input]!;
      return missing === null ? `${column}[i]` : `(${missing}[i] === 0 ? ${column}[i] : null)`;
    };
    const loads = words.map((word) => `f64[${word}] = row[${JSON.stringify(`#${word}`)}];`);
    const functions = `{
  make(f64, at, key, pane, objects) { return ${literal("objects", () => "null")}; },
  makeOne(f64, at, key, pane, i) { return ${literal("null", valueOfOne)}; },
  load(row, f64) { ${loads.join(" ")} },
}`;
    const built = code.build(`partials ${label}`, functions) as { make: Make; makeOne: MakeOne; load: Load };
    this.#make = built.make;
    this.#makeOne = built.makeOne;
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

  /** Staged record `i` as a partial row; `scratch` are empty accumulators, and stay so. */
  rowOfStaged(i: number, scratch: Float64Array): PartialRow {
    const { rows, program, stage, layout } = this.#groups;
    rows[i] = 0;
    program.accumulateNumbers(scratch, rows, 0, i, i + 1);
    const row = this.#makeOne(scratch, 0, this.#groups.stagedKey(i), stage.keys.namespaces[i]!, i);
    scratch.set(layout.empty);
    return row;
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
    this.#load(row, this.#scratch);
    this.#groups.program.merge(memory, at, this.#scratch, 0);
    if (this.#values.length > 0) this.#mergeObjects(row as PartialRow, memory, at);
  }

  #mergeObjects(row: PartialRow, memory: Float64Array, at: number): void {
    const { layout, objects } = this.#groups;
    const word = at + layout.slotWord;
    if (memory[word]! < 0) memory[word] = objects.open();
    const slot = memory[word]!;
    const bytes = row[OBJECTS];
    if (bytes == null) this.#addValues(row, slot);
    else {
      const cursor = this.#cursor;
      cursor.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      cursor.position = 0;
      cursor.end = bytes.length;
      objects.mergeRead(slot, cursor);
    }
  }

  #addValues(row: PartialRow, slot: number): void {
    const { layout, objects } = this.#groups;
    for (let n = 0; n < this.#values.length; n += 1) {
      const value = (row as Record<string, unknown>)[this.#values[n]!];
      if (value == null) continue;
      const item = objects.items[slot * objects.width + n];
      objects.put(slot, n, layout.heaps[n]!.accumulator.add(item, value, NaN, null));
    }
  }
}

function wordNumbers(layout: AggregateLayout): number[] {
  return Array.from(layout.empty.keys()).filter((word) => word !== layout.slotWord);
}
