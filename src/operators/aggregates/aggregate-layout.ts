// How a set of aggregates is laid out: which inputs are read from a record, which accumulators they go into, how
// results follow.
//
// Aggregates share: mean("x"), sum("x") and stddev("x") keep one sum of x and one count between them.
//
//   row    │ component words … │ slot? │      slot: index of the row's objects (aggregate-objects.ts), -1 for none
//
//   L1. The layout is a function of the specs and of the declared types: the same in every subtask and every run.

import { assert, UserError } from "../../base/errors.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { type ExprSpec, exprFields, exprText } from "../expressions/expr-spec.ts";
import { exprMayMiss, exprType, type FieldTypes, isNumber, mayMiss } from "../expressions/field-types.ts";
import type { AggregateSet } from "./aggregate.ts";
import { type AggregateSpec, aggregateText, type NamedAggregate } from "./aggregate-spec.ts";
import { type ComponentKind, emptyWords, sumCode } from "./fixed-component.ts";
import {
  collectAccumulator,
  customAccumulator,
  distinctAccumulator,
  edgeAccumulator,
  type HeapAccumulator,
  quantileAccumulator,
  rankedAccumulator,
} from "./heap-accumulator.ts";
import type { Words } from "./words.ts";

/** A value read from each record. */
export type AggregateInput = {
  readonly spec: ExprSpec;
  readonly form: "number" | "value";
  readonly mayMiss: boolean;
  /** Whether the values have to be looked at, because their type is not declared. */
  readonly unchecked: boolean;
};

/** `inputs` are indices; those after the ones that the kind takes have to be there for the record to count. */
export type Component = { readonly kind: ComponentKind; readonly inputs: readonly number[]; readonly offset: number };

/** `input` -1: the whole record. `by` -1: none. `name`: of the one aggregate it belongs to, as people read it. */
export type HeapComponent = {
  readonly name: string;
  readonly accumulator: HeapAccumulator;
  readonly input: number;
  readonly by: number;
  /** Type of its input's values, missing ones included. */
  readonly type: TypeSpec;
};

/** Text of a result, given the words of the row and the text that gives the result of heap component `n`. */
export type ResultCode = (w: Words, heap: (n: number) => string) => string;

export type AggregateLayout = {
  readonly inputs: readonly AggregateInput[];
  readonly components: readonly Component[];
  readonly heaps: readonly HeapComponent[];
  /** Words of a row, the slot included. */
  readonly words: number;
  /** Word that holds the slot, -1 when there are no heap components. */
  readonly slotWord: number;
  /** The words of a row without records. */
  readonly empty: Float64Array;
  /** Word that counts the records. */
  readonly countWord: number;
  readonly results: readonly { readonly name: string; readonly code: ResultCode }[];
};

/**
 * `fields` are the types of the records' fields. `counted`: a component counts the records even if no aggregate asks
 * for it.
 */
export function aggregateLayout(set: AggregateSet, fields: FieldTypes, counted: boolean): AggregateLayout {
  const builder = new LayoutBuilder(fields);
  const results = set.specs.map(({ name, spec }) => {
    const custom = set.custom.get(name);
    assert(spec.kind !== "custom" || custom !== undefined, `no functions for the custom aggregate ${name}`);
    const code = custom === undefined ? builder.lay(name, spec) : builder.custom(name, customAccumulator(custom));
    return { name, code };
  });
  return builder.finish(results, counted);
}

type SpecOf<K extends AggregateSpec["kind"]> = Extract<AggregateSpec, { kind: K }>;

const NUMERIC = "the aggregate computes with numbers";

class LayoutBuilder {
  readonly #fields: FieldTypes;
  readonly #inputs: AggregateInput[] = [];
  readonly #inputIndex = new Map<string, number>();
  readonly #components: Component[] = [];
  readonly #componentIndex = new Map<string, Component>();
  readonly #heaps: HeapComponent[] = [];
  readonly #empty: number[] = [];

  constructor(fields: FieldTypes) {
    this.#fields = fields;
  }

