// Learns the type of undeclared records from the records themselves.
//
// The codec of the current shape guards itself: its `append` refuses what does not fit exactly. The caller then sends
// what it has staged, asks `learn` for a wider shape and goes on with that. Shapes only ever widen, and a bounded
// number of times.
//
//   L4. After `learn(record)` the codec takes the record and everything that the codecs before it took, unless no codec
//       can carry the record at all; then the codec's `mismatch` tells why.
//   L5. At most VERSIONS_MAX codecs are made. The last one is "any", which takes whatever can be carried.

import { canonicalJson } from "../../base/canonical-json.ts";
import { compileBatchCodec } from "../batch/batch-codec.ts";
import type { BatchCodec, BatchCodecOptions } from "../bytes/codec.ts";
import type { TypeSpec } from "../spec/type-spec.ts";
import { closeShape, shapeOf } from "./shape-of.ts";
import { ANY, relaxShape, widenShape } from "./shape-widen.ts";

/** From this version on all fields are nullable and optional, and objects whose fields keep changing become "any". */
const VERSION_COARSE = 8;
const VERSIONS_MAX = 16;

/** The shape of the records so far, as a spec that only widens. */
export class ShapeWidener {
  /** Shapes so far. */
  version = 0;
  #shape: TypeSpec | null = null;
  #text = "";

  /** The spec that admits `record` and all before it; null when it is the one there was. */
  widen(record: unknown): TypeSpec | null {
    const shape = this.#widened(shapeOf(record));
    const spec = closeShape(shape);
    const text = canonicalJson(spec);
    if (this.#shape !== null && text === this.#text) return null;
    this.#shape = shape;
    this.#text = text;
    this.version++;
    return spec;
  }

  #widened(shape: TypeSpec): TypeSpec {
    if (this.#shape === null) return shape;
    if (this.version >= VERSIONS_MAX - 1) return ANY;
    const coarse = this.version >= VERSION_COARSE;
    const widened = widenShape(this.#shape, shape, coarse);
    return this.version === VERSION_COARSE - 1 ? relaxShape(widened) : widened;
  }
}

export class ShapeLearner {
  /** The current shape's codec, null before the first record. */
  codec: BatchCodec | null;
  readonly #widener = new ShapeWidener();
  readonly #options: BatchCodecOptions;
  readonly #label: string;

  /** `label` tells the generated code of one edge from that of another. */
  constructor(options: Omit<BatchCodecOptions, "extraFields">, label = "") {
    this.codec = null;
    this.#options = { ...options, extraFields: "exact" };
    this.#label = label;
  }

  /** Shapes so far. */
  get version(): number {
    return this.#widener.version;
  }

  learn(record: unknown): BatchCodec {
    const spec = this.#widener.widen(record);
    if (spec === null && this.codec !== null) return this.codec; // The same shape: no codec can carry this record.
    this.codec = compileBatchCodec(spec ?? ANY, this.#options, this.#label);
    return this.codec;
  }
}
