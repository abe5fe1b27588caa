// What a job needs for itself before it runs: places to write to that it does not read, and that no other run has.

import type { BuiltPlan } from "../../api/plan/plan-builder.ts";
import type { Disk } from "../../base/disk.ts";
import { EngineError } from "../../base/errors.ts";
import { isBounded } from "../../graph/plan.ts";
import type { Sink, SinkClaim } from "../../operators/sink.ts";
import { checkTargets } from "./own-output.ts";

/** `holds`: there is something to release. */
export type JobClaim = SinkClaim & { readonly holds: boolean };

/** Throws a UserError when something is not to be had; then nothing is held. */
export async function jobClaim({ plan, functions }: BuiltPlan, disk: Disk): Promise<JobClaim> {
  await checkTargets(plan, disk);
  const claims: SinkClaim[] = [];
  const bounded = isBounded(plan);
  /** One that cannot be released keeps no other from it. */
  const release = async (): Promise<void> => {
    const results = await Promise.allSettled(claims.splice(0).map((claim) => claim.release()));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  };
  try {
    for (const { uid, kind } of plan.operators) {
      const sink = kind === "sink" ? (functions.get(uid)?.sink as Sink<unknown> | undefined) : undefined;
      const claim = await sink?.claim?.({ disk, uid, jobName: plan.name, bounded }).catch((error: unknown) => {
        if (error instanceof EngineError) error.location ??= plan.locations[uid];
        throw error;
      });
      if (claim !== undefined) claims.push(claim);
    }
  } catch (error) {
    await release();
    throw error;
  }
  return { release, holds: claims.length > 0 };
}
