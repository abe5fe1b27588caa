// State that user code holds under checks: what it gives and takes is frozen, so that a change in place, which is never
// stored, throws at the user's line.

import type { ListState, MapState, ValueState } from "../../state/contract/keyed-state.ts";
import type { StateMaker } from "./user-call.ts";

export type Freeze = (value: unknown) => void;

export function frozenState(made: StateMaker, freeze: Freeze): StateMaker {
  const frozen = <T>(value: T): T => {
    freeze(value);
    return value;
  };
  return {
    value: <T>(...of: Parameters<StateMaker["value"]>): ValueState<T> => {
      const state = made.value(...of) as ValueState<T>;
      return {
        get: () => frozen(state.get()),
        set: (value) => state.set(frozen(value)),
        clear: () => state.clear(),
      };
    },
    list: <T>(spec: Parameters<StateMaker["list"]>[0]): ListState<T> => {
      const state = made.list<T>(spec);
      return {
        add: (item) => state.add(frozen(item)),
        get: () => frozen(state.get()),
        set: (items) => state.set(frozen(items)),
        clear: () => state.clear(),
      };
    },
    map: <K, V>(spec: Parameters<StateMaker["map"]>[0]): MapState<K, V> => {
      const state = made.map<K, V>(spec);
      return {
        get: (key) => frozen(state.get(key)),
        set: (key, value) => state.set(frozen(key), frozen(value)),
        has: (key) => state.has(key),
        delete: (key) => state.delete(key),
        entries: () => frozen([...state.entries()]).values(),
        keys: () => frozen([...state.keys()]).values(),
        values: () => frozen([...state.values()]).values(),
        get size() {
          return state.size;
        },
        clear: () => state.clear(),
      };
    },
    reducing: (spec, reduce) => {
      const state = made.reducing(spec, reduce);
      return {
        add: (value) => state.add(frozen(value)),
        get: () => frozen(state.get()),
        clear: () => state.clear(),
      };
    },
    aggregating: (spec, functions) => {
      const state = made.aggregating(spec, functions);
      return {
        add: (value) => state.add(frozen(value)),
        get: () => frozen(state.get()),
        clear: () => state.clear(),
      };
    },
  };
}
