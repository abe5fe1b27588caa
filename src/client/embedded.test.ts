import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeEnv } from "../base/env-node.ts";
import { Configuration } from "../config/configuration.ts";
import { blackhole } from "../connectors/blackhole/index.ts";
import { collection } from "../connectors/collection/index.ts";
import { job } from "../index.ts";
import { nodeDisk } from "../storage/node-disk.ts";
import { localSlotRunner } from "../taskmanager/runner/slot-runner-local.ts";
import { embeddedStart } from "./embedded.ts";
import { jobPlan } from "./job-plan.ts";

test("how a job came out stands, though what its sinks had locked cannot be released, which is logged", async () => {
  const declared = job({ name: "locked" }, (env) => void env.from("in", collection([1])).to("out", blackhole()));
  const configuration = new Configuration([]);
  const logged: string[] = [];
  const env = nodeEnv(nodeDisk(), { logLevel: "error" });
  const run = embeddedStart({
    ...{ env, configuration, bundle: null, params: {}, checks: true, machineBytes: 8 * 1024 ** 3 },
    planned: await jobPlan(declared, {}, configuration),
    runner: localSlotRunner({ env, load: async () => declared }),
    claimed: { release: () => Promise.reject(new Error("read-only")) },
    print: () => undefined,
    log: (line) => logged.push(line),
  });
  assert.deepEqual(await run.result, { outcome: "finished", error: null });
  assert.deepEqual(logged, ["where sinks wrote to stays locked until this process ends: Error: read-only"]);
});
