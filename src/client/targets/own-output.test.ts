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
for (const directory of ["own/deep", "own-out/part", "own/_drafts"])
  mkdirSync(join(root, directory), { recursive: true });
writeFileSync(join(root, "own-out/one.csv"), "");
symlinkSync("../../own-out", join(root, "own/deep/link"));
symlinkSync("../own-out/one.csv", join(root, "own/file.csv"));
symlinkSync("../other", join(root, "own/_drafts/link"));
mkdirSync(join(root, "ahead"));
symlinkSync("../ahead-out", join(root, "ahead/link"));

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
    ["own", "own-out"],
    ["own", "own-out/more/parts"],
    ["own", "own-out/two.csv"],
    ["own/deep/*/*.csv", "own-out"],
    ["own/**/*.csv", "own-out"],
    ["own/*.csv", "own-out/one.csv"],
  ] as const) {
    test(`${from} is read, ${to} would be written to`, async () => {
      assert.equal(await told(from, to), "SINK_FEEDS_SOURCE");
    });
  }

  test("places that it does not read are allowed, close by as they may be", async () => {
    for (const [from, to] of [
      ["data", "other"],
      ["data", "data-clean"],
      ["data", "dat"],
      ["data/x.jsonl", "data/x"],
      ["data", "data/_hidden"],
      ["data/*.jsonl", "data/clean"],
      ["data/in/**", "data/clean"],
      ["data/x.jsonl", "data/out.csv"],
      ["data/*.jsonl", "data/out.csv"],
      ["own", "other"],
      ["own", "own-out/_hidden"],
      ["own/deep/*/*.jsonl", "own-out"],
    ] as const) {
      assert.equal(await told(from, to), null, `${from}, ${to}`);
    }
  });

  test("a link that leads nowhere yet is refused before the job makes what it leads to", async () => {
    assert.equal(await told("ahead", "ahead-out"), "LINK_BROKEN");
  });

  test("two sinks do not write to the same place, however it is spelt", async () => {
    assert.equal(await told("data", "other", "other/../other/"), "SINK_TARGET_SHARED");
    assert.equal(await told("data", "other/a.csv", "./other/a.csv"), "SINK_TARGET_SHARED");
    assert.equal(await told("data", "other/a.csv", "other/b.csv"), null);
  });

  test("a job of which one sink is refused holds nothing of the others", async () => {
    assert.equal(await told("data", "claimed", "claimed-too.jsonl"), "CONNECTOR_OPTION_INVALID");
    assert.equal(await told("data", "claimed"), null);
  });

  test("a sink does not write a file among the parts of another, where the next run would refuse it", async () => {
    assert.equal(await told("data", "nest", "nest/x.csv"), "SINK_TARGET_SHARED");
    assert.equal(await told("data", "nest/x.csv", "nest"), "SINK_TARGET_SHARED");
    assert.equal(await told("data", "nest", "nest/x.txt"), null);
    assert.equal(await told("data", "nest", "nest/below/x.csv"), null);
    assert.equal(await told("data", "nest", "nest/below"), null);
  });
});
