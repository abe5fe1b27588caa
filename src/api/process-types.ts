// Types of process functions: context, declarations, side outputs.

import type { StateHandles } from "../operators/process/state-declaration.ts";
import type { FiredTimer, TimerService } from "../state/keyed-state.ts";
import type { Infer, StandardSchema } from "../types/standard-schema.ts";

export type SideSchemas = { readonly [name: string]: StandardSchema };
export type SideValues<X> = { [P in keyof X]: X[P] extends StandardSchema ? Infer<X[P]> : never };

/** What a process function works with. One object, reused: do not keep it. */
export interface Context<K, S, O, X> {
  /** Key of the record or timer at hand. */
  readonly key: K;
  /** Its event time, epoch milliseconds; NaN without one. */
  readonly timestamp: number;
  /** Event time of the operator: no record on time is older. */
  readonly watermark: number;
  /** Processing time, epoch milliseconds. */
  readonly now: number;
  /** State of the key, as declared. */
  readonly state: StateHandles<S>;
  /** Timers of the key in event time, by name; `processing` holds those in processing time. */
  readonly timers: TimerService & { readonly processing: TimerService };
  /** Emits a result with the event time at hand. */
  emit(record: O): void;
  /** Emits to a side output. */
  readonly side: { readonly [P in keyof SideValues<X>]: (record: SideValues<X>[P]) => void };
}

/** A timer that fired. */
export type Timer<K> = Readonly<Omit<FiredTimer, "key" | "hash">> & { readonly key: K };

type Declaration<K, S, O extends StandardSchema, X> = {
  /** Names the operator and its state for ever. */
  readonly uid: string;
  readonly state?: S;
  /** Type of the results. */
  readonly out: O;
  /** Types of the side outputs, by name. */
  readonly side?: X;
  onTimer?(timer: Timer<K>, context: Context<K, S, Infer<O>, X>): void;
};

export type KeyedProcess<T, K, S, O extends StandardSchema, X> = Declaration<K, S, O, X> & {
  onRecord(record: T, context: Context<K, S, Infer<O>, X>): void;
};

export type ConnectedProcess<L, R, K, S, O extends StandardSchema, X> = Declaration<K, S, O, X> & {
  onLeft(record: L, context: Context<K, S, Infer<O>, X>): void;
  onRight(record: R, context: Context<K, S, Infer<O>, X>): void;
};
