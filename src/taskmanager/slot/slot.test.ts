import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { UserError } from "../../base/errors.ts";
import type {
  FromSlot,
  JobDescriptor,
  PreparedSink,
  TaskDescriptor,
  TaskId,
  ToSlot,
} from "../../protocol/slot-messages.ts";
import { SimEnv } from "../../testing/sim-env.ts";
import { RowOutlets } from "../drivers/row-outlet.ts";
import type { SinkCommitters } from "../drivers/sink-committers.ts";
import type { SourceCoordinator, SplitRequest } from "../drivers/source-coordinator.ts";
import type { Task, TurnResult } from "../task/task.ts";
import { Slot } from "./slot.ts";

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

type World = {
  readonly tasks: ReadonlyMap<TaskId, ScriptedTask>;
  /** Waits in the making of tasks. */
  readonly making?: () => Promise<void>;
};

function setUp({ tasks, making = async () => undefined }: World) {
  const env = new SimEnv({ seed: 1 });
  const sent: FromSlot[] = [];
  /** Tasks whose deployments have given back what they shared, in order. */
  const released: TaskId[][] = [];
  const asked: TaskId[] = [];
  const wakes: (string | undefined)[] = [];
  const outlets = new Map<TaskId, RowOutlets>();
  const outletsOf = (id: TaskId): RowOutlets => {
    const made = new RowOutlets(id, (message) => sent.push(message));
    outlets.set(id, made);
    return made;
  };
  const coordinatorOf = (id: TaskId): SourceCoordinator =>
    ({
      start: async () => undefined,
      request: ({ answer }: SplitRequest) => {
        asked.push(id);
        answer(null);
      },
      close: async () => undefined,
    }) as unknown as SourceCoordinator;
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
      deploy: async (_job, descriptors) => {
        await making();
        return {
          tasks: descriptors.map((descriptor) => ({
            descriptor,
            task: tasks.get(descriptor.id) as unknown as Task,
            coordinator: descriptor.subtask === 0 ? coordinatorOf(descriptor.id) : null,
            outlets: outletsOf(descriptor.id),
          })),
          committers,
          checkpoints: null,
          release: async () => void released.push(descriptors.map(({ id }) => id)),
        };
      },
    },
  });
  const settle = () => env.advance(0);
  const deploy = async (...ids: TaskId[]) => {
    const descriptors = ids.map((id) => {
      const [vertex, subtask, attempt] = id.split("/").map(Number);
      return { id, vertex, subtask, attempt } as TaskDescriptor;
    });
    const wiring = { rings: new Map(), segments: new Map() };
    slot.onMessage({ kind: "deploy", job: {} as JobDescriptor, tasks: descriptors, wiring });
    await settle();
  };
  /** What was said since the last look. */
  const said = (): string[] =>
    sent.splice(0).map((message) => {
      const of = "task" in message ? [message.task] : "tasks" in message ? message.tasks : [];
      return [message.kind, ...of].join(" ");
    });
  return { slot, sent, wakes, settle, deploy, said, released, asked, outlets, commits };
}

/** A slot with these tasks, which run. */
async function running(...scripts: ScriptedTask[]) {
  const tasks = new Map(scripts.map((task, index) => [`0/${index}/0`, task]));
  const world = setUp({ tasks });
  await world.deploy(...tasks.keys());
  return world;
}

const cancelled = (tasks: readonly TaskId[] | null, discard = true) => ({ kind: "cancel", tasks, discard }) as const;

