// Makes the chain: the generated code around the functions, operators and drivers of a task, up to its exchanges.

import { assert } from "../../base/errors.ts";
import { optionsOf, type PlanOperator } from "../../graph/plan.ts";
import { outputType } from "../../graph/record-type.ts";
import type { ResultPartition } from "../../network/result-partition.ts";
import type { Source } from "../../operators/source.ts";
import { Chain, type ChainExchange, type KeyedInput } from "../chain/chain.ts";
import { keyedInput } from "../chain/keyed-input.ts";
import type { Bindings } from "./bindings.ts";
import type { Subtask } from "./subtask.ts";

export type ChainBuildOptions = {
  readonly subtask: Subtask;
  /** In the order of the descriptor's outputs. */
  readonly partitions: readonly ResultPartition[];
  readonly bindings: Bindings;
  /** What the loop counts (ChainMetrics). */
  readonly counts: Float64Array;
};

export function chainBuild({ subtask, partitions, bindings, counts }: ChainBuildOptions): Chain {
  const { vertex, name, status, context } = subtask;
  const skipped = vertex.operators.map((_, index) => bindings.skipped(index));
  return new Chain({
    vertex,
    name,
    exchanges: partitions.map((partition, index) => chainExchange(subtask, partition, index)),
    sourceFits: sourceFits(subtask),
    checks: context.checks,
    graph: context.graph,
    status,
    counts,
    bindings: bindings.list,
    onSkipped: (operator, error, record, timestampMs) => skipped[operator]?.(error, record, timestampMs),
    keys: [inputKey(subtask, 0), inputKey(subtask, 1)],
  });
}

function chainExchange(subtask: Subtask, partition: ResultPartition, index: number): ChainExchange {
  const output = subtask.descriptor.outputs[index];
  assert(output !== undefined, `no output ${index}`);
  const { edge } = subtask.edge(output.edge);
  const whole = edge.fields === null && outputType(subtask.operator(edge.from), edge.output) !== null;
  return { from: edge.from, output: edge.output, emit: partition.emit, whole };
}

function sourceFits(subtask: Subtask): boolean {
  const { head } = subtask;
  return head.kind === "source" && (subtask.functions(head.uid).source as Source<unknown>).fits === true;
}

/** How the key of an input's records is found; null when the chain does not begin with an operator by key. */
function inputKey(subtask: Subtask, port: 0 | 1): KeyedInput | null {
  const { head, descriptor, name } = subtask;
  if (head.key === null || descriptor.inputs.length === 0) return null;
  const functions = subtask.functions(head.uid);
  const right = optionsOf<{ rightKey?: NonNullable<PlanOperator["key"]> }>(head).rightKey;
  const options = { id: `${name} input ${port}`, operator: head.uid };
  if (port === 0) return keyedInput(head.key, functions.key, { ...options, location: functions.keyLocation });
  const location = functions.rightKeyLocation;
  return right === undefined ? null : keyedInput(right, functions.rightKey, { ...options, location });
}
