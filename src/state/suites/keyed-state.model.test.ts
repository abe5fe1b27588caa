// Random histories of keyed state against a naive model: both kinds of store, and, at random points, a snapshot of
// every key group restored into one to three new stores of random kinds.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteCursor, ByteSink } from "../../types/bytes/byte-buffer.ts";
import { keyCodec } from "../../types/keys/key-bytes.ts";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import type { KeyedStateStore } from "../contract/keyed-state.ts";
import { keyGroupOf } from "../keys/key-groups.ts";
import { makeFar, makeHeap, makeManaged } from "./store-makers.contract.ts";
import {
  ANY,
  F64,
  listSpec,
  MAX_PARALLELISM,
  mapSpec,
  STRING,
  type StoreMaker,
  snapshotOf,
  struct,
  type TestedStore,
  valueSpec,
} from "./tested-store.contract.ts";

const TTL_MS = 20;
const FIXED = struct({ a: F64, b: { kind: "nullable", inner: { kind: "i32" } } });

type Op =
  | { readonly op: "value" | "text" | "sum"; readonly act: "set" | "clear"; readonly n: number }
  | { readonly op: "list"; readonly act: "add" | "set" | "clear"; readonly n: number }
  | { readonly op: "map"; readonly act: "set" | "delete" | "clear"; readonly n: number; readonly of: number }
  | {
      readonly op: "timer";
      readonly act: "set" | "clear";
      readonly n: number;
      readonly name: string;
      readonly domain: Domain;
    }
  | { readonly op: "fire"; readonly n: number; readonly domain: Domain }
  | { readonly op: "wait"; readonly n: number }
  | { readonly op: "freeze" }
  | { readonly op: "move"; readonly kinds: readonly boolean[] };
type Domain = "event" | "processing";
type Step = { readonly key: number; readonly todo: Op };

const domain = fc.constantFrom<Domain>("event", "processing");
const n = fc.nat(12);
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constantFrom("value" as const, "text" as const, "sum" as const),
      act: fc.constantFrom("set" as const, "set" as const, "clear" as const),
      n,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("list" as const),
      act: fc.constantFrom("add" as const, "add" as const, "set" as const, "clear" as const),
      n,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("map" as const),
      act: fc.constantFrom("set" as const, "set" as const, "set" as const, "delete" as const, "clear" as const),
      n,
      of: n,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("timer" as const),
      act: fc.constantFrom("set" as const, "set" as const, "clear" as const),
      n,
      name: fc.constantFrom("a", "b", "long name"),
      domain,
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("fire" as const), n, domain }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("wait" as const), n }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("freeze" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant("move" as const),
      kinds: fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }),
    }),
  },
);

/** Text of a size that stays in the row, goes to the log, or fills pages of it. */
const textOf = (size: number): string => "ab".repeat(size < 9 ? size : (size - 8) * 900);
/** Keys of a map, of any kind. */
const entryKey = (of: number): unknown =>
  [of, `${of}`, "a key that does not fit into a row", of % 2 === 0, BigInt(of)][of % 5];

/** What is stored under one key. */
type Entry = {
  value: Stored<{ a: number; b: number | null }>;
  text: Stored<string>;
  sum: Stored<number>;
  list: Stored<readonly string[]>;
  map: Map<string, { key: unknown; stored: Stored<string> }>;
  timers: Map<string, { name: string; domain: Domain; at: number }>;
};
type Stored<T> = { value: T; stampMs: number } | null;

class Model {
  nowMs = 0;
  readonly #entries = new Map<number, Entry>();

  entry(key: number): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { value: null, text: null, sum: null, list: null, map: new Map(), timers: new Map() };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  store<T>(value: T): Stored<T> {
    return { value, stampMs: this.nowMs };
  }

  read<T>(stored: Stored<T>): T | null {
    return stored !== null && this.nowMs - stored.stampMs < TTL_MS ? stored.value : null;
  }

  entries(): [number, Entry][] {
    return [...this.#entries];
  }
}

function openStates(tested: TestedStore) {
  const { store } = tested;
  return {
    tested,
    store,
    value: store.value<{ a: number; b: number | null } | null>(valueSpec("value", FIXED), null),
    text: store.value<string | null>(valueSpec("text", STRING, TTL_MS), null),
    sum: store.reducing<number>(
      { kind: "reducing", name: "sum", type: F64, ttlMs: TTL_MS },
      (left, right) => left + right,
    ),
    list: store.list<string>(listSpec("list", STRING, TTL_MS)),
    map: store.map<unknown, string>(mapSpec("map", ANY, STRING, TTL_MS)),
  };
}
type States = ReturnType<typeof openStates>;

/** The stores that hold the key groups between them, and the model of what they hold. */
class Subject {
  readonly #spec: TypeSpec;
  readonly #managed: StoreMaker;
  readonly #keyOf: (key: number) => unknown;
  readonly #hash: (key: unknown) => number;
  readonly model = new Model();
  #parts: { readonly first: number; readonly last: number; readonly states: States }[];

