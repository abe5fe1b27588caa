// The rows of aggregates in a snapshot (aggregate-table.ts has the format), read without the table and without the job:
// from the declaration that the plan has. Of users' own aggregates, whose functions are not there, the accumulator is
// the result.

import { ByteCursor, readF64, readU32, take } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader } from "../../types/bytes/codec.ts";
import { type KeyCodec, keyCodec } from "../../types/keys/key-bytes.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import type { FieldTypes } from "../expressions/field-types.ts";
import type { AggregateSet, CustomAggregate } from "./aggregate.ts";
import { type AggregateLayout, aggregateLayout } from "./aggregate-layout.ts";
import { AggregateObjects } from "./aggregate-objects.ts";
import { type AggregateProgram, compileAggregates } from "./aggregate-program.ts";
import type { NamedAggregate } from "./aggregate-spec.ts";
import { AggregateStage } from "./aggregate-stage.ts";

export type SavedAggregatesOptions = {
  /** Tells the generated code apart: uid of the operator. */
  readonly operator: string;
  readonly key: TypeSpec;
  readonly specs: readonly NamedAggregate[];
  readonly fields: FieldTypes;
  readonly namespaced: boolean;
  /** Words before the accumulators that snapshots hold. */
  readonly extraWords: number;
};

/** Valid during the visit. */
export type SavedAggregate = {
  readonly key: unknown;
  readonly namespace: number;
  readonly extra: readonly number[];
  /** By the names of the results. */
  readonly results: Readonly<Record<string, unknown>>;
};

const NONE: CustomAggregate = {
  create: () => null,
  add: (accumulator) => accumulator,
  merge: (left) => left,
  result: (accumulator) => accumulator,
};

/** Without the functions of users' own aggregates: their accumulators are their results. */
export function savedSet(specs: readonly NamedAggregate[]): AggregateSet {
  const custom = specs.filter(({ spec }) => spec.kind === "custom").map(({ name }) => [name, NONE] as const);
  return { specs, custom: new Map(custom) };
}

export class SavedAggregates {
  readonly #options: SavedAggregatesOptions;
  readonly #layout: AggregateLayout;
  readonly #objects: AggregateObjects;
  readonly #program: AggregateProgram;
  readonly #codec: KeyCodec;
  readonly #memory: Float64Array;

  constructor(options: SavedAggregatesOptions) {
    const { operator, specs, fields, key } = options;
    const layout = aggregateLayout(savedSet(specs), fields, true);
    const budget = { limitBytes: Infinity, configKey: "", usedBytes: 0 };
    const label = `${operator} saved`;
    this.#options = options;
    this.#layout = layout;
    this.#objects = new AggregateObjects(layout.heaps, { operator, state: "saved" }, budget);
    this.#program = compileAggregates({
      ...{ label, layout, objects: this.#objects, keyName: "", keyParts: [], bounds: false },
      stage: new AggregateStage({ operator, label, key: null, layout, fields, capacity: 1 }),
    });
    this.#codec = keyCodec(key);
    this.#memory = new Float64Array(layout.words);
  }

  /** The rows of one key group. */
  read(input: ByteReader, visit: (row: SavedAggregate) => void): void {
    for (let left = readF64(input); left > 0; left -= 1) visit(this.#row(input));
  }

  #row(input: ByteReader): SavedAggregate {
    const { namespaced, extraWords } = this.#options;
    const { words, slotWord } = this.#layout;
    const memory = this.#memory;
    const size = readU32(input);
    const start = take(input, size);
    const key = this.#codec.read(new ByteCursor(input.bytes, start, start + size));
    const namespace = namespaced ? readF64(input) : 0;
    const extra = Array.from({ length: extraWords }, () => readF64(input));
    for (let word = 0; word < words; word += 1) memory[word] = readF64(input);
    if (slotWord !== -1) memory[slotWord] = this.#objects.read(input);
    const results = this.#program.result(memory, 0, key, 0, 0) as Record<string, unknown>;
    if (slotWord !== -1) this.#objects.close(memory[slotWord]!);
    return { key, namespace, extra, results };
  }
}
