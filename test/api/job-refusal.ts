// Jobs that cannot be built.

import assert from "node:assert/strict";
import { type Job, jobBuild } from "../../src/api/job.ts";
import type { EngineError } from "../../src/base/errors.ts";

export const BUILD_DEFAULTS = { parallelism: 1, maxParallelism: null, preAggregation: false };

/** The error of building it; it has to name a place in `file`, and not that of the job itself. */
export async function jobRefusal(declared: Job, file: RegExp): Promise<EngineError> {
  const error = await jobBuild(declared, {}, BUILD_DEFAULTS).then(
    () => null,
    (thrown: EngineError) => thrown,
  );
  assert.ok(error !== null, "the job was built");
  assert.match(error.location?.file ?? "", file);
  assert.notDeepEqual(error.location, declared.location, "the place of the call, not that of the job");
  return error;
}