describe("a slot", () => {
  test("gives every task a turn, says when it wants the next one, and what each has prepared at its end, once", async () => {
    const [one, two] = [new ScriptedTask(["more", "finished"]), new ScriptedTask(["idle", "blocked", "idle"])];
    const { slot, settle, sent } = await running(one, two);
    assert.deepEqual(slot.turn(), { busy: true, sleepMs: 0 });
    assert.deepEqual(slot.turn(), { busy: false, sleepMs: 7 });
    slot.turn();
    await settle();
    assert.deepEqual(sent, [
      { kind: "deployed", tasks: ["0/0/0", "0/1/0"] },
      { kind: "prepared", task: "0/0/0", sinks: one.sinks },
    ]);
    assert.equal(two.turns.length, 0);
    slot.turn();
    assert.deepEqual([one.taken, two.taken], [2, 4], "one that has finished gets no further turn");
  });

  test("without tasks sleeps until it is rung", () => {
    const { slot } = setUp({ tasks: new Map() });
    assert.deepEqual([slot.isEmpty, slot.turn()], [true, { busy: false, sleepMs: Infinity }]);
  });

  test("wakes itself once it is deployed, and once it is closed: it may have been rung before, in vain", async () => {
    const made = Promise.withResolvers<void>();
    const tasks = new Map([["0/0/0", new ScriptedTask([])]]);
    const { slot, deploy, settle, wakes } = setUp({ tasks, making: () => made.promise });
    await deploy("0/0/0");
    assert.deepEqual([slot.turn(), wakes], [{ busy: false, sleepMs: Infinity }, []]);
    made.resolve();
    await settle();
    assert.deepEqual(wakes, ["deployed"]);
    slot.onMessage(cancelled(null));
    await settle();
    assert.deepEqual(wakes, ["deployed", "closed"]);
  });

  test("answers those who ask for splits before it is deployed itself", async () => {
    const made = Promise.withResolvers<void>();
    const tasks = new Map([["0/0/0", new ScriptedTask([])]]);
    const { slot, deploy, settle, sent } = setUp({ tasks, making: () => made.promise });
    await deploy("0/0/0");
    slot.onMessage({ kind: "splitRequest", vertex: 0, subtask: 1, task: "0/1/0" });
    await settle();
    made.resolve();
    await settle();
    assert.deepEqual(sent[1], { kind: "splits", task: "0/1/0", splits: null });
    assert.equal(sent.length, 2);
    tasks.set("0/0/1", new ScriptedTask([]));
    await deploy("0/0/1");
    assert.equal(sent.length, 3, "it is answered once");
  });

  test("S2: a task that fails stops alone and is reported once; it closes when the slot is told to, the others go on", async () => {
    const [one, two] = [new ScriptedTask([new UserError("BROKEN", "broken")]), new ScriptedTask(["more", "more"])];
    const { slot, settle, said, released } = await running(one, two);
    assert.deepEqual(slot.turn(), { busy: true, sleepMs: 0 });
    slot.fail("0/0/0", new Error("a consequence"));
    slot.turn();
    await settle();
    assert.deepEqual(said(), ["deployed 0/0/0 0/1/0", "failed 0/0/0"]);
    assert.deepEqual([one.ends, one.taken, two.ends, two.taken], [[], 1, [], 2]);
    slot.onMessage(cancelled(["0/0/0"]));
    await settle();
    assert.deepEqual([said(), one.ends, two.ends], [["closed 0/0/0"], ["abort"], []]);
    assert.deepEqual(released, [], "what they share goes with the last of them");
  });

  test("S2: what cannot be laid to one task stops all of them, also those that are being opened", async () => {
    const opened = Promise.withResolvers<void>();
    const opening = new ScriptedTask([], { open: () => opened.promise });
    const tasks = new Map([
      ["0/0/0", new ScriptedTask(["more"])],
      ["0/1/0", opening],
    ]);
    const { slot, deploy, settle, said, released } = setUp({ tasks });
    await deploy("0/0/0");
    await deploy("0/1/0");
    slot.fail(null, new Error("a late rejection"));
    slot.fail(null, new Error("another one"));
    assert.deepEqual(slot.turn(), { busy: false, sleepMs: Infinity });
    slot.onMessage(cancelled(null));
    await settle();
    assert.deepEqual(said(), ["deployed 0/0/0", "failed 0/0/0 0/1/0", "closed 0/0/0"]);
    opened.resolve();
    await settle();
    assert.deepEqual(said(), ["closed 0/1/0"]);
    assert.deepEqual([opening.ends, opening.taken, slot.isEmpty], [["abort"], 0, true]);
    assert.deepEqual(released, [["0/0/0"], ["0/1/0"]]);
  });

  test("S2: what a task has prepared is committed though another one of the slot has failed since", async () => {
    const [one, two] = [new ScriptedTask(["finished"]), new ScriptedTask([new UserError("BROKEN", "broken")])];
    const { slot, settle, said, commits } = await running(one, two);
    slot.turn();
    await settle();
    slot.onMessage({ kind: "commit", task: "0/0/0", prepared: one.sinks[0]! });
    slot.onMessage(cancelled(null, false));
    await settle();
    assert.deepEqual(commits, ["commit out part", "close"]);
    assert.deepEqual(said().sort(), [
      "closed 0/0/0",
      "closed 0/1/0",
      "committed 0/0/0",
      "deployed 0/0/0 0/1/0",
      "failed 0/1/0",
      "prepared 0/0/0",
    ]);
  });

  test("a task that stops the others in its turn leaves them no further one", async () => {
    const end: { all: () => void } = { all: () => undefined };
    const [one, two] = [new ScriptedTask([]), new ScriptedTask(["more"])];
    one.turn = () => {
      end.all();
      return "idle";
    };
    const { slot, settle, said } = await running(one, two);
    end.all = () => slot.fail(null, new Error("exit was called, and the error caught"));
    assert.deepEqual(slot.turn(), { busy: false, sleepMs: Infinity });
    await settle();
    assert.deepEqual([two.taken, said()], [0, ["deployed 0/0/0 0/1/0", "failed 0/0/0 0/1/0"]]);
  });

  for (const [message, ends, dropped] of [
    [{ kind: "close" }, ["committed"], []],
    [cancelled(null), ["abort"], ["discard out part"]],
    [cancelled(["0/0/0"]), ["abort"], ["discard out part"]],
    [cancelled(null, false), ["abort"], []],
  ] as const) {
    test(`closes its tasks once on ${JSON.stringify(message)}, whatever else comes`, async () => {
      const task = new ScriptedTask(["finished"]);
      const { slot, settle, said, commits } = await running(task);
      slot.turn();
      await settle();
      slot.onMessage(message);
      slot.onMessage(cancelled(null));
      slot.onMessage(cancelled(["0/0/0"]));
      slot.onMessage({ kind: "close" });
      slot.onMessage({ kind: "prepare" });
      slot.onMessage({ kind: "splits", task: "0/0/0", splits: null });
      slot.onMessage({ kind: "splitRequest", vertex: 0, subtask: 0, task: "0/0/0" });
      await settle();
      assert.deepEqual(task.ends, ["prepare", ...ends]);
      assert.deepEqual(commits, [...dropped, "close"]);
      assert.deepEqual(said(), ["deployed 0/0/0", "prepared 0/0/0", "closed 0/0/0"]);
    });
  }

  test("when the job is stopped, tasks get no further turn and prepare, those that have ended already not again", async () => {
    const tasks = [new ScriptedTask(["finished"]), new ScriptedTask(["more", "more"]), new ScriptedTask(["more"])];
    const { slot, settle, said } = await running(...tasks);
    tasks[2]!.breaks = "prepare";
    slot.turn();
    await settle();
    slot.onMessage({ kind: "prepare" });
    slot.onMessage({ kind: "prepare" });
    slot.turn();
    await settle();
    for (const { ends, taken } of tasks) assert.deepEqual([ends, taken], [["prepare"], 1]);
    assert.deepEqual(said().slice(1), ["prepared 0/0/0", "prepared 0/1/0", "failed 0/2/0"]);
  });

  test("a job that is stopped while the slot is deployed: its tasks prepare once they are open, and never run", async () => {
    const made = Promise.withResolvers<void>();
    const task = new ScriptedTask(["more"]);
    const { slot, deploy, settle, said } = setUp({ tasks: new Map([["0/0/0", task]]), making: () => made.promise });
    await deploy("0/0/0");
    slot.onMessage({ kind: "prepare" });
    await settle();
    assert.deepEqual(task.ends, []);
    made.resolve();
    await settle();
    slot.turn();
    assert.deepEqual([said(), task.ends, task.taken], [["deployed 0/0/0", "prepared 0/0/0"], ["prepare"], 0]);
  });

  test("commits what it is told to, also of other slots' tasks, and says how that went; what cannot close is told", async () => {
    const tasks = [new ScriptedTask(["idle"]), new ScriptedTask(["idle"])];
    const { slot, settle, sent, commits, released } = await running(...tasks);
    tasks[1]!.breaks = "committed";
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
    sent.length = 0;
    slot.onMessage({ kind: "close" });
    await settle();
    const errors = sent.map((message) => message.kind === "closed" && (message.error?.message ?? null));
    assert.match(errors.map(String).join(), /^null,.*committed broke$/);
    assert.deepEqual([tasks[0]!.ends, released.length, slot.isEmpty], [["committed"], 1, true]);
  });

  test("S4: what fails or is cancelled while it is being deployed is closed once it is open, and never runs", async () => {
    const interrupts: Readonly<Record<string, readonly ToSlot[]>> = {
      fail: [],
      cancel: [cancelled(null)],
      "cancel it": [cancelled(["0/0/0"])],
      "cancel, then stop": [cancelled(null), { kind: "prepare" }],
    };
    for (const [interrupt, messages] of Object.entries(interrupts)) {
      const opened = Promise.withResolvers<void>();
      const task = new ScriptedTask(["more"], { open: () => opened.promise });
      const { slot, deploy, settle, said, released } = setUp({ tasks: new Map([["0/0/0", task]]) });
      await deploy("0/0/0");
      if (interrupt === "fail") slot.fail(null, new Error("late rejection"));
      for (const message of messages) slot.onMessage(message);
      await settle();
      assert.ok(!slot.isEmpty, "what is being opened cannot be closed yet");
      opened.resolve();
      await settle();
      slot.turn();
      if (interrupt === "fail") slot.onMessage(cancelled(null));
      await settle();
      assert.deepEqual(said(), interrupt === "fail" ? ["failed 0/0/0", "closed 0/0/0"] : ["closed 0/0/0"]);
      assert.deepEqual([task.ends, task.turns, released.length], [["abort"], ["more"], 1]);
    }
  });

  test("a deployment that fails is reported and leaves nothing", async () => {
    const making = async () => {
      throw new UserError("PLAN_DIFFERS", "differs");
    };
    const { slot, deploy, settle, said } = setUp({ tasks: new Map(), making });
    await deploy("0/0/0", "0/1/0");
    assert.deepEqual(said(), ["failed 0/0/0 0/1/0"]);
    slot.onMessage(cancelled(null));
    await settle();
    assert.deepEqual([said(), slot.isEmpty], [["closed 0/0/0", "closed 0/1/0"], true]);
  });
});

