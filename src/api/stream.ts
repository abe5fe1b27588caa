// The fluent API over streams. All generics live here; what is declared goes to the plan builder as plain data.
//
// Streams are values: each call gives a new one. Setters (`name`, `uid`, `parallelism`, …) concern the operator that
// was declared last. One file, because streams make keyed streams and these make streams again.

import { type Duration, durationMs, type Unspaced } from "../base/duration.ts";
import type { ErrorPolicy } from "../graph/plan.ts";
import type { AggregateResults, Aggregates } from "../operators/aggregates/aggregate.ts";
import type { Expr } from "../operators/expressions/expr.ts";
import type { Fields } from "../operators/expressions/needs.ts";
import type { StateDeclarations } from "../operators/process/state-declaration.ts";
import type { Sink } from "../operators/sink.ts";
import type { InvalidPolicy, InvalidRow } from "../operators/source.ts";
import type { WindowBounds, WindowSpec } from "../operators/windows/time/window-spec.ts";
import { checkValue, NAME } from "../types/check-options.ts";
import type { Infer, StandardSchema, WhenKnown } from "../types/spec/standard-schema.ts";
import type { TypeSpec } from "../types/spec/type-spec.ts";
import type { AbsentMethods } from "./checks/absent-methods.ts";
import { checkSameKeys, checkStreams, checkWindow } from "./checks/check-argument.ts";
import { checkFunction } from "./checks/check-function.ts";
import { checkedMaxParallelism, checkedParallelism } from "./checks/check-parallelism.ts";
import { sideOutputs } from "./checks/misplaced-call.ts";
import {
  aggregateNode,
  checkTimed,
  connectedProcess,
  type KeyedParts,
  keyedParts,
  keyedProcess,
  reduceNode,
  stepFrom,
  type WindowSettings,
  windowNode,
} from "./plan/keyed-nodes.ts";
import type { MadeNode } from "./plan/made-node.ts";
import { setOnError } from "./plan/on-error.ts";
import { uidCheck } from "./plan/plan-builder.ts";
import { eventTimeNode, filterNode, functionNode, parseNode, sinkNode } from "./plan/stream-nodes.ts";
import { operatorOf, outputOf, partitioned, type StreamOrigin, unitedOrigin } from "./plan/stream-origin.ts";
import type { ConnectedProcess, KeyedProcess, SideSchemas, SideValues } from "./process-types.ts";
import { SinkHandle } from "./sink-handle.ts";
import type {
  AnyText,
  Asynchronous,
  EventTimeOptions,
  FailedRecord,
  IfSynchronous,
  Immutable,
  KeyByFields,
  KeyField,
  KeyFieldOf,
  KeyNames,
  KeyRow,
  Mutable,
  NoPromise,
  NotAsynchronous,
  Records,
} from "./stream-types.ts";

/** A stream with named side outputs, which are streams of their own. */
export type Split<T, S> = Stream<T> & { readonly side: { readonly [K in keyof S]: Stream<S[K]> } };

/** A stream like `S` with one side output more. */
type WithErrors<T, S extends { readonly side: unknown }> = Stream<T> & {
  readonly side: { readonly errors: Stream<FailedRecord<unknown>> } & S["side"];
};

declare const element: unique symbol;

/** Of a stream that nothing is set aside of. */
export interface NoSideOutputs {
  readonly [element]?: never;
}

/** What `union` needs to know of a stream: comparing whole stream types is expensive for the compiler. */
interface StreamOf<T> {
  readonly [element]: T;
  readonly origin: StreamOrigin;
}

// biome-ignore lint/correctness/noUnusedVariables: both declarations of a class have its parameters
export interface Stream<T> extends AbsentMethods {}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: what is declared beside are methods that throw
export class Stream<T> {
  readonly #origin: StreamOrigin;
  declare readonly [element]: T;
  /** Streams of the side outputs, by name. */
  declare readonly side: NoSideOutputs;

  constructor(origin: StreamOrigin, sides: Readonly<Record<string, TypeSpec | null>> = {}) {
    this.#origin = origin;
    const names = Object.keys(sides);
    const [first] = origin.outputs;
    const streams = names.map((name) => {
      const outputs = first === undefined ? [] : [outputOf(first.node, name)];
      return [name, new Stream({ ...origin, outputs, type: sides[name] ?? null })];
    });
    Object.defineProperty(this, "side", { value: sideOutputs(Object.fromEntries(streams)), configurable: true });
  }

  /** What the engine's own classes need; not part of the public API. */
  get origin(): StreamOrigin {
    return this.#origin;
  }

