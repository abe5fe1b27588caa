import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { UserError } from "../../base/errors.ts";
import type { FromSlot, JobDescriptor, PreparedSink, TaskDescriptor } from "../../protocol/slot-messages.ts";
import { SimEnv } from "../../testing/sim-env.ts";
import { RowOutlets } from "../drivers/row-outlet.ts";
import type { SinkCommitters } from "../drivers/sink-committers.ts";
import type { SourceCoordinator, SplitRequest } from "../drivers/source-coordinator.ts";
import type { Task, TurnResult } from "../task/task.ts";
import { Slot, type SlotTask } from "./slot.ts";

/** A task whose turns and closing the test writes. */
class ScriptedTask {
  readonly turns: (TurnResult | Error)[];
  readonly ends: string[] = [];
  /** Turns that it got. */
  taken = 0;
  /** What ends with an error. */
  breaks: string | null = null;
  readonly parts: Task["parts"];
  readonly sinks: readonly PreparedSink[] = [{ sink: "out", committables: ["part"] }];
  #hasPrepared = false;

  constructor(turns: (TurnResult | Error)[], options: { open?: () => Promise<void> } = {}) {
    this.turns = turns;
    const sink = { open: options.open ?? (async () => undefined) };
    this.parts = { sinks: [sink], source: null, metrics: { mark: () => undefined } } as unknown as Task["parts"];
  }

  turn(): TurnResult {
    this.taken += 1;
    const next = this.turns.shift() ?? "idle";
    if (next instanceof Error) throw next;
    return next;
  }

  nextProcessingTimeMs(): number {
    return Infinity;
  }

  nextMonotonicMs(): number {
    return 7;
  }

  async prepare(): Promise<readonly PreparedSink[]> {
    this.#hasPrepared = true;
    await this.#end("prepare");
    return this.sinks;
  }

  async prepared(): Promise<readonly PreparedSink[]> {
    return this.#hasPrepared ? this.sinks : [];
  }

  close(outcome: string): Promise<void> {
    return this.#end(outcome);
  }

  async #end(how: string): Promise<void> {
    this.ends.push(how);
    if (this.breaks === how) throw new Error(`${how} broke`);
  }
}

function setUp(tasks: readonly ScriptedTask[], deploy: () => Promise<void> = async () => undefined) {
  const env = new SimEnv({ seed: 1 });
  const sent: FromSlot[] = [];
  let released = 0;
  const wakes: (string | undefined)[] = [];
  const coordinator = {
    start: async () => undefined,
    request: ({ answer }: SplitRequest) => answer(null),
    close: async () => undefined,
  } as unknown as SourceCoordinator;
  const commits: string[] = [];
  const called = async (what: string): Promise<void> => {
    commits.push(what);
    if (what.startsWith("commit broken")) throw new UserError("BROKEN", "cannot commit");
  };
  const committers = {
    commit: ({ sink, committables }: PreparedSink) => called(`commit ${sink} ${committables.join()}`),
    discard: ({ sink, committables }: PreparedSink) => called(`discard ${sink} ${committables.join()}`),
    close: () => called("close"),
  } as SinkCommitters;
  const slot = new Slot({
    env,
    wake: () => wakes.push(sent.at(-1)?.kind),
    turnBudgetMs: 2,
    onLook: () => undefined,
    onTurn: () => undefined,
    send: (message) => sent.push(message),
    factory: {
      deploy: async () => {
        await deploy();
        return {
          tasks: tasks.map((task, index): SlotTask => {
            const descriptor = { id: `0/${index}/0` } as TaskDescriptor;
            return { descriptor, task: task as unknown as Task };
          }),
          coordinators: new Map([[0, coordinator]]),
          committers,
          outlets: new RowOutlets((message) => sent.push(message)),
          release: async () => {
            released += 1;
          },
        };
      },
    },
  });
  const settle = () => env.advance(0);
  const start = async () => {
    slot.onMessage({
      kind: "deploy",
      job: {} as JobDescriptor,
      tasks: [],
      wiring: { rings: new Map(), segments: new Map() },
    });
    await settle();
  };
  const kinds = () => sent.map(({ kind }) => kind);
  return { slot, sent, wakes, settle, start, kinds, commits, released: () => released };
}

