import assert from "node:assert/strict";
import { test } from "node:test";
import { ExternalError, UserError } from "../../base/errors.ts";
import type { TaskDescriptor } from "../../protocol/slot-messages.ts";
import { ENTRIES_MAX, exceptionsWith, NO_EXCEPTIONS } from "./exception-history.ts";

const TASK = { name: "in -> out (1/2)", vertex: 0, subtask: 0 } as TaskDescriptor;
const thrown = (line: number, message = "threw"): UserError =>
  new UserError("USER_FUNCTION_THREW", message, { operator: "map", location: { file: "job.ts", line, column: 1 } });

test("the same failure is there once, with how often it came, when first and when last, and the last of its kind", () => {
  let history = NO_EXCEPTIONS;
  const happens = (error: UserError | ExternalError, attempt: number): void => {
    const given = { error, attempt, tasks: [TASK], slot: 1, atMs: 1_000 * attempt };
    history = exceptionsWith(history, given);
  };
  happens(thrown(7, "on 1"), 0);
  happens(new ExternalError("DISK_FULL", "no room"), 1);
  happens(thrown(7, "on 2"), 2);
  assert.deepEqual(
    history.entries.map(({ count, firstAtMs, lastAtMs, attempt, slot, error }) => {
      return [error.code, error.message, count, firstAtMs, lastAtMs, attempt, slot];
    }),
    [
      ["USER_FUNCTION_THREW", "on 2", 2, 0, 2_000, 2, 1],
      ["DISK_FULL", "no room", 1, 1_000, 1_000, 1, 1],
    ],
  );
  assert.deepEqual(history.entries[0]?.tasks, [{ name: TASK.name, vertex: 0, subtask: 0 }]);
});

test("H1: kinds beyond the most are left out, the oldest first, and told as left out; long texts are cut", () => {
  let history = NO_EXCEPTIONS;
  for (let line = 0; line <= ENTRIES_MAX; line += 1) {
    assert.equal(history.truncated, false);
    const given = { error: thrown(line, "x".repeat(20_000)), attempt: line, tasks: [], slot: null, atMs: line };
    history = exceptionsWith(history, given);
  }
  assert.deepEqual([history.entries.length, history.truncated], [ENTRIES_MAX, true]);
  assert.deepEqual([history.entries[0]?.attempt, history.entries.at(-1)?.attempt], [ENTRIES_MAX, 1]);
  assert.ok(history.entries.every(({ error }) => error.message.length < 10_000 && error.stack.length < 10_000));
});
