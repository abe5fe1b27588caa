// The thread in which a job's module is loaded and its builder run, so that whatever they do stays there. Started by
// planner-node.ts; it ends by itself, with or without a plan, unless sinks have claimed what the job writes to.

import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/errors.ts";
import { Configuration } from "../config/configuration.ts";
import { errorData } from "../protocol/error-data.ts";
import { nodeDisk } from "../storage/node-disk.ts";
import { exitCalled, threwLate } from "../taskmanager/failures/user-failure.ts";
import { jobLoad } from "../taskmanager/runner/job-load-node.ts";
import { jobPlan } from "./job-plan.ts";
import type { FromPlanner, PlannerStart } from "./planner-node.ts";

assert(parentPort !== null, "a planner runs in a worker thread only");
const port = parentPort;
const { bundle, params, layers } = workerData as PlannerStart;
const send = (message: FromPlanner): void => port.postMessage(message);
const fail = (error: unknown): void => send({ kind: "failed", error: errorData(error), loading });
let loading = true;

process.on("uncaughtException", (error) => fail(threwLate("threw", error)));
process.on("unhandledRejection", (reason) => fail(threwLate("rejected a promise", reason)));
process.exit = (code) => {
  const error = exitCalled(code);
  fail(error);
  throw error;
};

/** Not awaited outside: Node would warn of a module that never settles, in a place that is not the user's. */
async function plan(): Promise<void> {
  try {
    const job = await jobLoad(bundle);
    loading = false;
    const { graph, defaults, claim } = await jobPlan(job, params, new Configuration(layers));
    const { holds, release } = await claim(nodeDisk());
    send({ kind: "planned", plan: graph.plan, defaults, holds });
    if (!holds) return;
    await once(port, "message"); // The job has ended.
    await release();
    send({ kind: "released" });
  } catch (error) {
    fail(error);
  }
}

void plan();
