import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteSink } from "../../types/bytes/byte-buffer.ts";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import type { FrozenState } from "../contract/frozen-state.ts";
import type { KeyedStateStore } from "../contract/keyed-state.ts";
import { type KeyGroupRange, keyGroupOf } from "../keys/key-groups.ts";
import { PageFiles } from "../suites/page-files.contract.ts";
import { makeHeap, makeManaged } from "../suites/store-makers.contract.ts";
import {
  F64,
  listSpec,
  MAX_PARALLELISM,
  mapSpec,
  STRING,
  type StoreMaker,
  type StoreSetup,
  type TestedStore,
  use,
  valueSpec,
} from "../suites/tested-store.contract.ts";

const TTL_MS = 20;
const KEYS = 12;
const keyHash = compileKeyHash(F64, "heap_frozen");
const groupOf = (key: number): number => keyGroupOf(keyHash(key), MAX_PARALLELISM);

const mean = {
  create: () => ({ sum: 0, count: 0 }),
  add: ({ sum, count }: { sum: number; count: number }, value: number) => ({ sum: sum + value, count: count + 1 }),
  merge: (left: { sum: number; count: number }) => left,
  result: ({ sum, count }: { sum: number; count: number }) => `${sum} of ${count}`,
};
const MEAN = {
  kind: "struct",
  fields: ["sum", "count"].map((name) => ({ name, type: F64, optional: false })),
} as const;

function statesOf(store: KeyedStateStore) {
  return {
    text: store.value<string>(valueSpec("text", STRING, TTL_MS), null),
    sum: store.reducing<number>(
      { kind: "reducing", name: "sum", type: F64, ttlMs: null },
      (left, right) => left + right,
    ),
    mean: store.aggregating<number, { sum: number; count: number }, string>(
      { kind: "aggregating", name: "mean", accumulator: MEAN, ttlMs: TTL_MS },
      mean,
    ),
    list: store.list<string>(listSpec("list", STRING)),
    dying: store.list<number>(listSpec("dying", F64, TTL_MS)),
    map: store.map<string, number>(mapSpec("map", STRING, F64)),
    mortal: store.map<number, string>(mapSpec("mortal", F64, STRING, TTL_MS)),
  };
}

type Op = { readonly key: number; readonly what: string; readonly value: number };

/** A store with a state of each kind, and timers. */
class Subject {
  readonly tested: TestedStore;
  readonly store: KeyedStateStore;
  readonly #states;

  constructor(make: StoreMaker, setup: Omit<StoreSetup, "key"> = {}) {
    this.tested = make({ key: F64, ...setup });
    this.store = this.tested.store;
    this.#states = statesOf(this.store);
  }

  do({ key, what, value }: Op): void {
    const { text, sum, mean: average, list, dying, map, mortal } = this.#states;
    use(this.store, F64, key);
    const actions: Record<string, () => void> = {
      set: () => text.set("ab".repeat(value)),
      clear: () => text.clear(),
      sum: () => sum.add(value),
      sumClear: () => sum.clear(),
      mean: () => average.add(value),
      add: () => list.add(`${value}`),
      addMany: () => {
        for (let n = 0; n < 150; n += 1) list.add(`${n}`);
      },
      list: () => list.set(Array.from({ length: value % 4 }, (_, n) => `${n}`)),
      listClear: () => list.clear(),
      dying: () => dying.add(value),
      put: () => map.set(`m${value % 5}`, value),
      putMany: () => {
        for (let n = 0; n < 150; n += 1) map.set(`m${n}`, value);
      },
      item: () => map.set(`item ${value}`, value),
      delete: () => map.delete(`m${value % 5}`),
      mapClear: () => map.clear(),
      mortal: () => mortal.set(value % 9, `${value}`),
      mortalClear: () => mortal.clear(),
      timer: () => this.store.timers.event.set(`t${value % 3}`, value * 10),
    };
    actions[what]!();
  }

  /** All that its keys have. */
  all(keys: readonly number[]): unknown {
    const { text, sum, mean: average, list, dying, map, mortal } = this.#states;
    return keys.map((key) => {
      use(this.store, F64, key);
      const timers = ["t0", "t1", "t2"].map((name) => this.store.timers.event.get(name) ?? null);
      const values = [text.get(), sum.get(), average.get(), list.get(), dying.get()];
      return [...values, [...map.entries()].sort(), [...mortal.entries()].sort(), timers];
    });
  }

  freeze(checkpoint: number, relieved = (): void => undefined): FrozenState {
    const frozen = this.store.freeze(checkpoint, relieved);
    assert.ok(frozen !== null);
    return frozen;
  }

  finish(): void {
    assert.equal(this.tested.finish(), 0);
  }
}

