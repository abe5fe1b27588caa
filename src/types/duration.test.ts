// `t.duration`: the same texts are durations in every place.

import assert from "node:assert/strict";
import { test } from "node:test";
import { durationMs, isDuration } from "../base/duration.ts";
import { compileRecordGuard } from "./record-guard.ts";
import { t } from "./t.ts";
import { specMismatch } from "./values/spec-mismatch.ts";

test("what a duration is does not depend on who asks", () => {
  const { spec } = t.struct({ d: t.duration });
  const guard = compileRecordGuard(spec, "refuse", "duration");
  for (const text of [
    "5s",
    "1.5h",
    "500ms",
    "7d",
    "2 m",
    "",
    "5",
    "s",
    "5 minutes",
    "-1s",
    "1e3ms",
    `${"9".repeat(400)}s`,
  ]) {
    const record = { d: text };
    const taken = isDuration(text);
    assert.equal(guard(record, true), taken, text);
    assert.equal(specMismatch(spec, record) === null, taken, text);
    assert.equal("value" in (t.duration["~standard"].validate(text) as object), taken, text);
    if (taken) assert.ok(durationMs(text) >= 0);
    else assert.throws(() => durationMs(text), { code: "DURATION_MALFORMED" });
  }
  assert.equal(guard({ d: 5 }, true), false);
  assert.equal(specMismatch(spec, { d: "soon" })?.expected, "duration");
});
