import assert from "node:assert/strict";
import { test } from "node:test";
import { testOwner } from "../suites/test-owner.contract.ts";
import { heapBlocks } from "./block-source.ts";
import { PageAllocator } from "./page-allocator.ts";
import { PACK_PAGES, PagePacks } from "./page-packs.ts";
import { type PageChunk, PageSnapshot, placeInChunk } from "./page-snapshot.ts";

/** Pages of one owner, each of which holds a number, at first the one that it is. */
class Subject {
  readonly allocator = new PageAllocator(heapBlocks(16 << 20));
  readonly owner = testOwner(this.allocator);
  readonly #account = this.owner.account("s");
  readonly #packs = new PagePacks();
  readonly pages: Int32Array;

  constructor(count: number) {
    this.pages = Int32Array.from({ length: count }, () => this.allocator.allocate(this.#account));
    for (let n = 0; n < count; n += 1) this.write(n, n);
  }

  write(n: number, value: number): void {
    this.allocator.view.f64[this.allocator.writable(this.pages[n]!)] = value;
  }

  /** `pages`: those that are in it. */
  begin(checkpoint: number, pages = this.pages): PageSnapshot {
    const { allocator, owner } = this;
    return new PageSnapshot({ allocator, owner, packs: this.#packs, checkpoint, pages, relieved: () => undefined });
  }

  /** What the pages of the next chunk hold; null at the end. */
  step(snapshot: PageSnapshot): number[] | null {
    const chunk = snapshot.next();
    return chunk === null ? null : this.#contentOf(chunk);
  }

  #contentOf({ at, bytes, pages }: PageChunk): number[] {
    const file = { name: `pack-${at}`, bytes: 0, index: { offset: 0, length: 0 } };
    if (at % PACK_PAGES === 0) this.#packs.written(at, file);
    return Array.from({ length: pages }, (_, n) => bytes.readDoubleLE(placeInChunk(n)));
  }

  /** What the pages hold that are copied, until the end. */
  copied(snapshot: PageSnapshot): number[] {
    const all: number[] = [];
    for (let some = this.step(snapshot); some !== null; some = this.step(snapshot)) all.push(...some);
    snapshot.end();
    return all;
  }

  completed(checkpoint: number): void {
    this.#packs.completed(checkpoint);
  }
}

test("a page that changes before its turn is copied as it was, or referred to where a completed checkpoint has it", () => {
  const subject = new Subject(4);
  const first = subject.begin(1);
  subject.write(2, 20);
  subject.write(2, 21);
  assert.deepEqual(subject.copied(first), [2, 0, 1, 3]);
  subject.completed(1);
  const second = subject.begin(2);
  subject.write(1, 10);
  assert.deepEqual(subject.copied(second), [21]);
  assert.deepEqual(
    [0, 1, 3].map((n) => second.places[n]),
    [0, 1, 3].map((n) => first.places[n]),
  );
  subject.completed(2);
  assert.deepEqual(subject.copied(subject.begin(3)), [10]);
});

test("pages that are not a snapshot's are not copied when they change, nor are any once it has ended", () => {
  const subject = new Subject(6);
  const { allocator, owner } = subject;
  const other = testOwner(allocator, "other").account("s");
  const theirs = allocator.allocate(other);
  const snapshot = subject.begin(1, Int32Array.of(subject.pages[0]!, -7, subject.pages[1]!));
  allocator.writable(theirs);
  subject.write(5, 50);
  assert.deepEqual(subject.copied(snapshot), [0, 1]);
  assert.equal(snapshot.places[1], -1, "there is no page");
  subject.begin(2).end();
  subject.write(3, 30);
  assert.equal(owner.watchers.size, 0);
});

test("two snapshots at a time have what was there when each of them began", () => {
  const subject = new Subject(3);
  const first = subject.begin(1);
  subject.write(0, 5);
  const second = subject.begin(2);
  subject.write(0, 6);
  subject.write(1, 7);
  assert.deepEqual(subject.copied(first), [0, 1, 2]);
  assert.deepEqual(subject.copied(second), [5, 1, 2]);
});

test("a snapshot that began before another one is completed refers to what that has, and has not changed", () => {
  const subject = new Subject(3);
  const [first, second] = [subject.begin(1), subject.begin(2)];
  subject.copied(first);
  subject.completed(1);
  subject.write(1, 10);
  assert.deepEqual(subject.copied(second), []);
  assert.deepEqual(second.places, first.places);
});

test("a snapshot that is given up forgets nothing of what completed ones have", () => {
  const subject = new Subject(3);
  subject.copied(subject.begin(1));
  subject.completed(1);
  subject.begin(2).end();
  for (const checkpoint of [3, 4]) assert.deepEqual(subject.copied(subject.begin(checkpoint)), []);
});

test("what one snapshot saves while another one is under way is not forgotten when that ends", () => {
  const half = 512; // A chunk.
  const subject = new Subject(2 * half);
  const [first, second] = [subject.begin(1), subject.begin(2)];
  assert.equal(subject.step(second)?.length, half);
  assert.equal(subject.copied(first).length, 2 * half);
  assert.equal(subject.copied(second).length, half);
  subject.completed(1);
  assert.equal(subject.copied(subject.begin(3)).length, half, "the second one has saved the others elsewhere since");
});
