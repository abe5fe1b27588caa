import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExternalError, UserError } from "../../base/errors.ts";
import type { CheckpointId } from "../../base/ids.ts";
import { errorData } from "../../protocol/error-data.ts";
import { CheckpointCommits, type TaskPrepared } from "./checkpoint-commits.ts";

const DISK_FULL = errorData(new ExternalError("DISK_FULL", "full"));
const RETRIES = 2;

/** What is told: `commit a in 0`, with the pause before it; what is known to be committed; and what fails. */
function setUp(slots: ReadonlyMap<string, number> = new Map()) {
  const told: string[] = [];
  const commits = new CheckpointCommits({
    retries: RETRIES,
    slotOf: (task) => slots.get(task) ?? 0,
    post: ({ commit, delayMs }) => told.push(`commit ${commit.task} in ${commit.slot} after ${delayMs}`),
    onCommitted: (task, sink, upTo) => told.push(`${task} ${sink} up to ${upTo}`),
    onSettled: () => told.push("settled"),
    fail: ({ code }) => told.push(`fail ${code}`),
  });
  const prepared = (...tasks: string[]): TaskPrepared[] =>
    tasks.map((task) => ({ task, prepared: { sink: "out", committables: [task] } }));
  const add = (checkpoint: number, ...tasks: string[]): void =>
    commits.add(checkpoint as CheckpointId, prepared(...tasks));
  return { commits, told, add, seen: () => told.splice(0) };
}

describe("the commits of checkpoints", () => {
  test("are told one checkpoint after the other, each once all of the one before are acknowledged", () => {
    const { commits, add, seen } = setUp(new Map([["b", 1]]));
    assert.ok(commits.isSettled);
    add(1, "a", "b");
    assert.deepEqual(seen(), ["commit a in 0 after 0", "commit b in 1 after 0"]);
    add(2, "a");
    add(3, "b");
    assert.deepEqual(seen(), []);
    commits.committed("a", "out");
    assert.deepEqual(seen(), ["a out up to 1"]);
    assert.ok(!commits.isSettled);
    commits.committed("b", "out");
    assert.deepEqual(seen(), ["b out up to 1", "commit a in 0 after 0"]);
    commits.committed("a", "out");
    assert.deepEqual(seen(), ["a out up to 2", "commit b in 1 after 0"]);
    assert.ok(!commits.isSettled);
    commits.committed("b", "out");
    assert.deepEqual(seen(), ["b out up to 3", "settled"]);
    assert.ok(commits.isSettled);
  });

  test("are acknowledged once: a second answer is to whoever has told the same commit", () => {
    const { commits, add } = setUp();
    add(1, "a", "b");
    assert.ok(commits.committed("a", "out"));
    assert.ok(!commits.committed("a", "out"));
    assert.ok(!commits.failed("a", "out", DISK_FULL));
    assert.ok(commits.committed("b", "out"));
  });

  test("are waited for with those before them; what is left at the end is told", async () => {
    const { commits, add } = setUp();
    await commits.whenCommitted(1 as CheckpointId);
    add(1, "a");
    add(3, "a");
    const told: string[] = [];
    const [first, second] = [commits.whenCommitted(2 as CheckpointId), commits.whenCommitted(3 as CheckpointId)];
    void first.then(() => told.push("first"));
    second.catch(() => told.push("over"));
    commits.committed("a", "out");
    await first;
    assert.deepEqual(told, ["first"]);
    commits.giveUp(new ExternalError("SAVEPOINT_ABORTED", "tasks have failed"));
    await assert.rejects(second, { code: "SAVEPOINT_ABORTED" });
    const again = commits.whenCommitted(3 as CheckpointId);
    commits.committed("a", "out");
    await again;
  });

  test("are waited for by nobody once the job is over, also by those who come later", async () => {
    const { commits, add } = setUp();
    add(1, "a");
    const told: string[] = [];
    const wait = (): void => {
      commits.whenCommitted(1 as CheckpointId).then(
        () => told.push("committed"),
        ({ code }) => told.push(code),
      );
    };
    wait();
    commits.close(new ExternalError("SAVEPOINT_ABORTED", "it is over"));
    wait();
    await new Promise(setImmediate);
    assert.deepEqual(told, ["SAVEPOINT_ABORTED", "SAVEPOINT_ABORTED"]);
  });

  test("that fail outside are tried again, each time later, and fail the job in the end", () => {
    const { commits, add, seen } = setUp();
    add(1, "a", "b");
    seen();
    for (let tries = 0; tries <= RETRIES; tries += 1) assert.ok(commits.failed("a", "out", DISK_FULL));
    assert.deepEqual(seen(), ["commit a in 0 after 100", "commit a in 0 after 200", "fail DISK_FULL"]);
    commits.committed("b", "out");
    assert.deepEqual(seen().slice(0, 1), ["b out up to 1"], "the others are committed all the same");
  });

  test("that the user has to mend fail the job at once", () => {
    const { commits, add, seen } = setUp();
    add(1, "a");
    seen();
    commits.failed("a", "out", errorData(new UserError("SINK_COMMIT_LOST", "gone")));
    assert.deepEqual(seen(), ["fail SINK_COMMIT_LOST"]);
  });

  test("are of nobody else: what the job commits at its end is not among them", () => {
    const { commits, add, seen } = setUp();
    assert.ok(!commits.committed("a", "out"));
    add(1, "a");
    assert.ok(!commits.committed("a", "side"));
    assert.ok(!commits.failed("b", "out", DISK_FULL));
    assert.deepEqual(seen(), ["commit a in 0 after 0"]);
  });
});
