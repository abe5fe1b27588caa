// Types of process functions: context, declarations, side outputs.

import type { StateHandles } from "../operators/process/state-declaration.ts";
import type { UserMetrics } from "../operators/process/user-metrics.ts";
import type { FiredTimer, TimerService } from "../state/contract/keyed-state.ts";
import type { Infer, StandardSchema } from "../types/spec/standard-schema.ts";
import type { Immutable } from "./stream-types.ts";

/** `errors` is the side output of `onError("side")`. */
export type SideSchemas = { readonly [name: string]: StandardSchema } & { readonly errors?: never };
export type SideValues<X> = { [P in keyof X]: X[P] extends StandardSchema ? Infer<X[P]> : never };

/**
 * What a process function works with. One object, reused: it throws where it is used after the function has returned.
 * Its methods may be taken out of it.
 */
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
  readonly emit: (record: O) => void;
  /** Metrics of your own, by name: ask once or for each record. */
  readonly metrics: UserMetrics;
  /** Emits to a side output. */
  readonly side: { readonly [P in keyof SideValues<X>]: (record: SideValues<X>[P]) => void };
}

/** A timer that fired, an object of its own. */
export type Timer<K> = Readonly<Omit<FiredTimer, "key" | "hash">> & { readonly key: K };

/** What functions without a result may give all the same: everything small but a promise. */
// biome-ignore lint/suspicious/noConfusingVoidType: as a return type it means what it says
type Nothing = void | null | undefined | boolean | number | string | bigint;

type Declaration<K, S, O extends StandardSchema, X> = {
  /** Names the operator and its state for ever. */
  readonly uid: string;
  readonly state?: S;
  /** Type of the results. */
  readonly out: O;
  /** Types of the side outputs, by name. */
  readonly side?: X;
  onTimer?(timer: Timer<K>, context: Context<K, S, Infer<O>, X>): Nothing;
};

export type KeyedProcess<T, K, S, O extends StandardSchema, X> = Declaration<K, S, O, X> & {
  onRecord(record: Immutable<T>, context: Context<K, S, Infer<O>, X>): Nothing;
};

export type ConnectedProcess<L, R, K, S, O extends StandardSchema, X> = Declaration<K, S, O, X> & {
  onLeft(record: Immutable<L>, context: Context<K, S, Infer<O>, X>): Nothing;
  onRight(record: Immutable<R>, context: Context<K, S, Infer<O>, X>): Nothing;
};
