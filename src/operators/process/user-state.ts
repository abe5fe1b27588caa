// Keyed state as user code holds it: the handles of the store behind two checks.
//
//   U1. A handle is of use during a call only (user-call.ts).
//   U2. Under `freeze`, what it gives and takes is frozen, so that a change in place, which is never stored, throws at
//       the user's line.

import type {
  AggregateFunction,
  AggregatingState,
  KeyedStateStore,
  ListState,
  MapState,
  ReducingState,
  StateSpec,
  ValueState,
} from "../../state/contract/keyed-state.ts";
import type { UserCall } from "./user-call.ts";

export type Freeze = (value: unknown) => void;

type SpecOf<K extends StateSpec["kind"]> = Extract<StateSpec, { kind: K }>;

/** What state declarations need of a store. */
export type StateMaker = Pick<KeyedStateStore, "value" | "list" | "map"> & {
  reducing<T>(spec: SpecOf<"reducing">, reduce: (left: T, right: T) => T): ReducingState<T>;
  aggregating<In, Acc, Out>(
    spec: SpecOf<"aggregating">,
    aggregate: AggregateFunction<In, Acc, Out>,
  ): AggregatingState<In, Out>;
};

/** Makes the state that user code holds. */
export function userState(store: KeyedStateStore, call: UserCall, freeze: Freeze | null): StateMaker {
  const of = <S>(spec: StateSpec, state: S): Held<S> => ({ call, freeze, name: spec.name, state });
  return {
    value: (spec, initial) => new UserValue(of(spec, store.value(spec, initial))),
    list: (spec) => new UserList(of(spec, store.list(spec))),
    map: (spec) => new UserMap(of(spec, store.map(spec))),
    reducing: (spec, reduce) => new UserFold(of(spec, store.reducing(spec, reduce))),
    aggregating: (spec, functions) => new UserFold(of(spec, store.aggregating(spec, functions))),
  };
}

type Held<S> = {
  readonly call: UserCall;
  readonly freeze: Freeze | null;
  readonly name: string;
  readonly state: S;
};

class UserState<S> {
  readonly #call: UserCall;
  readonly #freeze: Freeze | null;
  readonly #name: string;
  readonly #state: S;

  constructor({ call, freeze, name, state }: Held<S>) {
    this.#call = call;
    this.#freeze = freeze;
    this.#name = name;
    this.#state = state;
  }

  protected get now(): S {
    if (!this.#call.underWay) this.#call.late(`ctx.state.${this.#name}`);
    return this.#state;
  }

  protected frozen<T>(value: T): T {
    this.#freeze?.(value);
    return value;
  }

  protected frozenAll<T>(values: IterableIterator<T>): IterableIterator<T> {
    return this.#freeze === null ? values : this.frozen([...values]).values();
  }
}

class UserValue<T> extends UserState<ValueState<T>> implements ValueState<T> {
  get(): T {
    return this.frozen(this.now.get());
  }

  set(value: T): void {
    this.now.set(this.frozen(value));
  }

  clear(): void {
    this.now.clear();
  }
}

class UserList<T> extends UserState<ListState<T>> implements ListState<T> {
  add(item: T): void {
    this.now.add(this.frozen(item));
  }

  get(): readonly T[] {
    return this.frozen(this.now.get());
  }

  set(items: readonly T[]): void {
    this.now.set(this.frozen(items));
  }

  clear(): void {
    this.now.clear();
  }
}

class UserMap<K, V> extends UserState<MapState<K, V>> implements MapState<K, V> {
  get(key: K): V | undefined {
    return this.frozen(this.now.get(key));
  }

  set(key: K, value: V): void {
    this.now.set(this.frozen(key), this.frozen(value));
  }

  has(key: K): boolean {
    return this.now.has(key);
  }

  delete(key: K): void {
    this.now.delete(key);
  }

  entries(): IterableIterator<[K, V]> {
    return this.frozenAll(this.now.entries());
  }

  keys(): IterableIterator<K> {
    return this.frozenAll(this.now.keys());
  }

  values(): IterableIterator<V> {
    return this.frozenAll(this.now.values());
  }

  get size(): number {
    return this.now.size;
  }

  clear(): void {
    this.now.clear();
  }
}

type FoldState<In, Out> = { add(value: In): void; get(): Out; clear(): void };

class UserFold<In, Out> extends UserState<FoldState<In, Out>> implements FoldState<In, Out> {
  add(value: In): void {
    this.now.add(this.frozen(value));
  }

  get(): Out {
    return this.frozen(this.now.get());
  }

  clear(): void {
    this.now.clear();
  }
}
