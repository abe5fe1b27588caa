// Keyed streams: windows, aggregates, process functions, connected streams.

import { type Duration, durationMs } from "../base/duration.ts";
import { UserError } from "../base/errors.ts";
import type { KeySpec } from "../graph/plan.ts";
import { type AggregateResults, type Aggregates, aggregateSet } from "../operators/aggregates/aggregate.ts";
import { aggregateFields, aggregateText } from "../operators/aggregates/aggregate-spec.ts";
import type { StateDeclarations } from "../operators/process/state-declaration.ts";
import type { WindowBounds, WindowSpec } from "../operators/windows/window-spec.ts";
import { layoutOf } from "../types/schema-spec.ts";
import type { Infer, StandardSchema } from "../types/standard-schema.ts";
import type { TypeSpec } from "../types/type-spec.ts";
import { callSite } from "./call-site.ts";
import { checkFunction } from "./check-function.ts";
import { uidCheck } from "./plan-builder.ts";
import type { NodeInput, PlanNode } from "./plan-node.ts";
import type { ConnectedProcess, KeyedProcess, SideSchemas, SideValues } from "./process-types.ts";
import { edgesOf, type Split, Stream, type StreamOrigin } from "./stream.ts";
import { windowText } from "./window-text.ts";

const FORWARD = { kind: "forward" } as const;

/** A stream partitioned by key. `KO`: the key as fields of result rows. */
export class Keyed<T, K, KO> {
  readonly #origin: StreamOrigin;
  readonly #key: KeySpec;
  readonly #functions: Readonly<Record<string, unknown>>;

  constructor(origin: StreamOrigin, key: KeySpec, functions: Readonly<Record<string, unknown>>) {
    this.#origin = origin;
    this.#key = key;
    this.#functions = functions;
  }

