import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Plan } from "../../graph/plan.ts";
import { nodeDisk } from "../../storage/node-disk.ts";
import { inputProgress, inputSizes } from "./run-progress.ts";

const scratch = mkdtempSync(join(tmpdir(), "progress-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const plan = (...options: readonly object[]): Pick<Plan, "operators"> => {
  return { operators: options.map((of, index) => ({ uid: `in${index}`, kind: "source", options: of })) as never };
};

test("progress is that of the source that has most before it, in bytes or records", async () => {
  const file = join(scratch, "in.csv");
  writeFileSync(file, Buffer.alloc(200));
  const sizes = await inputSizes(plan({ bounded: true, paths: [file] }, { bounded: true, count: 50 }), nodeDisk());
  assert.equal(inputProgress(sizes, {}), 0);
  assert.equal(inputProgress(sizes, { in0: { numBytesIn: 150 }, in1: { numRecordsOut: 30 } }), 0.6);
  assert.equal(inputProgress(sizes, { in0: { numBytesIn: 250 }, in1: { numRecordsOut: 50 } }), 1);
});

test("there is none where a source has no end, does not know it, or has no files", async () => {
  const ofCount = { bounded: true, count: 50 };
  const pipe = join(scratch, "pipe");
  execFileSync("mkfifo", [pipe]);
  for (const unknown of [
    { bounded: true, paths: [pipe] },
    { bounded: false, count: 5 },
    { bounded: true },
    { bounded: true, paths: [join(scratch, "none.csv")] },
  ]) {
    assert.equal(inputProgress(await inputSizes(plan(ofCount, unknown), nodeDisk()), {}), null);
  }
  assert.equal(inputProgress([], {}), 1);
});
