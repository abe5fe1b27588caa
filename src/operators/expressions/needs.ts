// What an expression or aggregate needs of a record, in the type system.
//
// `col("price").gt(3)` is an `Expr<boolean, { price: number | null | undefined }>`: its second parameter is the record
// it needs, contravariant, so that `Stream<T>.filter(expression: Expr<boolean, Fields<T>>)` accepts exactly the
// expressions whose fields T has. Cheap for the compiler: one assignability check per use, no search over the fields of
// T.

/**
 * The record that has at least field `P` with a value of type `V`, perhaps missing: one of that name, or, with dots, a
 * nested one.
 */
export type Need<P extends string, V> = P extends `${string}.${string}` ? NeedOf<P, V> | NeedAt<P, V> : NeedOf<P, V>;

type NeedOf<P extends string, V> = { readonly [K in P]: V | null | undefined };

type NeedAt<P extends string, V> = P extends `${infer Head}.${infer Rest}`
  ? { readonly [K in Head]: NeedAt<Rest, V> | null | undefined }
  : NeedOf<P, V>;

type Opaque =
  | number
  | string
  | boolean
  | bigint
  | null
  | undefined
  | Date
  | RegExp
  | Error
  | ArrayBuffer
  | Collection
  | Fn;
type Collection = readonly unknown[] | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | ArrayBufferView;
type Fn = (...args: never[]) => unknown;

/**
 * The fields of T as expressions see them: optional ones are there, perhaps with a missing value. A record with
 * arbitrary string keys has every field, so nothing is checked.
 */
export type Fields<T> = T extends Opaque
  ? T
  : string extends keyof T
    ? never
    : { readonly [K in keyof T]-?: Fields<T[K]> | (undefined extends T[K] ? undefined : never) };

/** The value of field `P`, missing ones as null. */
export type FieldValue<T, P extends string> = P extends keyof T
  ? NonNullable<T[P]> | NullOf<T[P]>
  : P extends `${infer Head}.${infer Rest}`
    ? Head extends keyof T
      ? FieldValue<NonNullable<T[Head]>, Rest> | NullOf<T[Head]>
      : never
    : never;

/**
 * Whether any field that `N` needs can be missing in T. `Depth` bounds the recursion for the compiler, which otherwise
 * expands the type without end while N is still being inferred; deeper fields count as possibly missing.
 */
export type MayMiss<T, N, Depth extends readonly 0[] = []> = Depth["length"] extends 4
  ? true
  : true extends MissedBy<T, N, Depth>
    ? true
    : false;

/** By each of the records that would do: true, false or both. Those whose fields T does not have are none. */
type MissedBy<T, N, Depth extends readonly 0[]> = N extends unknown
  ? [keyof N] extends [keyof T]
    ? {
        [K in keyof N]: K extends keyof T
          ? [NullOf<T[K]>] extends [never]
            ? NonNullable<N[K]> extends Opaque
              ? false
              : MayMiss<T[K], NonNullable<N[K]>, [...Depth, 0]>
            : true
          : true;
      }[keyof N]
    : never
  : never;

type NullOf<V> = null extends V ? null : undefined extends V ? null : never;
