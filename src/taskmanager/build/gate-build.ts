// Makes the receiving end of a task's exchanges.

import { OPTIONS } from "../../config/options.ts";
import { InputGate } from "../../network/input-gate.ts";
import { compileBatchCodec } from "../../types/batch/batch-codec.ts";
import { InputAppetite } from "../task/input-appetite.ts";
import { codecAtFirst, exchangeShape } from "./exchange-build.ts";
import type { Subtask } from "./subtask.ts";

/** Null for a task that begins with a source. */
export function gateBuild(subtask: Subtask): InputGate | null {
  const { name, context } = subtask;
  const { inputs } = subtask.descriptor;
  if (inputs.length === 0) return null;
  const channels = inputs.flatMap((input) => {
    const edge = subtask.edge(input.edge);
    const { input: port } = edge.edge;
    const codec = codecAtFirst(exchangeShape(context.graph, edge, `${name} input ${input.edge}`));
    return input.channels.map((channel) => ({ receiver: context.links.receiver(channel), port, codec }));
  });
  let compiled = 0;
  return new InputGate(channels, (spec, options) => compileBatchCodec(spec, options, `${name} shape ${++compiled}`));
}

/** Null: as much is in flight to the task as there is room for. */
export function appetiteBuild({ context }: Subtask, gate: InputGate | null): InputAppetite | null {
  const { configuration } = context;
  if (gate === null || !configuration.get(OPTIONS.debloatEnabled)) return null;
  return new InputAppetite(gate, {
    targetMs: configuration.get(OPTIONS.debloatTarget),
    periodMs: configuration.get(OPTIONS.debloatPeriod),
  });
}
