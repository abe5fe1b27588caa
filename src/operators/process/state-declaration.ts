// `state.value(…)`, `state.list(…)`, …: keyed state as users declare it in a process function.

import { type Duration, durationMs } from "../../base/duration.ts";
import { refuseAsync, refusePromise } from "../../base/synchronous.ts";
import type {
  AggregateFunction,
  AggregatingState,
  DeclaredState,
  ListState,
  MapState,
  ReducingState,
  StateMigration,
  StateSpec,
  ValueState,
} from "../../state/contract/keyed-state.ts";
import { checkOptions, checkValue, FUNCTION, type OptionKind } from "../../types/check-options.ts";
import { checkedLayout } from "../../types/spec/schema-spec.ts";
import type { Infer, StandardSchema, WhenKnown } from "../../types/spec/standard-schema.ts";
import { checkAggregateFunction } from "../aggregates/aggregate.ts";
import type { StateMaker } from "./user-state.ts";

/** How values of an older type become values of the one that is declared. */
export type Migration<S extends StandardSchema, Old extends StandardSchema> = {
  /** The type as it was: a `t.*` type. */
  readonly from: Old;
  /**
   * Called when state is restored, once for each value that is stored: for a list that is each item, for a map each
   * value. It may change `old` and give it back. What it throws fails the job (`STATE_MIGRATION_FAILED`).
   */
  readonly with: WhenKnown<S, (old: Infer<Old>) => Infer<S>>;
};

export type StateOptions<S extends StandardSchema, Old extends StandardSchema> = {
  /** Forget what was not written for this long, in processing time; `"1ms"` at least. */
  readonly ttl?: Duration;
  /**
   * What to make of values that a checkpoint or savepoint has under an older type. Without it fields may be added
   * (optional or nullable) and removed, and types may be widened; all else is refused before the job starts.
   */
  readonly migrate?: Migration<S, Old>;
};

/** A declared state: what the plan stores, and how the handle is made in the task. */
export interface StateDeclaration<out Handle> {
  specOf(name: string): StateSpec;
  readonly migration: StateMigration | null;
  handleOf(store: StateMaker, name: string): Handle;
}

export type StateDeclarations = { readonly [name: string]: StateDeclaration<unknown> };

/** What the plan tells of a set of declarations. */
export function declaredStates(declarations: StateDeclarations): DeclaredState[] {
  return Object.entries(declarations).map(([name, { specOf, migration }]) => {
    return { ...specOf(name), ...(migration !== null && { migratesFrom: migration.from }) };
  });
}

/** The handles that `ctx.state` has for a set of declarations. */
export type StateHandles<S> = { readonly [K in keyof S]: S[K] extends StateDeclaration<infer Handle> ? Handle : never };

/** Declares one value per key. With `init`, a key without a value has the initial one; without, `get()` gives null. */
function value<S extends StandardSchema, Old extends StandardSchema = never>(
  type: S,
  options: StateOptions<S, Old> & { readonly init: WhenKnown<S, () => Infer<S>> },
): StateDeclaration<ValueState<Infer<S>>>;
function value<S extends StandardSchema, Old extends StandardSchema = never>(
  type: S,
  options?: StateOptions<S, Old>,
): StateDeclaration<ValueState<Infer<S> | null>>;
function value(
  type: StandardSchema,
  options: StateOptions<StandardSchema, StandardSchema> & { readonly init?: () => unknown } = {},
): StateDeclaration<ValueState<unknown>> {
  const layout = checkedLayout(type, "state.value");
  const { ttlMs, migration } = checkedOptions("state.value", options, { init: FUNCTION });
  const specOf = (name: string) => ({ kind: "value", name, type: layout, ttlMs }) as const;
  return { specOf, migration, handleOf: (store, name) => store.value(specOf(name), options.init ?? null) };
}

/** Declares a list per key, in the order of addition. */
function list<S extends StandardSchema, Old extends StandardSchema = never>(
  item: S,
  options?: StateOptions<S, Old>,
): StateDeclaration<ListState<Infer<S>>> {
  const layout = checkedLayout(item, "state.list");
  const { ttlMs, migration } = checkedOptions("state.list", options);
  const specOf = (name: string) => ({ kind: "list", name, item: layout, ttlMs }) as const;
  return { specOf, migration, handleOf: (store, name) => store.list(specOf(name)) };
}

