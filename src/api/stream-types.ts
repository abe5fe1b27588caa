// Options and element types of the stream API.

import type { Duration } from "../base/duration.ts";
import type { TimestampUnit } from "../operators/event-time/timestamp.ts";

/** A record on which a user function threw, as `onError("side")` sets it aside. */
export type FailedRecord<T> = { readonly record: T; readonly error: string };

export type EventTimeOptions<T> = {
  /**
   * The field with the event time (epoch milliseconds as a number or bigint, or a Date), or a function that gives it.
   * Times before 1970 are negative.
   */
  readonly at: TimeField<T> | ((record: Immutable<T>) => number | bigint | Date);
  /** How much later than a younger record a record may come and still be on time. Default: not at all. */
  readonly outOfOrder?: Duration;
  /** A source split without records for this long no longer holds back event time. Default: never. */
  readonly idle?: Duration;
  /**
   * Step of event time after which a watermark goes among the records, instead of after each batch of them. Default:
   * where functions with timers follow, `"1s"`, or a tenth of `outOfOrder` if that is more; else after each batch.
   */
  readonly every?: Duration;
  /**
   * What a number stands for: seconds, milliseconds, microseconds or nanoseconds. Default: milliseconds, and numbers
   * that look like another unit are refused.
   */
  readonly unit?: TimestampUnit;
};

/**
 * A record as functions get it: its properties are read-only, because other branches hold it, too. As it is where that
 * would be another type (arrays, classes with private members) or none (`any`, `unknown`), and in functions over
 * streams of any type, as far as streams are made of it.
 */
export type Immutable<T> = IfPlain<T, Readonly<T>, T>;

/** What belongs to the function that gets it. */
export type Mutable<T> = IfPlain<T, { -readonly [K in keyof T]: T[K] }, T>;

/** For the `this` of an overload: nothing is one of these but streams of records that `Immutable` makes read-only. */
export type Records<T> = IfPlain<T, unknown, never>;

type IfPlain<T, Then, Else> = unknown extends T ? Else : Readonly<T> extends T ? Then : Else;

/** What async functions and async generators give. */
export type Asynchronous = PromiseLike<unknown> | AsyncIterable<unknown>;

/** `Result`, or nothing to work with when a function gives promises: functions are synchronous. */
export type IfSynchronous<O, Result> = 0 extends 1 & O
  ? Result
  : [Extract<O, PromiseLike<unknown>>] extends [never]
    ? Result
    : never;

/** As `IfSynchronous`, where all that a function gives are promises: the compiler shows the text. */
export type NotAsynchronous<O, Result> = 0 extends 1 & O
  ? Result
  : [O] extends [never]
    ? Result
    : "this function gives promises, but functions are synchronous: no async, no await";

/** Beside the type of what a function has to give: the compiler shows the text for promises. */
export type NoPromise = "functions are synchronous: no async, no await";

/** A field that a stream can be keyed by; the compiler shows the text for another one. */
export type KeyFieldOf<T, K> = K extends string
  ? K extends KeyField<T>
    ? K
    : `the records have no field "${K}" that can be a key`
  : K;

/** Any text, where some are suggested. */
export type AnyText = string & {};

/** Fields that can hold an event time, nested ones as "order.at". A missing parent is a missing time. */
export type TimeField<T> = PathTo<T, number | bigint | Date | null | undefined, null | undefined>;

/** Fields by which a stream can be keyed, nested ones as "order.id". */
export type KeyField<T> = PathTo<T, string | number | boolean | bigint | Date, never>;

/** The value of the field that a path leads to: the one of that name, else the nested one. */
export type KeyOf<T, P> = P extends keyof T ? T[P] : ValueAt<T, P>;

/** The key as a field of result rows. */
export type KeyRow<T, P extends string> = [P] extends [keyof T] ? Pick<T, P> : { [K in P]: KeyOf<T, K> };

/** Names of the fields by which a stream is keyed. */
export type KeyNames<K, M extends readonly string[]> = K extends readonly (infer N extends string)[]
  ? N
  : (K & string) | M[number];

/** The key of `keyBy`: a field's value, or an object of several fields. */
export type KeyByFields<T, K, M extends readonly string[]> = K extends readonly string[]
  ? KeyRow<T, K[number]>
  : M extends readonly []
    ? KeyOf<T, K>
    : KeyRow<T, KeyNames<K, M>>;

type ValueAt<T, P> = P extends `${infer Head}.${infer Rest}`
  ? Head extends keyof T
    ? ValueAt<T[Head], Rest>
    : never
  : P extends keyof T
    ? T[P]
    : never;

/** Paths to values `V`, at most three names long, through structs that can also be `Missing`. */
type PathTo<T, V, Missing> = {
  [K in keyof T & string]: T[K] extends V
    ? K
    : Exclude<PathFrom<K, Exclude<T[K], Missing>, V, Missing, [0, 0]>, keyof T>;
}[keyof T & string];

/** Paths that begin with the field `K`, which has the value `S`; none where the name itself has a dot. */
type PathFrom<K extends string, S, V, Missing, Depth extends readonly 0[]> = Depth extends [
  0,
  ...infer Rest extends 0[],
]
  ? K extends `${string}.${string}`
    ? never
    : [S] extends [object]
      ? [S] extends [Opaque]
        ? never
        : `${K}.${NestedPath<S, V, Missing, Rest>}`
      : never
  : never;

type NestedPath<S, V, Missing, Depth extends readonly 0[]> = {
  [K in keyof S & string]: S[K] extends V
    ? K extends `${string}.${string}`
      ? never
      : K
    : PathFrom<K, Exclude<S[K], Missing>, V, Missing, Depth>;
}[keyof S & string];

type Opaque = readonly unknown[] | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | ArrayBufferView | Date;