  lay(name: string, spec: AggregateSpec): ResultCode {
    switch (spec.kind) {
      case "count":
        return this.#count(spec.input === null ? [] : [this.#input(name, spec.input, "value")]);
      case "sum":
      case "mean":
      case "variance":
      case "stddev":
        return this.#sums(spec.kind, this.#input(name, spec.input, "number"));
      case "min":
      case "max": {
        const component = this.#component(spec.kind, [this.#input(name, spec.input, "number")]);
        return (w) => orNull(isPresent(at(component, w)(0)), `${at(component, w)(0)} + 0`);
      }
      case "weightedMean":
        return this.#weightedMean(name, spec.input, spec.weight);
      case "first":
      case "last":
        return this.#edge(name, spec);
      case "minBy":
      case "maxBy":
        return this.#ranked(name, spec);
      case "collect": {
        const input = spec.input === null ? -1 : this.#input(name, spec.input, "value");
        return this.#heap({ name, spec }, collectAccumulator(spec.limit, this.#typeOf(spec.input)), input);
      }
      case "quantile": {
        const accumulator = quantileAccumulator(spec.quantiles, spec.single, spec.error);
        return this.#heap({ name, spec }, accumulator, this.#input(name, spec.input, "number"));
      }
      case "distinctCount": {
        const accumulator = distinctAccumulator(spec.error, aggregateText({ name, spec }));
        return this.#heap({ name, spec }, accumulator, this.#input(name, spec.input, "value"));
      }
      case "custom":
        throw new Error("custom aggregates have functions");
    }
  }

  custom(name: string, accumulator: HeapAccumulator): ResultCode {
    return this.#heap({ name, spec: { kind: "custom" } }, accumulator, -1);
  }

  finish(results: AggregateLayout["results"], counted: boolean): AggregateLayout {
    const records = this.#componentIndex.get("count[]") ?? (counted ? this.#component("count", []) : null);
    const slotWord = this.#heaps.length === 0 ? -1 : this.#empty.push(-1) - 1;
    return {
      inputs: this.#inputs,
      components: this.#components,
      heaps: this.#heaps,
      words: this.#empty.length,
      slotWord,
      empty: Float64Array.from(this.#empty),
      countWord: records?.offset ?? -1,
      results,
    };
  }

  #count(inputs: readonly number[]): ResultCode {
    const component = this.#component("count", inputs);
    return (w) => at(component, w)(0);
  }

