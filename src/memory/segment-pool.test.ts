import assert from "node:assert/strict";
import { test } from "node:test";
import type { EngineError } from "../base/errors.ts";
import * as c from "./pool-control.ts";
import type { OwnerId } from "./pool-report.ts";
import { SegmentPool } from "./segment-pool.ts";

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

function poolOf(segments: number, options: { groupLimits?: number[]; poison?: boolean } = {}) {
  return SegmentPool.create({ name: "managed memory", configKey: "the.key", segments, segmentSize: 64, ...options });
}

function ownerOf(pool: SegmentPool, task: string, group = 0): OwnerId {
  return pool.registerOwner({ job: "job", task, purpose: "state" }, group);
}

function refused(code: string, run: () => unknown, pattern = /./): void {
  assert.throws(run, (error: EngineError) => {
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  });
}

test("a task that takes 2 GiB in 2,048 blocks leaves none, and one that wants 1 GiB is refused until half of it is back", () => {
  const pool = SegmentPool.create({
    name: "managed memory",
    configKey: "taskmanager.memory.managed.size",
    segments: (2 * GIB) / MIB,
    segmentSize: MIB,
  });
  const first = ownerOf(pool, "first");
  const second = ownerOf(pool, "second");
  const all = pool.allocate(first, 2048);
  assert.equal(new Set(all).size, 2048);
  assert.deepEqual({ ...pool.stats() }, { total: 2048, free: 0, leased: 2048, leasedPeak: 2048, repairs: 0 });
  pool.view.bytes[pool.offset(all[2047]!) + MIB - 1] = 1;

  refused(
    "MEMORY_EXHAUSTED",
    () => pool.allocate(second, 1024),
    /1,024 × 1 MiB \(1 GiB\) .* 0 × .* of 2,048 × 1 MiB \(2 GiB\) free.*first/,
  );
  refused(
    "MEMORY_REQUEST_TOO_LARGE",
    () => pool.allocate(second, 2049),
    /2,049 × 1 MiB .* 2,048 × 1 MiB \(2 GiB\) is all/,
  );

  for (const segment of all.subarray(0, 1023)) pool.release(first, segment, pool.generation(segment));
  refused("MEMORY_EXHAUSTED", () => pool.allocate(second, 1024), /1,023 × /);
  pool.release(first, all[1023]!, pool.generation(all[1023]!));
  assert.equal(pool.allocate(second, 1024).length, 1024);
  assert.equal(pool.closeOwner(first), 1024);
  assert.equal(pool.closeOwner(second), 1024);
  assert.equal(pool.stats().free, 2048);
});

test("a region of 8 GiB is made without committing it", () => {
  const before = process.memoryUsage.rss();
  const pool = SegmentPool.create({ name: "m", configKey: "k", segments: 8192, segmentSize: MIB });
  const owner = ownerOf(pool, "t");
  const segments = pool.allocate(owner, 8192);
  const last = pool.offset(Math.max(...segments));
  assert.equal(last, 8191 * MIB);
  pool.view.bytes[last] = 7;
  pool.view.f64[last / 8 + 1] = 0.5;
  assert.equal(pool.view.bytes[last], 7);
  assert.ok(process.memoryUsage.rss() - before < 256 * MIB);
});

test("a double, a foreign and a late release are told apart and change nothing", () => {
  const pool = poolOf(1);
  const one = ownerOf(pool, "one");
  const two = ownerOf(pool, "two");
  const segment = pool.tryAllocateOne(one);
  const generation = pool.generation(segment);
  refused("MEMORY_FOREIGN_RELEASE", () => pool.release(two, segment, generation));
  refused("MEMORY_LATE_RELEASE", () => pool.release(one, segment, generation + 7));
  assert.equal(pool.stats().leased, 1);
  pool.release(one, segment, generation);
  refused("MEMORY_DOUBLE_RELEASE", () => pool.release(one, segment, generation));
  assert.equal(pool.tryAllocateOne(two), segment);
  refused("MEMORY_LATE_RELEASE", () => pool.release(one, segment, generation));
  for (const none of [-1, 1, 0.5, Number.NaN]) refused("ASSERTION", () => pool.release(one, none, generation));
  assert.deepEqual(pool.stats().leased, 1);
  assert.deepEqual(pool.verify(), []);
});

test("a closed owner is refused, also when its record has a new owner", () => {
  const pool = poolOf(2);
  const old = ownerOf(pool, "old");
  const segment = pool.tryAllocateOne(old);
  assert.equal(pool.closeOwner(old), 1);
  const next = ownerOf(pool, "next");
  refused("MEMORY_OWNER_CLOSED", () => pool.tryAllocateOne(old));
  refused("MEMORY_OWNER_CLOSED", () => pool.release(old, segment, 0));
  refused("MEMORY_OWNER_CLOSED", () => pool.closeOwner(old));
  assert.ok(pool.tryAllocateOne(next) >= 0);
});

test("a generation that has come round still names one lease at a time", () => {
  const pool = poolOf(1);
  const owner = ownerOf(pool, "t");
  for (let lease = 0; lease < 2 ** 20 + 5; lease += 1) {
    const segment = pool.tryAllocateOne(owner);
    pool.release(owner, segment, pool.generation(segment));
  }
  assert.equal(pool.generation(0), 5);
  assert.deepEqual(pool.verify(), []);
});

