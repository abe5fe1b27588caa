// Makes the sending end of an exchange.

import { assert } from "../../base/errors.ts";
import { OPTIONS } from "../../config/options.ts";
import { carriesMarks } from "../../graph/watermark-steps.ts";
import { APPETITE_AT_FIRST } from "../../network/output-channel.ts";
import { ResultPartition } from "../../network/result-partition.ts";
import type { TaskOutput } from "../../protocol/slot-messages.ts";
import { exchangeRefusal } from "../failures/exchange-refusal.ts";
import { exchangeSelector, exchangeShape, hasChanges } from "./exchange-build.ts";
import type { Subtask } from "./subtask.ts";

export function partitionBuild(subtask: Subtask, output: TaskOutput): ResultPartition {
  const { configuration, graph, links } = subtask.context;
  const edge = subtask.edge(output.edge);
  const to = graph.vertices[edge.toVertex];
  assert(to !== undefined, `no vertex ${edge.toVertex}`);
  const name = `${subtask.name} edge ${output.edge}`;
  const senders = links.senders(subtask.descriptor, output);
  return new ResultPartition({
    name,
    senders,
    selector: exchangeSelector({
      edge,
      to,
      functions: subtask.functions(edge.edge.to),
      channels: senders.length,
      subtask: subtask.descriptor.subtask,
      name,
    }),
    timestamps: true,
    kinds: hasChanges(graph, edge),
    shape: exchangeShape(graph, edge, name),
    status: subtask.status,
    batchBytesMax: links.batchBytesMax,
    bufferTimeoutMs: subtask.bufferTimeoutMs,
    overdraftRecordsMax: configuration.get(OPTIONS.overdraftRecords),
    recordBytesMax: links.recordBytesMax,
    appetiteAtFirst: configuration.get(OPTIONS.debloatEnabled) ? APPETITE_AT_FIRST : 0,
    refusal: exchangeRefusal(graph.plan, edge.edge),
    marks: carriesMarks(graph.plan, edge.edge),
  });
}
