// Any interleaving of operations, against a model of the pool that says in plain arrays what its header says in prose.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { EngineError } from "../base/errors.ts";
import type { OwnerId } from "./pool-report.ts";
import { SegmentPool } from "./segment-pool.ts";

const SEGMENTS = 12;
const LIMITS = [SEGMENTS, 5, 9];

type Operation =
  | { kind: "register"; group: number }
  | { kind: "allocate" | "allocateOne"; owner: number; count: number }
  | { kind: "release" | "doubleRelease" | "foreignRelease" | "lateRelease"; pick: number }
  | { kind: "close" | "useClosed"; owner: number };

const pick = fc.nat(1000);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("register" as const), group: fc.nat(2) }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constantFrom("allocate" as const, "allocateOne" as const),
      owner: pick,
      count: fc.oneof({ weight: 5, arbitrary: fc.nat(6) }, { weight: 1, arbitrary: fc.nat(SEGMENTS + 1) }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "release" as const,
        "release" as const,
        "doubleRelease" as const,
        "foreignRelease" as const,
        "lateRelease" as const,
      ),
      pick,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom("close" as const, "useClosed" as const),
      owner: pick,
    }),
  },
);

type Lease = { owner: ModelOwner; segment: number; generation: number };
type ModelOwner = { id: OwnerId; group: number };

/** The model and the pool; `apply` does one operation to both and compares. */
class Twin {
  readonly pool: SegmentPool;
  owners: ModelOwner[] = [];
  closed: OwnerId[] = [];
  leases: Lease[] = [];
  ended: Lease[] = [];

  constructor(pool: SegmentPool) {
    this.pool = pool;
  }

  apply(op: Operation): void {
    switch (op.kind) {
      case "register":
        this.owners.push({
          id: this.pool.registerOwner({ job: "j", task: "t", purpose: "p" }, op.group),
          group: op.group,
        });
        break;
      case "allocate":
      case "allocateOne":
        this.ask(op.kind, chosen(this.owners, op.owner), op.count);
        break;
      case "useClosed":
        if (this.closed.length > 0) {
          expectCode("MEMORY_OWNER_CLOSED", () => this.pool.tryAllocateOne(chosen(this.closed, op.owner)!));
        }
        break;
      case "close":
        this.drop(chosen(this.owners, op.owner));
        break;
      default:
        this.release(op.kind, op.pick);
    }
    this.compare();
  }

  ask(kind: "allocate" | "allocateOne", owner: ModelOwner | undefined, count: number): void {
    if (owner === undefined) return;
    const asked = kind === "allocateOne" ? 1 : count;
    const fits = asked <= this.free() && this.used(owner.group) + asked <= LIMITS[owner.group]!;
    if (kind === "allocateOne") {
      const segment = this.pool.tryAllocateOne(owner.id);
      assert.equal(segment >= 0, fits);
      if (fits) this.lease(owner, [segment]);
    } else if (fits) this.lease(owner, this.pool.allocate(owner.id, count));
    else {
      const code = asked > LIMITS[owner.group]! ? "MEMORY_REQUEST_TOO_LARGE" : "MEMORY_EXHAUSTED";
      expectCode(code, () => this.pool.allocate(owner.id, asked));
    }
  }

  release(kind: "release" | "doubleRelease" | "foreignRelease" | "lateRelease", index: number): void {
    const lease = chosen(kind === "doubleRelease" || kind === "lateRelease" ? this.ended : this.leases, index);
    if (lease === undefined || !this.owners.includes(lease.owner)) return;
    const { owner, segment, generation } = lease;
    if (kind === "release") {
      this.pool.release(owner.id, segment, generation);
      this.leases = this.leases.filter((other) => other !== lease);
      this.ended.push(lease);
    } else if (kind === "foreignRelease") {
      const other = this.owners.find((candidate) => candidate !== owner);
      if (other !== undefined)
        expectCode("MEMORY_FOREIGN_RELEASE", () => this.pool.release(other.id, segment, generation));
    } else {
      const free = !this.leases.some((other) => other.segment === segment);
      const last = this.pool.generation(segment) === generation + 1;
      const code = free && last ? "MEMORY_DOUBLE_RELEASE" : "MEMORY_LATE_RELEASE";
      expectCode(code, () => this.pool.release(owner.id, segment, generation));
    }
  }

  drop(owner: ModelOwner | undefined): void {
    if (owner === undefined) return;
    const held = this.leases.filter((lease) => lease.owner === owner);
    assert.equal(this.pool.closeOwner(owner.id), held.length);
    this.leases = this.leases.filter((lease) => lease.owner !== owner);
    this.ended.push(...held);
    this.owners = this.owners.filter((other) => other !== owner);
    this.closed.push(owner.id);
  }

  lease(owner: ModelOwner, segments: Iterable<number>): void {
    for (const segment of segments) {
      assert.ok(!this.leases.some((lease) => lease.segment === segment), `segment ${segment} was leased already`);
      this.leases.push({ owner, segment, generation: this.pool.generation(segment) });
    }
  }

  used(group: number): number {
    return this.leases.filter((lease) => lease.owner.group === group).length;
  }

  free(): number {
    return SEGMENTS - this.leases.length;
  }

  compare(): void {
    const stats = this.pool.stats();
    assert.equal(stats.free + stats.leased, SEGMENTS);
    assert.equal(stats.leased, this.leases.length);
    for (const { segment, generation } of this.leases) assert.equal(this.pool.generation(segment), generation);
    assert.deepEqual(this.pool.verify(), []);
  }
}

function chosen<T>(items: readonly T[], index: number): T | undefined {
  return items[index % Math.max(1, items.length)];
}

function expectCode(code: string, run: () => unknown): void {
  assert.throws(run, (error: EngineError) => error.code === code);
}

function poolCreate(): SegmentPool {
  return SegmentPool.create({
    name: "m",
    configKey: "k",
    segments: SEGMENTS,
    segmentSize: 8,
    groupLimits: LIMITS.slice(1),
    poison: true,
  });
}

test("any interleaving keeps free + leased = total, within limits, and detects wrong releases", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60, size: "max" }), (operations) => {
      const twin = new Twin(poolCreate());
      for (const group of LIMITS.keys()) twin.apply({ kind: "register", group });
      for (const op of operations) twin.apply(op);
      for (const owner of [...twin.owners]) twin.drop(owner);
      assert.equal(twin.pool.stats().free, SEGMENTS);
      assert.deepEqual(twin.pool.verify(), []);
    }),
    { numRuns: 400 },
  );
});
