// The fluent API over streams. All generics live here; what is declared goes to the plan builder as plain data.
//
// Streams are values: each call gives a new one. Setters (`name`, `uid`, `parallelism`, …) concern the operator that was
// declared last.

import { type Duration, durationMs } from "../base/duration.ts";
import { UserError } from "../base/errors.ts";
import type { ErrorPolicy, KeySpec, PartitionerSpec } from "../graph/plan.ts";
import type { TimestampUnit } from "../operators/event-time/timestamp.ts";
import { type Expr, isExpr } from "../operators/expressions/expr.ts";
import type { Fields } from "../operators/expressions/needs.ts";
import type { Sink } from "../operators/sink.ts";
import type { InvalidPolicy, InvalidRow } from "../operators/source.ts";
import { keySpecProblem } from "../types/key-spec.ts";
import { layoutOf } from "../types/schema-spec.ts";
import type { Infer, StandardSchema } from "../types/standard-schema.ts";
import type { TypeSpec } from "../types/type-spec.ts";
import { callSite } from "./call-site.ts";
import { checkFunction } from "./check-function.ts";
import { Keyed } from "./keyed.ts";
import { type PlanBuilder, uidCheck } from "./plan-builder.ts";
import type { NodeDeclaration, NodeInput, PlanNode } from "./plan-node.ts";

/** A stream with named side outputs, which are streams of their own. */
export type Split<T, S> = Stream<T> & { readonly side: { readonly [K in keyof S]: Stream<S[K]> } };

/** A record on which a user function threw, as `onError("side")` sets it aside. */
export type FailedRecord<T> = { readonly record: T; readonly error: string };

export type EventTimeOptions<T> = {
  /** The field with the event time (epoch milliseconds or a Date), or a function that gives it. */
  readonly at: TimeField<T> | ((record: T) => number | Date);
  /** How much later than a younger record a record may come and still be on time. Default: not at all. */
  readonly outOfOrder?: Duration;
  /** A source split without records for this long no longer holds back event time. Default: never. */
  readonly idle?: Duration;
  /** What a number stands for. Default: milliseconds, and numbers that look like seconds are refused. */
  readonly unit?: TimestampUnit;
};

/** Fields that can hold an event time. */
export type TimeField<T> = { [K in keyof T & string]: T[K] extends number | Date | null | undefined ? K : never }[keyof T & string];

/** Fields by which a stream can be keyed. */
export type KeyField<T> = {
  [K in keyof T & string]: T[K] extends string | number | boolean | bigint | Date ? K : never;
}[keyof T & string];

/** Where a stream comes from: one output of one operator, or several that were united. */
export type StreamOrigin = {
  readonly builder: PlanBuilder;
  readonly outputs: readonly { readonly node: PlanNode; readonly output: string }[];
  readonly partitioner: PartitionerSpec;
  /** Functions that go with the partitioner, by role. */
  readonly partitionFunctions: Readonly<Record<string, unknown>>;
  readonly type: TypeSpec | null;
  /** Whether event times have been assigned. */
  readonly timed: boolean;
};

const FORWARD: PartitionerSpec = { kind: "forward" };

declare const element: unique symbol;

/** What `union` needs to know of a stream: comparing whole stream types is expensive for the compiler. */
interface StreamOf<T> {
  readonly [element]: T;
  readonly origin: StreamOrigin;
}

/** The edges that connect a stream to a new operator's input. */
export function edgesOf(origin: StreamOrigin, input: 0 | 1, partitioner: PartitionerSpec = origin.partitioner): NodeInput[] {
  return origin.outputs.map(({ node, output }) => ({ from: node, output, input, partitioner, fields: null }));
}

export class Stream<T> {
  readonly #origin: StreamOrigin;
  declare readonly [element]: T;
  /** Streams of the side outputs, by name. */
  declare readonly side: unknown;