describe("a slot outlives its tasks", () => {
  test("S5: one that is abandoned touches nothing any more, and says nothing: neither by a turn nor by what is under way", async () => {
    const opened = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const [closing, opening, waits] = [
      new ScriptedTask(["more"]),
      new ScriptedTask(["more"], { open: () => opened.promise }),
      new ScriptedTask(["more"]),
    ];
    closing.close = () => closed.promise;
    const tasks = new Map([
      ["0/0/0", closing],
      ["0/1/0", waits],
      ["1/0/0", opening],
    ]);
    const { slot, deploy, settle, said, released, commits } = setUp({ tasks });
    await deploy("0/0/0");
    await deploy("0/1/0");
    await deploy("1/0/0");
    slot.onMessage(cancelled(["0/0/0"]));
    await settle();
    said();
    slot.abandon();
    opened.resolve();
    closed.resolve();
    slot.turn();
    await settle();
    assert.deepEqual([said(), released, commits, waits.ends, opening.taken], [[], [], [], [], 0]);
  });

  test("is given the next attempt of one of them, while the others go on", async () => {
    const [kept, first, second] = [new ScriptedTask([]), new ScriptedTask([]), new ScriptedTask(["more"])];
    const tasks = new Map([
      ["0/1/0", kept],
      ["1/0/0", first],
      ["1/0/1", second],
    ]);
    const { slot, deploy, settle, said, released } = setUp({ tasks });
    await deploy("0/1/0", "1/0/0");
    slot.turn();
    slot.onMessage(cancelled(["1/0/0"]));
    await settle();
    await deploy("1/0/1");
    slot.turn();
    assert.deepEqual(said(), ["deployed 0/1/0 1/0/0", "closed 1/0/0", "deployed 1/0/1"]);
    assert.deepEqual([kept.taken, first.taken, second.taken], [2, 1, 1]);
    assert.deepEqual([kept.ends, first.ends, released], [[], ["abort"], []]);
    slot.onMessage(cancelled(null));
    await settle();
    assert.deepEqual(released, [["0/1/0", "1/0/0"], ["1/0/1"]]);
  });

  test("once empty is given tasks again, and again", async () => {
    const ids = Array.from({ length: 5 }, (_, attempt) => `0/0/${attempt}`);
    const { slot, deploy, settle, said } = setUp({ tasks: new Map(ids.map((id) => [id, new ScriptedTask(["idle"])])) });
    for (const id of ids) {
      await deploy(id);
      slot.turn();
      slot.onMessage(cancelled(null));
      await settle();
      assert.deepEqual([said(), slot.isEmpty], [[`deployed ${id}`, `closed ${id}`], true]);
    }
  });

  test("splits go to the attempt that asked for them, and requests to the coordinator that is there now", async () => {
    const ids = ["0/0/0", "0/0/1"];
    const got: string[] = [];
    const source = (id: TaskId) => {
      const task = new ScriptedTask([]);
      Object.assign(task.parts, { source: { start: () => undefined, onSplits: () => got.push(id) } });
      return task;
    };
    const { slot, deploy, settle, asked } = setUp({ tasks: new Map(ids.map((id) => [id, source(id)])) });
    await deploy("0/0/0");
    slot.onMessage({ kind: "splitRequest", vertex: 0, subtask: 1, task: "0/1/0" });
    slot.onMessage({ kind: "splits", task: "0/0/0", splits: null });
    slot.onMessage(cancelled(["0/0/0"]));
    await settle();
    await deploy("0/0/1");
    slot.onMessage({ kind: "splits", task: "0/0/0", splits: null });
    slot.onMessage({ kind: "splits", task: "0/0/1", splits: null });
    slot.onMessage({ kind: "splitRequest", vertex: 0, subtask: 1, task: "0/1/1" });
    assert.deepEqual(got, ["0/0/0", "0/0/1"]);
    assert.deepEqual(asked, ["0/0/0", "0/0/1"]);
  });

  test("a sink that waits for its reader is let go when its task is closed, that of another goes on waiting", async () => {
    const { slot, settle, outlets } = await running(new ScriptedTask([]), new ScriptedTask([]));
    const done: TaskId[] = [];
    for (const [id, of] of outlets)
      void of
        .of("out")
        .deliver(new Uint8Array(2 ** 20))
        .then(() => done.push(id));
    slot.onMessage(cancelled(["0/0/0"]));
    await settle();
    assert.deepEqual(done, ["0/0/0"]);
    slot.onMessage({ kind: "rowsRead", task: "0/1/0", sink: "out", bytes: 2 ** 20 });
    await settle();
    assert.deepEqual(done, ["0/0/0", "0/1/0"]);
  });

  test("a sink that waits for its reader is let go when the job is stopped: it could not prepare", async () => {
    const { slot, settle, outlets } = await running(new ScriptedTask([]));
    let done = false;
    const delivered = outlets
      .get("0/0/0")!
      .of("out")
      .deliver(new Uint8Array(2 ** 20));
    void delivered.then(() => {
      done = true;
    });
    slot.onMessage({ kind: "prepare" });
    await settle();
    assert.ok(done);
  });

  test("what was prepared before the restored checkpoint is committed before its sinks are opened", async () => {
    const order: string[] = [];
    const task = new ScriptedTask([], { open: async () => void order.push("open") });
    const { slot, settle, commits } = setUp({ tasks: new Map([["0/0/1", task]]) });
    const prepared: PreparedSink = { sink: "out", committables: ["before"] };
    const restore = { finished: false, source: null, recommit: [prepared] } as unknown as TaskDescriptor["restore"];
    const descriptor = { id: "0/0/1", vertex: 0, subtask: 0, attempt: 1, restore } as TaskDescriptor;
    const wiring = { rings: new Map(), segments: new Map() };
    commits.push = (...what: string[]) => order.push(...what);
    slot.onMessage({ kind: "deploy", job: {} as JobDescriptor, tasks: [descriptor], wiring });
    await settle();
    assert.deepEqual(order, ["commit out before", "open"]);
  });
});
