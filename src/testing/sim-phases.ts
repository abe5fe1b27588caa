// Where in its life a simulated process is, as far as faults make a difference: told from what its job master and its
// coordinator of checkpoints have decided, and from what passes between TaskManager and slots.

import type { CheckpointId } from "../base/ids.ts";
import type { EmbeddedJob } from "../client/embedded.ts";
import type { CheckpointingState } from "../jobmanager/checkpointing/coordinator.ts";
import type { JobState } from "../jobmanager/job-state.ts";

export const PHASES = [
  "opening", // The process takes hold of its directories and finds where it begins.
  "deploying",
  "restoring", // As deploying, from a checkpoint.
  "running",
  "coordinating", // A checkpoint has begun: sources say what they have not handed out.
  "aligning", // Barriers are under way.
  "snapshotting", // All tasks have made their snapshots, not all are durable.
  "storing", // Metadata and pointer are written.
  "completing", // The pointer names it, and nobody has been told.
  "committing",
  "final", // The last checkpoint is under way, of whichever kind.
  "stopping", // Tasks prepare, for their user wants the job to end.
  "failing", // The job does, and what is left of it ends.
  "waiting", // What has failed ends, and waits to begin anew.
  "ending", // What is left of the job ends.
  "forgetting", // The job has finished, and its checkpoints go.
] as const;
export type Phase = (typeof PHASES)[number];

export class SimPhases {
  /** Null: there is none yet. */
  run: EmbeddedJob | null = null;
  /** The attempt begins from a checkpoint. */
  isRestored = false;
  /** Tasks that were given to slots and do not run yet. */
  deploying = 0;
  /** The checkpoint that the pointer names. */
  pointed = 0 as CheckpointId;
  /** Commits that slots were told and have not answered. */
  readonly commits = new Set<string>();

  begin(): void {
    this.run = null;
    this.isRestored = false;
    this.deploying = 0;
    this.commits.clear();
  }

  current(): Phase {
    if (this.run === null) return "opening";
    const { state, checkpointing } = this.run.master;
    switch (state.phase) {
      case "deploying":
        return this.isRestored ? "restoring" : "deploying";
      case "running":
        return this.#ofCheckpoint(checkpointing);
      case "stopping":
      case "committing":
        return state.phase;
      case "restarting":
        return this.deploying > 0 ? "restoring" : "waiting";
      case "closing":
        return state.outcome === "failed" ? "failing" : "ending";
      default:
        return over(state);
    }
  }

  #ofCheckpoint(checkpointing: CheckpointingState | null): Phase {
    const { pending = [], taken } = checkpointing ?? {};
    if (pending.some(({ kind }) => kind === "final")) return "final";
    const [first] = pending;
    if (first === undefined) return this.commits.size > 0 ? "committing" : "running";
    if (first.phase === "coordinating") return "coordinating";
    if (first.phase === "storing") return this.pointed >= first.id ? "completing" : "storing";
    for (const task of first.waiting) if ((taken?.get(task) ?? 0) < first.id) return "aligning";
    return "snapshotting";
  }
}

function over({ outcome }: JobState): Phase {
  return outcome === "finished" ? "forgetting" : "ending";
}
