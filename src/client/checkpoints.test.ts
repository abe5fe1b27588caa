import assert from "node:assert/strict";
import { test } from "node:test";
import { Configuration, type Origin } from "../config/configuration.ts";
import { checkpointsOpen } from "./checkpoints.ts";
import { originOpen } from "./origin.ts";

const opened = (values: Readonly<Record<string, string>>, origin: Origin = { kind: "command line" }) =>
  checkpointsOpen({
    ...{ env: null as never, cwd: "/", plan: null as never, fresh: false, log: () => undefined },
    configuration: new Configuration([{ origin, values }]),
  });

test("what a job is to start from is refused where it takes no checkpoints, wherever it was said", async () => {
  assert.equal(await opened({}), null);
  assert.equal(await opened({ "execution.state-recovery.claim-mode": "claim" }), null);
  await assert.rejects(opened({ "execution.state-recovery.path": "old" }, { kind: "environment", name: "FROM" }), {
    code: "OPTION_WITHOUT_EFFECT",
    message: "execution.state-recovery.path (environment FROM) has no effect without checkpoints",
    fix: "say in execution.checkpointing.dir where the job is to keep its own, or leave it out",
  });
  await assert.rejects(opened({ "millrace.state-recovery.job-name": "old" }), {
    code: "OPTION_WITHOUT_EFFECT",
    message: "millrace.state-recovery.job-name (command line) has no effect without checkpoints",
  });
});

test("the name that a job had is refused where it starts from nothing that was taken then", async () => {
  const configuration = new Configuration([
    { origin: { kind: "command line" }, values: { "millrace.state-recovery.job-name": "old" } },
  ]);
  const options = { env: null as never, cwd: "/", plan: null as never, fresh: false, log: () => undefined };
  await assert.rejects(
    originOpen({ ...options, configuration }, null as never, () => undefined),
    {
      code: "OPTION_WITHOUT_EFFECT",
      message: "millrace.state-recovery.job-name (command line) has no effect without something to start from",
      fix: "give --from (execution.state-recovery.path) with it, or leave it out",
    },
  );
});