describe("a slot", () => {
  test("gives every task a turn, says when it wants the next one, and what each has prepared at its end, once", async () => {
    const [one, two] = [new ScriptedTask(["more", "finished"]), new ScriptedTask(["idle", "blocked", "idle"])];
    const { slot, start, settle, kinds, sent } = setUp([one, two]);
    assert.deepEqual(slot.turn(), { busy: false, sleepMs: Infinity });
    await start();
    assert.deepEqual(slot.turn(), { busy: true, sleepMs: 0 });
    assert.deepEqual(slot.turn(), { busy: false, sleepMs: 7 });
    slot.turn();
    await settle();
    assert.deepEqual(kinds(), ["deployed", "prepared"]);
    assert.deepEqual(sent[1], { kind: "prepared", task: "0/0/0", sinks: one.sinks });
    assert.equal(two.turns.length, 0);
    slot.turn();
    assert.deepEqual([one.taken, two.taken], [2, 4], "one that has finished gets no further turn");
  });

  test("wakes itself once it is deployed, and once it is closed: it may have been rung before, in vain", async () => {
    const deployed = Promise.withResolvers<void>();
    const { slot, start, settle, wakes } = setUp([], () => deployed.promise);
    await start();
    assert.deepEqual([slot.turn(), wakes], [{ busy: false, sleepMs: Infinity }, []]);
    deployed.resolve();
    await settle();
    assert.deepEqual(wakes, ["deployed"]);
    slot.onMessage({ kind: "cancel", discard: true });
    await settle();
    assert.deepEqual(wakes, ["deployed", "closed"]);
  });

  test("answers those who ask for splits before it is deployed itself", async () => {
    const deployed = Promise.withResolvers<void>();
    const { slot, start, settle, sent, kinds } = setUp([], () => deployed.promise);
    await start();
    slot.onMessage({ kind: "splitRequest", vertex: 0, subtask: 1, task: "0/1/0" });
    await settle();
    deployed.resolve();
    await settle();
    assert.deepEqual(kinds(), ["deployed", "split"]);
    assert.deepEqual(sent[1], { kind: "split", task: "0/1/0", split: null });
  });

  test("S2: the first failure stops all its tasks and is reported once; they close when the slot is told to", async () => {
    const [one, two] = [new ScriptedTask([new UserError("BROKEN", "broken")]), new ScriptedTask(["more"])];
    const { slot, start, settle, kinds, released } = setUp([one, two]);
    await start();
    assert.deepEqual(slot.turn(), { busy: false, sleepMs: Infinity });
    slot.fail(null, new Error("a consequence"));
    assert.deepEqual(slot.turn(), { busy: false, sleepMs: Infinity });
    await settle();
    assert.deepEqual([kinds(), one.ends, two.ends, two.taken], [["deployed", "failed"], [], [], 0]);
    slot.onMessage({ kind: "cancel", discard: true });
    await settle();
    assert.deepEqual(kinds(), ["deployed", "failed", "closed"]);
    assert.deepEqual([one.ends, two.ends], [["abort"], ["abort"]]);
    assert.equal(released(), 1);
    assert.ok(slot.closed);
  });

  test("S2: what a task has prepared is committed though another one of the slot has failed since", async () => {
    const [one, two] = [new ScriptedTask(["finished"]), new ScriptedTask([new UserError("BROKEN", "broken")])];
    const { slot, start, settle, kinds, commits } = setUp([one, two]);
    await start();
    slot.turn();
    await settle();
    slot.onMessage({ kind: "commit", task: "0/0/0", prepared: one.sinks[0]! });
    slot.onMessage({ kind: "cancel", discard: false });
    await settle();
    assert.deepEqual(commits, ["commit out part", "close"]);
    assert.deepEqual(kinds(), ["deployed", "failed", "prepared", "committed", "closed"]);
  });

  for (const [message, ends, dropped] of [
    [{ kind: "close" }, ["committed"], []],
    [{ kind: "cancel", discard: true }, ["abort"], ["discard out part"]],
    [{ kind: "cancel", discard: false }, ["abort"], []],
  ] as const) {
    test(`closes its tasks once on ${JSON.stringify(message)}, whatever else comes`, async () => {
      const task = new ScriptedTask(["finished"]);
      const { slot, start, settle, kinds, commits } = setUp([task]);
      await start();
      slot.turn();
      await settle();
      slot.onMessage(message);
      slot.onMessage({ kind: "cancel", discard: true });
      slot.onMessage({ kind: "close" });
      slot.onMessage({ kind: "prepare" });
      slot.onMessage({ kind: "split", task: "0/0/0", split: null });
      slot.onMessage({ kind: "splitRequest", vertex: 0, subtask: 0, task: "0/0/0" });
      await settle();
      assert.deepEqual(
        [task.ends, commits],
        [
          ["prepare", ...ends],
          [...dropped, "close"],
        ],
      );
      assert.deepEqual(kinds(), ["deployed", "prepared", "closed"]);
    });
  }

  test("when the job is stopped, tasks get no further turn and prepare, those that have ended already not again", async () => {
    const tasks = [new ScriptedTask(["finished"]), new ScriptedTask(["more", "more"]), new ScriptedTask(["more"])];
    const { slot, start, settle, sent } = setUp(tasks);
    tasks[2]!.breaks = "prepare";
    await start();
    slot.turn();
    await settle();
    slot.onMessage({ kind: "prepare" });
    slot.onMessage({ kind: "prepare" });
    slot.turn();
    await settle();
    assert.deepEqual(
      tasks.map(({ ends, taken }) => [ends, taken]),
      [
        [["prepare"], 1],
        [["prepare"], 1],
        [["prepare"], 1],
      ],
    );
    const said = sent.map((message) => [message.kind, "task" in message ? message.task : null]);
    assert.deepEqual(said.slice(1), [
      ["prepared", "0/0/0"],
      ["prepared", "0/1/0"],
      ["failed", "0/2/0"],
    ]);
  });

  test("a job that is stopped while the slot is deployed: its tasks prepare once they are open, and never run", async () => {
    const deployed = Promise.withResolvers<void>();
    const task = new ScriptedTask(["more"]);
    const { slot, start, settle, kinds } = setUp([task], () => deployed.promise);
    await start();
    slot.onMessage({ kind: "prepare" });
    await settle();
    assert.deepEqual(task.ends, []);
    deployed.resolve();
    await settle();
    slot.turn();
    assert.deepEqual([kinds(), task.ends, task.taken], [["deployed", "prepared"], ["prepare"], 0]);
  });

  test("commits what it is told to, also of other slots' tasks, and says how that went; what cannot close is told", async () => {
    const tasks = [new ScriptedTask(["idle"]), new ScriptedTask(["idle"])];
    const { slot, start, settle, sent, commits, released } = setUp(tasks);
    tasks[1]!.breaks = "committed";
    await start();
    slot.onMessage({ kind: "commit", task: "7/3/0", prepared: { sink: "far", committables: [1, 2] } });
    slot.onMessage({ kind: "commit", task: "0/0/0", prepared: { sink: "broken", committables: [] } });
    slot.onMessage({ kind: "discard", prepared: { sink: "gone", committables: [3] } });
    await settle();
    assert.deepEqual(commits, ["commit far 1,2", "commit broken ", "discard gone 3"]);
    assert.deepEqual(sent[1], { kind: "committed", task: "7/3/0", sink: "far" });
    const failed = sent[2];
    assert.deepEqual(failed?.kind === "commitFailed" && [failed.task, failed.sink, failed.error.code], [
      "0/0/0",
      "broken",
      "BROKEN",
    ]);
    slot.onMessage({ kind: "close" });
    await settle();
    const closed = sent.at(-1);
    assert.match(closed?.kind === "closed" ? (closed.error?.message ?? "") : "", /committed broke/);
    assert.deepEqual([tasks[0]!.ends, released(), slot.closed], [["committed"], 1, true]);
  });

  test("what fails or is cancelled while it is being deployed is closed once it is open, and never runs", async () => {
    for (const interrupt of ["fail", "cancel"] as const) {
      let opened: () => void = () => undefined;
      const opening = new Promise<void>((resolve) => {
        opened = resolve;
      });
      const task = new ScriptedTask(["more"], { open: () => opening });
      const { slot, start, settle, kinds, released } = setUp([task]);
      await start();
      if (interrupt === "fail") slot.fail(null, new Error("late rejection"));
      else slot.onMessage({ kind: "cancel", discard: true });
      await settle();
      assert.ok(!slot.closed, "what is being opened cannot be closed yet");
      opened();
      await settle();
      slot.turn();
      if (interrupt === "fail") slot.onMessage({ kind: "cancel", discard: true });
      await settle();
      assert.deepEqual(kinds(), interrupt === "fail" ? ["failed", "closed"] : ["closed"]);
      assert.deepEqual([task.ends, task.turns, released()], [["abort"], ["more"], 1]);
    }
  });

  test("a deployment that fails is reported and leaves nothing", async () => {
    const { slot, start, settle, kinds } = setUp([], async () => {
      throw new UserError("PLAN_DIFFERS", "differs");
    });
    await start();
    slot.onMessage({ kind: "cancel", discard: true });
    await settle();
    assert.deepEqual(kinds(), ["failed", "closed"]);
    assert.ok(slot.closed);
  });
});
