import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteSink } from "../../types/bytes/byte-buffer.ts";
import { keyCodec } from "../../types/keys/key-bytes.ts";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { KeyBatch } from "../keys/key-batch.ts";
import { keyGroupOf } from "../keys/key-groups.ts";
import { heapBlocks } from "../pages/block-source.ts";
import { PageAllocator } from "../pages/page-allocator.ts";
import { PageWatch } from "../suites/page-watch.contract.ts";
import { testOwner } from "../suites/test-owner.contract.ts";
import { ManagedTable, type TableOptions } from "./managed-table.ts";
import { TableHeads } from "./namespace-heads.ts";
import type { TableSpec } from "./row-layout.ts";

const MAX_PARALLELISM = 8;
const ALL_GROUPS = { first: 0, last: MAX_PARALLELISM - 1 };
const SPEC: TableSpec = {
  name: "t",
  key: "number",
  namespaced: false,
  listed: false,
  blob: false,
  valueWords: 1,
  initial: null,
};

type Setup = { table: ManagedTable; heads: TableHeads | null; allocator: PageAllocator; leased: () => number };

function setup(spec: Partial<TableSpec>, options: Partial<TableOptions> = {}, limitBytes = 64 << 20): Setup {
  const blocks = heapBlocks(limitBytes);
  const allocator = new PageAllocator(blocks);
  const all: TableOptions = {
    allocator,
    owner: testOwner(allocator),
    maxParallelism: MAX_PARALLELISM,
    keyGroups: ALL_GROUPS,
    seed: 7,
    ...options,
  };
  const heads = spec.listed === true ? new TableHeads("t", all) : null;
  const table = new ManagedTable({ ...SPEC, ...spec }, all, heads);
  return { table, heads, allocator, leased: () => blocks.leased() };
}

/** Releases everything and sees that no page is left anywhere. */
function finish({ table, heads, allocator, leased }: Setup): void {
  table.release();
  heads?.release();
  assert.equal(table.account.bytes, 0);
  assert.equal(allocator.close(), 0);
  assert.equal(leased(), 0);
}

function stageNumbers(keys: readonly number[], namespaces: readonly number[] = []): KeyBatch {
  const batch = new KeyBatch(Math.max(1, keys.length));
  batch.numbers.set(keys);
  batch.namespaces.set(namespaces);
  assert.equal(batch.hashNumbers(keys.length), keys.length);
  return batch;
}

const ANY: TypeSpec = { kind: "any" };
const anyHash = compileKeyHash(ANY, "table");
const anyCodec = keyCodec(ANY);

function stageKeys(keys: readonly unknown[], namespaces: readonly number[] = []): KeyBatch {
  const batch = new KeyBatch(Math.max(1, keys.length));
  keys.forEach((key, i) => {
    batch.hashes[i] = anyHash(key);
    batch.stage(i, key, anyCodec);
  });
  batch.namespaces.set(namespaces);
  return batch;
}

function resolveAll(table: ManagedTable, batch: KeyBatch, count: number): Int32Array {
  const rows = new Int32Array(count);
  assert.equal(table.resolve(batch, count, rows), count);
  return rows;
}

function keyAt(table: ManagedTable, address: number): unknown {
  const sink = new ByteSink(8);
  table.readKey(address, sink);
  return anyCodec.read({ bytes: sink.bytes, position: 0, end: sink.position });
}

function blobAt(table: ManagedTable, address: number): string {
  const sink = new ByteSink(8);
  table.blobs.read(address, sink);
  return sink.copy().toString("latin1");
}

/** All rows of the table as text, by key and namespace. */
function content(table: ManagedTable): Map<string, number> {
  const all = new Map<string, number>();
  const rows = new Int32Array(7);
  for (let group = 0; group < MAX_PARALLELISM; group += 1) {
    const cursor = { group, row: -1 };
    for (let count = rows.length; count === rows.length; ) {
      count = table.scanGroup(cursor, rows);
      for (const address of rows.subarray(0, count)) {
        assert.equal(table.rowGroup(address), group);
        const namespace = table.spec.namespaced ? `@${table.namespace(address)}` : "";
        const id = `${String(keyAt(table, address))}${namespace}`;
        assert.ok(!all.has(id), `${id} twice`);
        all.set(id, table.f64[address + table.layout.valueWord]!);
      }
    }
  }
  assert.equal(all.size, table.size);
  return all;
}

