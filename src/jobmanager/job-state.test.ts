import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type EngineError, ExternalError, UserError } from "../base/errors.ts";
import { type EngineErrorData, errorData } from "../protocol/error-data.ts";
import { type JobAction, type JobEvent, type JobState, jobNext, jobStateOf } from "./job-state.ts";

const errorOf = (code: string) => errorData(new UserError(code, code));
const outside = (code: string) => errorData(new ExternalError(code, code));

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

/** Each slot has one task, whose sink is "out". */
const startOf = (slots: number, commitRetries = 2): JobState =>
  jobStateOf({ regions: [Array.from({ length: slots }, (_, slot) => taskOf(slot))], slots, commitRetries });
const taskOf = (slot: number) => `0/${slot}/0`;

const deployed = (slots: number): JobEvent[] =>
  Array.from({ length: slots }, (_, slot) => ({ kind: "deployed", tasks: [taskOf(slot)] }));
const prepared = (slot: number): JobEvent => {
  return { kind: "prepared", task: taskOf(slot), slot, sinks: [{ sink: "out", committables: [`part ${slot}`] }] };
};
const allPrepared = (slots: number): JobEvent[] => Array.from({ length: slots }, (_, slot) => prepared(slot));
const committed = (slot: number): JobEvent => ({ kind: "committed", task: taskOf(slot), sink: "out" });
const commitFailed = (of: number, error: EngineErrorData, slot = of): JobEvent => {
  return { kind: "commitFailed", task: taskOf(of), sink: "out", slot, error };
};
const lost = (slot: number): JobEvent => ({ kind: "lost", slots: [slot], error: errorOf("SLOT_LOST") });
const closed = (slot: number, error: JobState["error"] = null): JobEvent => ({ kind: "closed", slot, error });
const taskClosed = (slot: number): JobEvent => ({ kind: "taskClosed", task: taskOf(slot) });
const RESTART: JobEvent = { kind: "recover", regions: [0], discard: true };
/** The tests give the next attempt the ids of the one before. */
const again = (slots: number): JobEvent => ({
  kind: "redeploy",
  regions: new Map([[0, Array.from({ length: slots }, (_, slot) => taskOf(slot))]]),
});
const failed = (error: EngineErrorData): JobEvent => ({ kind: "failed", error });

/** `commit 1 in 0 after 100`: what the task of slot 1 has prepared, by slot 0, 100 ms from now. */
function textOf(action: JobAction): string {
  if (action.kind === "commit") {
    const { task, slot } = action.commit;
    return `commit ${task.split("/")[1]} in ${slot}${action.delayMs > 0 ? ` after ${action.delayMs}` : ""}`;
  }
  if (action.kind === "cancel") return action.discard ? "cancel, discard" : "cancel";
  if (action.kind === "cancelTasks")
    return `cancel ${action.tasks.map((task) => task.split("/")[1]).join()}${action.discard ? ", discard" : ""}`;
  if (action.kind === "emptied") return `emptied ${action.region}`;
  if (action.kind === "discard") return `discard ${action.prepared.committables.join()} in ${action.slot}`;
  return action.kind === "done" ? `done: ${action.outcome}` : action.kind;
}

const COMMITS = ["commit 0 in 0", "commit 1 in 1"];
const CLOSED = [closed(0), closed(1)];
const TWO = [...deployed(2), ...allPrepared(2)];
const DISK_FULL = outside("DISK_FULL");
const GONE = errorOf("SINK_COMMIT_LOST");

