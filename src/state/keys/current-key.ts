// The key that all states of an operator act on, staged for their tables when the first of them asks.

import { ByteSink } from "../../types/bytes/byte-buffer.ts";
import type { KeyCodec } from "../../types/keys/key-bytes.ts";
import { isNumberKey } from "../../types/keys/key-spec.ts";
import { KeyBatch } from "./key-batch.ts";
import { type KeyGroupRange, OwnGroups } from "./key-groups.ts";

/** Starts the plain form of keys that are no primitives. */
const OBJECT_MARK = "\u0000";

export class CurrentKey {
  readonly codec: KeyCodec;
  readonly isNumber: boolean;
  readonly #groups: OwnGroups;
  readonly #batch = new KeyBatch(1);
  key: unknown = undefined;
  hash = 0;
  /** Key group, counted from the operator's first. */
  group = 0;
  /** Rises with each key that is set, so that what was looked up for an earlier one is known to be stale. */
  turn = 0;
  #stagedTurn = -1;
  #plain: unknown = undefined;
  #plainTurn = -1;

  constructor(codec: KeyCodec, maxParallelism: number, keyGroups: KeyGroupRange) {
    this.codec = codec;
    this.isNumber = isNumberKey(codec.spec);
    this.#groups = new OwnGroups(keyGroups, maxParallelism);
  }

  set(key: unknown, hash: number): void {
    this.key = key;
    this.hash = hash;
    this.group = this.#groups.of(hash);
    this.turn += 1;
  }

  /** The key as key 0 of a batch. */
  stage(): KeyBatch {
    const batch = this.#batch;
    if (this.#stagedTurn === this.turn) return batch;
    this.#stagedTurn = this.turn;
    batch.hashes[0] = this.hash;
    if (this.isNumber) {
      batch.numbers[0] = (this.key as number) + 0; // -0 becomes 0
    } else {
      batch.position = 0;
      batch.stage(0, this.key, this.codec);
    }
    return batch;
  }

  /** The key as a `Map` tells keys apart. */
  plain(): unknown {
    if (this.#plainTurn !== this.turn) {
      this.#plain = plainKey(this.key, this.codec);
      this.#plainTurn = this.turn;
    }
    return this.#plain;
  }
}

/**
 * Equal keys become equal primitives. Objects become their canonical bytes, which no string that starts otherwise can
 * be.
 */
export function plainKey(key: unknown, codec: KeyCodec): unknown {
  if (typeof key !== "object" && !(typeof key === "string" && key.startsWith(OBJECT_MARK))) return key;
  const sink = new ByteSink(64);
  codec.write(key, sink);
  return OBJECT_MARK + sink.bytes.toString("latin1", 0, sink.position);
}
