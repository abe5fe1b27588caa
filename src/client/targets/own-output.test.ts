import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { job } from "../../api/job.ts";
import { Configuration } from "../../config/configuration.ts";
import { csv } from "../../connectors/files/csv/csv.ts";
import { jsonl } from "../../connectors/files/json/jsonl.ts";
import { nodeDisk } from "../../storage/node-disk.ts";
import { jobPlan } from "../job-plan.ts";

const root = mkdtempSync(join(tmpdir(), "millrace-targets-"));
process.on("exit", () => rmSync(root, { recursive: true, force: true }));
for (const directory of ["data/in", "data/_hidden", "other"]) mkdirSync(join(root, directory), { recursive: true });
writeFileSync(join(root, "data/x.jsonl"), "{}");
symlinkSync("data", join(root, "link"));

/** What a job that reads `from` and writes to the others is told. */
async function told(from: string, ...to: readonly string[]): Promise<string | null> {
  const reads = job({ name: "j" }, (env) => {
    const stream = env.from("in", jsonl(join(root, from)));
    for (const [index, path] of to.entries()) stream.to(`out-${index}`, csv(`${root}/${path}`));
  });
  const { claim } = await jobPlan(reads, {}, new Configuration([]));
  try {
    await (await claim(nodeDisk())).release();
    return null;
  } catch (error) {
    const { code, message, location } = error as { code: string; message: string; location?: { file: string } };
    assert.match(location?.file ?? "", /own-output\.test\.ts$/, message);
    if (code === "SINK_FEEDS_SOURCE")
      assert.match(message, /and the source "in" \(.*own-output\.test\.ts:\d+:\d+\) reads /);
    return code;
  }
}

describe("a job does not read what it writes", () => {
  for (const [from, to] of [
    ["data", "data"],
    ["data", "data/clean"],
    ["data", "data/in/deep/er"],
    ["data/in", "data"],
    ["data/x.jsonl", "data"],
    ["data/x.jsonl", "./"],
    ["data/**/*.csv", "data/clean"],
    ["data/*.csv", "data"],
    ["data/*/*.csv", "data/clean"],
    ["data/{in,clean}/*", "data/clean"],
    ["data", "link/clean"],
    ["link", "data/clean"],
    ["link/*.jsonl", "data"],
    ["data", "data/out.csv"],
    ["data/*.csv", "data/out.csv"],
    ["later", "later"],
    ["later/*", "later/"],
  ] as const) {
    test(`${from} is read, ${to} would be written to`, async () => {
      assert.equal(await told(from, to), "SINK_FEEDS_SOURCE");
    });
  }

  test("places that it does not read are allowed, close by as they may be", async () => {
    for (const [from, to] of [
      ["data", "other"],
      ["data", "data-clean"],
      ["data", "data/_hidden"],
      ["data/*.jsonl", "data/clean"],
      ["data/in/**", "data/clean"],
      ["data/x.jsonl", "data/out.csv"],
      ["data/*.jsonl", "data/out.csv"],
    ] as const) {
      assert.equal(await told(from, to), null, `${from}, ${to}`);
    }
  });

  test("two sinks do not write to the same place, however it is spelt", async () => {
    assert.equal(await told("data", "other", "other/../other/"), "SINK_TARGET_SHARED");
    assert.equal(await told("data", "other/a.csv", "./other/a.csv"), "SINK_TARGET_SHARED");
    assert.equal(await told("data", "other/a.csv", "other/b.csv"), null);
  });
});