  /** Applies a function to each record. With a type first, the result has that layout; otherwise it is learned. */
  // The overloads for `Records` are for the read-only form; the others hold in functions over streams of any type.
  map<O extends PromiseLike<unknown>>(this: Records<T>, map: (record: Readonly<T>) => O): NotAsynchronous<O, Stream<O>>;
  map<O>(this: Records<T>, map: (record: Readonly<T>) => O): IfSynchronous<O, Stream<O>>;
  map<O extends PromiseLike<unknown>>(map: (record: T) => O): NotAsynchronous<O, Stream<O>>;
  map<O>(map: (record: T) => O): IfSynchronous<O, Stream<O>>;
  map<S extends StandardSchema>(
    type: S,
    map: WhenKnown<S, (record: Immutable<T>) => Infer<S> | NoPromise>,
  ): Stream<Infer<S>>;
  map(first: unknown, second?: unknown): never {
    return streamOf(functionNode(this.#origin, "map", [first, second]));
  }

  /** Keeps the records for which the function or expression is true. */
  filter<O extends T>(this: Records<T>, filter: (record: Readonly<T>) => record is O & Readonly<T>): Stream<O>;
  filter(this: Records<T>, filter: (record: Readonly<T>) => boolean): Stream<T>;
  filter<O extends T>(filter: (record: T) => record is O): Stream<O>;
  filter(expression: Expr<boolean, Fields<T>>): Stream<T>;
  // The last, because its errors are those that the compiler shows.
  filter(filter: (record: T) => boolean): Stream<T>;
  filter(filter: unknown): never {
    return streamOf(filterNode(this.#origin, filter));
  }

  /** Gives any number of records for each: an array, or a generator, which is pulled as there is room. */
  flatMap<O>(this: Records<T>, flatMap: (record: Readonly<T>) => Iterable<O>): Stream<O>;
  flatMap<O extends Asynchronous>(flatMap: (record: T) => O): NotAsynchronous<O, Stream<O>>;
  flatMap<O>(flatMap: (record: T) => Iterable<O>): Stream<O>;
  flatMap<S extends StandardSchema>(
    type: S,
    flatMap: WhenKnown<S, (record: Immutable<T>) => Iterable<Infer<S>> | NoPromise>,
  ): Stream<Infer<S>>;
  flatMap(first: unknown, second?: unknown): never {
    return streamOf(functionNode(this.#origin, "flatMap", [first, second]));
  }

  /**
   * Validates each record against a schema. Invalid ones fail the job, are skipped and counted, or go to
   * `side.invalid`.
   */
  parse<S extends StandardSchema, const I extends InvalidPolicy = "fail">(
    schema: S,
    options?: { readonly invalid?: I },
  ): [I] extends ["side"] ? Split<Infer<S>, { invalid: InvalidRow }> : Stream<Infer<S>>;
  parse(schema: StandardSchema, options?: { readonly invalid?: InvalidPolicy }): never {
    return streamOf(parseNode(this.#origin, schema, options));
  }

  /** Assigns event times and makes watermarks from them. */
  eventTime(options: EventTimeOptions<T>): Stream<T> {
    return streamOf(eventTimeNode(this.#origin, options));
  }

  /** All records of these streams as one. Their order is that of arrival. */
  union<const S extends readonly StreamOf<unknown>[]>(...others: S): Stream<T | S[number][typeof element]> {
    checkStreams("union", Stream, others);
    return new Stream<T | S[number][typeof element]>(
      unitedOrigin([this.#origin, ...others.map((other) => other.origin)]),
    );
  }

  /**
   * Partitions the stream by a field, by several (`keyBy("symbol", "venue")`: the key is an object of them), or by a
   * function with the type of its key: `keyBy((r) => r.user, t.string)`. State and windows are per key.
   */
  // The first overload takes functions, too, but only with an argument more that nothing is assignable to: the compiler
  // then says that it expects a second argument, and not that a function is none of the fields.
  keyBy<
    const K extends KeyField<T> | AnyText | readonly KeyField<T>[] | ((record: Immutable<T>) => unknown),
    const M extends readonly KeyField<T>[] = [],
  >(
    field: KeyFieldOf<T, K>,
    ...more: K extends string ? M : K extends readonly string[] ? [] : [typeOfKey: never]
  ): Keyed<T, KeyByFields<T, K, M>, KeyRow<T, KeyNames<K, M>>>;
  keyBy<S extends StandardSchema>(
    key: WhenKnown<S, (record: Immutable<T>) => Infer<S>>,
    type: S,
  ): Keyed<T, Infer<S>, { key: Infer<S> }>;
  keyBy(...by: unknown[]): never {
    return new Keyed(keyedParts(this.#origin, by)) as never;
  }

  /** Ends the stream in a sink. */
  to<const Uid extends string>(uid: Uid, sink: Sink<T>): SinkHandle<Uid, T> {
    return new SinkHandle(sinkNode(this.#origin, uid, sink));
  }

  /** Spreads records evenly over the next operator's subtasks, one after the other. */
  rebalance(): Stream<T> {
    return new Stream(partitioned(this.#origin, { kind: "rebalance" }));
  }

  /** As `rebalance`, but each subtask uses only its share of the next operator's subtasks. */
  rescale(): Stream<T> {
    return new Stream(partitioned(this.#origin, { kind: "rescale" }));
  }

  /** Sends each record to all subtasks of the next operator. */
  broadcast(): Stream<T> {
    return new Stream(partitioned(this.#origin, { kind: "broadcast" }));
  }

  /** Sends all records to the first subtask of the next operator. */
  global(): Stream<T> {
    return new Stream(partitioned(this.#origin, { kind: "global" }));
  }

  /** Sends each record to the subtask that the function names: a whole number from 0 to `subtasks` - 1. */
  partitionBy(partition: (record: Immutable<T>, subtasks: number) => number): Stream<T> {
    return new Stream(
      partitioned(this.#origin, { kind: "custom", partition: checkFunction(partition, "partitionBy") }),
    );
  }

  /** Uid of the operator declared last: the name under which its state and its functions are found again. */
  uid(uid: string): this {
    const node = operatorOf(this.#origin);
    node.explicitUid = uidCheck(uid, `operator ${node.kind}`);
    return this;
  }

  /** Name of the operator declared last, for people. */
  name(name: string): this {
    checkValue({ what: "the name of an operator", value: name, kind: NAME });
    operatorOf(this.#origin).name = name;
    return this;
  }

  /** Number of subtasks of the operator declared last. */
  parallelism(parallelism: number): this {
    operatorOf(this.#origin).parallelism = checkedParallelism(parallelism);
    return this;
  }

  /** Number of key groups, the most subtasks it can ever have; fixed for the life of its state. */
  maxParallelism(maxParallelism: number): this {
    operatorOf(this.#origin).maxParallelism = checkedMaxParallelism(maxParallelism);
    return this;
  }

  /** Slot-sharing group of the operator declared last and of those after it. */
  slotGroup(group: string): this {
    checkValue({ what: "the slot-sharing group", value: group, kind: NAME });
    operatorOf(this.#origin).slotGroup = group;
    return this;
  }

  /** Keeps the operator declared last out of the chain before it. */
  startNewChain(): this {
    operatorOf(this.#origin).chaining = "head";
    return this;
  }

  /** Keeps the operator declared last out of any chain. */
  disableChaining(): this {
    operatorOf(this.#origin).chaining = "never";
    return this;
  }

  /** What to do with a record on which the function of the operator declared last throws. */
  onError(policy: "fail" | "skip"): this;
  onError(policy: "side"): WithErrors<T, this>;
  onError(policy: ErrorPolicy): never {
    const node = operatorOf(this.#origin);
    setOnError(node, policy);
    if (policy !== "side") return this as never;
    const sides = Object.fromEntries(node.sides.map((side) => [side.name, side.type]));
    return new Stream(this.#origin, sides) as never;
  }
}

/** A stream partitioned by key. `KO`: the key as fields of result rows. */
export class Keyed<T, K, KO> {
  readonly #parts: KeyedParts;

  constructor(parts: KeyedParts) {
    this.#parts = parts;
  }

  /** What the engine's own classes need; not part of the public API. */
  get parts(): KeyedParts {
    return this.#parts;
  }

  /**
   * Has the records wait until event time has passed them, so that the function behind gets those of each key in the
   * order of their times, and timers between them where they belong: for state machines, and for what did not happen.
   * Late records go to `side.late`.
   */
  inOrder(): InOrder<T, K, KO> {
    checkTimed(this.#parts.origin, "inOrder");
    return new InOrder<T, K, KO>(stepFrom(this.#parts, "inOrder"));
  }

  /** Groups the records of each key by event time: `tumbling("1m")`, `sliding("1h", "5m")`, `session("30m")`. */
  window(window: WindowSpec): Windowed<T, KO> {
    checkTimed(this.#parts.origin, "window");
    const settings = { window: checkWindow(window), allowedLatenessMs: 0 };
    return new Windowed<T, KO>(stepFrom(this.#parts, "window"), settings);
  }

  /** Running aggregates: in stream mode one updated row per record, in batch mode one row per key at the end. */
  aggregate<const A extends Aggregates<T>>(aggregates: A): Stream<Flat<KO & AggregateResults<T, A>>> {
    return streamOf(aggregateNode(this.#parts, aggregates));
  }

  /** Folds the records of each key into one; gives the new value for each record. */
  reduce(uid: string, reduce: (left: Mutable<T>, right: Immutable<T>) => T): Stream<T> {
    return streamOf(reduceNode(this.#parts, uid, reduce));
  }

  /** A function over the records of each key with typed state, timers and side outputs. */
  process<S extends StateDeclarations, O extends StandardSchema, X extends SideSchemas = Record<never, never>>(
    process: KeyedProcess<T, K, S, O, X>,
  ): Split<Infer<O>, SideValues<X>> {
    return streamOf(keyedProcess(this.#parts, process));
  }

  /** Two keyed streams with the same type of key, to be processed with common state. */
  connect<R, RO>(other: Keyed<R, K, RO>): Connected<T, R, K> {
    checkStreams("connect", Keyed, [other]);
    checkSameKeys(this.#parts.key, other.parts.key);
    other.parts.step.isRead = true;
    return new Connected(stepFrom(this.#parts, "connect"), other.parts);
  }
}

/** A keyed stream whose records come in the order of their event times. */
export class InOrder<T, K, KO> {
  readonly #parts: KeyedParts;

  constructor(parts: KeyedParts) {
    this.#parts = parts;
  }

  /** As on a keyed stream. */
  aggregate<const A extends Aggregates<T>>(aggregates: A): Split<Flat<KO & AggregateResults<T, A>>, Late<T>> {
    return streamOf(aggregateNode(this.#parts, aggregates));
  }

  /** As on a keyed stream. */
  reduce(uid: string, reduce: (left: Mutable<T>, right: Immutable<T>) => T): Split<T, Late<T>> {
    return streamOf(reduceNode(this.#parts, uid, reduce));
  }

  /** As on a keyed stream; `ctx.watermark` is the last millisecond before the record at hand. */
  process<S extends StateDeclarations, O extends StandardSchema, X extends LateFree = Record<never, never>>(
    process: KeyedProcess<T, K, S, O, X>,
  ): Split<Infer<O>, SideValues<X> & Late<T>> {
    return streamOf(keyedProcess(this.#parts, process));
  }
}

// The compiler shows what this is, and not its name, because of the `{}`.
type Flat<T> = { [P in keyof T]: T[P] } & {};
type Late<T> = { late: T };
/** `late` is the side output of `inOrder`. */
type LateFree = SideSchemas & { readonly late?: never };

/** A keyed stream in windows. */
export class Windowed<T, KO> {
  readonly #keyed: KeyedParts;
  readonly #settings: WindowSettings;

  constructor(keyed: KeyedParts, settings: WindowSettings) {
    this.#keyed = keyed;
    this.#settings = settings;
  }

  /**
   * Keeps windows for this long after their end: late records update them, and an updated row is given. Default: not at
   * all.
   */
  allowLate<const D extends Duration>(lateness: D & Unspaced<D>): Windowed<T, KO> {
    return new Windowed<T, KO>(this.#keyed, {
      ...this.#settings,
      allowedLatenessMs: durationMs(lateness, "the time of allowLate"),
    });
  }

  /**
   * One row per key and window: the key, `start`, `end`, and the results. Records too late for their window go to
   * `side.late`.
   */
  aggregate<const A extends Aggregates<T>>(
    aggregates: A,
  ): Split<Flat<KO & WindowBounds & AggregateResults<T, A>>, Late<T>> {
    return streamOf(windowNode(this.#keyed, this.#settings, aggregates));
  }
}

/** Two keyed streams that share state. */
export class Connected<L, R, K> {
  readonly #left: KeyedParts;
  readonly #right: KeyedParts;

  constructor(left: KeyedParts, right: KeyedParts) {
    this.#left = left;
    this.#right = right;
  }

  /** As `inOrder` of a keyed stream, for the records of both in one order. */
  inOrder(): InOrderConnected<L, R, K> {
    for (const { origin } of [this.#left, this.#right]) checkTimed(origin, "inOrder");
    return new InOrderConnected(stepFrom(this.#left, "inOrder"), this.#right);
  }

  process<S extends StateDeclarations, O extends StandardSchema, X extends SideSchemas = Record<never, never>>(
    process: ConnectedProcess<L, R, K, S, O, X>,
  ): Split<Infer<O>, SideValues<X>> {
    return streamOf(connectedProcess(this.#left, this.#right, process));
  }
}

/** Two keyed streams that share state, whose records come in the order of their event times. */
export class InOrderConnected<L, R, K> {
  readonly #left: KeyedParts;
  readonly #right: KeyedParts;

  constructor(left: KeyedParts, right: KeyedParts) {
    this.#left = left;
    this.#right = right;
  }

  /** As on connected streams; late records of both go to `side.late`. */
  process<S extends StateDeclarations, O extends StandardSchema, X extends LateFree = Record<never, never>>(
    process: ConnectedProcess<L, R, K, S, O, X>,
  ): Split<Infer<O>, SideValues<X> & Late<L | R>> {
    return streamOf(connectedProcess(this.#left, this.#right, process));
  }
}

/** The stream of an operator that was just declared. */
function streamOf({ node, type, sides, origin }: MadeNode): never {
  return new Stream({ ...origin, outputs: [outputOf(node)], type }, sides) as never;
}
