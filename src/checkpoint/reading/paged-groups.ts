// Key groups that were written by pages (state/table/page-form.ts), in the canonical form: their pages are loaded into
// a store like the one that wrote them, which then writes what they hold.
//
//   P1. The store has the states that the snapshot names, and what the operator keeps for itself as its plan has it. No
//       function of the user's is called.
//   P2. The pages of one key group are in memory at a time.

import { assert } from "../../base/errors.ts";
import { isInOrder, optionsOf, type Plan, type PlanOperator } from "../../graph/plan.ts";
import { recordType } from "../../graph/record-type.ts";
import type { NamedAggregate } from "../../operators/aggregates/aggregate-spec.ts";
import type { KeyAccess } from "../../operators/aggregates/aggregate-stage.ts";
import { savedSet } from "../../operators/aggregates/saved-aggregates.ts";
import { fieldTypes } from "../../operators/expressions/field-types.ts";
import { InOrderOperator } from "../../operators/in-order/in-order-operator.ts";
import type { Operator, OperatorContext } from "../../operators/operator.ts";
import { AggregateOperator } from "../../operators/running/aggregate-operator.ts";
import type { WindowSpec } from "../../operators/windows/time/window-spec.ts";
import { windowOperator } from "../../operators/windows/window-operator.ts";
import type { KeyedStateStore, StateSpec } from "../../state/contract/keyed-state.ts";
import { managedStore } from "../../state/managed/managed-store.ts";
import { heapBlocks } from "../../state/pages/block-source.ts";
import { PageAllocator } from "../../state/pages/page-allocator.ts";
import type { PagedHeader } from "../../state/store/keyed-store.ts";
import { pageFormHeader } from "../../state/table/page-form.ts";
import { ByteCursor, ByteSink } from "../../types/bytes/byte-buffer.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { pagesFill } from "../format/pack-file.ts";
import type { CheckpointStorage } from "../storage/checkpoint-storage.ts";

/** Virtual memory, of which pages of one key group are used. */
const LIMIT_BYTES = 2 ** 30;

export type PagedGroupsOptions = {
  readonly storage: CheckpointStorage;
  readonly plan: Plan;
  readonly operator: PlanOperator;
  readonly maxParallelism: number;
  /** When the snapshot was taken: what had expired by then is not there. */
  readonly takenMs: number;
};

export class PagedGroups {
  readonly #options: PagedGroupsOptions;
  readonly #allocator = new PageAllocator(heapBlocks(LIMIT_BYTES));
  readonly #sink = new ByteSink();

  constructor(options: PagedGroupsOptions) {
    this.#options = options;
  }

  /** P2. Valid until the next call. */
  async canonical(group: number, bytes: Buffer): Promise<Buffer> {
    const { storage } = this.#options;
    const { key, states, entries = [] } = JSON.parse(pageFormHeader(new ByteCursor(bytes))) as PagedHeader;
    const store = this.#store(group, key);
    try {
      for (const spec of [...states, ...entries]) declare(store, spec);
      this.#open(store, key);
      await pagesFill(storage, store.load(group, new ByteCursor(bytes), false), () => undefined);
      store.loaded();
      const sink = this.#sink;
      sink.position = 0;
      store.snapshot(group, sink);
      return sink.bytes.subarray(0, sink.position);
    } finally {
      store.release();
    }
  }

  #store(group: number, key: TypeSpec): KeyedStateStore {
    const { operator, maxParallelism, takenMs } = this.#options;
    const { uid } = operator;
    return managedStore({
      owner: this.#allocator.openOwner({ job: "reading", operator: uid, subtask: 0, parallelism: 1 }),
      key,
      maxParallelism,
      keyGroups: { first: group, last: group },
      allocator: this.#allocator,
      clock: { nowMs: () => takenMs, monotonicMs: () => 0 },
      seed: 1,
      heapBudget: { limitBytes: Infinity, configKey: "", usedBytes: 0 },
    });
  }

  /** P1. Attaches what the operator keeps for itself. */
  #open(state: KeyedStateStore, key: TypeSpec): void {
    const { plan, operator } = this.#options;
    const keeping = keepingOperator(plan, operator, key);
    if (keeping === null) return;
    const opened = { uid: operator.uid, subtaskIndex: 0, state, ...{ keyGroups: { first: 0, last: 0 } } };
    keeping.open(opened as unknown as OperatorContext);
  }
}

function declare(store: KeyedStateStore, spec: StateSpec): void {
  switch (spec.kind) {
    case "value":
      store.value(spec, null);
      break;
    case "list":
      store.list(spec);
      break;
    case "map":
      store.map(spec);
      break;
    case "reducing":
      store.reducing(spec, (left) => left);
      break;
    case "aggregating":
      store.aggregating(spec, { create: nobody, add: nobody, merge: nobody, result: nobody });
  }
}

function nobody(): never {
  return assert(false, "nobody adds to what is read") as never;
}

type Aggregating = {
  readonly window?: WindowSpec;
  readonly allowedLatenessMs?: number;
  readonly aggregates: readonly NamedAggregate[];
};

/** What keeps tables as the operator of the plan does; null: it keeps none. */
function keepingOperator(plan: Plan, operator: PlanOperator, key: TypeSpec): Operator | null {
  const inner = innerOperator(plan, operator, key);
  if (!isInOrder(operator)) return inner;
  const { rightKey } = optionsOf<{ rightKey?: unknown }>(operator);
  const types = [recordType(plan, operator), ...(rightKey === undefined ? [] : [recordType(plan, operator, 1)])];
  return new InOrderOperator({
    inner: inner ?? ({ open: () => undefined } as unknown as Operator),
    types: types.map((type) => type ?? { kind: "any" }),
    ...{ lateOutput: false, freeze: null, failure: (error) => error },
  });
}

function innerOperator(plan: Plan, operator: PlanOperator, type: TypeSpec): Operator | null {
  if (operator.kind !== "window" && operator.kind !== "aggregate") return null;
  const { window, allowedLatenessMs = 0, aggregates } = optionsOf<Aggregating>(operator);
  const key: KeyAccess = { field: null, of: nobody, type };
  const fields = fieldTypes(recordType(plan, operator));
  const aggregation = { key, keyName: "key", set: savedSet(aggregates), fields, partials: false };
  return window === undefined
    ? new AggregateOperator({ ...aggregation, mode: "stream" })
    : windowOperator({ ...aggregation, window, allowedLatenessMs, lateOutput: false });
}
