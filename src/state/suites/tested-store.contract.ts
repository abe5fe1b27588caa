// What the contract suites of keyed state share: how a store is made for them, and short forms of specs and calls.

import { ByteSink } from "../../types/bytes/byte-buffer.ts";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import type { StructField, TypeSpec } from "../../types/spec/type-spec.ts";
import type { KeyedStateStore } from "../contract/keyed-state.ts";

export type StoreSetup = {
  readonly key: TypeSpec;
  readonly maxParallelism?: number;
  /** All by default. */
  readonly keyGroups?: { readonly first: number; readonly last: number };
  /** What the store's states may hold together. */
  readonly limitBytes?: number;
  /** Of entries on the heap that are written at once. */
  readonly bitSteps?: number;
};

export type TestedStore = {
  readonly store: KeyedStateStore;
  /** Moves the store's clock. */
  readonly advance: (ms: number) => void;
  /** Freezes all pages of managed memory: from now on, who changes one has to ask for it (page-watch.contract.ts). */
  readonly freeze: () => void;
  /** Releases the store; returns the bytes that it then still holds. */
  readonly finish: () => number;
};

export type StoreMaker = (setup: StoreSetup) => TestedStore;

export const MAX_PARALLELISM = 8;

export const F64: TypeSpec = { kind: "f64" };
export const STRING: TypeSpec = { kind: "string" };
export const ANY: TypeSpec = { kind: "any" };

export function struct(fields: Record<string, TypeSpec>): TypeSpec {
  return {
    kind: "struct",
    fields: Object.entries(fields).map(([name, type]): StructField => ({ name, type, optional: false })),
  };
}

/** Makes a key current. */
export function use(store: KeyedStateStore, spec: TypeSpec, key: unknown): void {
  store.setKey(key, compileKeyHash(spec, "contract")(key));
}

export function snapshotOf(store: KeyedStateStore, keyGroup: number): Buffer {
  const sink = new ByteSink();
  store.snapshot(keyGroup, sink);
  return sink.copy();
}

export const valueSpec = (name: string, type: TypeSpec, ttlMs: number | null = null) =>
  ({ kind: "value", name, type, ttlMs }) as const;
export const listSpec = (name: string, item: TypeSpec, ttlMs: number | null = null) =>
  ({ kind: "list", name, item, ttlMs }) as const;
export const mapSpec = (name: string, key: TypeSpec, value: TypeSpec, ttlMs: number | null = null) =>
  ({ kind: "map", name, key, value, ttlMs }) as const;
