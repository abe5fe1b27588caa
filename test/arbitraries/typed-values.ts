// Random types with random values of them, for property tests of codecs. Shrinks towards one field of one simple type.

import fc from "fast-check";
import { TYPED_ARRAY } from "../../src/types/bytes/typed-array-bytes.ts";
import { TIME_MAX_MS } from "../../src/types/spec/source-value.ts";
import type { StructField, TypedArrayName, TypeSpec } from "../../src/types/spec/type-spec.ts";

/** Names that trap code generators and object literals. */
const FIELD_NAMES = [
  ..."abcdefgh",
  "1",
  "02",
  "10",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "length",
  "",
  "a b",
  "a.b",
  'quote"\\',
  "line\u2028end",
  "日本",
  "\ud800",
  "${x}",
  "*/",
];

const LEAVES = [
  "f64",
  "f32",
  "i32",
  "i64",
  "bigint",
  "bool",
  "string",
  "timestamp",
  "date",
  "null",
  "undefined",
  "any",
] as const;

const enumSpec: fc.Arbitrary<TypeSpec> = fc
  .uniqueArray(fc.oneof(fc.constantFrom("on", "off", "__proto__", "é"), fc.string({ maxLength: 3 })), {
    minLength: 1,
    maxLength: 12,
  })
  .map((values) => ({ kind: "enum", values }));

const bytesSpec: fc.Arbitrary<TypeSpec> = fc
  .constantFrom(...(Object.keys(TYPED_ARRAY) as TypedArrayName[]))
  .map((array) => ({ kind: "bytes", array }));

const leafSpec: fc.Arbitrary<TypeSpec> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...LEAVES).map((kind): TypeSpec => ({ kind })) },
  { weight: 1, arbitrary: enumSpec },
  { weight: 1, arbitrary: bytesSpec },
);

type Tied = { spec: TypeSpec; field: StructField; struct: TypeSpec };

const tied = fc.letrec<Tied>((tie) => ({
  spec: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leafSpec,
    leafSpec,
    tie("spec").map((inner): TypeSpec => ({ kind: "nullable", inner })),
    tie("spec").map((item): TypeSpec => ({ kind: "list", item })),
    tie("struct"),
    fc.array(tie("spec"), { minLength: 1, maxLength: 4 }).map((members): TypeSpec => ({ kind: "union", members })),
    tie("spec").map((item): TypeSpec => ({ kind: "set", item })),
    fc.tuple(tie("spec"), tie("spec")).map(([key, value]): TypeSpec => ({ kind: "map", key, value })),
  ),
  field: fc.record({ name: fc.constantFrom(...FIELD_NAMES), type: tie("spec"), optional: fc.boolean() }),
  struct: fc
    .uniqueArray(tie("field"), { selector: ({ name }) => name, maxLength: 8, size: "max" })
    .map((fields): TypeSpec => ({ kind: "struct", fields })),
}));

/** Any type; records of structs in most cases. */
export const anySpec: fc.Arbitrary<TypeSpec> = fc.oneof(
  { weight: 3, arbitrary: tied.struct },
  { weight: 1, arbitrary: tied.spec },
);

const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));

export const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 20 }) },
  { weight: 1, arbitrary: fc.string({ unit: "binary-ascii", minLength: 10, maxLength: 60 }) },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom("a", "é", "ÿ", "\u0100"), maxLength: 30 }) },
  { weight: 1, arbitrary: fc.array(unit, { maxLength: 30 }).map((units) => units.join("")) }, // lone surrogates
);

const anything = {
  maxDepth: 2,
  maxKeys: 4,
  key: fc.oneof(text, fc.constantFrom(...FIELD_NAMES)),
  values: [fc.double(), fc.integer(), text, fc.boolean(), fc.constantFrom(null, undefined, -0), fc.bigInt()],
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
};

/** What structured clone carries, without references from one part to another. */
export const plainValue: fc.Arbitrary<unknown> = fc.anything({ ...anything, withNullPrototype: true });

/** Without null prototypes: a struct beside "any" in a union would take such an object and make it a plain one. */
const ownAny: fc.Arbitrary<unknown> = fc.anything(anything);

