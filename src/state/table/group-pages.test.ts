import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { keyCodec } from "../../types/keys/key-bytes.ts";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import { KeyBatch } from "../keys/key-batch.ts";
import { type KeyGroupRange, keyGroupOf } from "../keys/key-groups.ts";
import { heapBlocks } from "../pages/block-source.ts";
import { PAGE_BYTES, PageAllocator } from "../pages/page-allocator.ts";
import { PageList } from "../pages/page-list.ts";
import { PageWatch } from "../suites/page-watch.contract.ts";
import { testOwner } from "../suites/test-owner.contract.ts";
import { ManagedTable } from "./managed-table.ts";
import { TableHeads } from "./namespace-heads.ts";

const GROUPS = 8;
const ANY = { kind: "any" } as const;
const hash = compileKeyHash(ANY, "group-pages");
const codec = keyCodec(ANY);
/** Keys that lie in the row, and such that lie in the log. */
const keyOf = (n: number): string => (n % 3 === 0 ? `k${n}` : `a key that is too long for its row, number ${n}`);

type Row = { readonly key: number; readonly pane: number; readonly value: number; readonly size: number };

/** A table whose rows are listed and have everything that a row can have. */
class Subject {
  readonly table: ManagedTable;
  readonly heads: TableHeads;
  readonly watch: PageWatch;
  readonly #allocator: PageAllocator;
  readonly #first: number;
  readonly #key = new KeyBatch(1);

