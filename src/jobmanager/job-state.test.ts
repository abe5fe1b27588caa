import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { UserError } from "../base/errors.ts";
import { errorData } from "../protocol/error-data.ts";
import { type JobAction, type JobEvent, type JobState, jobNext, jobStateOf } from "./job-state.ts";

const errorOf = (code: string) => errorData(new UserError(code, code));

/** Feeds events and collects what is decided. */
function run(start: JobState, events: readonly JobEvent[]): { state: JobState; actions: JobAction[] } {
  const actions: JobAction[] = [];
  let state = start;
  for (const event of events) {
    const step = jobNext(state, event);
    state = step.state;
    actions.push(...step.actions);
  }
  return { state, actions };
}

const deployed = (slots: number): JobEvent[] => Array.from({ length: slots }, () => ({ kind: "deployed" }));
const finished = (tasks: number): JobEvent[] =>
  Array.from({ length: tasks }, (_, task) => ({ kind: "finished", task: `0/${task}/0` }));
const closed = (slot: number, error: JobState["error"] = null): JobEvent => ({ kind: "closed", slot, error });

describe("the life of a job", () => {
  test("a job that goes well is deployed, finishes, commits, closes", () => {
    const events = [...deployed(2), ...finished(3), closed(0), closed(1)];
    const { state, actions } = run(jobStateOf({ tasks: 3, slots: 2 }), events);
    assert.deepEqual(actions, [{ kind: "commit" }, { kind: "done", outcome: "finished" }]);
    assert.equal(state.phase, "done");
    assert.equal(state.commits, true);
  });

  test("J2: the first failure is the job's error; what fails afterwards is its consequence", () => {
    const first = errorOf("FIRST");
    const events: JobEvent[] = [
      ...deployed(2),
      { kind: "failed", error: first },
      { kind: "failed", error: errorOf("SECOND") },
      closed(0, errorOf("THIRD")),
      closed(1),
    ];
    const { state, actions } = run(jobStateOf({ tasks: 2, slots: 2 }), events);
    assert.deepEqual(actions, [
      { kind: "cancelSlots", commit: false },
      { kind: "done", outcome: "failed" },
    ]);
    assert.equal(state.error?.code, "FIRST");
    assert.equal(state.commits, false, "what its sinks wrote is dropped");
  });

  test("a commit that fails in one slot fails the job", () => {
    const events = [...deployed(2), ...finished(2), closed(0, errorOf("DISK_FULL")), closed(1)];
    const { state, actions } = run(jobStateOf({ tasks: 2, slots: 2 }), events);
    assert.equal(actions.at(-1)?.kind, "done");
    assert.equal(state.outcome, "failed");
    assert.equal(state.error?.code, "DISK_FULL");
    assert.equal(state.commits, true, "those of the other slot may have committed");
  });

  test("a job that is stopped and cannot commit has failed, with that error: what it wrote is not there", () => {
    const stopped = [...deployed(2), { kind: "cancel", commit: true } as const, closed(0, errorOf("DISK_FULL"))];
    const { state, actions } = run(jobStateOf({ tasks: 2, slots: 2 }), [...stopped, closed(1)]);
    assert.deepEqual(actions.at(-1), { kind: "done", outcome: "failed" });
    assert.equal(state.error?.code, "DISK_FULL");
    assert.equal(actions.filter(({ kind }) => kind === "cancelSlots").length, 1, "they are closing already");
  });

  test("a task that says more than once that it has finished is one task", () => {
    const twice = [...finished(1), ...finished(1), ...finished(1)];
    const { state, actions } = run(jobStateOf({ tasks: 2, slots: 1 }), [...deployed(1), ...twice]);
    assert.deepEqual([state.phase, actions], ["running", []]);
  });

  test("a slot that closes before anybody asked it to has failed the job", () => {
    const { state } = run(jobStateOf({ tasks: 2, slots: 2 }), [...deployed(2), ...finished(1), closed(0), closed(1)]);
    assert.deepEqual([state.outcome, state.error?.code], ["failed", "SLOT_CLOSED_EARLY"]);
  });

  test("a job is running once every slot is deployed, not before", () => {
    const start = jobStateOf({ tasks: 2, slots: 2 });
    assert.equal(run(start, deployed(1)).state.phase, "deploying");
    assert.equal(run(start, deployed(2)).state.phase, "running");
  });

  test("a cancelled job is cancelled, even when all tasks finish meanwhile; a committing one is not cancelled any more", () => {
    const cancel: JobEvent = { kind: "cancel", commit: true };
    const cancelled = run(jobStateOf({ tasks: 1, slots: 1 }), [
      ...deployed(1),
      cancel,
      ...finished(1),
      cancel,
      closed(0),
    ]);
    assert.deepEqual(cancelled.actions, [
      { kind: "cancelSlots", commit: true },
      { kind: "done", outcome: "cancelled" },
    ]);
    const late = run(jobStateOf({ tasks: 1, slots: 1 }), [...deployed(1), ...finished(1), cancel, closed(0)]);
    assert.deepEqual(late.actions, [{ kind: "commit" }, { kind: "done", outcome: "finished" }]);
  });
});