  #sums(kind: "sum" | "mean" | "variance" | "stddev", input: number): ResultCode {
    const count = this.#component("count", [input]);
    if (kind === "sum" || kind === "mean") {
      const sum = this.#component("sum", [input]);
      const isAlways = count.inputs.length === 0; // A group has a record.
      return (w) => {
        const n = at(count, w)(0);
        const value = kind === "sum" ? sumCode(at(sum, w)) : `${sumCode(at(sum, w))} / ${n}`;
        return isAlways ? `(${value})` : orNull(`${n} > 0`, value);
      };
    }
    const moments = this.#component("moments", [input]);
    return (w) => {
      const n = at(count, w)(0);
      const words = [...emptyWords("moments").keys()].map(at(moments, w));
      const variance = `sampleVariance(${[n, ...words].join(", ")})`;
      return orNull(`${n} > 1`, kind === "variance" ? variance : `Math.sqrt(${variance})`);
    };
  }

  #weightedMean(name: string, value: ExprSpec, weight: ExprSpec): ResultCode {
    const product = this.#input(name, { kind: "binary", op: "mul", left: value, right: weight }, "number");
    const valueInput = this.#input(name, value, "number");
    const products = this.#component("sum", [product]);
    const weights = this.#component("sum", [this.#input(name, weight, "number"), valueInput]);
    return (w) => {
      const total = sumCode(at(weights, w));
      return orNull(`${total} !== 0`, `${sumCode(at(products, w))} / ${total}`);
    };
  }

  #edge(name: string, spec: SpecOf<"first" | "last">): ResultCode {
    const { kind: edge, input } = spec;
    const type = this.#typeOf(input);
    if (input === null) return this.#heap({ name, spec }, edgeAccumulator(edge, null), -1);
    if (!isNumber(type)) {
      return this.#heap({ name, spec }, edgeAccumulator(edge, type), this.#input(name, input, "value"));
    }
    const component = this.#component(edge, [this.#input(name, input, "number")]);
    return (w) => orNull(`Number.isFinite(${at(component, w)(0)})`, at(component, w)(1));
  }

  #ranked(name: string, spec: SpecOf<"minBy" | "maxBy">): ResultCode {
    const { kind: rank, input: by, pick } = spec;
    const type = this.#typeOf(pick);
    const isFixed = pick !== null && isNumber(type) && isNumber(this.#typeOf(by)) && !this.#mayMiss(pick);
    if (!isFixed) {
      const input = pick === null ? -1 : this.#input(name, pick, "value");
      return this.#heap({ name, spec }, rankedAccumulator(rank, type), input, this.#input(name, by, "value"));
    }
    const component = this.#component(rank, [this.#input(name, by, "number"), this.#input(name, pick, "number")]);
    return (w) => orNull(isPresent(at(component, w)(0)), at(component, w)(2));
  }

  #heap(of: NamedAggregate, accumulator: HeapAccumulator, input: number, by = -1): ResultCode {
    const type = this.#valueType(input);
    const n = this.#heaps.push({ name: aggregateText(of), accumulator, input, by, type }) - 1;
    return (_, heap) => heap(n);
  }

  /** Inputs that are always there need no component of their own to count them, and guard nothing. */
  #component(kind: ComponentKind, all: readonly number[]): Component {
    const taken = kind === "count" ? 0 : kind === "minBy" || kind === "maxBy" ? 2 : 1;
    const inputs = all.filter((input, position) => position < taken || this.#inputs[input]?.mayMiss === true);
    const id = `${kind}[${inputs.join(",")}]`;
    const known = this.#componentIndex.get(id);
    if (known !== undefined) return known;
    const component: Component = { kind, inputs, offset: this.#empty.length };
    this.#empty.push(...emptyWords(kind));
    this.#components.push(component);
    this.#componentIndex.set(id, component);
    return component;
  }

  #input(name: string, spec: ExprSpec, form: AggregateInput["form"]): number {
    const type = exprType(spec, this.#fields);
    this.#check(name, spec, form, type);
    const id = `${form} ${exprText(spec)}`;
    const known = this.#inputIndex.get(id);
    if (known !== undefined) return known;
    const unchecked = form === "number" && !isNumber(type);
    const index = this.#inputs.push({ spec, form, mayMiss: this.#mayMiss(spec), unchecked }) - 1;
    this.#inputIndex.set(id, index);
    return index;
  }

  #check(name: string, spec: ExprSpec, form: AggregateInput["form"], type: TypeSpec | null): void {
    for (const path of exprFields(spec)) {
      if (this.#fields(path)?.kind !== "undefined") continue;
      throw new UserError("FIELD_UNKNOWN", `aggregate ${name} reads the field ${path}, which the records do not have`, {
        fix: "check the name against the record's type",
      });
    }
    if (form === "value" || type === null || type.kind === "any" || type.kind === "union" || isNumber(type)) return;
    throw new UserError("AGGREGATE_INPUT", `aggregate ${name} takes ${exprText(spec)}, a ${type.kind}: ${NUMERIC}`, {
      fix: "name a field of type number, or compute one with an expression or a map",
    });
  }

  #valueType(input: number): TypeSpec {
    const { spec, form } = this.#inputs[input] ?? {};
    if (spec === undefined) return { kind: "any" };
    const type: TypeSpec | null = form === "number" ? { kind: "f64" } : this.#typeOf(spec);
    return type === null || mayMiss(type) ? { kind: "any" } : { kind: "nullable", inner: type };
  }

  #mayMiss(spec: ExprSpec): boolean {
    return exprMayMiss(spec, this.#fields);
  }

  #typeOf(spec: ExprSpec | null): TypeSpec | null {
    return spec === null ? null : exprType(spec, this.#fields);
  }
}

function at(component: Component, w: Words): Words {
  return (n) => w(component.offset + n);
}

function orNull(condition: string, value: string): string {
  return `(${condition} ? ${value} : null)`;
}

function isPresent(word: string): string {
  return `${word} === ${word}`;
}
