// `state.value(…)`, `state.list(…)`, …: keyed state as users declare it in a process function.

import { type Duration, durationMs } from "../../base/duration.ts";
import { refuseAsync, refusePromise } from "../../base/synchronous.ts";
import type {
  AggregateFunction,
  AggregatingState,
  ListState,
  MapState,
  ReducingState,
  StateSpec,
  ValueState,
} from "../../state/contract/keyed-state.ts";
import { checkOptions, checkValue, FUNCTION, type OptionKind } from "../../types/check-options.ts";
import { checkedLayout } from "../../types/spec/schema-spec.ts";
import type { Infer, StandardSchema, WhenKnown } from "../../types/spec/standard-schema.ts";
import { checkAggregateFunction } from "../aggregates/aggregate.ts";
import type { StateMaker } from "./user-state.ts";

export type TtlOptions = {
  /** Forget what was not written for this long, in processing time; `"1ms"` at least. */
  readonly ttl?: Duration;
};

/** A declared state: what the plan stores, and how the handle is made in the task. */
export interface StateDeclaration<out Handle> {
  specOf(name: string): StateSpec;
  handleOf(store: StateMaker, name: string): Handle;
}

export type StateDeclarations = { readonly [name: string]: StateDeclaration<unknown> };

/** The handles that `ctx.state` has for a set of declarations. */
export type StateHandles<S> = { readonly [K in keyof S]: S[K] extends StateDeclaration<infer Handle> ? Handle : never };

/** Declares one value per key. With `init`, a key without a value has the initial one; without, `get()` gives null. */
function value<S extends StandardSchema>(
  type: S,
  options: TtlOptions & { readonly init: WhenKnown<S, () => Infer<S>> },
): StateDeclaration<ValueState<Infer<S>>>;
function value<S extends StandardSchema>(type: S, options?: TtlOptions): StateDeclaration<ValueState<Infer<S> | null>>;
function value(
  type: StandardSchema,
  options: TtlOptions & { readonly init?: () => unknown } = {},
): StateDeclaration<ValueState<unknown>> {
  const layout = checkedLayout(type, "state.value");
  const ttlMs = checkedTtl("state.value", options, { init: FUNCTION });
  const specFor = (name: string) => ({ kind: "value", name, type: layout, ttlMs }) as const;
  return { specOf: specFor, handleOf: (store, name) => store.value(specFor(name), options.init ?? null) };
}

/** Declares a list per key, in the order of addition. */
function list<S extends StandardSchema>(item: S, options?: TtlOptions): StateDeclaration<ListState<Infer<S>>> {
  const layout = checkedLayout(item, "state.list");
  const ttlMs = checkedTtl("state.list", options);
  const specFor = (name: string) => ({ kind: "list", name, item: layout, ttlMs }) as const;
  return { specOf: specFor, handleOf: (store, name) => store.list(specFor(name)) };
}

/** Declares a map per key; entries expire one by one. */
function map<K extends StandardSchema, V extends StandardSchema>(
  key: K,
  mapValue: V,
  options?: TtlOptions,
): StateDeclaration<MapState<Infer<K>, Infer<V>>> {
  const keyLayout = checkedLayout(key, "the key of state.map");
  const valueLayout = checkedLayout(mapValue, "the value of state.map");
  const ttlMs = checkedTtl("state.map", options);
  const specFor = (name: string) => ({ kind: "map", name, key: keyLayout, value: valueLayout, ttlMs }) as const;
  return { specOf: specFor, handleOf: (store, name) => store.map(specFor(name)) };
}

/** Declares a value per key into which `add` folds further ones. */
function reducing<S extends StandardSchema>(
  type: S,
  reduce: WhenKnown<S, (left: Infer<S>, right: Infer<S>) => Infer<S>>,
  options?: TtlOptions,
): StateDeclaration<ReducingState<Infer<S>>> {
  const layout = checkedLayout(type, "state.reducing");
  const what = "the second argument of state.reducing";
  checkValue({ what, value: reduce, kind: FUNCTION, code: "FUNCTION_EXPECTED" });
  refuseAsync(reduce, "state.reducing");
  const ttlMs = checkedTtl("state.reducing", options);
  const specFor = (name: string) => ({ kind: "reducing", name, type: layout, ttlMs }) as const;
  return {
    specOf: specFor,
    handleOf(store, name) {
      const who = `the function of the state "${name}"`;
      return store.reducing(specFor(name), (left: Infer<S>, right) => refusePromise(reduce(left, right), who));
    },
  };
}

/** Declares an accumulator per key, of the given type. */
function aggregating<S extends StandardSchema, In, Out>(
  accumulator: S,
  functions: WhenKnown<S, AggregateFunction<In, Infer<S>, Out>>,
  options?: TtlOptions,
): StateDeclaration<AggregatingState<In, Out>> {
  const layout = checkedLayout(accumulator, "state.aggregating");
  checkAggregateFunction(functions, "state.aggregating");
  const ttlMs = checkedTtl("state.aggregating", options);
  const specFor = (name: string) => ({ kind: "aggregating", name, accumulator: layout, ttlMs }) as const;
  return {
    specOf: specFor,
    handleOf: (store, name) => store.aggregating(specFor(name), synchronous(functions, `of the state "${name}"`)),
  };
}

function synchronous<In, Acc, Out>(
  functions: AggregateFunction<In, Acc, Out>,
  of: string,
): AggregateFunction<In, Acc, Out> {
  const who = { create: `create ${of}`, add: `add ${of}`, merge: `merge ${of}`, result: `result ${of}` };
  return {
    create: () => refusePromise(functions.create(), who.create),
    add: (accumulator, value) => refusePromise(functions.add(accumulator, value), who.add),
    merge: (left, right) => refusePromise(functions.merge(left, right), who.merge),
    result: (accumulator) => refusePromise(functions.result(accumulator), who.result),
  };
}

/** With less, a value would be gone before it could be read. */
const TTL: OptionKind = {
  takes: 'a duration of at least "1ms"',
  accepts: (value, what) => durationMs(value as string, what) >= 1,
};

function checkedTtl(of: string, given: TtlOptions = {}, others: Readonly<Record<string, OptionKind>> = {}) {
  checkOptions({ of, given, takes: { ttl: TTL, ...others } });
  return given.ttl === undefined ? null : durationMs(given.ttl);
}

export const state = { value, list, map, reducing, aggregating } as const;
