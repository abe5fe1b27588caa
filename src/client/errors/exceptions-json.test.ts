import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../../base/errors.ts";
import { errorData } from "../../protocol/error-data.ts";
import { errorReports } from "./error-report.ts";
import { exceptionsJson } from "./exceptions-json.ts";

test("an exception history has Flink's names, and the user's place in its stack trace", () => {
  const location = { file: "job.ts", line: 7, column: 3 };
  const error = new UserError("USER_FUNCTION_THREW", "map threw", {
    location,
    operator: "map",
    cause: new Error("no"),
  });
  const entry = {
    ...{ fingerprint: "f", count: 3, firstAtMs: 1_000, lastAtMs: 2_000, attempt: 2, slot: 1, error: errorData(error) },
    tasks: [{ name: "in -> map (2/2)", vertex: 0, subtask: 1 }],
  };
  const none = { sources: null, plan: null, text: () => null };
  const json = exceptionsJson({ entries: [entry], truncated: false }, (one) => errorReports(one, none)[0]!);
  assert.deepEqual(json, {
    exceptionHistory: {
      truncated: false,
      entries: [
        {
          exceptionName: "USER_FUNCTION_THREW",
          stacktrace: "USER_FUNCTION_THREW: map threw\n    at job.ts:7:3\nCaused by: no",
          timestamp: 2_000,
          failureLabels: {},
          taskName: "in -> map (2/2)",
          endpoint: "slot 1",
          taskManagerId: "taskmanager",
          concurrentExceptions: [],
          ...{ count: 3, attempt: 2, firstTimestamp: 1_000, fingerprint: "f", tasks: entry.tasks },
          ...{ message: "map threw", operator: "map", location, fix: null },
        },
      ],
    },
  });
});
