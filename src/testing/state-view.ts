// Reads the keyed state of operators under test: what a user declared, by name, for one key.

import type { BuiltPlan } from "../api/plan/plan-builder.ts";
import type { PlanOperator } from "../graph/plan.ts";
import type { StateDeclarations } from "../operators/process/state-declaration.ts";
import type { KeyedStateStore } from "../state/contract/keyed-state.ts";
import { subtaskOf } from "../state/keys/key-groups.ts";
import { compileKeyHash, type KeyHash } from "../types/keys/key-hash.ts";
import { uidUnknown } from "./test-input.ts";

type View = {
  readonly operator: PlanOperator;
  readonly declared: StateDeclarations;
  readonly hash: KeyHash;
  readonly stores: Map<number, KeyedStateStore>;
};

export class StateViews {
  readonly #views = new Map<string, View>();

  constructor({ operators }: BuiltPlan["plan"], functions: BuiltPlan["functions"]) {
    for (const operator of operators) {
      if (operator.kind !== "process" || operator.key === null) continue;
      const declared = (functions.get(operator.uid)?.state ?? {}) as StateDeclarations;
      const hash = compileKeyHash(operator.key.type ?? { kind: "any" }, `state of ${operator.uid}`);
      this.#views.set(operator.uid, { operator, declared, hash, stores: new Map() });
    }
  }

  addStore(uid: string, subtask: number, store: KeyedStateStore): void {
    this.#views.get(uid)?.stores.set(subtask, store);
  }

  /** Between two turns only: it makes `key` current in the store. */
  valuesOf(uid: string, key: unknown): Readonly<Record<string, unknown>> {
    const view = this.#views.get(uid);
    if (view === undefined) {
      throw uidUnknown("process function", uid, this.#views.keys());
    }
    const { maxParallelism, parallelism } = view.operator;
    const hash = view.hash(key);
    const subtask = subtaskOf(hash, parallelism, maxParallelism);
    const store = view.stores.get(subtask);
    if (store === undefined) return {};
    store.setKey(key, hash);
    return stateValues(view.declared, store);
  }
}

/** Values of the declared states for the store's current key. */
export function stateValues(declared: StateDeclarations, store: KeyedStateStore): Readonly<Record<string, unknown>> {
  const values: [string, unknown][] = [];
  for (const [name, declaration] of Object.entries(declared)) {
    const handle = declaration.handleOf(store, name) as {
      get?: () => unknown;
      entries?: () => Iterable<[unknown, unknown]>;
    };
    values.push([name, handle.entries === undefined ? handle.get?.() : new Map(handle.entries())]);
  }
  return Object.fromEntries(values);
}
