// What a crash can do to the output of a sink, in words. Pure; docs/guarantees.md says it at length.

import { singleFileOf } from "../../connectors/files/sink/target-path.ts";
import type { PlanOperator } from "../../graph/plan.ts";

export type GuaranteeFacts = {
  /** The job ends by itself. */
  readonly bounded: boolean;
  readonly checkpoints: boolean;
};

export function guaranteeText(sink: PlanOperator, { bounded, checkpoints }: GuaranteeFacts): string {
  const guarantee = String((sink.options as { readonly guarantee?: unknown } | null)?.guarantee);
  if (!checkpoints) return guarantee;
  if (singleFileOf(sink) !== null) return "a single file, which a job with checkpoints refuses";
  if (guarantee === "at-least-once") return `${guarantee}: after a failure, rows since the last checkpoint come again`;
  return `${guarantee}, shown ${bounded ? "when the job has finished" : "with each checkpoint"}`;
}
