// The self-describing byte format of `t.any`: what structured clone carries, with nothing lost on the way.
//
//   any      = byte shared (1: the value contains references), value
//   value    = byte tag, content of the tag:
//     null undefined false true holeless constants     nothing
//     int                 u32 zigzag
//     f64 bigint string   as in byte-buffer.ts
//     object nullObject   u32 count, count × (string key, value)           own enumerable string keys in order
//     array               u32 length, length × value
//     sparse              u32 length, u32 count, count × (string key, value)  holes, or keys beside the elements
//     reference           u32 index into the objects of this value, in the order in which they began
//     date boxedNumber    f64
//     regexp              string source, string flags, f64 lastIndex
//     map                 u32 size, size × (value key, value)
//     set                 u32 size, size × value
//     buffer arrayBuffer  u32 size, bytes
//     view                byte index into VIEWS, u32 byte offset, u32 length, value (its array buffer)
//     error               byte index into ERRORS, u32 count, count × (string key, byte enumerable, value)
//     boxedString boxedBoolean boxedBigint   the value
//
// Stricter than structured clone where that would lose something: symbol keys, keys on a Date, Map, … and objects with
// a prototype of their own are refused; prototypes of null, `lastIndex` and all keys of errors are kept. Not carried:
// non-enumerable properties of plain objects and arrays, property attributes, accessors (their value is).

export const TAG = {
  null: 0,
  undefined: 1,
  false: 2,
  true: 3,
  int: 4,
  f64: 5,
  bigint: 6,
  string: 7,
  object: 8,
  nullObject: 9,
  array: 10,
  sparse: 11,
  reference: 12,
  date: 13,
  regexp: 14,
  map: 15,
  set: 16,
  buffer: 17,
  arrayBuffer: 18,
  view: 19,
  error: 20,
  boxedNumber: 21,
  boxedString: 22,
  boxedBoolean: 23,
  boxedBigint: 24,
} as const;

/** Deeper nesting is refused: it would be recursion on data that nobody bounds. */
export const DEPTH_MAX = 1000;

/** The constructors of views; the position in the list is the format. Only ever append. */
export const VIEWS: readonly ViewConstructor[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
  Float16Array,
];

export type ViewConstructor = {
  new (buffer: ArrayBuffer, byteOffset: number, length: number): ArrayBufferView;
  readonly prototype: ArrayBufferView;
  readonly BYTES_PER_ELEMENT?: number;
};

/** The constructors of errors; the position in the list is the format. Only ever append. */
export const ERRORS: readonly ErrorClass[] = [
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError,
];

export type ErrorClass = { readonly prototype: Error };
