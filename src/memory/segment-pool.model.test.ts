// Any interleaving of operations, against a model of the pool that says in plain arrays what its header says in prose.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { EngineError } from "../base/errors.ts";
import type { AllocationRequest } from "./allocation-request.ts";
import type { OwnerId } from "./pool-report.ts";
import { SegmentPool } from "./segment-pool.ts";

const SEGMENTS = 12;
const LIMITS = [SEGMENTS, 5, 9];

type Operation =
  | { kind: "register"; group: number }
  | { kind: "allocate" | "allocateOne" | "request"; owner: number; count: number }
  | { kind: "take" | "cancel"; request: number }
  | { kind: "release" | "doubleRelease" | "foreignRelease" | "lateRelease"; pick: number }
  | { kind: "releaseAll" | "close" | "useClosed"; owner: number };

const pick = fc.nat(1000);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("register" as const), group: fc.nat(2) }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constantFrom("allocate" as const, "allocateOne" as const, "request" as const),
      owner: pick,
      count: fc.oneof({ weight: 5, arbitrary: fc.nat(6) }, { weight: 1, arbitrary: fc.nat(SEGMENTS + 1) }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("take" as const, "cancel" as const), request: pick }) },
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
      kind: fc.constantFrom("releaseAll" as const, "close" as const, "useClosed" as const),
      owner: pick,
    }),
  },
);

type Lease = { owner: ModelOwner; segment: number; generation: number };
type ModelOwner = { id: OwnerId; group: number };
type ModelRequest = {
  owner: ModelOwner;
  count: number;
  state: "group" | "pool" | "granted";
  handle: AllocationRequest;
};

