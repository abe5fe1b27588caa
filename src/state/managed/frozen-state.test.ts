import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import type { FrozenState } from "../contract/frozen-state.ts";
import type { KeyedStateStore } from "../contract/keyed-state.ts";
import { type KeyGroupRange, keyGroupOf } from "../keys/key-groups.ts";
import { PageFiles, type Writing } from "../suites/page-files.contract.ts";
import { makeManaged } from "../suites/store-makers.contract.ts";
import {
  F64,
  listSpec,
  MAX_PARALLELISM,
  mapSpec,
  STRING,
  snapshotOf,
  type TestedStore,
  use,
  valueSpec,
} from "../suites/tested-store.contract.ts";

/** A store with a state of each kind, and timers. */
class Subject {
  readonly tested: TestedStore;
  readonly store: KeyedStateStore;
  readonly #key: TypeSpec;
  readonly #states;
  elapsedMs = 0;

  constructor(key: TypeSpec, keyGroups?: { first: number; last: number }) {
    this.tested = makeManaged({ key, ...(keyGroups !== undefined && { keyGroups }) });
    const { store } = this.tested;
    this.store = store;
    this.#key = key;
    this.#states = {
      sum: store.value<number>(valueSpec("sum", F64), null),
      text: store.value<string>(valueSpec("text", STRING, 50), null),
      list: store.list<string>(listSpec("list", STRING)),
      map: store.map<string, number>(mapSpec("map", STRING, F64)),
    };
  }

  do({ key, what, value }: Op): void {
    const { sum, text, list, map } = this.#states;
    use(this.store, this.#key, this.#key === F64 ? key : keyText(key));
    const word = `${value}-`.repeat(value);
    if (what === "sum") sum.set(value);
    if (what === "text") text.set(word);
    if (what === "list") list.add(word);
    if (what === "map") map.set(`m${value % 7}`, value);
    if (what === "timer") this.store.timers.event.set(`t${value % 3}`, value * 10);
    if (what === "time") this.#advance(value % 5);
    if (what !== "clear") return;
    for (const state of [sum, text, list, map]) state.clear();
    for (const name of ["t0", "t1"]) this.store.timers.event.clear(name);
  }

  #advance(ms: number): void {
    this.elapsedMs += ms;
    this.tested.advance(ms);
  }

  /** All that a key has. */
  of(key: number): unknown {
    const { sum, text, list, map } = this.#states;
    use(this.store, this.#key, key);
    const timers = ["t0", "t1", "t2"].map((name) => this.store.timers.event.get(name) ?? null);
    return [sum.get(), text.get(), list.get(), [...map.entries()].sort(), timers];
  }

  canonical(first = 0, last = MAX_PARALLELISM - 1): string[] {
    return Array.from({ length: last - first + 1 }, (_, n) => snapshotOf(this.store, first + n).toString("hex"));
  }

  freeze(checkpoint: number): FrozenState {
    const frozen = this.store.freeze(checkpoint, () => undefined);
    assert.ok(frozen !== null, "a managed store freezes");
    return frozen;
  }

  finish(): void {
    assert.equal(this.tested.finish(), 0);
  }
}

const keyText = (key: number): string => (key % 3 === 0 ? `k${key}` : `a key too long for its row, number ${key}`);

type Op = { readonly key: number; readonly what: string; readonly value: number };

const op = fc.record({
  key: fc.nat(40),
  what: fc.constantFrom("sum", "text", "list", "map", "timer", "time", "clear"),
  value: fc.nat(60),
});
const ops = fc.array(op, { maxLength: 150, size: "max" });

type Active = { frozen: FrozenState; expected: string[]; writing: Writing; checkpoint: number };

/** A store of which snapshots are taken, up to three at a time, while it works on. */
class Frozen {
  readonly subject: Subject;
  readonly #files = new PageFiles();
  readonly #key: TypeSpec;
  readonly #active: Active[] = [];
  readonly #written: number[] = [];
  #checkpoint = 0;

  constructor(key: TypeSpec) {
    this.#key = key;
    this.subject = new Subject(key);
  }