/** Declares a map per key; entries expire one by one. */
function map<K extends StandardSchema, V extends StandardSchema, Old extends StandardSchema = never>(
  key: K,
  mapValue: V,
  options?: StateOptions<V, Old>,
): StateDeclaration<MapState<Infer<K>, Infer<V>>> {
  const keyLayout = checkedLayout(key, "the key of state.map");
  const valueLayout = checkedLayout(mapValue, "the value of state.map");
  const { ttlMs, migration } = checkedOptions("state.map", options);
  const specOf = (name: string) => ({ kind: "map", name, key: keyLayout, value: valueLayout, ttlMs }) as const;
  return { specOf, migration, handleOf: (store, name) => store.map(specOf(name)) };
}

/** Declares a value per key into which `add` folds further ones. */
function reducing<S extends StandardSchema, Old extends StandardSchema = never>(
  type: S,
  reduce: WhenKnown<S, (left: Infer<S>, right: Infer<S>) => Infer<S>>,
  options?: StateOptions<S, Old>,
): StateDeclaration<ReducingState<Infer<S>>> {
  const layout = checkedLayout(type, "state.reducing");
  const what = "the second argument of state.reducing";
  checkValue({ what, value: reduce, kind: FUNCTION, code: "FUNCTION_EXPECTED" });
  refuseAsync(reduce, "state.reducing");
  const { ttlMs, migration } = checkedOptions("state.reducing", options);
  const specOf = (name: string) => ({ kind: "reducing", name, type: layout, ttlMs }) as const;
  return {
    specOf,
    migration,
    handleOf(store, name) {
      const who = `the function of the state "${name}"`;
      return store.reducing(specOf(name), (left: Infer<S>, right) => refusePromise(reduce(left, right), who));
    },
  };
}

/** Declares an accumulator per key, of the given type. */
function aggregating<S extends StandardSchema, In, Out, Old extends StandardSchema = never>(
  accumulator: S,
  functions: WhenKnown<S, AggregateFunction<In, Infer<S>, Out>>,
  options?: StateOptions<S, Old>,
): StateDeclaration<AggregatingState<In, Out>> {
  const layout = checkedLayout(accumulator, "state.aggregating");
  checkAggregateFunction(functions, "state.aggregating");
  const { ttlMs, migration } = checkedOptions("state.aggregating", options);
  const specOf = (name: string) => ({ kind: "aggregating", name, accumulator: layout, ttlMs }) as const;
  return {
    specOf,
    migration,
    handleOf: (store, name) => store.aggregating(specOf(name), synchronous(functions, `of the state "${name}"`)),
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

const MIGRATION: OptionKind = {
  takes: "the older type and a function, { from: Old, with: (old) => … }",
  accepts: (value) => typeof value === "object" && value !== null && !("~standard" in value),
};

type CheckedOptions = { readonly ttlMs: number | null; readonly migration: StateMigration | null };

function checkedOptions(
  of: string,
  given: { readonly ttl?: Duration; readonly migrate?: unknown } = {},
  others: Readonly<Record<string, OptionKind>> = {},
): CheckedOptions {
  checkOptions({ of, given, takes: { ttl: TTL, migrate: MIGRATION, ...others } });
  const { ttl, migrate } = given;
  return {
    ttlMs: ttl === undefined ? null : durationMs(ttl),
    migration:
      migrate === undefined ? null : checkedMigration(of, migrate as Migration<StandardSchema, StandardSchema>),
  };
}

function checkedMigration(of: string, given: Migration<StandardSchema, StandardSchema>): StateMigration {
  const what = `${of}.migrate`;
  checkOptions({ of: what, given, takes: { from: true, with: FUNCTION } });
  checkValue({ what: `the function "with" of ${what}`, value: given.with, kind: FUNCTION, code: "FUNCTION_EXPECTED" });
  refuseAsync(given.with, what);
  return { from: checkedLayout(given.from, `${what}.from`), with: given.with };
}

export const state = { value, list, map, reducing, aggregating } as const;
