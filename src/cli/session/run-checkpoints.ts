// What `run` does about checkpoints before the job starts, and what it says of them.

import type { Env } from "../../base/env.ts";
import { checkpointsOpen, type OpenedCheckpoints } from "../../client/checkpoints.ts";
import type { Configuration } from "../../config/configuration.ts";
import { OPTIONS } from "../../config/options.ts";
import { isBounded, type Plan } from "../../graph/plan.ts";
import { withoutEffect } from "../../types/check-options.ts";
import type { CommandLine } from "./arguments.ts";

export type RunCheckpointsOptions = {
  readonly line: CommandLine;
  readonly cwd: string;
  readonly env: Env;
  readonly plan: Plan;
  readonly configuration: Configuration;
  readonly note: (line: string) => void;
};

/** Null: the job takes no checkpoints. */
export async function runCheckpoints(options: RunCheckpointsOptions): Promise<OpenedCheckpoints | null> {
  const { line, plan, configuration, note } = options;
  if (configuration.get(OPTIONS.checkpointDirectory) === null) refuseWithout(line);
  const checkpoints = await checkpointsOpen({
    ...options,
    fresh: line.flags.has("fresh"),
    log: note,
  });
  if (checkpoints === null && !isBounded(plan))
    note("a crash loses the state of this job; with --checkpoint-dir DIR it goes on where it was");
  return checkpoints;
}

/** By the names that they have on the command line. */
function refuseWithout({ flags, values }: CommandLine): void {
  const only = ["fresh", "from", "renamed-from", "allow-non-restored"];
  const name = only.find((each) => flags.has(each) || values[each] !== undefined);
  if (name === undefined) return;
  const fix = `give --checkpoint-dir DIR (${OPTIONS.checkpointDirectory.key}), or leave it out`;
  throw withoutEffect(`--${name}`, "without checkpoints", fix);
}
