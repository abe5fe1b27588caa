// The call of a user's function that is under way, and what user code reaches of keyed state and timers during it.
//
// Handles act on the key at hand: used by a promise or timer that outlives its call, they would act on another's key,
// and what is emitted then is lost once the input has ended. So all of them look whether a call is under way.

import { UserError } from "../../base/errors.ts";
import type {
  AggregateFunction,
  AggregatingState,
  KeyedStateStore,
  ListState,
  MapState,
  ReducingState,
  StateSpec,
  TimerService,
  ValueState,
} from "../../state/contract/keyed-state.ts";

/** Plain fields: they are set once per record. */
export class UserCall {
  readonly #uid: string;
  underWay = false;
  key: unknown = undefined;
  /** Event time of the record or timer at hand, NaN without one. */
  timestamp = NaN;
  /** Time of the timer that fires. */
  firing = NaN;
  /** So many timers have fired at this time that it can only be the same ones again and again. */
  endless = false;

  constructor(uid: string) {
    this.#uid = uid;
  }

  /** Thrown where the timer is set, so that it names the line. */
  again(timer: string): never {
    throw new UserError(
      "TIMER_ENDLESS",
      `onTimer of "${this.#uid}" sets the timer ${JSON.stringify(timer)} for a time that has come, again and again`,
      {
        fix: "set it for a later time than that of the timer at hand: timer.at + 60_000; in processing time than ctx.now",
        operator: this.#uid,
      },
    );
  }

  /** `what`: "ctx.emit". */
  late(what: string): never {
    throw new UserError("CONTEXT_USED_LATE", `${what} of "${this.#uid}" was used when no call was under way`, {
      fix: "use it before the function returns, not in a promise or setTimeout; for later, set a timer with ctx.timers",
      operator: this.#uid,
    });
  }
}

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
export function stateDuring(call: UserCall, store: KeyedStateStore): StateMaker {
  return {
    value: (spec, initial) => new ValueDuring(call, spec.name, store.value(spec, initial)),
    list: (spec) => new ListDuring(call, spec.name, store.list(spec)),
    map: (spec) => new MapDuring(call, spec.name, store.map(spec)),
    reducing: (spec, reduce) => new FoldDuring(call, spec.name, store.reducing(spec, reduce)),
    aggregating: (spec, functions) => new FoldDuring(call, spec.name, store.aggregating(spec, functions)),
  };
}

/** The methods work without their object. `name`: "ctx.timers". */
export function timersDuring(call: UserCall, name: string, timers: TimerService): TimerService {
  return {
    set: (timer, atMs) => {
      if (!call.underWay) call.late(name);
      if (call.endless && atMs <= call.firing) call.again(timer);
      timers.set(timer, atMs);
    },
    clear: (timer) => {
      if (!call.underWay) call.late(name);
      timers.clear(timer);
    },
    get: (timer) => {
      if (!call.underWay) call.late(name);
      return timers.get(timer);
    },
  };
}

class StateDuring<S> {
  readonly #call: UserCall;
  readonly #name: string;
  readonly #state: S;

  constructor(call: UserCall, name: string, state: S) {
    this.#call = call;
    this.#name = name;
    this.#state = state;
  }

  protected get now(): S {
    if (!this.#call.underWay) this.#call.late(`ctx.state.${this.#name}`);
    return this.#state;
  }
}

class ValueDuring<T> extends StateDuring<ValueState<T>> implements ValueState<T> {
  get(): T {
    return this.now.get();
  }

  set(value: T): void {
    this.now.set(value);
  }

  clear(): void {
    this.now.clear();
  }
}

class ListDuring<T> extends StateDuring<ListState<T>> implements ListState<T> {
  add(item: T): void {
    this.now.add(item);
  }

  get(): readonly T[] {
    return this.now.get();
  }

  set(items: readonly T[]): void {
    this.now.set(items);
  }

  clear(): void {
    this.now.clear();
  }
}

class MapDuring<K, V> extends StateDuring<MapState<K, V>> implements MapState<K, V> {
  get(key: K): V | undefined {
    return this.now.get(key);
  }

  set(key: K, value: V): void {
    this.now.set(key, value);
  }

  has(key: K): boolean {
    return this.now.has(key);
  }

  delete(key: K): void {
    this.now.delete(key);
  }

  entries(): IterableIterator<[K, V]> {
    return this.now.entries();
  }

  keys(): IterableIterator<K> {
    return this.now.keys();
  }

  values(): IterableIterator<V> {
    return this.now.values();
  }

  get size(): number {
    return this.now.size;
  }

  clear(): void {
    this.now.clear();
  }
}

type FoldState<In, Out> = { add(value: In): void; get(): Out; clear(): void };

class FoldDuring<In, Out> extends StateDuring<FoldState<In, Out>> implements FoldState<In, Out> {
  add(value: In): void {
    this.now.add(value);
  }

  get(): Out {
    return this.now.get();
  }

  clear(): void {
    this.now.clear();
  }
}