  /** What the engine's own classes need; not part of the public API. */
  get parts(): { origin: StreamOrigin; key: KeySpec; functions: Readonly<Record<string, unknown>> } {
    return { origin: this.#origin, key: this.#key, functions: this.#functions };
  }

  /** Groups the records of each key by event time: `tumbling("1m")`, `sliding("1h", "5m")`, `session("30m")`. */
  window(window: WindowSpec): Windowed<T, KO> {
    const location = callSite();
    if (!this.#origin.timed) {
      throw new UserError("WINDOW_WITHOUT_EVENT_TIME", "windows need event times, and the stream has none", {
        fix: 'say where they are, before keyBy: .eventTime({ at: "ts" })',
        ...(location && { location }),
      });
    }
    return new Windowed<T, KO>(this.parts, { window, allowedLatenessMs: 0 });
  }

  /** Running aggregates: in stream mode one updated row per record, in batch mode one row per key at the end. */
  aggregate<const A extends Aggregates<T>>(aggregates: A): Stream<Flat<KO & AggregateResults<T, A>>> {
    const key = keyColumns(this.#key);
    const set = aggregateSet(aggregates as unknown as Aggregates<never>, key);
    const fields = shippedFields(this.#key, aggregateFields(set.specs));
    const node = this.#add({
      kind: "aggregate",
      signature: `${keyText(this.#key)}/${set.specs.map(aggregateText).join(",")}`,
      options: { aggregates: set.specs as never },
      inputs: this.#edges(0, fields),
      functions: { custom: set.custom, ...this.#functions },
    });
    return streamOf(this.#origin, node, null) as never;
  }

  /** Folds the records of each key into one; gives the new value for each record. */
  reduce(uid: string, reduce: (left: T, right: T) => T): Stream<T> {
    const type = this.#origin.type;
    const node = this.#add({
      kind: "reduce",
      explicitUid: uidCheck(uid, "reduce"),
      output: type,
      state: [{ kind: "reducing", name: "value", type: type ?? { kind: "any" }, ttlMs: null }],
      inputs: this.#edges(0),
      functions: { reduce: checkFunction(reduce, "reduce"), ...this.#functions },
    });
    return streamOf(this.#origin, node, type) as Stream<T>;
  }

  /** A function over the records of each key with typed state, timers and side outputs. */
  process<S extends StateDeclarations, O extends StandardSchema, X extends SideSchemas = Record<never, never>>(
    process: KeyedProcess<T, K, S, O, X>,
  ): Split<Infer<O>, SideValues<X>> {
    const { onRecord, onTimer } = process;
    const functions = { onRecord: checkFunction(onRecord, "process.onRecord"), ...(onTimer && { onTimer: checkFunction(onTimer, "process.onTimer") }) };
    return processNode(this.parts, process, functions, this.#edges(0)) as never;
  }

  /** Two keyed streams with the same type of key, to be processed with common state. */
  connect<R, RO>(other: Keyed<R, K, RO>): Connected<T, R, K> {
    return new Connected(this.parts, other.parts);
  }

  #edges(input: 0 | 1, fields: readonly string[] | null = null): NodeInput[] {
    return keyedEdges(this.#origin, this.#key, input, fields);
  }

  #add(declaration: Parameters<StreamOrigin["builder"]["add"]>[0]): PlanNode {
    return this.#origin.builder.add({ ...declaration, key: this.#key });
  }
}

type KeyedParts = Keyed<unknown, unknown, unknown>["parts"];
type Flat<T> = { [P in keyof T]: T[P] };

type WindowSettings = { readonly window: WindowSpec; readonly allowedLatenessMs: number };

/** A keyed stream in windows. */
export class Windowed<T, KO> {
  readonly #keyed: KeyedParts;
  readonly #settings: WindowSettings;

  constructor(keyed: KeyedParts, settings: WindowSettings) {
    this.#keyed = keyed;
    this.#settings = settings;
  }

  /** Keeps windows for this long after their end: late records update them, and an updated row is given. Default: not at all. */
  allowLate(lateness: Duration): Windowed<T, KO> {
    return new Windowed<T, KO>(this.#keyed, { ...this.#settings, allowedLatenessMs: durationMs(lateness) });
  }

  /** One row per key and window: the key, `start`, `end`, and the results. Records too late for their window go to `side.late`. */
  aggregate<const A extends Aggregates<T>>(aggregates: A): Split<Flat<KO & WindowBounds & AggregateResults<T, A>>, { late: T }> {
    const { origin, key, functions } = this.#keyed;
    const set = aggregateSet(aggregates as unknown as Aggregates<never>, [...keyColumns(key), "start", "end"]);
    const { window, allowedLatenessMs } = this.#settings;
    const node = origin.builder.add({
      kind: "window",
      signature: `${keyText(key)}/${windowText(window)}/${set.specs.map(aggregateText).join(",")}`,
      options: { window: window as never, allowedLatenessMs, aggregates: set.specs as never },
      key,
      sides: [{ name: "late", type: origin.type }],
      // Which fields travel is decided when the plan is made: all of them if somebody reads the late records.
      inputs: keyedEdges(origin, key, 0, shippedFields(key, aggregateFields(set.specs))),
      functions: { custom: set.custom, ...functions },
    });
    return streamOf(origin, node, null, { late: origin.type }) as never;
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

  process<S extends StateDeclarations, O extends StandardSchema, X extends SideSchemas = Record<never, never>>(
    process: ConnectedProcess<L, R, K, S, O, X>,
  ): Split<Infer<O>, SideValues<X>> {
    const left = this.#left;
    const right = this.#right;
    const functions = {
      onLeft: checkFunction(process.onLeft, "process.onLeft"),
      onRight: checkFunction(process.onRight, "process.onRight"),
      ...(process.onTimer && { onTimer: checkFunction(process.onTimer, "process.onTimer") }),
      rightKey: right.functions.key,
    };
    const edges = [...keyedEdges(left.origin, left.key, 0), ...keyedEdges(right.origin, right.key, 1)];
    const options = { rightKey: right.key as never };
    return processNode(left, process, functions, edges, options) as never;
  }
}

type ProcessDeclaration = {
  readonly uid: string;
  readonly state?: StateDeclarations;
  readonly out: StandardSchema;
  readonly side?: SideSchemas;
};

function processNode(
  { origin, key, functions: keyFunctions }: KeyedParts,
  process: ProcessDeclaration,
  functions: Readonly<Record<string, unknown>>,
  inputs: NodeInput[],
  options: Record<string, never> = {},
): unknown {
  const declared = process.state ?? {};
  const sides = Object.fromEntries(Object.entries(process.side ?? {}).map(([name, schema]) => [name, layoutOf(schema)]));
  const output = layoutOf(process.out);
  const node = origin.builder.add({
    kind: "process",
    explicitUid: uidCheck(process.uid, "process function"),
    options,
    output,
    sides: Object.entries(sides).map(([name, type]) => ({ name, type })),
    key,
    state: Object.entries(declared).map(([name, declaration]) => declaration.specOf(name)),
    inputs,
    functions: { ...functions, state: declared, ...keyFunctions },
  });
  return streamOf(origin, node, output, sides);
}

function streamOf(
  origin: StreamOrigin,
  node: PlanNode,
  type: TypeSpec | null,
  sides: Readonly<Record<string, TypeSpec | null>> = {},
): Stream<unknown> {
  return new Stream({ ...origin, outputs: [{ node, output: "" }], partitioner: FORWARD, partitionFunctions: {}, type }, sides);
}

function keyedEdges(origin: StreamOrigin, key: KeySpec, input: 0 | 1, fields: readonly string[] | null = null): NodeInput[] {
  return edgesOf(origin, input, { kind: "hash", key }).map((edge) => ({ ...edge, fields }));
}

/** Names that the key takes in result rows. */
function keyColumns(key: KeySpec): string[] {
  return [key.field ?? "key"];
}

const keyText = (key: KeySpec): string => key.field ?? "key()";

/** Top-level fields to ship: those of the key and of the aggregates; null when whole records are needed. */
function shippedFields(key: KeySpec, inputs: readonly string[] | null): readonly string[] | null {
  if (key.field === null || inputs === null) return null;
  const fields = new Set([key.field, ...inputs.map((path) => path.split(".")[0] ?? path)]);
  return [...fields].sort();
}
