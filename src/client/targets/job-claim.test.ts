import assert from "node:assert/strict";
import { test } from "node:test";
import { jobBuild } from "../../api/job.ts";
import { blackhole } from "../../connectors/blackhole/index.ts";
import { collection } from "../../connectors/collection/index.ts";
import { job } from "../../index.ts";
import type { Sink } from "../../operators/sink.ts";
import { simWorld } from "../../testing/world.ts";
import { jobClaim } from "./job-claim.ts";

test("what one sink cannot release keeps no other from being released, and is told", async () => {
  const released: string[] = [];
  const claiming = (breaks: boolean): Sink<unknown> => ({
    ...blackhole(),
    claim: async ({ uid }) => ({
      release: async () => {
        if (breaks) throw new Error(`${uid} stays locked`);
        released.push(uid);
      },
    }),
  });
  const declared = job({ name: "claims" }, (env) => {
    const rows = env.from("in", collection([1]));
    rows.to("first", claiming(false));
    rows.to("second", claiming(true));
    rows.to("third", claiming(false));
  });
  const built = await jobBuild(declared, {}, { parallelism: 1, maxParallelism: null, preAggregation: false });
  const claim = await jobClaim(built, simWorld(1).env.disk);
  assert.equal(claim.holds, true);
  await assert.rejects(claim.release(), /second stays locked/);
  assert.deepEqual(released.sort(), ["first", "third"]);
});