  constructor(spec: TypeSpec, keyOf: (key: number) => unknown, isManaged: boolean) {
    this.#spec = spec;
    this.#managed = spec === STRING ? makeFar : makeManaged;
    this.#keyOf = keyOf;
    this.#hash = compileKeyHash(spec, "model");
    this.#parts = [this.#open(0, MAX_PARALLELISM - 1, isManaged)];
  }

  #open(first: number, last: number, isManaged: boolean) {
    const tested = (isManaged ? this.#managed : makeHeap)({ key: this.#spec, keyGroups: { first, last } });
    tested.advance(this.model.nowMs);
    return { first, last, states: openStates(tested) };
  }

  #groupOf(key: number): number {
    return keyGroupOf(this.#hash(this.#keyOf(key)), MAX_PARALLELISM);
  }

  use(key: number): States {
    const group = this.#groupOf(key);
    const { states } = this.#parts.find(({ first, last }) => group >= first && group <= last)!;
    states.store.setKey(this.#keyOf(key), this.#hash(this.#keyOf(key)));
    return states;
  }

  wait(ms: number): void {
    this.model.nowMs += ms;
    for (const { states } of this.#parts) states.tested.advance(ms);
  }

  freeze(): void {
    for (const { states } of this.#parts) states.tested.freeze();
  }

  /** Snapshots everything and goes on in other stores. */
  move(kinds: readonly boolean[]): void {
    const groups = Array.from({ length: MAX_PARALLELISM }, (_, group) => {
      const from = this.#parts.find(({ first, last }) => group >= first && group <= last)!;
      return snapshotOf(from.states.store, group);
    });
    this.finish();
    this.#parts = kinds.map((isManaged, i) => {
      const first = Math.floor((i * MAX_PARALLELISM) / kinds.length);
      const part = this.#open(first, Math.floor(((i + 1) * MAX_PARALLELISM) / kinds.length) - 1, isManaged);
      for (let group = part.last; group >= first; group -= 1)
        part.states.store.restore(group, new ByteCursor(groups[group]!));
      return part;
    });
  }

  /** Fires in every store and compares with what the model says is due there, in order. */
  fire(in_: Domain, upToMs: number): void {
    for (const { first, last, states } of this.#parts) {
      const due = this.#due(in_, upToMs, first, last);
      const fired: unknown[] = [];
      assert.equal(states.store.timers.next(in_), this.#due(in_, Infinity, first, last)[0]?.at ?? Infinity);
      states.store.timers.fire(
        in_,
        upToMs,
        ({ at, name, key }) => void fired.push({ at, name, key }),
        () => false,
      );
      assert.deepEqual(
        fired,
        due.map(({ at, name, key }) => ({ at, name, key: this.#keyOf(key) })),
      );
      for (const { key, id } of due) this.model.entry(key).timers.delete(id);
    }
  }

  #due(in_: Domain, upToMs: number, first: number, last: number) {
    const all = this.model
      .entries()
      .flatMap(([key, { timers }]) => [...timers].map(([id, timer]) => ({ ...timer, id, key })));
    const due = all.filter(
      ({ domain: of, at, key }) =>
        of === in_ && at <= upToMs && this.#groupOf(key) >= first && this.#groupOf(key) <= last,
    );
    return due.sort(
      (left, right) =>
        left.at - right.at || this.#compareKeys(left.key, right.key) || (left.name < right.name ? -1 : 1),
    );
  }

  #compareKeys(left: number, right: number): number {
    const bytes = (key: number) => {
      const sink = new ByteSink();
      keyCodec(this.#spec).write(this.#keyOf(key), sink);
      return sink.copy();
    };
    return this.#hash(this.#keyOf(left)) - this.#hash(this.#keyOf(right)) || Buffer.compare(bytes(left), bytes(right));
  }

  check(key: number): void {
    const { model } = this;
    const entry = model.entry(key);
    const states = this.use(key);
    assert.deepEqual(states.value.get(), entry.value?.value ?? null);
    assert.equal(states.text.get(), model.read(entry.text));
    assert.equal(states.sum.get(), model.read(entry.sum) ?? undefined);
    assert.deepEqual(states.list.get(), model.read(entry.list) ?? []);
    const living = [...entry.map.values()].filter(({ stored }) => model.read(stored) !== null);
    assert.equal(states.map.size, living.length);
    const byText = (pairs: [unknown, unknown][]) =>
      pairs.map(([of, value]) => `${typeof of} ${String(of)} ${String(value)}`).sort();
    assert.deepEqual(
      byText([...states.map.entries()]),
      byText(living.map(({ key: of, stored }) => [of, stored!.value])),
    );
    for (const { key: of, stored } of living) assert.equal(states.map.get(of), stored!.value);
    for (const { name, domain: in_, at } of entry.timers.values()) assert.equal(states.store.timers[in_].get(name), at);
  }

  finish(): void {
    for (const { states } of this.#parts) assert.equal(states.tested.finish(), 0);
  }
}

function apply(subject: Subject, key: number, todo: Op): void {
  const { model } = subject;
  const entry = model.entry(key);
  const states = subject.use(key);
  switch (todo.op) {
    case "wait":
      subject.wait(todo.n);
      return;
    case "freeze":
      subject.freeze();
      return;
    case "move":
      subject.move(todo.kinds);
      return;
    case "fire":
      subject.fire(todo.domain, todo.n * 10);
      return;
    case "timer":
      applyTimer(states.store, entry, todo);
      return;
    case "list":
      applyList(model, states, entry, todo);
      return;
    case "map":
      applyMap(model, states, entry, todo);
      return;
    default:
      applyValue(model, states, entry, todo);
  }
}

function applyTimer(store: KeyedStateStore, entry: Entry, todo: Extract<Op, { op: "timer" }>): void {
  const id = `${todo.domain} ${todo.name}`;
  if (todo.act === "clear") {
    store.timers[todo.domain].clear(todo.name);
    entry.timers.delete(id);
    return;
  }
  store.timers[todo.domain].set(todo.name, todo.n * 10);
  entry.timers.set(id, { name: todo.name, domain: todo.domain, at: todo.n * 10 });
}

function applyValue(
  model: Model,
  states: States,
  entry: Entry,
  todo: Extract<Op, { op: "value" | "text" | "sum" }>,
): void {
  if (todo.act === "clear") {
    states[todo.op].clear();
    entry[todo.op] = null;
  } else if (todo.op === "value") {
    const value = { a: todo.n / 3, b: todo.n === 5 ? null : todo.n };
    states.value.set(value);
    entry.value = model.store(value);
  } else if (todo.op === "text") {
    states.text.set(textOf(todo.n));
    entry.text = model.store(textOf(todo.n));
  } else {
    states.sum.add(todo.n);
    entry.sum = model.store((model.read(entry.sum) ?? 0) + todo.n);
  }
}

function applyList(model: Model, states: States, entry: Entry, todo: Extract<Op, { op: "list" }>): void {
  const items =
    todo.act === "add"
      ? [...(model.read(entry.list) ?? []), textOf(todo.n)]
      : Array.from({ length: todo.n }, (_, i) => textOf(i));
  if (todo.act === "clear") states.list.clear();
  else if (todo.act === "add") states.list.add(textOf(todo.n));
  else states.list.set(items);
  entry.list = todo.act === "clear" || items.length === 0 ? null : model.store(items);
}

function applyMap(model: Model, states: States, entry: Entry, todo: Extract<Op, { op: "map" }>): void {
  const of = entryKey(todo.of);
  const id = `${typeof of} ${String(of)}`;
  if (todo.act === "clear") {
    states.map.clear();
    entry.map.clear();
  } else if (todo.act === "delete") {
    states.map.delete(of);
    entry.map.delete(id);
  } else {
    states.map.set(of, textOf(todo.n));
    entry.map.set(id, { key: of, stored: model.store(textOf(todo.n)) });
  }
}

const KEYS: readonly [string, TypeSpec, (key: number) => unknown][] = [
  ["number", F64, (key) => key * 1.5],
  ["text", STRING, (key) => (key % 2 === 0 ? `k${key}` : `a key that is too long for a row ${key}`)],
  ["compound", struct({ s: STRING, at: { kind: "date" } }), (key) => ({ at: new Date(key), s: `${key % 3}` })],
];

for (const [what, spec, keyOf] of KEYS) {
  test(`stores with ${what} keys behave like plain maps, across snapshots, kinds of store and partitions`, () => {
    const step: fc.Arbitrary<Step> = fc.record({ key: fc.nat(7), todo: op });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: "max" }), fc.boolean(), (steps, isManaged) => {
        const subject = new Subject(spec, keyOf, isManaged);
        for (const { key, todo } of steps) {
          apply(subject, key, todo);
          subject.check(key);
        }
        for (let key = 0; key <= 7; key += 1) subject.check(key);
        subject.fire("event", Infinity);
        subject.fire("processing", Infinity);
        subject.finish();
      }),
      { numRuns: 25 },
    );
  });
}
