import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { UserError } from "../../base/errors.ts";
import type { FromSlot, JobDescriptor, TaskDescriptor } from "../../protocol/slot-messages.ts";
import { SimEnv } from "../../testing/sim-env.ts";
import { RowOutlets } from "../drivers/row-outlet.ts";
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

  commit(): Promise<void> {
    return this.#end("commit");
  }

  stop(): Promise<void> {
    return this.#end("stop");
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
  return { slot, sent, wakes, settle, start, kinds: () => sent.map(({ kind }) => kind), released: () => released };
}

describe("a slot", () => {
  test("gives every task a turn, says when it wants the next one, and reports each finished task once", async () => {
    const [one, two] = [new ScriptedTask(["more", "finished"]), new ScriptedTask(["idle", "blocked", "idle"])];
    const { slot, start, kinds, sent } = setUp([one, two]);
    assert.deepEqual(slot.turn(), { busy: false, sleepMs: Infinity });
    await start();
    assert.deepEqual(slot.turn(), { busy: true, sleepMs: 0 });
    assert.deepEqual(slot.turn(), { busy: false, sleepMs: 7 });
    slot.turn();
    assert.deepEqual(kinds(), ["deployed", "finished"]);
    assert.deepEqual(sent[1], { kind: "finished", task: "0/0/0" });
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
    slot.onMessage({ kind: "cancel", commit: false });
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

  test("S2: the first failure ends all its tasks, and is reported before they are closed", async () => {
    const [one, two] = [new ScriptedTask([new UserError("BROKEN", "broken")]), new ScriptedTask([])];
    const { slot, start, settle, kinds, released } = setUp([one, two]);
    await start();
    assert.deepEqual(slot.turn(), { busy: false, sleepMs: Infinity });
    slot.fail(null, new Error("a consequence"));
    await settle();
    assert.deepEqual(kinds(), ["deployed", "failed", "closed"]);
    assert.deepEqual([one.ends, two.ends], [["abort"], ["abort"]]);
    assert.equal(released(), 1);
    assert.ok(slot.closed);
  });

  for (const [message, ends] of [
    [{ kind: "commit" }, ["commit", "committed"]],
    [{ kind: "cancel", commit: true }, ["stop", "committed"]],
    [{ kind: "cancel", commit: false }, ["abort"]],
  ] as const) {
    test(`closes its tasks once on ${JSON.stringify(message)}, whatever else comes`, async () => {
      const task = new ScriptedTask([]);
      const { slot, start, settle, kinds } = setUp([task]);
      await start();
      slot.onMessage(message);
      slot.onMessage({ kind: "cancel", commit: false });
      slot.onMessage({ kind: "commit" });
      slot.onMessage({ kind: "split", task: "0/0/0", split: null });
      slot.onMessage({ kind: "splitRequest", vertex: 0, subtask: 0, task: "0/0/0" });
      await settle();
      assert.deepEqual(task.ends, ends);
      assert.deepEqual(kinds(), ["deployed", "closed"]);
    });
  }

  test("a task that cannot commit is aborted, the others commit all the same, and the first failure is told", async () => {
    const tasks = [new ScriptedTask([]), new ScriptedTask([]), new ScriptedTask([])];
    const { slot, start, settle, sent, released } = setUp(tasks);
    tasks[1]!.breaks = "commit";
    tasks[2]!.breaks = "committed";
    await start();
    slot.onMessage({ kind: "commit" });
    await settle();
    assert.deepEqual(
      tasks.map(({ ends }) => ends),
      [
        ["commit", "committed"],
        ["commit", "abort"],
        ["commit", "committed"],
      ],
    );
    const closed = sent.at(-1);
    assert.match(closed?.kind === "closed" ? (closed.error?.message ?? "") : "", /commit broke/);
    assert.deepEqual([released(), slot.closed], [1, true]);
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
      else slot.onMessage({ kind: "cancel", commit: true });
      await settle();
      assert.ok(!slot.closed, "what is being opened cannot be closed yet");
      opened();
      await settle();
      assert.deepEqual(kinds(), interrupt === "fail" ? ["failed", "closed"] : ["closed"]);
      assert.deepEqual([task.ends, task.turns, released()], [["abort"], ["more"], 1]);
    }
  });

  test("a deployment that fails is reported and leaves nothing", async () => {
    const { slot, start, kinds } = setUp([], async () => {
      throw new UserError("PLAN_DIFFERS", "differs");
    });
    await start();
    assert.deepEqual(kinds(), ["failed", "closed"]);
    assert.ok(slot.closed);
  });
});