test("a table of number keys behaves like a Map under random batches and removals", () => {
  const step = fc.record({
    keys: fc.array(fc.integer({ min: -40, max: 40 }), { maxLength: 60 }),
    remove: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const all = setup({ initial: new Float64Array([100]) });
      const model = new Map<string, number>();
      for (const { keys, remove } of steps) {
        const batch = stageNumbers(keys);
        const ids = keys.map(String);
        if (remove) removeBoth(all.table, batch, ids, model);
        else countBoth(all.table, batch, ids, model, 100);
      }
      assert.deepEqual([...content(all.table)].sort(), [...model].sort());
      finish(all);
    }),
    { numRuns: 150 },
  );
});

/** Adds one to the value of each key, in the table and in the model. */
function countBoth(
  table: ManagedTable,
  batch: KeyBatch,
  ids: string[],
  model: Map<string, number>,
  initial: number,
): void {
  const rows = resolveAll(table, batch, ids.length);
  ids.forEach((id, i) => {
    table.f64[rows[i]! + table.layout.valueWord]! += 1;
    model.set(id, (model.get(id) ?? initial) + 1);
  });
}

function removeBoth(table: ManagedTable, batch: KeyBatch, ids: string[], model: Map<string, number>): void {
  const rows = new Int32Array(ids.length);
  table.find(batch, ids.length, rows);
  assert.deepEqual(
    Array.from(rows, (address) => address !== -1),
    ids.map((id) => model.has(id)),
  );
  for (const address of new Set(rows)) if (address !== -1) table.remove(address);
  for (const id of ids) model.delete(id);
}

test("100,000 random keys in batches larger than a lookup, and their removal in another order", () => {
  const all = setup({});
  const { table } = all;
  const keys = Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 100_003);
  for (let from = 0; from < keys.length; from += 2000) {
    const part = keys.slice(from, from + 2000);
    const rows = resolveAll(table, stageNumbers(part), part.length);
    part.forEach((key, i) => {
      table.f64[rows[i]! + table.layout.valueWord] = key * 2;
    });
  }
  assert.equal(table.size, keys.length);
  const rows = resolveAll(table, stageNumbers(keys), keys.length);
  assert.equal(table.size, keys.length);
  keys.forEach((key, i) => {
    assert.equal(table.f64[rows[i]! + table.layout.valueWord], key * 2);
  });
  const bytes = table.account.bytes;
  for (const address of rows.subarray(0, 90_000)) table.remove(address);
  assert.ok(table.account.bytes < bytes, "pages without rows are given back");
  assert.equal(content(table).size, 10_000);
  resolveAll(table, stageNumbers(keys), keys.length);
  assert.equal(table.size, keys.length);
  finish(all);
});

const textKey = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ minLength: 30, maxLength: 300 }),
  fc.constantFrom("", "a", "exactly15bytes_", "exactly16bytes__", "exactly17bytes___"),
  fc.boolean(),
  fc.bigInt(),
);

test("a table of other keys behaves like a Map, with long keys and variable parts that grow, shrink and move", () => {
  const step = fc.record({
    keys: fc.array(textKey, { maxLength: 12 }),
    action: fc.constantFrom("write", "append", "clear", "remove"),
    text: fc.oneof(
      fc.string({ maxLength: 30 }),
      fc.nat(9000).map((size) => "x".repeat(size)),
    ),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const all = setup({ key: "bytes", blob: true });
      const { table } = all;
      const model = new Map<string, string>();
      const known = new Map<string, unknown>();
      for (const { keys, action, text } of steps) {
        for (const key of keys) {
          const id = `${typeof key}:${String(key)}`;
          known.set(id, key);
          const address = resolveAll(table, stageKeys([key]), 1)[0]!;
          assert.equal(blobAt(table, address), model.get(id) ?? "");
          blobBoth(table, address, { id, action, text }, model);
        }
      }
      assert.equal(table.size, model.size);
      const ids = [...model.keys()];
      const rows = resolveAll(table, stageKeys(ids.map((id) => known.get(id))), ids.length);
      assert.equal(table.size, model.size);
      ids.forEach((id, i) => {
        assert.equal(blobAt(table, rows[i]!), model.get(id));
        assert.equal(keyAt(table, rows[i]!), known.get(id));
      });
      finish(all);
    }),
    { numRuns: 60 },
  );
});