const ALL = Array.from({ length: KEYS + 1 }, (_, key) => key);
const op: fc.Arbitrary<Op> = fc.record({
  key: fc.nat(KEYS),
  what: fc.constantFrom(
    ...["set", "set", "clear", "sum", "sumClear", "mean", "add", "add", "addMany", "list", "listClear", "dying"],
    ...["put", "put", "putMany", "delete", "mapClear", "mortal", "mortal", "mortalClear", "timer"],
  ),
  value: fc.nat(40),
});
const ops = fc.array(op, { maxLength: 120, size: "max" });

type Active = {
  readonly frozen: FrozenState;
  readonly expected: unknown;
  readonly atMs: number;
  readonly groups: Buffer[];
  readonly sink: ByteSink;
  parts: Buffer[] | null;
};

/** A store of which snapshots are taken, up to three at a time, while it works on. */
class Frozen {
  readonly subject: Subject;
  readonly #files = new PageFiles();
  readonly #active: Active[] = [];
  #checkpoint = 0;
  #elapsedMs = 0;

  constructor(bitSteps: number) {
    this.subject = new Subject(makeHeap, { bitSteps });
  }

  on(event: Event): void {
    if (event === "freeze") {
      if (this.#active.length < 3) this.#freeze();
    } else if (event === "step") this.#step(0);
    else if (event === "stepYoungest") this.#step(this.#active.length - 1);
    else if (event === "giveUp") this.#active.shift()?.frozen.end();
    else if (event === "wait") this.#wait();
    else this.subject.do(event);
  }

  finish(): void {
    while (this.#active.length > 0) this.#step(0);
    this.subject.finish();
  }

  #wait(): void {
    this.#elapsedMs += 7;
    this.subject.tested.advance(7);
  }

  #freeze(): void {
    this.#checkpoint += 1;
    const expected = this.subject.all(ALL);
    const frozen = this.subject.freeze(this.#checkpoint);
    const name = { name: null, at: 0 };
    while (this.#files.step(frozen, name));
    const rest = { groups: [], parts: null, sink: new ByteSink() };
    this.#active.push({ frozen, expected, atMs: this.#elapsedMs, ...rest });
  }

  /** Writes the next bit of one, and compares at the end. */
  #step(n: number): void {
    const active = this.#active[n];
    if (active === undefined) return;
    const { frozen, groups, sink } = active;
    const keyGroup = frozen.first + groups.length;
    sink.position = 0;
    if (active.parts === null) {
      frozen.writeGroup(keyGroup, sink);
      active.parts = [sink.copy()];
      return;
    }
    const isMore = frozen.writeMore(keyGroup, sink);
    active.parts.push(sink.copy());
    if (isMore) return;
    groups.push(Buffer.concat(active.parts));
    active.parts = null;
    if (groups.length < frozen.count) return;
    this.#active.splice(n, 1);
    frozen.end();
    this.#compare(active);
  }

  #compare({ groups, expected, atMs }: Active): void {
    const other = new Subject(makeHeap);
    other.tested.advance(atMs);
    this.#files.restore(other.store, { first: 0, groups });
    assert.deepEqual(other.all(ALL), expected);
    other.finish();
  }
}

type Event = Op | "step" | "stepYoungest" | "freeze" | "giveUp" | "wait";

for (const bitSteps of [1, 2, 7]) {
  test(`a snapshot in bits of ${bitSteps} is the state of its moment, whatever is written meanwhile (Z1 to Z4)`, () => {
    const event: fc.Arbitrary<Event> = fc.oneof(
      { weight: 6, arbitrary: op },
      { weight: 6, arbitrary: fc.constantFrom<Event>("step", "step", "step", "stepYoungest") },
      { weight: 1, arbitrary: fc.constantFrom<Event>("freeze", "freeze", "wait", "giveUp") },
    );
    fc.assert(
      fc.property(ops, fc.array(event, { maxLength: 200, size: "max" }), (before, events) => {
        const frozen = new Frozen(bitSteps);
        for (const each of before) frozen.subject.do(each);
        frozen.on("freeze");
        for (const each of events) frozen.on(each);
        frozen.finish();
      }),
      { numRuns: 10 },
    );
  });
}

/** Writes all entries; returns the sizes of the bits. */
function bitsOf(frozen: FrozenState): number[] {
  const sizes: number[] = [];
  const sink = new ByteSink();
  for (let group = 0; group < MAX_PARALLELISM; group += 1) {
    for (let isMore = true; isMore; ) {
      sink.position = 0;
      isMore = frozen.writeMore(group, sink);
      sizes.push(sink.position);
    }
  }
  return sizes;
}

