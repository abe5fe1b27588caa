// Keys of map state: checked, hashed and staged for a table. Whatever can be a key of a stream can be a key of a map.

import { UserError } from "../../base/errors.ts";
import { type KeyCodec, keyCodec } from "../../types/keys/key-bytes.ts";
import { compileKeyHash, KEY_DOUBTFUL, type KeyHash } from "../../types/keys/key-hash.ts";
import { isNumberKey, keyProblem, keySpecProblem } from "../../types/keys/key-spec.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { KeyBatch } from "./key-batch.ts";

export class MapKeys {
  readonly codec: KeyCodec;
  readonly isNumber: boolean;
  /** Its key 0 is the one that was staged last. */
  readonly batch = new KeyBatch(1);
  readonly #spec: TypeSpec;
  readonly #place: { operator: string; state: string };
  readonly #hash: KeyHash;

  constructor(spec: TypeSpec, place: { operator: string; state: string }) {
    const problem = keySpecProblem(spec);
    if (problem !== null) {
      throw new UserError("STATE_MAP_KEY", `map state "${place.state}" of operator "${place.operator}": ${problem}`, {
        operator: place.operator,
        fix: "Use strings, numbers, booleans, bigints, dates or a struct of them as keys of a map.",
      });
    }
    this.codec = keyCodec(spec);
    this.isNumber = isNumberKey(spec);
    this.#spec = spec;
    this.#place = place;
    this.#hash = compileKeyHash(spec, `${place.operator}_${place.state}_key`);
  }

  /** Throws KEY_INVALID. */
  stage(key: unknown): KeyBatch {
    const { batch } = this;
    const hash = this.#hash(key);
    if (hash === KEY_DOUBTFUL) this.#check(key);
    batch.hashes[0] = hash;
    if (this.isNumber) {
      batch.numbers[0] = (key as number) + 0; // -0 becomes 0
    } else {
      batch.position = 0;
      batch.stage(0, key, this.codec);
    }
    return batch;
  }

  #check(key: unknown): void {
    const problem = keyProblem(this.#spec, key);
    if (problem === null) return;
    const { operator, state } = this.#place;
    throw new UserError("KEY_INVALID", `a key of map state "${state}" of operator "${operator}" is ${problem}`, {
      operator,
      fix: "Use keys of the declared type.",
    });
  }
}