function blobBoth(
  table: ManagedTable,
  address: number,
  step: { id: string; action: string; text: string },
  model: Map<string, string>,
): void {
  const bytes = Buffer.from(step.text, "latin1");
  const text = bytes.toString("latin1");
  switch (step.action) {
    case "write":
      assert.ok(table.blobs.write(address, bytes, 0, bytes.length));
      model.set(step.id, text);
      break;
    case "append":
      assert.ok(table.blobs.append(address, bytes, 0, bytes.length));
      model.set(step.id, (model.get(step.id) ?? "") + text);
      break;
    case "clear":
      table.blobs.clear(address);
      model.set(step.id, "");
      break;
    default:
      table.remove(address);
      model.delete(step.id);
  }
}

test("the log of variable parts stays within twice of what is alive", () => {
  const { table } = setup({ key: "bytes", blob: true });
  const keys = Array.from({ length: 200 }, (_, i) => `key-${i}`);
  const rows = resolveAll(table, stageKeys(keys), keys.length);
  const bytes = Buffer.alloc(3000, 1);
  for (let round = 0; round < 100; round += 1) {
    for (const address of rows) assert.ok(table.blobs.write(address, bytes, 0, 200 + ((round * 37) % 2800)));
  }
  // Live: 200 parts of at most 3,000 bytes with up to 4 times the room; dead: as much again, and two pages per group.
  assert.ok(table.account.bytes < 200 * 3000 * 2.5, `${table.account.bytes} bytes`);
  for (const address of rows) assert.equal(table.blobs.size(address), 200 + ((99 * 37) % 2800));
});

test("rows of a namespace are found, listed, cleared and merged without touching others", () => {
  const step = fc.record({
    entries: fc.array(fc.tuple(fc.nat(30), fc.constantFrom(-0, 0, 1, 2.5, 1e12)), { maxLength: 40 }),
    action: fc.constantFrom("add", "remove", "clear", "merge"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), fc.constantFrom(1, MAX_PARALLELISM), (steps, maxParallelism) => {
      const keyGroups = { first: 0, last: maxParallelism - 1 };
      const all = setup({ namespaced: true, listed: true }, { maxParallelism, keyGroups });
      const { table } = all;
      const model = new Map<string, number>();
      for (const { entries, action } of steps) {
        const batch = stageNumbers(
          entries.map(([key]) => key),
          entries.map(([, namespace]) => namespace),
        );
        const ids = entries.map(([key, namespace]) => `${key}@${namespace + 0}`);
        if (action === "add") countBoth(table, batch, ids, model, 0);
        else if (action === "remove") removeBoth(table, batch, ids, model);
        else if (action === "clear") clearBoth(table, model);
        else mergeBoth(table, model);
      }
      assert.deepEqual([...content(table)].sort(), [...model].sort());
      for (const namespace of [0, 1, 2.5, 1e12, 77]) {
        assert.deepEqual(listed(table, namespace), expectedKeys(model, namespace));
      }
      finish(all);
    }),
    { numRuns: 100 },
  );
});

function clearBoth(table: ManagedTable, model: Map<string, number>): void {
  for (const address of rowsIn(table, 1)) table.remove(address);
  for (const id of [...model.keys()].filter((each) => each.endsWith("@1"))) model.delete(id);
}