test("no bit is larger than some steps, however large a key group or an entry is", () => {
  const subject = new Subject(makeHeap, { bitSteps: 10 });
  const [first, second] = [ALL[0]!, ALL[1]!];
  for (let n = 0; n < 20_000; n += 1) {
    subject.do({ key: 100 + n, what: "sum", value: 1 });
    subject.do({ key: first, what: "add", value: n });
    subject.do({ key: second, what: "item", value: n });
  }
  const frozen = subject.freeze(1);
  const sizes = bitsOf(frozen);
  frozen.end();
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(bytes > 900_000, `${bytes} bytes`);
  // At most 10 steps, each of 64 items of less than 30 bytes.
  assert.ok(Math.max(...sizes) < 10 * 64 * 30, `${Math.max(...sizes)} bytes`);
  subject.finish();
});

test("a bit is no larger than a block of a file, but for what its last step adds", () => {
  const subject = new Subject(makeHeap);
  for (let key = 0; key < 400; key += 1) subject.do({ key, what: "set", value: 10_000 });
  const frozen = subject.freeze(1);
  const most = Math.max(...bitsOf(frozen));
  assert.ok(most > 2 ** 17 && most <= 2 ** 18, `${most} bytes`);
  frozen.end();
  subject.finish();
});

test("the task is to wait while much is kept of what has changed, until it is written or given up (G4)", () => {
  for (const ending of ["written", "given up"]) {
    const subject = new Subject(makeHeap);
    let relieved = 0;
    const change = (): void => {
      for (let key = 0; key < 200; key += 1) subject.do({ key, what: "set", value: 50_000 });
    };
    change();
    const frozen = subject.freeze(1, () => {
      relieved += 1;
    });
    assert.equal(frozen.isPressed, false);
    change();
    assert.equal(frozen.isPressed, true);
    change();
    const before = relieved;
    if (ending === "written") bitsOf(frozen);
    else frozen.end();
    assert.equal(frozen.isPressed, false);
    assert.ok(relieved > before);
    frozen.end();
    subject.finish();
  }
});

test("what is kept of lists counts once nobody else has it: one that grows holds nobody up, one that goes does", () => {
  for (const what of ["list", "listClear"]) {
    const subject = new Subject(makeHeap);
    for (const key of ALL) for (let n = 0; n < 18_000; n += 1) subject.do({ key, what: "add", value: 10 ** 9 + n });
    const frozen = subject.freeze(1);
    for (const key of ALL) subject.do({ key, what: "add", value: 1 });
    assert.equal(frozen.isPressed, false);
    for (const key of ALL) subject.do({ key, what, value: 1 });
    assert.equal(frozen.isPressed, true);
    frozen.end();
    subject.finish();
  }
});

const halves = (split: number): readonly KeyGroupRange[] => [
  { first: 0, last: split - 1 },
  { first: split, last: MAX_PARALLELISM - 1 },
];

/** A store that has some key groups, of which a snapshot is taken while it works on, and what its keys had then. */
function sourceOf(files: PageFiles, keyGroups: KeyGroupRange, before: readonly Op[], meanwhile: readonly Op[]) {
  const subject = new Subject(makeHeap, { keyGroups });
  const own = ALL.filter((key) => isIn(groupOf(key), keyGroups));
  const doAll = (all: readonly Op[]): void => {
    for (const each of all) if (own.includes(each.key)) subject.do(each);
  };
  doAll(before);
  const expected = own.map((key) => ({ key, state: subject.all([key]) }));
  const frozen = subject.freeze(1);
  doAll(meanwhile);
  const written = files.write(frozen);
  subject.finish();
  return { expected, written };
}

function isIn(group: number, { first, last }: KeyGroupRange): boolean {
  return group >= first && group <= last;
}

test("key groups of two snapshots go into stores of either kind with other key groups", () => {
  fc.assert(
    fc.property(ops, ops, fc.integer({ min: 1, max: MAX_PARALLELISM - 1 }), (before, meanwhile, split) => {
      const files = new PageFiles();
      const sources = halves(3).map((keyGroups) => sourceOf(files, keyGroups, before, meanwhile));
      for (const [n, keyGroups] of halves(split).entries()) {
        const target = new Subject(n === 0 ? makeHeap : makeManaged, { keyGroups });
        for (const { written } of sources) files.restore(target.store, written, (group) => isIn(group, keyGroups));
        const expected = sources
          .flatMap((source) => source.expected)
          .filter(({ key }) => isIn(groupOf(key), keyGroups));
        for (const { key, state } of expected) assert.deepEqual(target.all([key]), state);
        target.finish();
      }
    }),
    { numRuns: 12 },
  );
});
