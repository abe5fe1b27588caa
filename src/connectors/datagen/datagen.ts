// `datagen(…)` and `generate(…)`: seeded records for demonstrations, tests and load.

import { checkFunction } from "../../api/checks/check-function.ts";
import { assert, UserError } from "../../base/errors.ts";
import { mix32, SeededRandom } from "../../base/seeded-random.ts";
import type { IndexedSource } from "../../operators/source.ts";
import { type OptionKind, withoutEffect } from "../../types/check-options.ts";
import { describe as describeValue } from "../../types/spec/describe.ts";
import { checkedLayout } from "../../types/spec/schema-spec.ts";
import type { StructField, TypeSpec } from "../../types/spec/type-spec.ts";
import type { Type } from "../../types/t.ts";
import { type Field, fieldFor, indexSalt } from "./fields.ts";
import { checkIndexedOptions, type IndexedOptions, indexedSource } from "./indexed-source.ts";

type FieldValues<F> = { [K in keyof F]: F[K] extends Field<infer V> ? V : never };

/**
 * Records made from fields: `datagen({ fields: { id: gen.sequence(), price: gen.uniform(10, 20) }, count: 1_000, seed:
 * 7 })`. With a declared type, fields that are not given are made up from their types. The same seed gives the same
 * records, in whatever way the subtasks share them.
 */
export function datagen<T>(
  options: IndexedOptions & { readonly type: Type<T>; readonly fields?: { readonly [K in keyof T]?: Field<T[K]> } },
): IndexedSource<T>;
export function datagen<F extends Readonly<Record<string, Field<unknown>>>>(
  options: IndexedOptions & { readonly fields: F },
): IndexedSource<FieldValues<F>>;
export function datagen(
  options: IndexedOptions & { readonly type?: { readonly spec: TypeSpec }; readonly fields?: object },
): IndexedSource<unknown> {
  checkIndexedOptions("datagen", options, { type: true, fields: FIELDS });
  const { type, count, rate, seed = 1 } = options;
  const spec = type === undefined ? null : checkedLayout(type, "the type of datagen");
  const given = (options.fields ?? {}) as Readonly<Record<string, Field<unknown>>>;
  for (const [name, field] of Object.entries(given)) checkField(name, field);
  const fields = spec === null ? Object.entries(given) : declaredFields(spec, given);
  const describe = {
    count: count ?? null,
    rate: rate ?? null,
    seed,
    fields: fields.map(([name, field]) => [name, field.describe]),
  };
  return indexedSource("datagen", options, {
    type: spec ?? structOf(fields),
    describe,
    generate: recordFunction(fields, seed, JSON.stringify(describe)),
  });
}

/**
 * Records made by a function of their index. `random` is seeded anew for each index: a function of nothing but its
 * arguments gives the same records in every run.
 */
export function generate<T>(
  count: number,
  record: (index: number, random: SeededRandom) => T,
  options: Omit<IndexedOptions, "count"> & { readonly type?: Type<T> } = {},
): IndexedSource<T> {
  checkFunction(record, "generate", "generate(1e6, (index) => …)");
  checkIndexedOptions("generate", options, { type: true });
  if (options.seed !== undefined && record.length === 1) {
    throw withoutEffect(
      "seed",
      "on records made of their index alone",
      "leave seed out, or take random numbers: (index, random) => …",
    );
  }
  const { seed = 1, rate } = options;
  const random = new SeededRandom(seed);
  return indexedSource(
    "generate",
    { ...options, count },
    {
      type: options.type === undefined ? null : checkedLayout(options.type, "the type of generate"),
      describe: { count: Number.isFinite(count) ? count : null, rate: rate ?? null, seed },
      // A function of the index alone is called as it is: starting the random numbers over costs more than most of them
      // do.
      generate:
        record.length === 1
          ? (record as (index: number) => T)
          : (index) => {
              random.restart(seed, index);
              return record(index, random);
            },
    },
  );
}

type NamedField = readonly [name: string, field: Field<unknown>];

function declaredFields(spec: TypeSpec, given: Readonly<Record<string, Field<unknown>>>): NamedField[] {
  if (spec.kind !== "struct") throw invalid(`the type of generated records must be a struct, not ${spec.kind}`);
  const extra = Object.keys(given).find((name) => spec.fields.every((field) => field.name !== name));
  if (extra !== undefined) throw invalid(`the type has no field ${JSON.stringify(extra)}`);
  return spec.fields.flatMap(({ name, type, optional }): NamedField[] => {
    const own = Object.hasOwn(given, name) ? given[name] : undefined;
    const field = own ?? (optional ? null : fieldFor(type));
    if (field === null && !optional)
      throw invalid(`nothing is known that makes the field ${JSON.stringify(name)} (${type.kind})`);
    return field === null ? [] : [[name, field]];
  });
}

const FIELDS: OptionKind = {
  takes: "an object of fields, for example { id: gen.sequence() }",
  accepts: (value) => typeof value === "object" && value !== null,
};

function checkField(name: string, field: Field<unknown> | null | undefined): void {
  if (typeof field?.create !== "function")
    throw invalid(`the field ${JSON.stringify(name)} of datagen is ${describeValue(field)}, which makes no values`);
}

function invalid(message: string): UserError {
  return new UserError("DATAGEN_INVALID", message, {
    fix: "give its field, for example fields: { name: gen.choice([…]) }, or use generate(…)",
  });
}

function structOf(fields: readonly NamedField[]): TypeSpec | null {
  const known = fields.flatMap(([name, { spec }]): StructField[] =>
    spec === null ? [] : [{ name, type: spec, optional: false }],
  );
  return known.length === fields.length ? { kind: "struct", fields: known } : null;
}

/**
 * One object literal, with its own source text and so its own type feedback; names enter as JSON string literals only.
 */
function recordFunction(fields: readonly NamedField[], seed: number, id: string): (index: number) => unknown {
  const makers = fields.map(([, field], at) => field.create(mix32(mix32(seed) + at)));
  const members = fields.map(([name], at) => `[${JSON.stringify(name)}]: f${at}(index, salt)`);
  const name = `datagen_${mix32(hashOf(id)).toString(16)}`;
  const parameters = fields.map((_, at) => `f${at}`);
  const source = `"use strict"; return function ${name}(index) { const salt = indexSalt(index); return { ${members.join(", ")} }; };\n//# sourceURL=millrace-${name}.js`;
  const made: unknown = new Function("indexSalt", ...parameters, source)(indexSalt, ...makers);
  assert(typeof made === "function", "the record function was generated");
  return made as (index: number) => unknown;
}

function hashOf(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at += 1) hash = mix32(hash + text.charCodeAt(at) + 1);
  return hash;
}