/** Moves all rows of one namespace to another, and adds up those whose key is there already. */
function mergeBoth(table: ManagedTable, model: Map<string, number>): void {
  const word = table.layout.valueWord;
  for (const source of rowsIn(table, 2.5)) {
    const target = table.moveToNamespace(source, 1);
    assert.notEqual(target, -1);
    if (target === source) continue;
    table.f64[target + word]! += table.f64[source + word]!;
    table.remove(source);
  }
  for (const [id, value] of [...model]) {
    if (!id.endsWith("@2.5")) continue;
    const into = id.replace("@2.5", "@1");
    model.delete(id);
    model.set(into, (model.get(into) ?? 0) + value);
  }
}

function rowsIn(table: ManagedTable, namespace: number): number[] {
  const rows = new Int32Array(3);
  const cursor = { group: 0, row: -1 };
  const all: number[] = [];
  for (let count = -1; count !== 0; ) {
    count = table.scanNamespace(namespace, cursor, rows);
    all.push(...rows.subarray(0, count));
  }
  return all;
}

/** Keys of a namespace, ascending. */
function listed(table: ManagedTable, namespace: number): number[] {
  return rowsIn(table, namespace)
    .map((address) => table.f64[address]!)
    .sort((a, b) => a - b);
}

function expectedKeys(model: Map<string, number>, namespace: number): number[] {
  const ids = [...model.keys()].filter((id) => id.endsWith(`@${namespace}`));
  return ids.map((id) => Number(id.split("@")[0])).sort((a, b) => a - b);
}

test("a namespace can be drained row by row while it is scanned", () => {
  const all = setup({ namespaced: true, listed: true });
  const { table } = all;
  const keys = Array.from({ length: 1000 }, (_, i) => i);
  resolveAll(
    table,
    stageNumbers(
      keys,
      keys.map((key) => key % 2),
    ),
    keys.length,
  );
  const rows = new Int32Array(64);
  const cursor = { group: 0, row: -1 };
  const seen: number[] = [];
  for (let count = -1; count !== 0; ) {
    count = table.scanNamespace(1, cursor, rows);
    for (const address of rows.subarray(0, count)) {
      seen.push(table.f64[address]!);
      table.remove(address);
    }
  }
  assert.deepEqual(
    seen.sort((a, b) => a - b),
    keys.filter((key) => key % 2 === 1),
  );
  assert.equal(table.size, 500);
  finish(all);
});

test("a budget that is used up refuses one key and leaves everything as it was", () => {
  for (const key of ["number", "bytes"] as const) {
    const all = setup({ key, blob: true, namespaced: true, listed: true }, {}, 4 * 64 * 1024);
    const { table } = all;
    const stage = (n: number) =>
      key === "number" ? stageNumbers([n], [n % 3]) : stageKeys([`key ${n} `.repeat(4)], [n % 3]);
    const row = new Int32Array(1);
    let count = 0;
    while (table.resolve(stage(count), 1, row) === 1) {
      table.f64[row[0]! + table.layout.valueWord] = count;
      count += 1;
    }
    const before = content(table);
    assert.ok(count > 500, `${count} rows`);
    assert.equal(before.size, count);
    assert.equal(table.resolve(stage(count), 1, row), 0);
    const error = table.exceeded();
    assert.equal(error.code, "STATE_BUDGET_EXCEEDED");
    assert.match(error.message, /state "t" of operator "op" holds \d/);
    assert.match(String(error.fix), /taskmanager\.memory\.managed\.size/);
    assert.equal(table.resolve(stage(1), 1, row), 1);
    const big = Buffer.alloc(300_000, 65);
    assert.ok(!table.blobs.write(row[0]!, big, 0, big.length));
    assert.ok(!table.blobs.append(row[0]!, big, 0, big.length));
    assert.equal(table.blobs.size(row[0]!), 0);
    assert.deepEqual(content(table), before);
    table.remove(row[0]!);
    assert.equal(table.resolve(stage(1), 1, row), 1, "what was given back can be used again");
    finish(all);
  }
});

