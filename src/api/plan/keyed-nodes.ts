// The plan nodes of calls on keyed streams. Untyped: no generics here.

import { UserError } from "../../base/errors.ts";
import { type KeySpec, SIDE_LATE } from "../../graph/plan.ts";
import { type Aggregates, aggregateSet } from "../../operators/aggregates/aggregate.ts";
import { aggregateFields, aggregateText } from "../../operators/aggregates/aggregate-spec.ts";
import { WAITING } from "../../operators/in-order/in-order-operator.ts";
import { declaredStates, type StateDeclarations } from "../../operators/process/state-declaration.ts";
import type { Json } from "../../operators/source.ts";
import type { WindowSpec } from "../../operators/windows/time/window-spec.ts";
import type { StateSpec } from "../../state/contract/keyed-state.ts";
import { checkedLayout } from "../../types/spec/schema-spec.ts";
import type { StandardSchema } from "../../types/spec/standard-schema.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { callSite } from "../checks/call-site.ts";
import { checkProcess } from "../checks/check-argument.ts";
import { checkFunction } from "../checks/check-function.ts";
import { checkAggregateFields } from "../checks/field-check.ts";
import { aggregationTypes } from "./aggregation.ts";
import { keyChoice, keyColumns, keyText, shippedFields } from "./key-choice.ts";
import type { MadeNode, SideTypes } from "./made-node.ts";
import { checkSideNames } from "./on-error.ts";
import { uidCheck } from "./plan-builder.ts";
import type { KeyedStep, NodeDeclaration, NodeInput } from "./plan-node.ts";
import { checkUnpartitioned, keyedEdges, type StreamOrigin } from "./stream-origin.ts";
import { windowText } from "./window-text.ts";

/** A keyed stream without its types; `inOrder`: its records reach the operator in the order of event time. */
export type KeyedParts = {
  readonly origin: StreamOrigin;
  readonly key: KeySpec;
  readonly functions: Readonly<Record<string, unknown>>;
  readonly inOrder: boolean;
  /** The call that gave it. */
  readonly step: KeyedStep;
};

/** What `keyBy` gives. */
export function keyedParts(origin: StreamOrigin, by: readonly unknown[]): KeyedParts {
  checkUnpartitioned(origin, "keyBy");
  const { key, of } = keyChoice(by, origin.type);
  const inputs = origin.outputs.map(({ node }) => ({ from: node }));
  const step = origin.builder.addStep("keyBy", inputs);
  const functions = { ...(of !== null && { key: of }), keyLocation: step.location };
  return { origin, key, functions, inOrder: false, step };
}

/** A keyed stream on which `kind` was called. */
export function stepFrom(parts: KeyedParts, kind: KeyedStep["kind"]): KeyedParts {
  parts.step.isRead = true;
  return { ...parts, step: parts.origin.builder.addStep(kind, []), inOrder: parts.inOrder || kind === "inOrder" };
}

export type WindowSettings = { readonly window: WindowSpec; readonly allowedLatenessMs: number };

export function aggregateNode(keyed: KeyedParts, aggregates: unknown): MadeNode {
  const { origin, key, functions, inOrder } = keyed;
  const given = aggregates as Aggregates<never>;
  const set = aggregateSet(given, keyColumns(key));
  checkAggregateFields(given, origin.type);
  const fields = shippedFields({ key, inputs: aggregateFields(set.specs), record: origin.type });
  const types = aggregationTypes({ set, key, record: origin.type, state: "aggregates" });
  const declaration: NodeDeclaration = {
    ...types,
    kind: "aggregate",
    signature: `${keyText(key)}${inOrder ? "/inOrder" : ""}/${set.specs.map(aggregateText).join(",")}`,
    options: { aggregates: set.specs as never },
    inputs: keyedEdges(origin, key, 0, inOrder ? null : fields),
    functions: { custom: set.custom, ...functions },
  };
  return added([keyed], declaration, types.output);
}

const REDUCE_EXAMPLE = '.reduce("sums", (a, b) => …)';

export function reduceNode(keyed: KeyedParts, uid: unknown, reduce: unknown): MadeNode {
  const { origin, key, functions } = keyed;
  const { type } = origin;
  const declaration: NodeDeclaration = {
    kind: "reduce",
    explicitUid: uidCheck(typeof uid === "function" ? undefined : uid, "reduce", REDUCE_EXAMPLE),
    output: type,
    state: [{ kind: "reducing", name: "value", type: type ?? { kind: "any" }, ttlMs: null }],
    inputs: keyedEdges(origin, key, 0),
    functions: { reduce: checkFunction(reduce, "reduce", REDUCE_EXAMPLE), ...functions },
  };
  return added([keyed], declaration, type);
}

export function windowNode(keyed: KeyedParts, settings: WindowSettings, aggregates: unknown): MadeNode {
  const { origin, key, functions } = keyed;
  const { window, allowedLatenessMs } = settings;
  const given = aggregates as Aggregates<never>;
  const columns = keyColumns(key);
  checkWindowKey(columns);
  const set = aggregateSet(given, [...columns, ...WINDOW_COLUMNS]);
  checkAggregateFields(given, origin.type);
  const state = window.kind === "session" ? "sessions" : "windows";
  const types = aggregationTypes({ set, key, record: origin.type, state });
  const declaration: NodeDeclaration = {
    ...types,
    kind: "window",
    signature: `${keyText(key)}/${windowText(window)}/${set.specs.map(aggregateText).join(",")}`,
    options: { window: window as never, allowedLatenessMs, aggregates: set.specs as never },
    // Which fields travel is decided when the plan is made: all of them if somebody reads the late records.
    inputs: keyedEdges(origin, key, 0, shippedFields({ key, inputs: aggregateFields(set.specs), record: origin.type })),
    functions: { custom: set.custom, ...functions },
  };
  return added([keyed], declaration, types.output, { [SIDE_LATE]: origin.type });
}