  constructor(origin: StreamOrigin, sides: Readonly<Record<string, TypeSpec | null>> = {}) {
    this.#origin = origin;
    const names = Object.keys(sides);
    const [first] = origin.outputs;
    if (names.length > 0 && first !== undefined) {
      this.side = Object.fromEntries(
        names.map((name) => {
          const outputs = [{ node: first.node, output: name }];
          return [name, new Stream({ ...origin, outputs, partitioner: FORWARD, partitionFunctions: {}, type: sides[name] ?? null })];
        }),
      );
    }
  }

  /** What the engine's own classes need; not part of the public API. */
  get origin(): StreamOrigin {
    return this.#origin;
  }

  /** Applies a function to each record. With a type first, the result has that layout; otherwise it is learned. */
  map<O>(map: (record: T) => O): Stream<O>;
  map<S extends StandardSchema>(type: S, map: (record: T) => Infer<S>): Stream<Infer<S>>;
  map(first: unknown, second?: unknown): never {
    const type = second === undefined ? null : layoutOf(first as StandardSchema);
    const map = checkFunction(second ?? first, "map");
    return this.#next({ kind: "map", output: type, functions: { map } }, { type });
  }

  /** Keeps the records for which the function or expression is true. */
  filter<O extends T>(filter: (record: T) => record is O): Stream<O>;
  filter(filter: (record: T) => boolean): Stream<T>;
  filter(expression: Expr<boolean, Fields<T>>): Stream<T>;
  filter(filter: unknown): never {
    const declaration: NodeDeclaration = isExpr(filter)
      ? { kind: "filter", options: { expression: filter.spec as never } }
      : { kind: "filter", functions: { filter: checkFunction(filter, "filter") } };
    return this.#next({ ...declaration, output: this.#origin.type }, { type: this.#origin.type });
  }

  /** Gives any number of records for each: an array, or a generator, which is pulled as there is room. */
  flatMap<O>(flatMap: (record: T) => Iterable<O>): Stream<O>;
  flatMap<S extends StandardSchema>(type: S, flatMap: (record: T) => Iterable<Infer<S>>): Stream<Infer<S>>;
  flatMap(first: unknown, second?: unknown): never {
    const type = second === undefined ? null : layoutOf(first as StandardSchema);
    return this.#next({ kind: "flatMap", output: type, functions: { flatMap: checkFunction(second ?? first, "flatMap") } }, { type });
  }

  /** Validates each record against a schema. Invalid ones fail the job, are skipped and counted, or go to `side.invalid`. */
  parse<S extends StandardSchema>(schema: S, options: { readonly invalid: "side" }): Split<Infer<S>, { invalid: InvalidRow }>;
  parse<S extends StandardSchema>(schema: S, options?: { readonly invalid?: "fail" | "skip" }): Stream<Infer<S>>;
  parse(schema: StandardSchema, options: { readonly invalid?: InvalidPolicy } = {}): never {
    const type = layoutOf(schema);
    const invalid = options.invalid ?? "fail";
    const sides = invalid === "side" ? [{ name: "invalid", type: null }] : [];
    return this.#next({ kind: "parse", output: type, options: { invalid }, sides, functions: { schema } }, { type, sides: invalid === "side" ? { invalid: null } : {} });
  }

  /** Assigns event times and makes watermarks from them. */
  eventTime(options: EventTimeOptions<T>): Stream<T> {
    const { at } = options;
    const field = typeof at === "string" ? at : null;
    return this.#next(
      {
        kind: "eventTime",
        output: this.#origin.type,
        options: {
          field,
          outOfOrderMs: durationMs(options.outOfOrder ?? "0ms"),
          idleMs: options.idle === undefined ? null : durationMs(options.idle),
          unit: options.unit ?? null,
        },
        functions: field === null ? { at: checkFunction(at, "eventTime") } : {},
      },
      { type: this.#origin.type, timed: true },
    );
  }