test("in a batch, the keys before the refused one are done", () => {
  const all = setup({}, {}, 2 * 64 * 1024);
  const keys = Array.from({ length: 20_000 }, (_, i) => i);
  const rows = new Int32Array(keys.length);
  const done = all.table.resolve(stageNumbers(keys), keys.length, rows);
  assert.ok(done > 100 && done < keys.length);
  assert.equal(all.table.size, done);
  keys.slice(0, done).forEach((key, i) => {
    assert.equal(all.table.f64[rows[i]!], key);
  });
  finish(all);
});

test("20,000 keys that share one hash stay apart and cheap: their index turns to a second hash", () => {
  for (const key of ["number", "bytes"] as const) {
    const all = setup({ key });
    const { table } = all;
    const keys = Array.from({ length: 20_000 }, (_, i) => (key === "number" ? i : `k${i}`));
    const batch = key === "number" ? stageNumbers(keys as number[]) : stageKeys(keys);
    batch.hashes.fill(12345);
    const rows = resolveAll(table, batch, keys.length);
    assert.equal(new Set(rows).size, keys.length);
    const again = resolveAll(table, batch, keys.length);
    assert.deepEqual(again, rows);
    for (const address of rows.subarray(0, 10_000)) table.remove(address);
    table.find(batch, keys.length, again);
    assert.ok(again.subarray(0, 10_000).every((address) => address === -1));
    assert.deepEqual(again.subarray(10_000), rows.subarray(10_000));
    table.release();
  }
});

test("long keys of one hash and one size that begin alike stay apart", () => {
  const all = setup({ key: "bytes" });
  const keys = Array.from({ length: 30 }, (_, i) => `the same beginning, the same size, not the same key ${i + 10}`);
  const batch = stageKeys(keys);
  batch.hashes.fill(-7);
  const rows = resolveAll(all.table, batch, keys.length);
  assert.deepEqual(
    [...rows].map((address) => keyAt(all.table, address)),
    keys,
  );
  assert.deepEqual(resolveAll(all.table, batch, keys.length), rows);
  finish(all);
});

test("one key in 3,000 namespaces has 3,000 rows", () => {
  const all = setup({ namespaced: true });
  const namespaces = Array.from({ length: 3000 }, (_, i) => i * 60_000);
  const keys = namespaces.map(() => 5);
  const rows = resolveAll(all.table, stageNumbers(keys, namespaces), keys.length);
  assert.deepEqual(resolveAll(all.table, stageNumbers(keys, namespaces), keys.length), rows);
  assert.deepEqual(
    [...rows].map((address) => all.table.namespace(address)),
    namespaces,
  );
  finish(all);
});

test("keys that come and go for ever take no more memory than those that are there, and are not mixed up", () => {
  const all = setup({ key: "bytes", blob: true });
  const { table } = all;
  const living: { key: string; text: string }[] = [];
  let most = 0;
  for (let n = 0; n < 20_000; n += 1) {
    const added = { key: `key ${n} of the churn`, text: `${n} `.repeat(1 + (n % 20)) };
    const bytes = Buffer.from(added.text, "latin1");
    assert.ok(table.blobs.write(resolveAll(table, stageKeys([added.key]), 1)[0]!, bytes, 0, bytes.length));
    living.push(added);
    if (living.length <= 3600) continue;
    const [gone] = living.splice((n * 7919) % living.length, 1);
    const address = resolveAll(table, stageKeys([gone!.key]), 1)[0]!;
    assert.equal(blobAt(table, address), gone!.text);
    table.remove(address);
    if (n === 8000) most = table.account.bytes;
  }
  assert.ok(table.account.bytes < most * 1.3, `${most} bytes grew to ${table.account.bytes}`);
  for (const { key, text } of living) assert.equal(blobAt(table, resolveAll(table, stageKeys([key]), 1)[0]!), text);
  assert.equal(table.size, 3600);
  finish(all);
});