  on(event: Event): void {
    const [first] = this.#active;
    if (event === "freeze" && this.#active.length < 3) this.#freeze();
    else if (event === "step" && first !== undefined) this.#step(first);
    else if (event === "complete" && this.#written.length > 0) this.subject.store.completed(this.#written.pop()!);
    else if (event === "giveUp" && first !== undefined) this.#active.shift()!.frozen.end();
    // Expired entries are in the pages, and are nobody's: time stands still for the comparison.
    else if (typeof event === "object" && event.what !== "time") this.subject.do(event);
  }

  finish(): void {
    for (let [first] = this.#active; first !== undefined; [first] = this.#active) this.#step(first);
    this.subject.finish();
  }

  #freeze(): void {
    this.#checkpoint += 1;
    const expected = this.subject.canonical();
    const frozen = this.subject.freeze(this.#checkpoint);
    this.#active.push({ frozen, expected, writing: { name: null, at: 0 }, checkpoint: this.#checkpoint });
  }

  /** Writes the next pages, and compares at the end. */
  #step({ frozen, writing, expected, checkpoint }: Active): void {
    if (this.#files.step(frozen, writing)) return;
    this.#active.shift();
    const other = new Subject(this.#key);
    other.tested.advance(this.subject.elapsedMs);
    this.#files.restore(other.store, this.#files.groups(frozen));
    assert.deepEqual(other.canonical(), expected);
    other.finish();
    this.#written.push(checkpoint);
  }
}

type Event = Op | "step" | "freeze" | "complete" | "giveUp";

for (const key of [F64, STRING]) {
  test(`a snapshot by pages is the state of its moment, whatever is written meanwhile, by ${key.kind} keys`, () => {
    const event = fc.oneof(op, fc.constantFrom("step", "freeze", "complete", "giveUp")) as fc.Arbitrary<Event>;
    fc.assert(
      fc.property(ops, fc.array(event, { maxLength: 250, size: "max" }), (before, events) => {
        const frozen = new Frozen(key);
        for (const each of before) frozen.subject.do(each);
        for (const each of events) frozen.on(each);
        frozen.finish();
      }),
      { numRuns: 12 },
    );
  });
}

const HALVES = [
  { first: 0, last: 3 },
  { first: 4, last: MAX_PARALLELISM - 1 },
] as const;
const keyHash = compileKeyHash(F64, "frozen");

/** Stores that have these key groups, and work on the keys in them. */
class Parts {
  readonly subjects: readonly Subject[];
  readonly groups: readonly KeyGroupRange[];

  constructor(groups: readonly KeyGroupRange[]) {
    this.groups = groups;
    this.subjects = groups.map((each) => new Subject(F64, each));
  }

  of(key: number): Subject {
    const group = keyGroupOf(keyHash(key), MAX_PARALLELISM);
    return this.subjects[this.groups.findIndex(({ last }) => group <= last)]!;
  }

  do(steps: readonly Op[]): void {
    for (const each of steps) if (each.what !== "time") this.of(each.key).do(each);
  }

  finish(): void {
    for (const subject of this.subjects) subject.finish();
  }
}

test("key groups of two snapshots go into stores with other key groups, and on from there", () => {
  fc.assert(
    fc.property(ops, ops, fc.integer({ min: 1, max: MAX_PARALLELISM - 1 }), (before, after, split) => {
      const files = new PageFiles();
      const whole = new Parts([{ first: 0, last: MAX_PARALLELISM - 1 }]);
      const sources = new Parts(HALVES);
      const targets = new Parts([
        { first: 0, last: split - 1 },
        { first: split, last: MAX_PARALLELISM - 1 },
      ]);
      whole.do(before);
      sources.do(before);
      const written = sources.subjects.map((source) => files.write(source.freeze(1)));
      for (const [n, { first, last }] of targets.groups.entries()) {
        const isOwn = (group: number): boolean => group >= first && group <= last;
        for (const each of written) files.restore(targets.subjects[n]!.store, each, isOwn);
      }
      whole.do(after);
      targets.do(after);
      for (let key = 0; key <= 40; key += 1) assert.deepEqual(targets.of(key).of(key), whole.of(key).of(key));
      for (const each of [whole, sources, targets]) each.finish();
    }),
    { numRuns: 12 },
  );
});

test("pages that have not changed since a completed snapshot are not written again, whatever was given up since", () => {
  const files = new PageFiles();
  const subject = new Subject(F64);
  for (let key = 0; key < 8_000; key += 1) subject.do({ key, what: "sum", value: key % 50 });
  const pagesOf = (checkpoint: number): number => {
    const before = files.pages;
    files.write(subject.freeze(checkpoint));
    return files.pages - before;
  };
  const all = pagesOf(1);
  assert.ok(all > 30, `${all} pages`);
  assert.equal(pagesOf(2), all, "nobody has said that the first is complete");
  subject.store.completed(2);
  assert.equal(pagesOf(3), 0);
  subject.do({ key: 5, what: "sum", value: 1 });
  assert.equal(pagesOf(4), 1);
  assert.equal(pagesOf(5), 1, "4 was given up");
  subject.store.completed(5);
  const frozen = subject.freeze(6);
  const inAll = files.pages;
  files.write(frozen);
  assert.equal(files.pages, inAll);
  assert.deepEqual(
    frozen
      .packs()
      .map(({ name }) => name)
      .sort(),
    ["pack-1", "pack-3"],
    "of 2 and 5",
  );
  // What is loaded is known to lie in the checkpoint that it comes from.
  const other = new Subject(F64);
  files.restore(other.store, files.write(subject.freeze(7)));
  other.do({ key: 7, what: "sum", value: 1 });
  const before = files.pages;
  files.write(other.freeze(8));
  assert.equal(files.pages - before, 1);
  subject.finish();
  other.finish();
});

test("state by pages is taken over under another declaration, and left out where it has none", () => {
  const files = new PageFiles();
  const before = makeManaged({ key: F64 });
  const count = before.store.value<number>(valueSpec("count", { kind: "i32" }), null);
  const gone = before.store.value<number>(valueSpec("gone", F64), null);
  for (let key = 0; key < 500; key += 1) {
    use(before.store, F64, key);
    count.set(key * 2);
    gone.set(key);
  }
  const frozen = before.store.freeze(1, () => undefined);
  const after = makeManaged({ key: F64 });
  const wider = after.store.value<number>(valueSpec("count", F64), null);
  files.restore(after.store, files.write(frozen!));
  for (let key = 0; key < 500; key += 1) {
    use(after.store, F64, key);
    assert.equal(wider.get(), key * 2);
    wider.set(0.5);
  }
  assert.deepEqual(
    after.store.usage().map(({ name, entries }) => [name, entries]),
    [
      ["count", 500],
      ["timers", 0],
    ],
  );
  assert.equal(before.finish(), 0);
  assert.equal(after.finish(), 0);
});
