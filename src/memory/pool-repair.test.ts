// A thread that ends while it holds the lock. V8 should never let it (L1), so the tests make up the memory that it
// would leave behind.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EngineError } from "../base/errors.ts";
import { LOCK } from "./pool-control.ts";
import type { OwnerId } from "./pool-report.ts";
import { SegmentPool } from "./segment-pool.ts";

const SEGMENTS = 12;
const MAIN = 0;
const DYING = 7;

type Call = { kind: "register" | "one" | "many" | "release" | "close"; number: number };

const call: fc.Arbitrary<Call> = fc.record({
  kind: fc.constantFrom("register", "one", "many", "many", "release", "release", "close"),
  number: fc.nat(SEGMENTS),
});

/** Makes the calls; those that are refused do not matter. */
function make(pool: SegmentPool, calls: readonly Call[]): void {
  const owners = [pool.registerOwner({ job: "j", task: "t", purpose: "p" }, 1)];
  const leases: [OwnerId, number][] = [];
  const of = <T>(items: readonly T[], index: number): T => items[index % items.length]!;
  const lease = (owner: OwnerId, segments: Iterable<number>) => {
    for (const segment of segments) if (segment >= 0) leases.push([owner, segment]);
  };
  const actions: Record<Call["kind"], (owner: OwnerId, number: number) => void> = {
    register: (_, number) => owners.push(pool.registerOwner({ job: "j", task: "t", purpose: "p" }, number % 3)),
    one: (owner) => lease(owner, [pool.tryAllocateOne(owner)]),
    many: (owner, number) => lease(owner, pool.allocate(owner, number)),
    release: (_, number) => {
      const [owner, segment] = leases.splice(number % leases.length, 1)[0] ?? [owners[0]!, 0];
      pool.release(owner, segment, pool.generation(segment));
    },
    close: (owner) => pool.closeOwner(owner),
  };
  for (const { kind, number } of calls) {
    try {
      actions[kind](of(owners, number), number);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
    }
  }
}

/** The control memory at the start and at the end of each section that `run` goes through. */
function sectionsOf(control: Int32Array, run: () => void): { before: Int32Array; after: Int32Array }[] {
  const { compareExchange } = Atomics;
  const sections: { before: Int32Array; after: Int32Array }[] = [];
  let before = control;
  Atomics.compareExchange = ((words: Int32Array, index: number, expected: number, value: number) => {
    if (expected < 0) sections.push({ before, after: control.slice() });
    const found = compareExchange(words, index, expected, value);
    if (expected === 0) before = control.slice();
    return found;
  }) as typeof compareExchange;
  try {
    run();
  } finally {
    Atomics.compareExchange = compareExchange;
  }
  return sections;
}

function poolCreate(): SegmentPool {
  return SegmentPool.create(
    { name: "m", configKey: "k", segments: SEGMENTS, segmentSize: 8, groupLimits: [5, 9] },
    MAIN,
  );
}

test("a thread that ends in any section, whichever of its writes were made, leaves a pool that can be repaired", () => {
  fc.assert(
    fc.property(
      fc.array(call, { maxLength: 25, size: "max" }),
      fc.array(call, { maxLength: 12, size: "max" }),
      fc.nat(10_000),
      fc.infiniteStream(fc.boolean()),
      (callsOfMain, callsOfDying, which, written) => {
        const pool = poolCreate();
        const control = new Int32Array(pool.handle.control, 0, 50_000);
        make(pool, callsOfMain);
        const sections = sectionsOf(control, () => make(SegmentPool.attach(pool.handle, DYING), callsOfDying));
        const { before, after } = sections[which % sections.length]!;
        for (const [index, word] of before.entries()) {
          control[index] = word !== after[index] && written.next().value ? after[index]! : word;
        }
        control[LOCK] = DYING + 1;

        pool.threadEnded(DYING);

        assert.deepEqual(pool.verify(), []);
        assert.equal(pool.stats().repairs, 1);
        assert.ok(!pool.report().some((row) => row.thread === DYING && row.segments > 0));
        for (const row of pool.report()) pool.closeOwner(row.owner);
        assert.deepEqual(pool.verify(), []);
        const next = pool.registerOwner({ job: "j", task: "next", purpose: "p" });
        assert.equal(pool.allocate(next, SEGMENTS).length, SEGMENTS, "nothing is set aside for nobody");
      },
    ),
    { numRuns: 250 },
  );
});

test("what other threads lease survives a repair", () => {
  const pool = poolCreate();
  const other = pool.registerOwner({ job: "j", task: "other", purpose: "p" });
  const kept = pool.allocate(other, 2);
  const dying = SegmentPool.attach(pool.handle, DYING);
  const gone = dying.registerOwner({ job: "j", task: "gone", purpose: "p" });
  dying.allocate(gone, SEGMENTS - 2);
  new Int32Array(pool.handle.control)[LOCK] = DYING + 1;

  const leaks = pool.threadEnded(DYING);

  assert.deepEqual(
    leaks.map((row) => [row.task, row.segments]),
    [["gone", SEGMENTS - 2]],
  );
  assert.equal(pool.allocate(other, SEGMENTS - 2).length, SEGMENTS - 2);
  for (const segment of kept) pool.release(other, segment, pool.generation(segment));
  assert.deepEqual(pool.verify(), []);
});

test("a lock whose section is done is freed by whoever waits for it", () => {
  const pool = poolCreate();
  new Int32Array(pool.handle.control)[LOCK] = -(DYING + 1);
  assert.equal(pool.stats().free, SEGMENTS);
  assert.equal(pool.stats().repairs, 0);
});