  constructor(keyGroups: KeyGroupRange, limitBytes = 8 << 20) {
    this.#allocator = new PageAllocator(heapBlocks(limitBytes));
    this.watch = new PageWatch(this.#allocator);
    const owner = testOwner(this.#allocator);
    const options = { allocator: this.#allocator, owner, maxParallelism: GROUPS, keyGroups, seed: 7 };
    this.heads = new TableHeads("t", options);
    const spec = { name: "t", key: "bytes", namespaced: true, listed: true, blob: true } as const;
    this.table = new ManagedTable({ ...spec, valueWords: 1, initial: null }, options, this.heads);
    this.#first = keyGroups.first;
  }

  put({ key, pane, value, size }: Row): void {
    const { table } = this;
    const address = table.resolveIn(this.#groupOf(key), this.#stage(key, pane), 0);
    table.f64[address + table.layout.valueWord] = value;
    assert.ok(table.blobs.write(address, Buffer.alloc(size, value), 0, size));
  }

  remove({ key, pane }: Row): void {
    const address = this.table.findIn(this.#groupOf(key), this.#stage(key, pane), 0);
    if (address !== -1) this.table.remove(address);
  }

  /** The row of a key, null for none. */
  get(key: number, pane: number): unknown {
    const address = this.table.findIn(this.#groupOf(key), this.#stage(key, pane), 0);
    return address === -1 ? null : this.#rowAt(address);
  }

  /** The rows of a pane in a key group, in their order. */
  rowsOf(pane: number, keyGroup: number): unknown[] {
    const rows = new Int32Array(500);
    const count = this.table.scanNamespace(pane, { group: 0, row: -1 }, rows);
    const own = [...rows.subarray(0, count)].filter((row) => this.table.rowGroup(row) === keyGroup - this.#first);
    return own.map((row) => this.#rowAt(row));
  }

  /** What the pages of a group hold. */
  copy(keyGroup: number) {
    const list = new PageList();
    const form = this.table.formOf(keyGroup - this.#first, list);
    const { bytes } = this.#allocator.view;
    const copies = [...list.pages].map((page) =>
      page < 0 ? null : Buffer.from(bytes.subarray(page * 8, page * 8 + PAGE_BYTES)),
    );
    return { form, copies };
  }

  load(keyGroup: number, { form, copies }: ReturnType<Subject["copy"]>): boolean {
    const group = keyGroup - this.#first;
    const pages = this.table.adopt(group, form, (n) => copies[n] !== null);
    if (pages === null) return false;
    pages.forEach((page, n) => {
      if (page >= 0) this.#allocator.view.bytes.set(copies[n]!, page * 8);
    });
    return this.table.loaded(group);
  }

  finish(): void {
    this.watch.check();
    this.table.release();
    this.heads.release();
    assert.equal(this.#allocator.close(), 0);
  }

  #rowAt(address: number): unknown {
    const { table } = this;
    const key = new KeyBatch(1);
    const blob = new KeyBatch(64);
    table.readKey(address, key);
    table.blobs.read(address, blob);
    return {
      key: key.bytes.toString("latin1", 0, key.position),
      value: table.f64[address + table.layout.valueWord],
      blob: blob.bytes.toString("hex", 0, blob.position),
      number: table.rowNumber(address),
    };
  }

  #groupOf(key: number): number {
    return this.table.groupOf(hash(keyOf(key)));
  }

  #stage(key: number, pane: number): KeyBatch {
    const batch = this.#key;
    batch.position = 0;
    batch.hashes[0] = hash(keyOf(key));
    batch.stage(0, keyOf(key), codec);
    batch.namespaces[0] = pane;
    return batch;
  }
}

const row = fc.record({ key: fc.nat(60), pane: fc.nat(4), value: fc.nat(200), size: fc.nat(300) });
const history = fc.array(fc.record({ row, isRemoval: fc.boolean() }), { minLength: 50, maxLength: 400, size: "max" });

const keyGroupOfKey = (key: number): number => keyGroupOf(hash(keyOf(key)), GROUPS);

function work(subject: Subject, steps: readonly { row: Row; isRemoval: boolean }[], groups: KeyGroupRange): void {
  for (const { row: each, isRemoval } of steps) {
    const group = keyGroupOfKey(each.key);
    if (group < groups.first || group > groups.last) continue;
    subject.watch.turn();
    if (isRemoval) subject.remove(each);
    else subject.put(each);
  }
}

test("the pages of a key group give the same rows in a table of other groups, and go on from there", () => {
  fc.assert(
    fc.property(history, history, fc.nat(3), fc.nat(3), (before, after, keyGroup, other) => {
      const from = { first: 0, last: 3 };
      const to = { first: Math.min(keyGroup, other), last: GROUPS - 1 };
      const source = new Subject(from);
      const target = new Subject(to);
      work(source, before, from);
      // The other table has rows of its own, and so do its pages and panes.
      work(target, before, { first: 4, last: GROUPS - 1 });
      assert.ok(target.load(keyGroup, source.copy(keyGroup)));
      const own = { first: keyGroup, last: keyGroup };
      for (const steps of [[], after]) {
        work(source, steps, own);
        work(target, steps, own);
        for (let pane = 0; pane <= 4; pane += 1) {
          assert.deepEqual(target.rowsOf(pane, keyGroup), source.rowsOf(pane, keyGroup));
          for (let key = 0; key <= 60; key += 1) {
            if (keyGroupOfKey(key) === keyGroup) assert.deepEqual(target.get(key, pane), source.get(key, pane));
          }
        }
      }
      source.finish();
      target.finish();
    }),
    { numRuns: 30 },
  );
});

test("rows of a key group that was loaded go before any is looked for, the others are there, and the last ones go", () => {
  const source = new Subject({ first: 0, last: 0 });
  const keys = Array.from({ length: 3000 }, (_, key) => key).filter((key) => keyGroupOfKey(key) === 0);
  for (const key of keys) source.put({ key, pane: 0, value: key, size: 10 });
  const target = new Subject({ first: 0, last: 3 });
  assert.ok(target.load(0, source.copy(0)));
  const { table } = target;
  assert.deepEqual([table.size, table.nextGroup(-1)], [keys.length, 0]);
  const rows = new Int32Array(keys.length);
  for (const count of [200, keys.length - 200]) {
    assert.equal(table.scanGroup({ group: 0, row: -1 }, rows), table.size);
    const values = new Set([...rows.subarray(0, count)].map((row) => table.f64[row + table.layout.valueWord]!));
    for (const row of rows.subarray(0, count)) table.remove(row);
    for (const value of values) assert.equal(target.get(value, 0), null);
    for (const row of rows.subarray(count, keys.length - 200)) {
      const value = table.f64[row + table.layout.valueWord]!;
      assert.deepEqual(target.get(value, 0), source.get(value, 0));
    }
  }
  assert.deepEqual([table.size, table.nextGroup(-1), table.account.bytes], [0, -1, 0]);
  source.finish();
  target.finish();
});

test("a key group that was loaded and cleared before any row was looked for begins anew", () => {
  const allocator = new PageAllocator(heapBlocks(1 << 20));
  const spec = { name: "t", key: "number", namespaced: false, listed: false, blob: false } as const;
  const table = new ManagedTable(
    { ...spec, valueWords: 1, initial: null },
    { allocator, owner: testOwner(allocator), maxParallelism: 1, keyGroups: { first: 0, last: 0 }, seed: 7 },
  );
  const batch = new KeyBatch(1);
  batch.numbers[0] = 5;
  batch.hashNumbers(1);
  table.resolveIn(0, batch, 0);
  const list = new PageList();
  const form = table.formOf(0, list);
  const { bytes, f64 } = allocator.view;
  const copy = Buffer.from(bytes.subarray(list.pages[0]! * 8, list.pages[0]! * 8 + PAGE_BYTES));
  table.clearGroup(0);
  const [page] = table.adopt(0, form, () => true)!;
  bytes.set(copy, page! * 8);
  assert.ok(table.loaded(0));
  table.clearGroup(0);
  assert.equal(table.findIn(0, batch, 0), -1);
  assert.notEqual(table.resolveIn(0, batch, 0), -1);
  assert.equal(table.account.bytes, 2 * PAGE_BYTES, "a page of rows, and one of the index");
  assert.ok(f64.subarray(allocator.zeroPage, allocator.zeroPage + PAGE_BYTES / 8).every((word) => word === 0));
  table.release();
  assert.equal(allocator.close(), 0);
});

test("what the pages of a key group hold is the same whichever other groups the table has", () => {
  fc.assert(
    fc.property(history, fc.nat(3), (steps, keyGroup) => {
      const alone = new Subject({ first: keyGroup, last: keyGroup });
      const among = new Subject({ first: 0, last: GROUPS - 1 });
      work(alone, steps, { first: keyGroup, last: keyGroup });
      work(among, steps, { first: 0, last: GROUPS - 1 });
      const [one, other] = [alone.copy(keyGroup), among.copy(keyGroup)];
      assert.deepEqual(one.form, other.form);
      assert.deepEqual(usedOf(one), usedOf(other));
      alone.finish();
      among.finish();
    }),
    { numRuns: 30 },
  );
});

/** Where rows and objects lie; what was never used of a page is what it held before. */
function usedOf({ form, copies }: ReturnType<Subject["copy"]>): unknown {
  return copies.slice(0, form.rows.pages).map((page) => page?.subarray(0, 32).toString("hex"));
}

test("pages that the budget refuses leave the table without the group", () => {
  const source = new Subject({ first: 0, last: 0 });
  const keys = Array.from({ length: 3000 }, (_, key) => key).filter((key) => keyGroupOfKey(key) === 0);
  for (const key of keys) source.put({ key, pane: 0, value: 1, size: 300 });
  const target = new Subject({ first: 0, last: 3 }, 128 * 1024);
  assert.equal(target.load(0, source.copy(0)), false);
  assert.equal(target.table.size, 0);
  assert.equal(target.table.account.bytes, 0);
  source.finish();
  target.finish();
});
