// What a crash can do to the output of a sink, in words. Pure; docs/guarantees.md says it at length.

import { partRollOf } from "../../connectors/files/sink/target-path.ts";
import type { PlanOperator } from "../../graph/plan.ts";

export type GuaranteeFacts = {
  /** The job ends by itself. */
  readonly bounded: boolean;
  readonly checkpoints: boolean;
};

export function guaranteeText(sink: PlanOperator, { bounded, checkpoints }: GuaranteeFacts): string {
  const guarantee = String((sink.options as { readonly guarantee?: unknown } | null)?.guarantee);
  if (!checkpoints) return guarantee;
  if (guarantee === "at-least-once") return `${guarantee}: after a failure, rows since the last checkpoint come again`;
  if (guarantee === "idempotent-upsert") {
    return `${guarantee}: after a failure, rows since the last checkpoint come again, and overwrite those of their keys`;
  }
  if (bounded) return `${guarantee}, shown when the job has finished`;
  const roll = partRollOf(sink);
  if (roll === null || roll.everyCheckpoint) return `${guarantee}, shown with each checkpoint`;
  return `${guarantee}, shown with the checkpoint at which a part is complete: full, or ${roll.every} old`;
}