/** Two slots, two retries: what happens, what is decided. */
const LIVES: Readonly<Record<string, readonly [events: readonly JobEvent[], actions: readonly string[]]>> = {
  "goes well": [
    [...TWO, committed(0), committed(1), ...CLOSED],
    [...COMMITS, "close", "done: finished"],
  ],
  "fails once all is committed": [
    [...TWO, committed(0), committed(1), failed(errorOf("LATE")), ...CLOSED],
    [...COMMITS, "close", "done: failed"],
  ],
  "has nothing to commit": [
    [
      ...deployed(2),
      { kind: "prepared", task: "0/0/0", slot: 0, sinks: [] },
      { kind: "prepared", task: "0/1/0", slot: 1, sinks: [] },
      ...CLOSED,
    ],
    ["close", "done: finished"],
  ],
  "has not prepared everywhere": [[...deployed(2), prepared(0), prepared(0), committed(0)], []],
  "fails after one has prepared: nothing is committed": [
    [...deployed(2), prepared(0), failed(errorOf("FIRST")), prepared(1), ...CLOSED],
    ["cancel, discard", "done: failed"],
  ],
  "loses a slot that had prepared: another one discards it": [
    [...deployed(2), prepared(1), lost(1), closed(0)],
    ["discard part 1 in 0", "cancel, discard", "done: failed"],
  ],
  "is cancelled after one has prepared": [
    [...deployed(2), prepared(0), { kind: "cancel" }, prepared(1), ...CLOSED],
    ["cancel, discard", "done: cancelled"],
  ],
  "is stopped: prepares, commits, closes": [
    [...deployed(2), { kind: "stop" }, { kind: "stop" }, ...allPrepared(2), committed(1), committed(0), ...CLOSED],
    ["prepare", ...COMMITS, "close", "done: cancelled"],
  ],
  "is stopped before all of it runs": [
    [{ kind: "stop" }, ...TWO, committed(1), committed(0), ...CLOSED],
    ["prepare", ...COMMITS, "close", "done: cancelled"],
  ],
  "is stopped and cannot prepare": [
    [...deployed(2), { kind: "stop" }, prepared(0), failed(errorOf("DISK_FULL")), ...CLOSED],
    ["prepare", "cancel, discard", "done: failed"],
  ],
  "is stopped, then cancelled": [
    [...deployed(2), { kind: "stop" }, prepared(0), { kind: "cancel" }, prepared(1), ...CLOSED],
    ["prepare", "cancel, discard", "done: cancelled"],
  ],
  "is stopped and cannot commit": [
    [...deployed(2), { kind: "stop" }, ...allPrepared(2), commitFailed(0, GONE), committed(1), ...CLOSED],
    ["prepare", ...COMMITS, "cancel", "done: failed"],
  ],
  "cannot be cancelled or stopped once commits have begun": [
    [...TWO, { kind: "cancel" }, { kind: "stop" }, committed(0), committed(1), { kind: "cancel" }, ...CLOSED],
    [...COMMITS, "close", "done: finished"],
  ],
  "has a commit that fails for a while: each try is later than the one before": [
    [...TWO, commitFailed(1, DISK_FULL), committed(0), commitFailed(1, DISK_FULL), committed(1), ...CLOSED],
    [...COMMITS, "commit 1 in 1 after 100", "commit 1 in 1 after 200", "close", "done: finished"],
  ],
  "has a commit that fails for good: the others are waited for": [
    [...TWO, ...[1, 2, 3].map(() => commitFailed(1, DISK_FULL)), committed(0), ...CLOSED],
    [...COMMITS, "commit 1 in 1 after 100", "commit 1 in 1 after 200", "cancel", "done: failed"],
  ],
  "has a commit that somebody has to mend: it is not tried again": [
    [...TWO, commitFailed(0, GONE), committed(1), ...CLOSED],
    [...COMMITS, "cancel", "done: failed"],
  ],
  "fails otherwise while it commits: every commit is tried all the same": [
    [...TWO, failed(errorOf("LATE")), commitFailed(0, DISK_FULL), committed(1), committed(0), ...CLOSED],
    [...COMMITS, "commit 0 in 0 after 100", "cancel", "done: failed"],
  ],
  "loses a slot that was to commit: another one does it": [
    [...TWO, lost(1), committed(0), commitFailed(1, DISK_FULL, 1), committed(1), closed(0)],
    [...COMMITS, "commit 1 in 0 after 100", "close", "done: finished"],
  ],
  "loses a slot that has committed: nothing is missing": [
    [...TWO, committed(1), lost(1), committed(0), closed(0)],
    [...COMMITS, "close", "done: finished"],
  ],
  "loses every slot while it commits": [
    [...TWO, committed(0), { kind: "lost", slots: [0, 1], error: errorOf("SESSION_LOST") }],
    [...COMMITS, "cancel", "done: failed"],
  ],
  "loses a slot after everything is committed": [
    [...TWO, committed(0), committed(1), lost(0), closed(1)],
    [...COMMITS, "close", "done: finished"],
  ],
  "begins anew: what was prepared goes, all is deployed once the last task is closed, and prepares again": [
    [
      ...[...deployed(2), prepared(0), RESTART, prepared(1), taskClosed(1), taskClosed(1), again(2), taskClosed(0)],
      ...[again(2), ...TWO, committed(0)],
    ],
    ["cancel 0,1, discard", "emptied 0", "deploy", ...COMMITS],
  ],
  "begins anew before all of it runs, and again": [
    [
      ...[...deployed(1), RESTART, RESTART, taskClosed(0), taskClosed(1), again(2), RESTART, taskClosed(1)],
      ...[taskClosed(0), again(2), ...deployed(2)],
    ],
    ["cancel 0,1, discard", "emptied 0", "deploy", "cancel 0,1, discard", "emptied 0", "deploy"],
  ],
  "begins anew and fails meanwhile: nothing is deployed": [
    [...deployed(2), RESTART, taskClosed(0), failed(errorOf("FAILED")), taskClosed(1), again(2), ...CLOSED],
    ["cancel 0,1, discard", "cancel, discard", "done: failed"],
  ],
  "begins anew and is cancelled meanwhile": [
    [...deployed(2), RESTART, taskClosed(0), { kind: "cancel" }, taskClosed(1), again(2), ...CLOSED],
    ["cancel 0,1, discard", "cancel, discard", "done: cancelled"],
  ],
  "begins anew and is stopped meanwhile: nothing was written that could be kept": [
    [...deployed(2), RESTART, taskClosed(0), { kind: "stop" }, taskClosed(1), ...CLOSED],
    ["cancel 0,1, discard", "cancel, discard", "done: cancelled"],
  ],
  "begins anew and cannot close a slot": [
    [...deployed(2), RESTART, closed(1, errorOf("CLOSE")), taskClosed(0), closed(0)],
    ["cancel 0,1, discard", "cancel, discard", "done: failed"],
  ],
  "does not begin anew once it is stopped, commits or ends": [
    [...deployed(2), { kind: "stop" }, RESTART, ...allPrepared(2), RESTART, committed(0), committed(1), RESTART],
    ["prepare", ...COMMITS, "close"],
  ],
  "cannot close what it has committed": [
    [...TWO, committed(0), committed(1), closed(0, errorOf("CLOSE")), closed(1)],
    [...COMMITS, "close", "done: failed"],
  ],
};

