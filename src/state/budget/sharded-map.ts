// A map without V8's limit of 2^24 entries: further maps are begun when one is full.

const SHARD_ENTRIES_MAX = 2 ** 23;

export class ShardedMap<V> {
  readonly #shards: Map<unknown, V>[] = [new Map()];
  readonly #shardMax: number;
  #size = 0;

  constructor(shardMax = SHARD_ENTRIES_MAX) {
    this.#shardMax = shardMax;
  }

  get size(): number {
    return this.#size;
  }

  get(key: unknown): V | undefined {
    for (const shard of this.#shards) {
      const value = shard.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** Adds a key that is not there. */
  add(key: unknown, value: V): void {
    let shard = this.#shards.find((each) => each.size < this.#shardMax);
    if (shard === undefined) {
      shard = new Map();
      this.#shards.push(shard);
    }
    shard.set(key, value);
    this.#size += 1;
  }

  delete(key: unknown): void {
    if (this.#shards.some((shard) => shard.delete(key))) this.#size -= 1;
  }

  /** In order of addition within a shard. Entries may be added and deleted meanwhile. */
  *values(): Generator<V, undefined> {
    for (const shard of this.#shards) yield* shard.values();
  }

  clear(): void {
    this.#shards.splice(0, Infinity, new Map());
    this.#size = 0;
  }
}
