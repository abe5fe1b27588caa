// Threads that share a pool, and the main thread, which cleans up after one that has ended.

import assert from "node:assert/strict";
import type { EngineError } from "../../src/base/errors.ts";
import { SegmentPool, type SegmentPoolHandle } from "../../src/memory/segment-pool.ts";
import type { Actor, World } from "./actor.ts";

export type PoolData = {
  readonly handle: SegmentPoolHandle;
  /** Segments that each actor takes, by its name: 1 by itself, others together. */
  readonly takes: Readonly<Record<string, number>>;
};

/** Whoever holds a segment writes its number here; nobody else may have it. */
class Holders {
  readonly #words: Int32Array;
  readonly #thread: number;

  constructor({ memories }: World, thread: number) {
    this.#words = new Int32Array(memories.holders!);
    this.#thread = thread;
  }

  take(segment: number): void {
    assert.equal(this.#words[segment], 0, `thread ${this.#thread} got segment ${segment}, which another one holds`);
    this.#words[segment] = this.#thread;
  }

  give(segment: number): void {
    assert.equal(
      this.#words[segment],
      this.#thread,
      `segment ${segment} of thread ${this.#thread} went to another one`,
    );
    this.#words[segment] = 0;
  }

  forget(thread: number): void {
    for (const [segment, holder] of this.#words.entries()) if (holder === thread) this.#words[segment] = 0;
  }
}

function obtained(pool: SegmentPool, owner: Parameters<SegmentPool["allocate"]>[0], count: number): readonly number[] {
  if (count === 1) return [pool.tryAllocateOne(owner)].filter((segment) => segment >= 0);
  try {
    return [...pool.allocate(owner, count)];
  } catch (error) {
    if ((error as EngineError).code !== "MEMORY_EXHAUSTED") throw error;
    return [];
  }
}

/** Takes segments, gives one of them back, and ends. */
const slot =
  (name: string, thread: number): Actor =>
  (world) => {
    const { handle, takes } = world.data as PoolData;
    const holders = new Holders(world, thread);
    const pool = SegmentPool.attach(handle, thread);
    return () => {
      const owner = pool.registerOwner({ job: "job", task: name, purpose: "steps" });
      const segments = obtained(pool, owner, takes[name]!);
      for (const segment of segments) holders.take(segment);
      world.point();
      for (const segment of segments.slice(0, 1)) {
        holders.give(segment);
        pool.release(owner, segment, pool.generation(segment));
      }
    };
  };

/** As a TaskManager: takes back what one held that has ended, while the other may still be at work. */
const main: Actor = (world) => {
  const { handle } = world.data as PoolData;
  const holders = new Holders(world, 0);
  const pool = SegmentPool.attach(handle, 0);
  return () => {
    world.untilEnded("first");
    holders.forget(1);
    pool.threadEnded(1);
  };
};

export const actors = { main, first: slot("first", 1), second: slot("second", 2) };