describe("the life of a job that", () => {
  for (const [name, [events, actions]] of Object.entries(LIVES)) {
    test(name, () => assert.deepEqual(run(startOf(2), events).actions.map(textOf), actions));
  }
});

describe("the life of a job", () => {
  test("J2: the first failure is the job's error; what fails afterwards is its consequence", () => {
    const events = [failed(errorOf("FIRST")), failed(errorOf("SECOND")), closed(0, errorOf("THIRD")), closed(1)];
    const { state } = run(startOf(2), [...deployed(2), ...events]);
    assert.deepEqual([state.outcome, state.error?.code, state.commitsBegan], ["failed", "FIRST", false]);
  });

  test("J5: a job that fails once commits have begun names what is committed and what is not", () => {
    const messageOf = (events: readonly JobEvent[]): string => {
      const { state } = run(startOf(3), [
        ...deployed(3),
        ...allPrepared(3),
        ...events,
        closed(0),
        closed(1),
        closed(2),
      ]);
      assert.deepEqual([state.outcome, state.commitsBegan], ["failed", true]);
      return state.error?.message ?? "";
    };
    const thrice = [1, 2, 3].map(() => commitFailed(1, DISK_FULL));
    assert.equal(
      messageOf([committed(0), ...thrice, committed(2)]),
      'DISK_FULL; not committed, or not all of it: "out" subtask 2 (3 tries); committed: "out" subtasks 1, 3',
    );
    assert.equal(
      messageOf([0, 1, 2].map((slot) => commitFailed(slot, GONE))),
      'SINK_COMMIT_LOST; not committed, or not all of it: "out" subtasks 1, 2, 3 (one try); nothing else is committed',
    );
    const two = [commitFailed(0, GONE), ...thrice, committed(2)];
    assert.match(messageOf(two), /^SINK_COMMIT_LOST; not committed, .*: "out" subtasks 1, 2 \(3 tries\); committed/);
    const all = [committed(0), committed(1), committed(2)];
    assert.equal(messageOf([failed(errorOf("LATE")), ...all]), "LATE; all of its output is committed");
    assert.equal(messageOf([...all, closed(0, errorOf("CLOSE"))]), "CLOSE; all of its output is committed");
    const session = { kind: "lost", slots: [0, 1, 2], error: errorOf("SESSION_LOST") } as const;
    assert.match(messageOf([committed(1), session]), /"out" subtasks 1, 3 \(one try\); committed: "out" subtask 2$/);
  });

  test("J5: whoever has prepared a lot is named in part", () => {
    const events = [...deployed(14), ...allPrepared(14), { kind: "lost", slots: [...Array(14).keys()] } as const];
    const { state } = run(
      startOf(14),
      events.map((event) => ({ ...event, error: errorOf("LOST") }) as JobEvent),
    );
    assert.match(state.error?.message ?? "", /subtasks 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 4 more \(one try\)/);
  });

  test("a slot that closes before anybody asked it to has failed the job", () => {
    const { state } = run(startOf(2), [...deployed(2), prepared(0), closed(0), closed(1)]);
    assert.deepEqual([state.outcome, state.error?.code], ["failed", "SLOT_CLOSED_EARLY"]);
  });

  test("a job is running once every slot is deployed, not before", () => {
    assert.equal(run(startOf(2), deployed(1)).state.phase, "deploying");
    assert.equal(run(startOf(2), deployed(2)).state.phase, "running");
  });

  test("pauses between tries end at ten seconds", () => {
    const fails = Array.from({ length: 20 }, () => commitFailed(0, DISK_FULL));
    const { actions } = run(startOf(1, 12), [...deployed(1), ...allPrepared(1), ...fails]);
    const delays = actions.flatMap((action) => (action.kind === "commit" ? [action.delayMs] : []));
    assert.deepEqual(delays, [0, 100, 200, 400, 800, 1_600, 3_200, 6_400, ...Array(5).fill(10_000)]);
  });
});