/**
 * A value of the type. Where the type has a union, a struct in it may take a value that was made for another one, and
 * order its fields.
 */
export function valuesOf(spec: TypeSpec): fc.Arbitrary<unknown> {
  switch (spec.kind) {
    case "f64":
      return fc.oneof(fc.double(), fc.integer());
    case "timestamp":
      return fc.oneof(fc.double({ min: -TIME_MAX_MS, max: TIME_MAX_MS, noNaN: true }), fc.integer());
    case "f32":
      return fc.float();
    case "i32":
      return fc.integer();
    case "i64":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case "bigint":
      return fc.bigInt();
    case "bool":
      return fc.boolean();
    case "string":
      return text;
    case "date":
      return fc.date({ noInvalidDate: true });
    case "null":
      return fc.constant(null);
    case "undefined":
      return fc.constant(undefined);
    case "any":
      return ownAny;
    case "enum":
      return fc.constantFrom(...spec.values);
    case "bytes":
      return typedArrayOf(spec.array);
    case "nullable":
      return fc.option(valuesOf(spec.inner), { nil: null, freq: 3 });
    case "union":
      return fc.oneof(...spec.members.map(valuesOf));
    case "list":
      return fc.array(valuesOf(spec.item), { maxLength: 5 });
    case "set":
      return fc.array(valuesOf(spec.item), { maxLength: 4 }).map((items) => new Set(items));
    case "map":
      return fc
        .array(fc.tuple(valuesOf(spec.key), valuesOf(spec.value)), { maxLength: 4 })
        .map((items) => new Map(items));
    case "struct":
      return recordOf(spec.fields);
  }
}

function typedArrayOf(name: TypedArrayName): fc.Arbitrary<unknown> {
  const bytes = fc.array(fc.nat(255), { maxLength: 24 });
  const size = TYPED_ARRAY[name].BYTES_PER_ELEMENT;
  const made = bytes.map((list) => {
    const padded = new Uint8Array(Math.ceil(list.length / size) * size);
    padded.set(list);
    return new TYPED_ARRAY[name](padded.buffer);
  });
  return name === "Uint8Array"
    ? fc.oneof(
        made,
        bytes.map((list) => Buffer.from(list)),
      )
    : made;
}

const ABSENT = Symbol("absent");

function recordOf(fields: readonly StructField[]): fc.Arbitrary<unknown> {
  const values = fields.map((field) => {
    const value = valuesOf(field.type);
    return field.optional ? fc.oneof(value, value, fc.constantFrom(ABSENT, undefined)) : value;
  });
  return fc.tuple(...values).map((items) => recordFrom(fields.map((field, index) => [field.name, items[index]])));
}

/** An object with these properties in this order, `__proto__` included. */
export function recordFrom(entries: readonly (readonly [string, unknown])[]): object {
  const record = {};
  for (const [name, value] of entries) {
    if (value === ABSENT) continue;
    Object.defineProperty(record, name, { value, enumerable: true, writable: true, configurable: true });
  }
  return record;
}

type Node = {
  readonly kind: "object" | "array" | "map" | "set";
  readonly links: readonly number[];
  readonly leaf: unknown;
};

const node: fc.Arbitrary<Node> = fc.record({
  kind: fc.constantFrom("object", "array", "map", "set"),
  links: fc.array(fc.nat(19), { maxLength: 4 }),
  leaf: plainValue,
});

/** Objects that hold each other in any way, cycles included. */
export const graphValue: fc.Arbitrary<unknown> = fc.array(node, { minLength: 1, maxLength: 20 }).map((nodes) => {
  const made = nodes.map(({ kind }) => {
    if (kind === "object") return {};
    if (kind === "array") return [];
    return kind === "map" ? new Map() : new Set();
  });
  for (const [index, { links, leaf }] of nodes.entries()) {
    for (const link of links) join(made[index]!, made[link % made.length]!);
    join(made[index]!, leaf);
  }
  return made[0];
});

function join(parent: object, child: unknown): void {
  if (Array.isArray(parent)) parent.push(child);
  else if (parent instanceof Map) parent.set(child, child);
  else if (parent instanceof Set) parent.add(child);
  else Object.assign(parent, { [`k${Object.keys(parent).length}`]: child });
}
