// What `t.*` infers: checked by the compiler, never run.

import type { StandardSchema } from "./spec/standard-schema.ts";
import { type Infer, type Type, t } from "./t.ts";

type Equal<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(): T | undefined => undefined;

const Tick = t.struct({ symbol: t.string, price: t.f64, qty: t.f64, ts: t.timestamp });
holds<Equal<Infer<typeof Tick>, { symbol: string; price: number; qty: number; ts: number }>>();

const Order = t.struct({
  id: t.i64,
  state: t.enum("open", "closed"),
  at: t.date.nullable(),
  note: t.string.optional(),
  lines: t.list(t.struct({ sku: t.string, tags: t.set(t.string).optional() })),
  extra: t.map(t.string, t.any).nullable().optional(),
});
holds<
  Equal<
    Infer<typeof Order>,
    {
      id: bigint;
      state: "open" | "closed";
      at: Date | null;
      lines: { sku: string; tags?: Set<string> | undefined }[];
      note?: string | undefined;
      extra?: Map<string, unknown> | null | undefined;
    }
  >
>();

holds<Equal<Infer<typeof t.f32>, number>>();
holds<Equal<Infer<typeof t.i32>, number>>();
holds<Equal<Infer<typeof t.bigint>, bigint>>();
holds<Equal<Infer<typeof t.bool>, boolean>>();
holds<Equal<Infer<typeof t.null>, null>>();
holds<Equal<Infer<typeof t.undefined>, undefined>>();
holds<Equal<Infer<typeof t.bytes>, Uint8Array>>();
holds<Equal<Infer<typeof t.any>, unknown>>();

const samples = t.typed("Float32Array");
holds<Equal<Infer<typeof samples>, Float32Array>>();

const either = t.union(t.string, t.f64.nullable(), Tick);
holds<Equal<Infer<typeof either>, string | number | null | Infer<typeof Tick>>>();

const items = t.list(t.string.optional());
holds<Equal<Infer<typeof items>, (string | undefined)[]>>();

const empty = t.struct({});
holds<Equal<Infer<typeof empty>, Record<never, never>>>();

// An absent field and one that is undefined are both values of an optional field.
const absent: Infer<typeof Order>["lines"][number] = { sku: "a" };
const unset: Infer<typeof Order>["lines"][number] = { sku: "a", tags: undefined };

// Every type is a Standard Schema of exactly its values, and fits where wider types are asked for.
const schema: StandardSchema<unknown, { symbol: string }> | StandardSchema<{ symbol: string }> = t.struct({
  symbol: t.string,
});
const wider: Type<string | number> = t.string;

// @ts-expect-error: a field is missing
const missing: Infer<typeof Tick> = { symbol: "A", price: 1, qty: 1 };
// @ts-expect-error: no such value of the enum
const state: Infer<typeof Order>["state"] = "cancelled";
// @ts-expect-error: a type cannot be narrowed by assignment
const narrower: Type<"a"> = t.string;
// @ts-expect-error: no such class of typed arrays
t.typed("Float80Array");
// @ts-expect-error: an enum without values
t.enum();
// @ts-expect-error: fields are types, not values
t.struct({ a: "string" });
// @ts-expect-error: optional is not a plain type of the required value
const required: Type<string> = t.string.optional();

export type Checked = [
  typeof absent,
  typeof unset,
  typeof schema,
  typeof wider,
  typeof missing,
  typeof state,
  typeof narrower,
  typeof required,
];
