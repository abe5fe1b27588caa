// What a job master and a TaskManager say to each other about a job. Plain data: they are, or will be, in different
// processes. Slots are numbered by the job.

import type { EngineErrorData } from "./error-data.ts";
import type { FromSlot, JobDescriptor, TaskDescriptor, TaskId, ToSlot } from "./slot-messages.ts";

export type ToTaskManager =
  /** Starts tasks in a slot, beside those that run there. */
  | {
      readonly kind: "deploy";
      readonly slot: number;
      readonly job: JobDescriptor;
      readonly tasks: readonly TaskDescriptor[];
    }
  | { readonly kind: "toSlot"; readonly slot: number; readonly message: Exclude<ToSlot, { readonly kind: "deploy" }> }
  /**
   * Ends what runs in a slot and takes back what it held; answered by "released". Until then the slot is the job's,
   * also when its tasks have closed or it was lost.
   */
  | { readonly kind: "release"; readonly slot: number };

export type FromTaskManager =
  | { readonly kind: "fromSlot"; readonly slot: number; readonly message: FromSlot }
  /** The slot's thread ended without closing these tasks, of which nothing is left. It may be given others. */
  | {
      readonly kind: "slotLost";
      readonly slot: number;
      readonly tasks: readonly TaskId[];
      readonly error: EngineErrorData;
    }
  | { readonly kind: "released"; readonly slot: number; readonly error: EngineErrorData | null };