  /** All records of these streams as one. Their order is that of arrival. */
  union<const S extends readonly StreamOf<unknown>[]>(...others: S): Stream<T | S[number][typeof element]> {
    const origins = [this.#origin, ...others.map((other) => other.origin)];
    return new Stream<T | S[number][typeof element]>({
      ...this.#origin,
      outputs: origins.flatMap((origin) => origin.outputs),
      type: origins.every((origin) => JSON.stringify(origin.type) === JSON.stringify(this.#origin.type)) ? this.#origin.type : null,
      timed: origins.every((origin) => origin.timed),
    });
  }

  /** Partitions the stream by a field, or by a function with the type of the key. State and windows are per key. */
  keyBy<const K extends KeyField<T>>(field: K): Keyed<T, T[K], Pick<T, K>>;
  keyBy<S extends StandardSchema>(key: (record: T) => Infer<S>, type: S): Keyed<T, Infer<S>, { key: Infer<S> }>;
  keyBy(by: unknown, type?: StandardSchema): never {
    const key = keySpecOf(by, type, this.#origin.type);
    const functions = typeof by === "string" ? {} : { key: checkFunction(by, "keyBy") };
    return new Keyed(this.#origin, key, functions) as never;
  }

  /** Ends the stream in a sink. */
  to(uid: string, sink: Sink<T>): SinkHandle {
    const location = callSite();
    if (typeof sink !== "object" || sink === null || typeof (sink as Partial<Sink<T>>).createWriter !== "function") {
      throw new UserError("SINK_INVALID", `"${uid}" has no sink: ${String(sink)}`, {
        fix: 'give a sink as the second argument, for example .to("out", print())',
        ...(location && { location }),
      });
    }
    const node = this.#origin.builder.add({
      kind: "sink",
      explicitUid: uidCheck(uid, `sink ${sink.kind}`),
      options: { sink: sink.kind, guarantee: sink.guarantee, ...objectOf(sink.describe()) },
      inputs: edgesOf(this.#origin, 0),
      functions: { sink, ...this.#origin.partitionFunctions },
    });
    return new SinkHandle(node);
  }

  /** Spreads records evenly over the next operator's subtasks, one after the other. */
  rebalance(): Stream<T> {
    return this.#partitioned({ kind: "rebalance" });
  }

  /** As `rebalance`, but each subtask uses only its share of the next operator's subtasks. */
  rescale(): Stream<T> {
    return this.#partitioned({ kind: "rescale" });
  }

  /** Sends each record to all subtasks of the next operator. */
  broadcast(): Stream<T> {
    return this.#partitioned({ kind: "broadcast" });
  }

  /** Sends all records to the first subtask of the next operator. */
  global(): Stream<T> {
    return this.#partitioned({ kind: "global" });
  }

  /** Sends each record to the subtask that the function names: a whole number from 0 to `subtasks` - 1. */
  partitionBy(partition: (record: T, subtasks: number) => number): Stream<T> {
    return this.#partitioned({ kind: "custom" }, { partition: checkFunction(partition, "partitionBy") });
  }

  /** Uid of the operator declared last: the name under which its state and its functions are found again. */
  uid(uid: string): this {
    this.#last().explicitUid = uidCheck(uid, `operator ${this.#last().kind}`);
    return this;
  }

  /** Name of the operator declared last, for people. */
  name(name: string): this {
    this.#last().name = name;
    return this;
  }

  /** Number of subtasks of the operator declared last. */
  parallelism(parallelism: number): this {
    this.#last().parallelism = parallelism;
    return this;
  }

  /** Number of key groups, the most subtasks it can ever have; fixed for the life of its state. */
  maxParallelism(maxParallelism: number): this {
    this.#last().maxParallelism = maxParallelism;
    return this;
  }

  /** Slot-sharing group of the operator declared last and of those after it. */
  slotGroup(group: string): this {
    this.#last().slotGroup = group;
    return this;
  }

  /** Keeps the operator declared last out of the chain before it. */
  startNewChain(): this {
    this.#last().chaining = "head";
    return this;
  }

  /** Keeps the operator declared last out of any chain. */
  disableChaining(): this {
    this.#last().chaining = "never";
    return this;
  }

  /** What to do with a record on which the function of the operator declared last throws. */
  onError(policy: "fail" | "skip"): this;
  onError(policy: "side"): Split<T, { errors: FailedRecord<unknown> }>;
  onError(policy: ErrorPolicy): never {
    const node = this.#last();
    node.onError = policy;
    if (policy !== "side") return this as never;
    node.sides = [...node.sides, { name: "errors", type: null }];
    const sides = Object.fromEntries(node.sides.map((side) => [side.name, side.type]));
    return new Stream(this.#origin, sides) as never;
  }

  #last(): PlanNode {
    const [first] = this.#origin.outputs;
    if (first === undefined || this.#origin.outputs.length > 1) {
      const location = callSite();
      throw new UserError("SETTING_WITHOUT_OPERATOR", "a union is no operator: it has no uid, name or parallelism of its own", {
        fix: "set them on the streams before, or on the operator after it",
        ...(location && { location }),
      });
    }
    return first.node;
  }

  #partitioned(partitioner: PartitionerSpec, partitionFunctions: Readonly<Record<string, unknown>> = {}): Stream<T> {
    return new Stream({ ...this.#origin, partitioner, partitionFunctions });
  }

  #next(
    declaration: NodeDeclaration,
    result: { type: TypeSpec | null; timed?: boolean; sides?: Readonly<Record<string, TypeSpec | null>> },
  ): never {
    const { builder, partitionFunctions, timed } = this.#origin;
    const node = builder.add({
      ...declaration,
      inputs: edgesOf(this.#origin, 0),
      functions: { ...declaration.functions, ...partitionFunctions },
    });
    const origin: StreamOrigin = {
      builder,
      outputs: [{ node, output: "" }],
      partitioner: FORWARD,
      partitionFunctions: {},
      type: result.type,
      timed: result.timed ?? timed,
    };
    return new Stream(origin, result.sides) as never;
  }
}

/** Settings of a sink. */
export class SinkHandle {
  readonly #node: PlanNode;

  constructor(node: PlanNode) {
    this.#node = node;
  }

  name(name: string): this {
    this.#node.name = name;
    return this;
  }

  parallelism(parallelism: number): this {
    this.#node.parallelism = parallelism;
    return this;
  }

  maxParallelism(maxParallelism: number): this {
    this.#node.maxParallelism = maxParallelism;
    return this;
  }

  slotGroup(group: string): this {
    this.#node.slotGroup = group;
    return this;
  }

  startNewChain(): this {
    this.#node.chaining = "head";
    return this;
  }

  disableChaining(): this {
    this.#node.chaining = "never";
    return this;
  }
}

function objectOf(described: unknown): Record<string, never> {
  return typeof described === "object" && described !== null && !Array.isArray(described) ? (described as Record<string, never>) : {};
}

function keySpecOf(by: unknown, type: StandardSchema | undefined, record: TypeSpec | null): KeySpec {
  const location = callSite();
  if (typeof by === "string") {
    if (record?.kind !== "struct") return { field: by, type: null };
    const field = record.fields.find((candidate) => candidate.name === by);
    if (field === undefined) {
      throw new UserError("FIELD_UNKNOWN", `keyBy names the field "${by}", which the records do not have`, {
        fix: `use one of ${record.fields.map((candidate) => candidate.name).join(", ")}`,
        ...(location && { location }),
      });
    }
    return { field: by, type: checkKeyType(field.type) };
  }
  return { field: null, type: type === undefined ? null : checkKeyType(layoutOf(type)) };
}

function checkKeyType(type: TypeSpec | null): TypeSpec | null {
  const problem = type === null ? null : keySpecProblem(type);
  if (problem === null) return type;
  const location = callSite();
  throw new UserError("KEY_TYPE", `values of this type cannot be keys: ${problem}`, {
    fix: "key by a string, a number, a boolean, a bigint, a date, or a struct of those",
    ...(location && { location }),
  });
}