test("a group holds no more than its limit, whatever others leave free", () => {
  const pool = poolOf(10, { groupLimits: [4, 6] });
  const left = ownerOf(pool, "left", 1);
  const leftToo = ownerOf(pool, "left too", 1);
  const right = ownerOf(pool, "right", 2);
  assert.equal(pool.allocate(left, 3).length, 3);
  refused("MEMORY_REQUEST_TOO_LARGE", () => pool.allocate(leftToo, 5), /5 × .* 4 × /);
  refused("MEMORY_EXHAUSTED", () => pool.allocate(leftToo, 2), /1 × 64 B .*of 4 × 64 B/);
  assert.equal(pool.stats().leased, 3, "all or nothing");
  assert.ok(pool.tryAllocateOne(leftToo) >= 0);
  assert.equal(pool.tryAllocateOne(left), -1);
  assert.equal(pool.allocate(right, 6).length, 6);
  assert.equal(pool.tryAllocateOne(right), -1);
  pool.closeOwner(left);
  assert.equal(pool.allocate(leftToo, 3).length, 3);
});

test("the table of owners is bounded, and a full one says so", () => {
  const pool = poolOf(1);
  const owners = Array.from({ length: 4095 }, (_, index) => ownerOf(pool, `task ${index}`));
  refused("MEMORY_OWNERS_EXHAUSTED", () => ownerOf(pool, "one more"));
  for (const owner of owners) pool.closeOwner(owner);
  ownerOf(pool, "one more");
});

test("the report names owners of any thread, cuts long names at whole characters, and has the largest first", () => {
  const pool = poolOf(8);
  const attached = SegmentPool.attach(structuredClone(pool.handle), 5);
  attached.registerOwner({ job: "j".repeat(100), task: "ü".repeat(100), purpose: "" });
  const large = pool.registerOwner({ job: "job", task: "sum 1/2", purpose: 'state "totals"' });
  pool.allocate(large, 3);
  pool.release(large, 0, 0);
  const [first, second] = pool.report();
  assert.deepEqual(first, {
    job: "job",
    task: "sum 1/2",
    purpose: 'state "totals"',
    owner: large,
    group: 0,
    thread: 0,
    segments: 2,
    bytes: 128,
    segmentsPeak: 3,
  });
  assert.deepEqual([second?.job, second?.task, second?.purpose], ["j".repeat(64), "ü".repeat(64), ""]);
  assert.deepEqual(attached.report(), pool.report());
});

test("what is released is poisoned when asked for, and left as it is otherwise", () => {
  for (const poison of [true, false]) {
    const pool = poolOf(2, { poison });
    const owner = ownerOf(pool, "t");
    pool.allocate(owner, 2);
    pool.view.bytes.fill(1);
    pool.release(owner, 0, 0);
    assert.deepEqual(new Set(pool.view.bytes.subarray(0, 64)), new Set([poison ? 0xdb : 1]));
    refused("MEMORY_DOUBLE_RELEASE", () => pool.release(owner, 0, 0));
    refused("MEMORY_LATE_RELEASE", () => pool.release(owner, 1, 1));
    assert.deepEqual(new Set(pool.view.bytes.subarray(64)), new Set([1]), "a refused release touches nothing");
    pool.closeOwner(owner);
    assert.deepEqual(new Set(pool.view.bytes.subarray(64)), new Set([poison ? 0xdb : 1]));
  }
});

test("a pool without segments refuses at once", () => {
  const pool = poolOf(0);
  const owner = ownerOf(pool, "t");
  assert.equal(pool.tryAllocateOne(owner), -1);
  assert.deepEqual(pool.allocate(owner, 0), new Int32Array(0));
  refused("MEMORY_REQUEST_TOO_LARGE", () => pool.allocate(owner, 1));
});

test("a region that no address space has room for is refused with its key", () => {
  const create = () => SegmentPool.create({ name: "m", configKey: "the.key", segments: 2 ** 30, segmentSize: 2 ** 24 });
  refused("MEMORY_REGION_REFUSED", create, /16384 TiB/);
});

test("registrations go on being told apart when their count passes 2^31, and leases when theirs passes 2^20", () => {
  const pool = poolOf(2);
  const { words, ownersAt, segmentsAt } = c.controlOpen(pool.handle.control, 0);
  const first = ownerOf(pool, "first");
  const at = ownersAt + (first & c.OWNER_MASK) * c.OWNER_WORDS + c.OWNER_EPOCH;
  pool.closeOwner(first);
  words[at] = 2 ** 31 - 2;
  const ids = Array.from({ length: 4 }, (_, n) => {
    const owner = ownerOf(pool, `task ${n}`);
    assert.deepEqual(
      pool.report().map(({ owner: id, task }) => [id, task]),
      [[owner, `task ${n}`]],
    );
    const segment = pool.tryAllocateOne(owner);
    pool.release(owner, segment, pool.generation(segment));
    pool.closeOwner(owner);
    refused("MEMORY_OWNER_CLOSED", () => pool.tryAllocateOne(owner));
    return owner;
  });
  assert.ok(words[at]! < 0, "the count has wrapped");
  assert.equal(new Set(ids).size, 4);

  const owner = ownerOf(pool, "leases");
  for (const free of [0, 1]) words[segmentsAt + free] = c.GENERATION_MASK << c.GENERATION_SHIFT;
  const segment = pool.tryAllocateOne(owner);
  assert.equal(pool.generation(segment), c.GENERATION_MASK);
  pool.release(owner, segment, c.GENERATION_MASK);
  refused("MEMORY_DOUBLE_RELEASE", () => pool.release(owner, segment, c.GENERATION_MASK));
  assert.equal(pool.tryAllocateOne(owner), segment);
  assert.equal(pool.generation(segment), 0);
  refused("MEMORY_LATE_RELEASE", () => pool.release(owner, segment, c.GENERATION_MASK));
  pool.release(owner, segment, 0);
  assert.deepEqual(pool.verify(), []);
});