describe("whatever happens, in whatever order and however often", () => {
  const SLOTS = 3;
  const slot = fc.nat({ max: SLOTS - 1 });
  const error = fc.constantFrom<EngineError>(new UserError("U", "U"), new ExternalError("E", "E")).map(errorData);
  const happens: fc.Arbitrary<JobEvent> = fc.oneof(
    slot.map((of): JobEvent => ({ kind: "deployed", tasks: [taskOf(of)] })),
    fc.constant(again(SLOTS)),
    { arbitrary: slot.map(prepared), weight: 5 },
    { arbitrary: slot.map(committed), weight: 2 },
    fc.tuple(slot, error, slot).map(([of, why, by]) => commitFailed(of, why, by)),
    error.map(failed),
    fc.constantFrom<JobEvent>({ kind: "cancel" }, { kind: "stop" }, RESTART),
    { arbitrary: slot.map(taskClosed), weight: 3 },
    slot.map(lost),
    fc.tuple(slot, fc.option(error)).map(([of, why]) => closed(of, why)),
  );
  const history = fc.array(happens, { maxLength: 40 });
  const ALL_CLOSED = [0, 1, 2].map((of) => closed(of));

  test("J1, J6: each commit comes after every task of its attempt has prepared, goes to a slot that is there, and comes after no discard of that attempt", () => {
    fc.assert(
      fc.property(history, (events) => {
        let at: JobState & { dropped?: boolean } = startOf(SLOTS);
        for (const event of events) {
          const { state, actions } = jobNext(at, event);
          const dropped = !isFresh(at, state, actions) && (at.dropped === true || actions.some(drops));
          for (const action of actions) if (action.kind === "commit") assertCommits(state, action.commit.slot, dropped);
          at = { ...state, dropped };
        }
      }),
      { numRuns: 3_000 },
    );
  });

  function isFresh(before: JobState, state: JobState, actions: readonly JobAction[]): boolean {
    if (!actions.some(({ kind }) => kind === "deploy")) return false;
    assert.deepEqual([before.regions[0]!.open.size, before.regions[0]!.phase], [0, "closed"]);
    assert.deepEqual([state.prepared.size, state.commits.size], [0, 0]);
    return true;
  }

  function drops(action: JobAction): boolean {
    return action.kind === "discard" || ((action.kind === "cancel" || action.kind === "cancelTasks") && action.discard);
  }

  function assertCommits(state: JobState, slot: number, dropped: boolean): void {
    assert.equal(state.prepared.size, SLOTS);
    assert.ok(state.commitsBegan && !dropped);
    assert.ok(!state.closed.has(slot));
  }

  test("J3: the job is done exactly once, when every slot is closed; then nothing changes the outcome", () => {
    fc.assert(
      fc.property(history, history, (events, after) => {
        const { state, actions } = run(startOf(SLOTS), [...events, ...ALL_CLOSED]);
        assert.equal(actions.filter((action) => action.kind === "done").length, 1);
        assert.deepEqual([state.phase, state.closed.size], ["done", SLOTS]);
        const later = run(state, after);
        assert.deepEqual(later.actions, []);
        assert.equal(later.state, state);
      }),
      { numRuns: 2_000 },
    );
  });

  /** Tasks whose commit was acknowledged once it had begun. */
  function acknowledged(events: readonly JobEvent[]): ReadonlySet<string> {
    const tasks = new Set<string>();
    let state = startOf(SLOTS);
    for (const event of events) {
      if (state.commitsBegan && event.kind === "committed") tasks.add(event.task);
      state = jobNext(state, event).state;
    }
    return tasks;
  }

  test("J4: commits are done that were acknowledged; an end that is no failure has all of them, or none was begun", () => {
    fc.assert(
      fc.property(history, (events) => {
        const { state, actions } = run(startOf(SLOTS), [...events, ...ALL_CLOSED]);
        const done = [...state.commits.values()].filter(({ phase }) => phase === "committed");
        const heard = acknowledged(events);
        for (const { task } of done) assert.ok(heard.has(task));
        if (state.outcome === "failed") return;
        assert.equal(done.length, state.commitsBegan ? SLOTS : 0);
        if (!state.commitsBegan) assert.ok(actions.some((action) => action.kind === "cancel" && action.discard));
        if (state.outcome === "finished") assert.deepEqual([state.commitsBegan, state.error], [true, null]);
      }),
      { numRuns: 3_000 },
    );
  });

  test("J5: a failure has an error, which names what is missing when anything is, once commits had begun", () => {
    fc.assert(
      fc.property(history, (events) => {
        const { state } = run(startOf(SLOTS), [...events, ...ALL_CLOSED]);
        if (state.outcome !== "failed") return;
        const message = state.error?.message ?? assert.fail("no error");
        const isWhole = [...state.commits.values()].every(({ phase }) => phase === "committed");
        assert.equal(/; not committed, or not all of it: "out"/.test(message), state.commitsBegan && !isWhole);
        assert.equal(/; all of its output is committed$/.test(message), state.commitsBegan && isWhole);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("a job of two regions", () => {
  const start = jobStateOf({ regions: [["0/0/0", "0/1/0"], ["1/0/0"]], slots: 2, commitRetries: 2 });
  const running: JobEvent[] = [{ kind: "deployed", tasks: ["0/0/0", "0/1/0", "1/0/0"] }];
  const closedTask = (task: string): JobEvent => ({ kind: "taskClosed", task });
  const preparedBy = (task: string): JobEvent => ({
    ...{ kind: "prepared", task, slot: 0 },
    sinks: [{ sink: "out", committables: [task] }],
  });
  const recover = (...regions: number[]): JobEvent => ({ kind: "recover", regions, discard: false });

  test("J6: one begins anew while the other goes on, and is running again when its tasks are", () => {
    const first = run(start, [...running, preparedBy("1/0/0"), recover(0)]);
    assert.deepEqual(first.actions.map(textOf), ["cancel 0,1"]);
    assert.deepEqual([first.state.phase, [...first.state.prepared]], ["restarting", ["1/0/0"]]);
    const redeploy: JobEvent = { kind: "redeploy", regions: new Map([[0, ["0/0/1", "0/1/1"]]]) };
    const second = run(first.state, [closedTask("0/0/0"), redeploy, closedTask("0/1/0"), redeploy]);
    assert.deepEqual(second.actions.map(textOf), ["emptied 0", "deploy"]);
    assert.equal(second.state.phase, "deploying");
    const third = run(second.state, [
      { kind: "deployed", tasks: ["0/0/1"] },
      { kind: "deployed", tasks: ["0/1/1"] },
    ]);
    assert.equal(third.state.phase, "running");
    const { actions } = run(third.state, [preparedBy("0/0/1"), preparedBy("0/1/1")]);
    assert.deepEqual(
      actions.map((action) => (action.kind === "commit" ? action.commit.task : action.kind)),
      ["1/0/0", "0/0/1", "0/1/1"],
    );
  });

  test("J1, J6: what tasks that end meanwhile have prepared counts for nothing, before and after they are told to", () => {
    const { state, actions } = run(start, [
      ...[...running, preparedBy("0/0/0"), preparedBy("1/0/0"), recover(0), preparedBy("0/0/0"), preparedBy("0/1/0")],
    ]);
    assert.deepEqual(actions.map(textOf), ["cancel 0,1"]);
    assert.deepEqual([[...state.prepared], state.commits.size], [["1/0/0"], 1]);
  });

  test("J6: each that fails while the other begins anew does so by itself, once", () => {
    const { state, actions } = run(start, [...running, recover(0), recover(0, 1), closedTask("1/0/0"), recover(1)]);
    assert.deepEqual(actions.map(textOf), ["cancel 0,1", "cancel 0", "emptied 1"]);
    assert.deepEqual(
      state.regions.map(({ phase }) => phase),
      ["closing", "closed"],
    );
  });
});
