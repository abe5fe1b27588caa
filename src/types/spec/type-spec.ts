// The closure-free description of a record type: plain data, stored in plans, snapshots and on the wire.
//
// `t.*` (types/t.ts) builds them for users; codecs are generated from them. Every value a spec admits round-trips
// exactly (NaN, -0 of floats, lone surrogates, `undefined` versus absent, holes in arrays under "any").

/** Typed arrays that a field can hold; elements and constructor survive the round trip. */
export type TypedArrayName =
  | "Int8Array"
  | "Uint8Array"
  | "Uint8ClampedArray"
  | "Int16Array"
  | "Uint16Array"
  | "Int32Array"
  | "Uint32Array"
  | "Float32Array"
  | "Float64Array"
  | "BigInt64Array"
  | "BigUint64Array";

export type StructField = {
  readonly name: string;
  readonly type: TypeSpec;
  /** The property may be absent, or present with the value `undefined`; the two are told apart. */
  readonly optional: boolean;
};

export type TypeSpec =
  | { readonly kind: "f64" } // any number
  | { readonly kind: "f32" } // a number that is exact in 32-bit floating point, or NaN
  | { readonly kind: "i32" } // an integer in [-2^31, 2^31); -0 is 0
  | { readonly kind: "i64" } // a bigint in [-2^63, 2^63)
  | { readonly kind: "bigint" } // any bigint
  | { readonly kind: "bool" }
  // any string, lone surrogates included; or those of a form
  | { readonly kind: "string"; readonly form?: "duration" }
  | { readonly kind: "timestamp" } // a number: epoch milliseconds
  | { readonly kind: "date" } // a Date, invalid ones included
  | { readonly kind: "null" }
  | { readonly kind: "undefined" }
  | { readonly kind: "enum"; readonly values: readonly string[] }
  | { readonly kind: "bytes"; readonly array: TypedArrayName }
  | { readonly kind: "list"; readonly item: TypeSpec }
  | { readonly kind: "set"; readonly item: TypeSpec }
  | { readonly kind: "map"; readonly key: TypeSpec; readonly value: TypeSpec }
  | { readonly kind: "struct"; readonly fields: readonly StructField[] }
  | { readonly kind: "nullable"; readonly inner: TypeSpec }
  | { readonly kind: "union"; readonly members: readonly TypeSpec[] }
  | { readonly kind: "any" }; // whatever structured clone carries

export type StructSpec = Extract<TypeSpec, { kind: "struct" }>;