/** Fields that the rows of windows have beside those of the key. */
const WINDOW_COLUMNS: readonly string[] = ["start", "end"];

/** A key of such a name would be lost in the row. */
function checkWindowKey(columns: readonly string[]): void {
  const name = columns.find((column) => WINDOW_COLUMNS.includes(column));
  if (name === undefined) return;
  throw new UserError(
    "WINDOW_KEY_NAME",
    `the key is called ${JSON.stringify(name)}, as a field that each window gives`,
    {
      fix: `key by a function, which gives the key another name, "key": .keyBy((record) => record.${name}, t.timestamp), or rename the field in a map before keyBy`,
    },
  );
}

/** A process function with its types erased. */
type ProcessDeclaration = {
  readonly uid: string;
  readonly state?: StateDeclarations;
  readonly out: StandardSchema;
  readonly side?: Readonly<Record<string, StandardSchema>>;
  readonly onTimer?: unknown;
};

export function keyedProcess(
  keyed: KeyedParts,
  process: ProcessDeclaration & { readonly onRecord: unknown },
): MadeNode {
  checkProcess(process, "onRecord");
  return processNode([keyed], process, {
    onRecord: checkFunction(
      process.onRecord,
      "process.onRecord",
      "process({ uid, out, onRecord(record, context) { … } })",
    ),
  });
}

export function connectedProcess(
  left: KeyedParts,
  right: KeyedParts,
  process: ProcessDeclaration & { readonly onLeft: unknown; readonly onRight: unknown },
): MadeNode {
  checkProcess(process, "onLeft", "onRight");
  return processNode([left, right], process, {
    onLeft: checkFunction(process.onLeft, "process.onLeft", "process({ uid, out, onLeft(record, context) { … } })"),
    onRight: checkFunction(process.onRight, "process.onRight", "process({ uid, out, onRight(record, context) { … } })"),
  });
}

/** `right`: the second input of a connected operator. */
function processNode(
  keyed: readonly [KeyedParts, right?: KeyedParts],
  process: ProcessDeclaration,
  given: Readonly<Record<string, unknown>>,
): MadeNode {
  const { onTimer } = process;
  const timed = onTimer !== undefined && {
    onTimer: checkFunction(onTimer, "process.onTimer", "process({ uid, out, onTimer({ at }, context) { … } })"),
  };
  const functions = { ...given, ...timed };
  const [left, right] = keyed;
  const declared = process.state ?? {};
  const sides = Object.fromEntries(
    Object.entries(process.side ?? {}).map(([name, schema]) => [name, checkedLayout(schema, `side output ${name}`)]),
  );
  checkSideNames(Object.keys(sides), process.uid, left.inOrder);
  const output = checkedLayout(process.out, "out");
  const rightFunctions = right && { rightKey: right.functions.key, rightKeyLocation: right.functions.keyLocation };
  const options: Record<string, Json> = {};
  if (right !== undefined) options.rightKey = right.key as never;
  if (onTimer !== undefined) options.timers = true;
  const declaration: NodeDeclaration = {
    kind: "process",
    explicitUid: uidCheck(process.uid, "process function"),
    options,
    output,
    state: declaredStates(declared),
    inputs: inputsOf(keyed),
    functions: { ...functions, ...rightFunctions, state: declared, ...left.functions },
  };
  return added(keyed, declaration, output, sides);
}

/** Refuses what needs event times on a stream that has none. */
export function checkTimed(origin: StreamOrigin, needs: "window" | "inOrder"): void {
  if (origin.timed) return;
  const location = callSite();
  const detail = { fix: 'say where they are, before keyBy: .eventTime({ at: "ts" })', ...(location && { location }) };
  throw needs === "window"
    ? new UserError("WINDOW_WITHOUT_EVENT_TIME", "windows need event times, and the stream has none", detail)
    : new UserError("ORDER_WITHOUT_EVENT_TIME", "inOrder needs event times, and the stream has none", detail);
}

function inputsOf(keyed: readonly (KeyedParts | undefined)[]): NodeInput[] {
  return keyed.flatMap((each, input) => (each === undefined ? [] : keyedEdges(each.origin, each.key, input as 0 | 1)));
}

function added(
  keyed: readonly [KeyedParts, right?: KeyedParts],
  declaration: NodeDeclaration,
  type: TypeSpec | null,
  sides: SideTypes = {},
): MadeNode {
  const [{ origin, key, inOrder, step }, right] = keyed;
  step.isRead = true;
  const recordTypes = [origin.type, ...(right === undefined ? [] : [right.origin.type])];
  const all = inOrder ? { ...sides, [SIDE_LATE]: commonType(recordTypes) } : sides;
  const node = origin.builder.add({
    ...declaration,
    key,
    sides: Object.entries(all).map(([name, side]) => ({ name, type: side })),
    ...(inOrder && {
      options: { ...(declaration.options as object), inOrder },
      state: [...(declaration.state ?? []), ...recordTypes.map(waitingState)],
    }),
  });
  return { node, type, sides: all, origin };
}

/** What the plan tells of the records of an input that wait. */
function waitingState(type: TypeSpec | null, input: number): StateSpec {
  return {
    kind: "list",
    name: input === 0 ? WAITING : `${WAITING} (right)`,
    item: type ?? { kind: "any" },
    ttlMs: null,
  };
}

function commonType(types: readonly (TypeSpec | null)[]): TypeSpec | null {
  const [first = null] = types;
  return types.every((type) => JSON.stringify(type) === JSON.stringify(first)) ? first : null;
}
