// Methods that people know from elsewhere.

import assert from "node:assert/strict";
import { test } from "node:test";
import { jobRefusal } from "../../../test/api/job-refusal.ts";
import { collection, type JobEnv, job, t } from "../../index.ts";
import { ABSENT_METHODS } from "./absent-methods.ts";

const Row = t.struct({ k: t.string });
const stream = (env: JobEnv) => env.from("in", collection([{ k: "a" }], { type: Row }));

test("a method that only other engines have is refused at its line, with what there is instead", async () => {
  const stages: readonly ((env: JobEnv) => unknown)[] = [stream, (env) => stream(env).keyBy("k")];
  for (const [method, instead] of Object.entries(ABSENT_METHODS)) {
    for (const stage of stages) {
      const made = job({ name: "absent" }, (env) => (stage(env) as Record<string, () => void>)[method]?.());
      const error = await jobRefusal(made, /absent-methods\.test/);
      assert.equal(error.code, "METHOD_UNKNOWN");
      assert.match(error.message, new RegExp(`\\b${method}$`));
      assert.equal(error.fix, instead);
    }
  }
});
