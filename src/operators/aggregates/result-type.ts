// Types of the rows that a set of aggregates gives, and of what it keeps, as far as the types of the records are known.
//
//   R1. Every row fits the type: the exchange behind has a codec of it, which refuses what does not fit. So a result is
//       nullable wherever its code can give null (aggregate-layout.ts), and its type is unknown when in doubt.

import type { StructField, TypeSpec } from "../../types/spec/type-spec.ts";
import { type ExprSpec, exprFields, exprText } from "../expressions/expr-spec.ts";
import { exprMayMiss, exprType, type FieldTypes, fieldTypes, isNumber } from "../expressions/field-types.ts";
import type { AggregateLayout, Component } from "./aggregate-layout.ts";
import type { AggregateSpec, NamedAggregate } from "./aggregate-spec.ts";
import { WORD_NAMES } from "./fixed-component.ts";

export type ResultOptions = {
  readonly specs: readonly NamedAggregate[];
  /** Type of the records, null when it is not declared. */
  readonly record: TypeSpec | null;
  /** Columns of the key. */
  readonly keys: readonly (readonly [string, TypeSpec | null])[];
  /** Whether rows have `start` and `end`. */
  readonly bounds: boolean;
};

/** Type of the result rows; null when that of one of their fields is not known. */
export function resultType({ specs, record, keys, bounds }: ResultOptions): TypeSpec | null {
  const fields = fieldTypes(record);
  const named: readonly (readonly [string, TypeSpec | null])[] = [
    ...keys,
    ...(bounds
      ? ([
          ["start", TIME],
          ["end", TIME],
        ] as const)
      : []),
    ...specs.map(({ name, spec }) => [name, aggregateType(spec, fields, record)] as const),
  ];
  const known: StructField[] = [];
  for (const [name, type] of named) {
    if (type === null) return null;
    known.push({ name, type, optional: false });
  }
  return { kind: "struct", fields: known };
}

/** Type of the accumulators of one row, by what they accumulate. */
export function accumulatorType(layout: AggregateLayout): TypeSpec {
  const components = layout.components.map((component) => ({
    name: componentText(layout, component),
    type: wordsType(component.kind),
    optional: false,
  }));
  const heaps = layout.heaps.map(({ name, accumulator }) => ({ name, type: accumulator.type, optional: false }));
  return { kind: "struct", fields: [...components, ...heaps] };
}

const NUMBER: TypeSpec = { kind: "f64" };
const TIME: TypeSpec = { kind: "timestamp" };

function aggregateType(spec: AggregateSpec, fields: FieldTypes, record: TypeSpec | null): TypeSpec | null {
  switch (spec.kind) {
    case "count":
    case "distinctCount":
      return NUMBER;
    case "sum":
    case "mean":
      return nullableIf(exprMayMiss(spec.input, fields), NUMBER);
    case "min": // Of nothing but NaN: null.
    case "max":
      return nullableIf(true, valueType(spec.input, fields)?.kind === "timestamp" ? TIME : NUMBER);
    case "variance":
    case "stddev":
    case "weightedMean":
      return nullableIf(true, NUMBER);
    case "quantile":
      return nullableIf(true, spec.single ? NUMBER : { kind: "list", item: NUMBER });
    case "first":
    case "last":
      if (spec.input === null) return record;
      return nullableIf(exprMayMiss(spec.input, fields), valueType(spec.input, fields));
    case "minBy":
    case "maxBy":
      return nullableIf(true, spec.pick === null ? record : valueType(spec.pick, fields));
    case "collect": {
      const item = spec.input === null ? record : valueType(spec.input, fields);
      return item === null ? null : { kind: "list", item };
    }
    case "custom":
      return null;
  }
}

/** Type of the values of an expression that are not missing; null when that cannot be told from declared types. */
function valueType(spec: ExprSpec, fields: FieldTypes): TypeSpec | null {
  const type = exprType(spec, fields);
  if (spec.kind === "orElse") {
    // The other value is perhaps of another type: 0.5 instead of an i32.
    const other = exprType({ kind: "literal", value: spec.value }, fields);
    if (isNumber(type) && isNumber(other)) return NUMBER;
    return type?.kind === other?.kind ? type : null;
  }
  // Numbers are computed as such whatever the fields hold; other operations give back what they were given.
  const isDeclared = isNumber(type) || exprFields(spec).every((path) => fields(path) !== null);
  return isDeclared ? type : null;
}

function nullableIf(nullable: boolean, type: TypeSpec | null): TypeSpec | null {
  if (!nullable || type === null || type.kind === "nullable" || type.kind === "any") return type;
  return { kind: "nullable", inner: type };
}

function componentText(layout: AggregateLayout, { kind, inputs }: Component): string {
  return `${kind}(${inputs.map((input) => exprText(layout.inputs[input]!.spec)).join(", ")})`;
}

function wordsType(kind: Component["kind"]): TypeSpec {
  const names = WORD_NAMES[kind];
  if (names.length === 1) return NUMBER;
  return { kind: "struct", fields: names.map((name) => ({ name, type: NUMBER, optional: false })) };
}