test("memory of variable parts that are cleared is given back, with nothing else going on", () => {
  const all = setup({ key: "bytes", blob: true });
  const { table } = all;
  const keys = Array.from({ length: 2000 }, (_, i) => `key ${i}`);
  const rows = resolveAll(table, stageKeys(keys), keys.length);
  const bytes = Buffer.alloc(500, 65);
  for (const address of rows) assert.ok(table.blobs.write(address, bytes, 0, 500));
  const full = table.account.bytes;
  for (const address of rows.subarray(100)) table.blobs.clear(address);
  assert.ok(table.account.bytes < full * 0.35, `${full} bytes shrank to ${table.account.bytes}`);
  for (const address of rows.subarray(0, 100)) assert.equal(blobAt(table, address), "A".repeat(500));
  finish(all);
});

test("groups with rows are found without the others, and lose their place with their last row", () => {
  const { table } = setup({}, { maxParallelism: 4096, keyGroups: { first: 0, last: 4095 } });
  const rows = resolveAll(table, stageNumbers([1, 2, 3, 4, 5]), 5);
  const groupsOf = () => {
    const groups: number[] = [];
    for (let group = table.nextGroup(-1); group !== -1; group = table.nextGroup(group)) groups.push(group);
    return groups;
  };
  const expected = () => [...new Set(rows)].map((row) => table.rowGroup(row)).sort((left, right) => left - right);
  assert.deepEqual(groupsOf(), expected());
  const [gone] = expected();
  table.remove(rows.find((row) => table.rowGroup(row) === gone)!);
  assert.ok(!groupsOf().includes(gone!));
  table.release();
  assert.deepEqual(groupsOf(), []);
});

test("a scan that may look at so many pages stops at them, and goes on from there", () => {
  const { table } = setup({ valueWords: 60 }, { maxParallelism: 1, keyGroups: { first: 0, last: 0 } });
  const all = resolveAll(table, stageNumbers(Array.from({ length: 1000 }, (_, i) => i)), 1000);
  for (const row of all.subarray(0, -1)) table.remove(row);
  const cursor = { group: 0, row: -1 };
  const found = new Int32Array(4);
  let calls = 0;
  for (let count = 0; count === 0; calls += 1) {
    assert.ok(calls === 0 || !table.isScanned(cursor));
    count = table.scanGroup(cursor, found, 10);
  }
  assert.equal(calls, Math.ceil(1000 / table.layout.rowsPerPage / 10));
  assert.equal(found[0], all.at(-1));
  assert.ok(table.isScanned(cursor));
});

test("a table that owns some key groups refuses keys of others", () => {
  const keyGroups = { first: 2, last: 3 };
  const { table } = setup({}, { keyGroups });
  const batch = stageNumbers(Array.from({ length: 50 }, (_, i) => i));
  const own = [...batch.numbers].filter((_, i) => [2, 3].includes(keyGroupOf(batch.hashes[i]!, MAX_PARALLELISM)));
  assert.equal(resolveAll(table, stageNumbers(own), own.length).length, own.length);
  assert.throws(
    () => table.resolve(batch, 50, new Int32Array(50)),
    /key of group \d reached a subtask that has the groups 2 to 3/,
  );
});

test("prefetching changes nothing and takes hashes whose keys are not there", () => {
  const { table } = setup({});
  const batch = stageNumbers(Array.from({ length: 1000 }, (_, i) => i));
  table.prefetch(batch.hashes, 1000);
  assert.equal(table.size, 0);
  resolveAll(table, batch, 500);
  table.prefetch(batch.hashes, 1000);
  assert.equal(table.size, 500);
});

test("each page that a new key changes is asked for, also when an index is placed anew", () => {
  const made = setup({}, { keyGroups: { first: 0, last: 0 }, maxParallelism: 1 });
  const { table, allocator } = made;
  const watch = new PageWatch(allocator);
  const held: number[] = [];
  const most = 450; // Just below what makes the index grow: what is gone leaves marks in it, until there are too many.
  for (let key = 0; key < 5_000; key += 1) {
    if (key > most) watch.freeze();
    const [address = -1] = resolveAll(table, stageNumbers([key]), 1);
    if (key > most) watch.freeze();
    held.push(address);
    if (held.length > most) table.remove(held.shift()!);
  }
  watch.check();
  finish(made);
});
