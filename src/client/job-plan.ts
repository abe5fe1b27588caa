// A job's plan and graph under a configuration: what `explain` shows and `run` starts.

import { type Job, jobBuild } from "../api/job.ts";
import type { ParamsText } from "../api/params.ts";
import type { PlanDefaults } from "../api/plan/plan-builder.ts";
import type { Disk } from "../base/disk.ts";
import type { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import { type JobGraph, jobGraphOf } from "../graph/job-graph.ts";
import { checkSlots } from "../jobmanager/deployment.ts";
import { type JobClaim, jobClaim } from "./targets/job-claim.ts";

export type PlannedJob = {
  readonly graph: JobGraph;
  readonly defaults: PlanDefaults;
  /** Takes what the job needs for itself, before it runs. Throws a UserError when something is not to be had. */
  claim(disk: Disk): Promise<JobClaim>;
};

/** Runs the job's builder. Throws a UserError for everything the user has to mend. */
export async function jobPlan(job: Job, params: ParamsText, configuration: Configuration): Promise<PlannedJob> {
  const defaults = planDefaults(configuration);
  const built = await jobBuild(job, params, defaults);
  const graph = jobGraphOf(built.plan, { chaining: configuration.get(OPTIONS.operatorChaining) });
  return { graph, defaults, claim: (disk) => jobClaim(built, disk) };
}

export function planDefaults(configuration: Configuration): PlanDefaults {
  return {
    parallelism: configuration.get(OPTIONS.parallelism),
    maxParallelism: configuration.get(OPTIONS.maxParallelism),
    preAggregation: configuration.get(OPTIONS.preAggregation),
  };
}

/** Without a word from the user there are as many slots as the job needs. */
export function withSlots(configuration: Configuration, graph: JobGraph): Configuration {
  if (configuration.isSet(OPTIONS.numberOfTaskSlots)) {
    checkSlots(graph, configuration.get(OPTIONS.numberOfTaskSlots));
    return configuration;
  }
  const { slots } = checkSlots(graph, null);
  return configuration.with({ origin: { kind: "job" }, values: { [OPTIONS.numberOfTaskSlots.key]: slots } });
}