/** The model and the pool; `apply` does one operation to both and compares. */
class Twin {
  readonly pool: SegmentPool;
  owners: ModelOwner[] = [];
  closed: OwnerId[] = [];
  leases: Lease[] = [];
  ended: Lease[] = [];
  groupQueue: ModelRequest[] = [];
  poolQueue: ModelRequest[] = [];
  granted: ModelRequest[] = [];

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
      case "request":
        this.ask(op.kind, chosen(this.owners, op.owner), op.count);
        break;
      case "take":
      case "cancel":
        this.end(op.kind, chosen([...this.granted, ...this.poolQueue, ...this.groupQueue], op.request));
        break;
      case "useClosed":
        if (this.closed.length > 0) {
          expectCode("MEMORY_OWNER_CLOSED", () => this.pool.tryAllocateOne(chosen(this.closed, op.owner)!));
        }
        break;
      case "releaseAll":
      case "close":
        this.drop(op.kind, chosen(this.owners, op.owner));
        break;
      default:
        this.release(op.kind, op.pick);
    }
    this.settle();
    this.compare();
  }

  ask(kind: "allocate" | "allocateOne" | "request", owner: ModelOwner | undefined, count: number): void {
    if (owner === undefined) return;
    const one = kind === "allocateOne";
    const asked = one ? 1 : count;
    const fits = this.fits(owner, asked);
    if (!one && asked > LIMITS[owner.group]!) {
      expectCode("MEMORY_REQUEST_TOO_LARGE", () => this.pool.request(owner.id, asked));
      return;
    }
    if (kind === "request") {
      this.groupQueue.push({ owner, count, state: "group", handle: this.pool.request(owner.id, count)! });
      return;
    }
    const got = one ? [this.pool.tryAllocateOne(owner.id)] : this.pool.tryAllocate(owner.id, count);
    assert.equal(one ? got?.[0] !== -1 : got !== null, fits, `${kind} of ${asked}`);
    if (fits) this.lease(owner, got!);
  }

  fits(owner: ModelOwner, count: number): boolean {
    const waits = this.poolQueue.length > 0 || this.groupQueue.some((request) => request.owner.group === owner.group);
    return !waits && count <= this.available() && this.used(owner.group) + count <= LIMITS[owner.group]!;
  }

  end(kind: "take" | "cancel", request: ModelRequest | undefined): void {
    if (request === undefined) return;
    if (kind === "take" && request.state !== "granted") {
      expectCode("MEMORY_NOT_GRANTED", () => request.handle.take());
      return;
    }
    if (kind === "cancel") request.handle.cancel();
    else this.lease(request.owner, request.handle.take());
    this.forget((other) => other === request);
    assert.equal(request.handle.granted(), false);
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

  drop(kind: "releaseAll" | "close", owner: ModelOwner | undefined): void {
    if (owner === undefined) return;
    const held = this.leases.filter((lease) => lease.owner === owner);
    const count = kind === "close" ? this.pool.closeOwner(owner.id) : this.pool.releaseAll(owner.id);
    assert.equal(count, held.length);
    this.leases = this.leases.filter((lease) => lease.owner !== owner);
    this.ended.push(...held);
    this.forget((request) => request.owner === owner);
    if (kind === "releaseAll") return;
    this.owners = this.owners.filter((other) => other !== owner);
    this.closed.push(owner.id);
  }

  forget(gone: (request: ModelRequest) => boolean): void {
    this.groupQueue = this.groupQueue.filter((request) => !gone(request));
    this.poolQueue = this.poolQueue.filter((request) => !gone(request));
    this.granted = this.granted.filter((request) => !gone(request));
  }

  lease(owner: ModelOwner, segments: Iterable<number>): void {
    for (const segment of segments) {
      assert.ok(!this.leases.some((lease) => lease.segment === segment), `segment ${segment} was leased already`);
      this.leases.push({ owner, segment, generation: this.pool.generation(segment) });
    }
  }

  /**
   * Heads of group queues first, then the pool's queue; the order in which groups are looked at follows from the
   * operations.
   */
  settle(): void {
    for (const group of LIMITS.keys()) {
      for (;;) {
        const head = this.groupQueue.find((request) => request.owner.group === group);
        if (head === undefined || this.used(group) + head.count > LIMITS[group]!) break;
        this.groupQueue = this.groupQueue.filter((request) => request !== head);
        head.state = "pool";
        this.poolQueue.push(head);
      }
    }
    while (this.poolQueue.length > 0 && this.poolQueue[0]!.count <= this.available()) {
      const head = this.poolQueue.shift()!;
      head.state = "granted";
      this.granted.push(head);
    }
  }

  used(group: number): number {
    const requests = [...this.poolQueue, ...this.granted].filter((request) => request.owner.group === group);
    const leased = this.leases.filter((lease) => lease.owner.group === group).length;
    return requests.reduce((sum, request) => sum + request.count, leased);
  }

  available(): number {
    return this.granted.reduce((free, request) => free - request.count, SEGMENTS - this.leases.length);
  }

  compare(): void {
    const stats = this.pool.stats();
    assert.equal(stats.free + stats.leased, SEGMENTS);
    assert.equal(stats.leased, this.leases.length);
    assert.equal(stats.waiting, this.groupQueue.length + this.poolQueue.length);
    for (const { owner, segment, generation } of this.leases) assert.ok(this.pool.holds(owner.id, segment, generation));
    for (const request of this.granted) assert.ok(request.handle.granted(), "granted in the model only");
    for (const request of [...this.groupQueue, ...this.poolQueue])
      assert.ok(!request.handle.granted(), "granted too early");
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

test("any interleaving keeps free + leased = total, serves in order, within limits, and detects wrong releases", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60, size: "max" }), (operations) => {
      const twin = new Twin(poolCreate());
      for (const group of LIMITS.keys()) twin.apply({ kind: "register", group });
      for (const op of operations) twin.apply(op);
      for (const owner of [...twin.owners]) twin.drop("close", owner);
      assert.equal(twin.pool.stats().free, SEGMENTS);
      assert.deepEqual(twin.pool.verify(), []);
    }),
    { numRuns: 400 },
  );
});
