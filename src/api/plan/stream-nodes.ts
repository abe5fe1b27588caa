// The plan nodes of calls on streams without a key. Untyped: no generics here.

import { type Duration, durationMs } from "../../base/duration.ts";
import { UserError } from "../../base/errors.ts";
import type { TimestampUnit } from "../../operators/event-time/timestamp.ts";
import { isExpr } from "../../operators/expressions/expr.ts";
import type { Sink } from "../../operators/sink.ts";
import type { InvalidPolicy } from "../../operators/source.ts";
import { checkOptions, oneOf } from "../../types/check-options.ts";
import { describe } from "../../types/spec/describe.ts";
import { checkedLayout, checkSchema, layoutOf } from "../../types/spec/schema-spec.ts";
import type { StandardSchema } from "../../types/spec/standard-schema.ts";
import { checkEventTime, checkGuarantee, checkTakes } from "../checks/check-argument.ts";
import { checkFunction } from "../checks/check-function.ts";
import { checkFields, checkFilter } from "../checks/field-check.ts";
import { connectorOptions } from "./connector-options.ts";
import type { MadeNode, SideTypes } from "./made-node.ts";
import { uidCheck } from "./plan-builder.ts";
import type { NodeDeclaration, PlanNode } from "./plan-node.ts";
import { edgeFunctions, edgesOf, type StreamOrigin } from "./stream-origin.ts";

/** `given`: the function, or before it the type of what it gives. */
export function functionNode(origin: StreamOrigin, kind: "map" | "flatMap", given: readonly unknown[]): MadeNode {
  const [first, second] = given;
  const type = second === undefined ? null : checkedLayout(first, kind);
  return added(origin, { kind, output: type, functions: { [kind]: checkFunction(second ?? first, kind) } });
}

export function filterNode(origin: StreamOrigin, filter: unknown): MadeNode {
  if (isExpr(filter)) checkFilter(filter.spec, origin.type);
  const declaration: NodeDeclaration = isExpr(filter)
    ? { kind: "filter", options: { expression: filter.spec as never } }
    : { kind: "filter", functions: { filter: checkFunction(filter, "filter") } };
  return added(origin, { ...declaration, output: origin.type });
}

export function parseNode(
  origin: StreamOrigin,
  schema: StandardSchema,
  options: { readonly invalid?: InvalidPolicy } = {},
): MadeNode {
  checkSchema(schema, "parse");
  checkOptions({ of: "parse", given: options, takes: { invalid: oneOf("fail", "skip", "side") } });
  const invalid = options.invalid ?? "fail";
  const declaration: NodeDeclaration = {
    kind: "parse",
    output: layoutOf(schema),
    options: { invalid },
    functions: { schema },
  };
  return added(origin, declaration, invalid === "side" ? { invalid: null } : {});
}

/** The options of `eventTime` with its types erased. */
type EventTimeDeclaration = {
  readonly at: unknown;
  readonly outOfOrder?: Duration;
  readonly idle?: Duration;
  readonly every?: Duration;
  readonly unit?: TimestampUnit;
};

export function eventTimeNode(origin: StreamOrigin, options: EventTimeDeclaration): MadeNode {
  checkEventTime(options);
  const { at, outOfOrder, idle, every, unit } = options;
  const field = typeof at === "string" ? at : null;
  if (field !== null) checkFields("eventTime", origin.type, [field]);
  const made = added(origin, {
    kind: "eventTime",
    output: origin.type,
    options: {
      field,
      outOfOrderMs: durationMs(outOfOrder ?? "0ms", "the option outOfOrder of eventTime"),
      idleMs: idle === undefined ? null : durationMs(idle),
      everyMs: every === undefined ? null : durationMs(every),
      unit: unit ?? null,
    },
    functions: field === null ? { at: checkFunction(at, "eventTime") } : {},
  });
  return { ...made, origin: { ...origin, timed: true } };
}

const SINK_EXAMPLE = '.to("out", print())';

export function sinkNode(origin: StreamOrigin, uid: unknown, sink: unknown): PlanNode {
  if (isSink(uid)) uidCheck(undefined, `sink ${uid.kind}`, SINK_EXAMPLE);
  if (!isSink(sink)) {
    throw new UserError("SINK_INVALID", `"${uid}" has no sink: it is ${describe(sink)}`, {
      fix: `give a sink as the second argument, for example ${SINK_EXAMPLE}`,
    });
  }
  checkTakes(uid as string, sink.takes);
  checkGuarantee(uid as string, sink);
  return origin.builder.add({
    kind: "sink",
    explicitUid: uidCheck(uid, `sink ${sink.kind}`),
    ...(sink.parallelism !== undefined && { parallelism: sink.parallelism, maxParallelism: sink.parallelism }),
    options: connectorOptions({ sink: sink.kind, guarantee: sink.guarantee, takes: sink.takes }, sink.describe()),
    inputs: edgesOf(origin),
    functions: { sink, ...edgeFunctions(origin) },
  });
}

function added(origin: StreamOrigin, declaration: NodeDeclaration, sides: SideTypes = {}): MadeNode {
  const node = origin.builder.add({
    ...declaration,
    sides: Object.entries(sides).map(([name, type]) => ({ name, type })),
    inputs: edgesOf(origin),
    functions: { ...declaration.functions, ...edgeFunctions(origin) },
  });
  return { node, type: node.output, sides, origin };
}

function isSink(value: unknown): value is Sink<unknown> {
  return typeof (value as Partial<Sink<unknown>> | null | undefined)?.createWriter === "function";
}
