// The handles of keyed state that users hold, over the cells of either store.

import type {
  AggregateFunction,
  AggregatingState,
  ListState,
  MapState,
  ReducedState,
  ValueState,
} from "../contract/keyed-state.ts";
import { ABSENT, type ListCell, type MapCell, type ValueCell } from "../contract/state-cell.ts";

export class ValueHandle<T> implements ValueState<T> {
  readonly #cell: ValueCell;
  readonly #initial: (() => T) | null;

  constructor(cell: ValueCell, initial: (() => T) | null) {
    this.#cell = cell;
    this.#initial = initial;
  }

  get(): T {
    const value = this.#cell.get();
    if (value !== ABSENT) return value as T;
    return this.#initial === null ? (null as T) : this.#initial();
  }

  set(value: T): void {
    this.#cell.set(value);
  }

  clear(): void {
    this.#cell.clear();
  }
}

export class ListHandle<T> implements ListState<T> {
  readonly #cell: ListCell;

  constructor(cell: ListCell) {
    this.#cell = cell;
  }

  add(item: T): void {
    this.#cell.add(item);
  }

  get(): readonly T[] {
    return this.#cell.get() as T[];
  }

  set(items: readonly T[]): void {
    this.#cell.set(items);
  }

  clear(): void {
    this.#cell.clear();
  }
}

export class MapHandle<K, V> implements MapState<K, V> {
  readonly #cell: MapCell;

  constructor(cell: MapCell) {
    this.#cell = cell;
  }

  get(key: K): V | undefined {
    const value = this.#cell.get(key);
    return value === ABSENT ? undefined : (value as V);
  }

  set(key: K, value: V): void {
    this.#cell.set(key, value);
  }

  has(key: K): boolean {
    return this.#cell.has(key);
  }

  delete(key: K): void {
    this.#cell.delete(key);
  }

  entries(): IterableIterator<[K, V]> {
    return (this.#cell.entries() as [K, V][]).values();
  }

  keys(): IterableIterator<K> {
    return (this.#cell.entries() as [K, V][]).map(([key]) => key).values();
  }

  values(): IterableIterator<V> {
    return (this.#cell.entries() as [K, V][]).map(([, value]) => value).values();
  }

  get size(): number {
    return this.#cell.size();
  }

  clear(): void {
    this.#cell.clear();
  }
}

export class ReducingHandle<T> implements ReducedState<T> {
  readonly #cell: ValueCell;
  readonly #reduce: (left: T, right: T) => T;

  constructor(cell: ValueCell, reduce: (left: T, right: T) => T) {
    this.#cell = cell;
    this.#reduce = reduce;
  }

  add(value: T): T {
    const before = this.#cell.get();
    const after = before === ABSENT ? value : this.#reduce(before as T, value);
    this.#cell.set(after);
    return after;
  }

  get(): T | undefined {
    const value = this.#cell.get();
    return value === ABSENT ? undefined : (value as T);
  }

  clear(): void {
    this.#cell.clear();
  }
}

export class AggregatingHandle<In, Acc, Out> implements AggregatingState<In, Out> {
  readonly #cell: ValueCell;
  readonly #functions: AggregateFunction<In, Acc, Out>;

  constructor(cell: ValueCell, functions: AggregateFunction<In, Acc, Out>) {
    this.#cell = cell;
    this.#functions = functions;
  }

  add(value: In): void {
    const before = this.#cell.get();
    const { create, add } = this.#functions;
    this.#cell.set(add(before === ABSENT ? create() : (before as Acc), value));
  }

  get(): Out | undefined {
    const accumulator = this.#cell.get();
    return accumulator === ABSENT ? undefined : this.#functions.result(accumulator as Acc);
  }

  clear(): void {
    this.#cell.clear();
  }
}
