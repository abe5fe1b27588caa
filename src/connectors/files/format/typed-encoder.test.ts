// Files of a declared type hold nothing that a source of that type would not take.

import assert from "node:assert/strict";
import { test } from "node:test";
import { collection, csv, type Job, job, jsonl, t } from "../../../index.ts";
import { simulateJob } from "../../../testing/simulate-job.ts";

const Row = t.struct({ n: t.i32, at: t.timestamp, name: t.string.optional() });
const FITTING = { n: 1, at: 5, name: "a" };

function writing(kind: "csv" | "jsonl", record: unknown): Job {
  const sink = (kind === "csv" ? csv : jsonl)(`out.${kind}`, { type: Row });
  return job({ name: "writing" }, (env) => env.from("in", collection([FITTING, record])).to("out", sink));
}

for (const kind of ["csv", "jsonl"] as const) {
  test(`a record that does not fit the type of a ${kind} sink is refused, with field and value`, async () => {
    for (const [wrong, message] of [
      [{ ...FITTING, n: 1.5 }, /^n of the record.* expected i32, got number 1\.5$/],
      [{ ...FITTING, at: "today" }, /^at of the record.* expected timestamp, got string "today"$/],
      [{ ...FITTING, name: null }, /^name of the record.* expected string, got null$/],
      [{ n: 1 }, /^at of the record.* expected timestamp, got nothing$/],
    ] as const) {
      for (const checks of [true, false]) {
        const { error } = await simulateJob(writing(kind, wrong), { seed: 1, checks, parallelism: 1 });
        assert.equal(error?.code, "CODEC_MISMATCH");
        assert.match(error?.message ?? "", message);
        assert.equal(error?.operator, "out");
      }
    }
  });

  test(`fields that the type of a ${kind} sink has not, and absent optional ones, are no mistake`, async () => {
    for (const record of [
      { ...FITTING, more: 1n },
      { n: 2, at: 6 },
    ]) {
      assert.equal((await simulateJob(writing(kind, record), { seed: 1, checks: false, parallelism: 1 })).error, null);
    }
  });
}