describe("whatever happens, in whatever order and however often", () => {
  const TASKS = 3;
  const SLOTS = 2;
  const event: fc.Arbitrary<JobEvent> = fc.oneof(
    fc.constant<JobEvent>({ kind: "deployed" }),
    fc.nat({ max: TASKS - 1 }).map((task): JobEvent => ({ kind: "finished", task: `0/${task}/0` })),
    fc.constant<JobEvent>({ kind: "failed", error: errorOf("FAILED") }),
    fc.boolean().map((commit): JobEvent => ({ kind: "cancel", commit })),
    fc
      .record({ slot: fc.nat({ max: SLOTS - 1 }), fails: fc.boolean() })
      .map(({ slot, fails }): JobEvent => closed(slot, fails ? errorOf("CLOSE_FAILED") : null)),
  );

  test("J1: sinks commit at most once, only after every task has finished, and never in a job that had failed or was cancelled", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        let state = jobStateOf({ tasks: TASKS, slots: SLOTS });
        let commits = 0;
        for (const next of events) {
          const before = state;
          const step = jobNext(state, next);
          state = step.state;
          for (const action of step.actions) {
            if (action.kind !== "commit") continue;
            commits += 1;
            assert.equal(state.finished.size, TASKS);
            assert.equal(before.error, null);
            assert.ok(before.phase === "running" || before.phase === "deploying", before.phase);
          }
        }
        assert.ok(commits <= 1, `${commits} commits`);
      }),
      { numRuns: 2_000 },
    );
  });

  test("J3: the job is done exactly once, when every slot is closed; then nothing changes the outcome", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), fc.array(event, { maxLength: 10 }), (events, after) => {
        const end = [...events, closed(0), closed(1)];
        const { state, actions } = run(jobStateOf({ tasks: TASKS, slots: SLOTS }), end);
        const done = actions.filter((action) => action.kind === "done");
        assert.equal(done.length, 1);
        assert.equal(state.phase, "done");
        const later = run(state, after);
        assert.deepEqual(later.actions, []);
        assert.equal(later.state.outcome, state.outcome);
        assert.equal(later.state.error, state.error);
      }),
      { numRuns: 2_000 },
    );
  });

  test("J4: each outcome has its reason: a commit, an error, a cancellation", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const { state, actions } = run(jobStateOf({ tasks: TASKS, slots: SLOTS }), [...events, closed(0), closed(1)]);
        const told = new Set(actions.map((action) => action.kind));
        if (state.outcome === "finished") assert.ok(state.error === null && told.has("commit"));
        if (state.outcome === "failed") assert.notEqual(state.error, null);
        if (state.outcome === "cancelled") assert.ok(told.has("cancelSlots"));
      }),
      { numRuns: 2_000 },
    );
  });
});
