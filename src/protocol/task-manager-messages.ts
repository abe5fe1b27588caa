// What a job master and a TaskManager say to each other about a job. Plain data: they are, or will be, in different
// processes. Slots are numbered by the job.

import type { EngineErrorData } from "./error-data.ts";
import type { FromSlot, JobDescriptor, TaskDescriptor, ToSlot } from "./slot-messages.ts";

export type ToTaskManager =
  /** Starts tasks in a slot. */
  | {
      readonly kind: "deploy";
      readonly slot: number;
      readonly job: JobDescriptor;
      readonly tasks: readonly TaskDescriptor[];
    }
  | { readonly kind: "toSlot"; readonly slot: number; readonly message: Exclude<ToSlot, { readonly kind: "deploy" }> }
  /** Ends what runs in a slot and takes back what it held; answered by "released". */
  | { readonly kind: "release"; readonly slot: number };

export type FromTaskManager =
  | { readonly kind: "fromSlot"; readonly slot: number; readonly message: FromSlot }
  /** The slot ended without closing its tasks. */
  | { readonly kind: "slotLost"; readonly slot: number; readonly error: EngineErrorData }
  | { readonly kind: "released"; readonly slot: number; readonly error: EngineErrorData | null };
