// The plan of one job is the same bytes in every process: slots compare hashes, and state is found by uid.

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { millrace } from "./cli-process.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PROCESSES = 20;

const title = `the plan of one job, compiled in ${PROCESSES} fresh processes, is byte-equal`;

test(title, async () => {
  const explained = async (): Promise<string> => {
    const { code, stdout, stderr } = await millrace(["explain", "examples/01-market/job.ts", "--json"], { cwd: ROOT });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const plans: string[] = [];
  for (let pair = 0; pair < PROCESSES; pair += 2) plans.push(...(await Promise.all([explained(), explained()])));
  const [first = ""] = plans;
  assert.equal(plans.length, PROCESSES);
  assert.match((JSON.parse(first) as { plan: { hash: string } }).plan.hash, /^[0-9a-f]{64}$/);
  for (const plan of plans) assert.ok(plan === first, `not the same:\n${plan}\n${first}`);
});
