import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ReceivedElement } from "../../network/data-link.ts";
import { ELEMENT } from "../../network/element.ts";
import type { ResultPartition } from "../../network/result-partition.ts";
import { WatermarkCombiner } from "../../operators/event-time/watermark-combiner.ts";
import type { Operator } from "../../operators/operator.ts";
import type { TaskStatus } from "../chain/chain.ts";
import { WatermarkPath } from "../chain/watermark-path.ts";
import { EventTimeDriver } from "../drivers/event-time-driver.ts";
import { FlatMapDriver } from "../drivers/flat-map-driver.ts";
import { TurnClock } from "../drivers/turn-clock.ts";
import { Task, type TurnResult } from "./task.ts";
import type { TaskParts } from "./task-parts.ts";
import { TaskState } from "./task-state.ts";

const ROW_MS = 0.01;
const ROWS = 5_000;
const BUDGET_MS = 2;

/** An operator with much to do for each watermark, for timers and at the end, and a task around it. */
class Subject {
  readonly done: string[] = [];
  readonly task: Task;
  nowMs = 0;
  flatMapped = 0;
  #left = ROWS;

  constructor(timerAtMs = Infinity, flatMapped: Iterable<number> | null = null) {
    const clock = { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs };
    const status: TaskStatus = { full: false, failure: null };
    const turn = new TurnClock(clock);
    const work = (what: string, over: string): boolean => {
      for (; this.#left > 0; this.#left -= 1) {
        if (this.#left < ROWS && turn.isOver(1)) return false;
        this.nowMs += ROW_MS;
        if (this.done.at(-1) !== what) this.done.push(what);
      }
      this.#left = ROWS;
      this.done.push(over);
      return true;
    };
    let timerMs = timerAtMs;
    const operator = {
      onWatermark: (watermark: number) => work(`firing ${watermark}`, `fired ${watermark}`),
      nextProcessingTimeMs: () => timerMs,
      onProcessingTime: () => {
        const isDone = work("timers", "timed");
        if (isDone) timerMs = Infinity;
        return isDone;
      },
    } as unknown as Operator;
    const flatMap = this.#flatMap(status, turn);
    this.task = new Task({
      state: new TaskState(() => undefined),
      name: "task",
      clock,
      status,
      turn,
      chain: { options: { bindings: [{ o: operator }] }, endWatch: () => undefined },
      gate: { channels: [], poll: () => null, open: 0, usage: () => 0 },
      combiner: new WatermarkCombiner(0),
      source: flatMapped && {
        poll: () => {
          flatMap.start(flatMapped, NaN, {});
          return "end";
        },
        watermark: () => -Infinity,
      },
      partitions: [],
      sinks: [],
      flatMaps: [flatMap],
      eventTimes: [],
      unheard: [],
      inputPath: new WatermarkPath([{ kind: "operator", operator }], status, () => undefined),
      operators: [operator],
      stores: [],
      metrics: { sent: () => undefined, usage: () => undefined, wake: () => undefined },
    } as unknown as TaskParts);
  }

  #flatMap(status: TaskStatus, turn: TurnClock): FlatMapDriver {
    const driver = new FlatMapDriver({ uid: "flatMap", status, turn, onThrow: () => undefined });
    driver.output = {
      offer: (record) => {
        assert.equal(record, this.flatMapped);
        this.flatMapped += 1;
        this.nowMs += ROW_MS;
        return !status.full;
      },
    };
    return driver;
  }

  async turns(): Promise<{ result: TurnResult; ms: number }[]> {
    const turns: { result: TurnResult; ms: number }[] = [];
    for (let result: TurnResult = "more"; result !== "finished"; ) {
      const startMs = this.nowMs;
      result = this.task.turn(startMs + BUDGET_MS);
      turns.push({ result, ms: this.nowMs - startMs });
      await Promise.resolve(); // Sinks are prepared meanwhile.
    }
    return turns;
  }
}

/** A task with a source whose records take as long as the test says, and how many were asked for at once. */
function polled(results: readonly { readonly gives: "wait" | "more"; readonly msPerRecord: number }[]) {
  let nowMs = 0;
  const limits: number[] = [];
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const status: TaskStatus = { full: false, failure: null };
  const source = {
    poll: (limit: number) => {
      const { gives, msPerRecord } = results[limits.length] ?? { gives: "wait", msPerRecord: 0 };
      limits.push(limit);
      nowMs += limit * msPerRecord;
      return gives;
    },
    watermark: () => -Infinity,
  };
  const task = new Task({
    state: new TaskState(() => undefined),
    ...{
      name: "task",
      clock,
      status,
      turn: new TurnClock(clock),
      source,
      chain: { options: { bindings: [] }, endWatch: () => undefined },
    },
    ...{ gate: null, partitions: [], sinks: [], flatMaps: [], eventTimes: [], operators: [], stores: [] },
    inputPath: new WatermarkPath([], status, () => undefined),
    metrics: { sent: () => undefined, usage: () => undefined, wake: () => undefined },
  } as unknown as TaskParts);
  while (limits.length < results.length) task.turn(nowMs + BUDGET_MS);
  return limits.slice(0, results.length);
}

describe("the records that a task takes at once", () => {
  const times = (count: number, gives: "wait" | "more", msPerRecord: number) =>
    Array.from({ length: count }, () => ({ gives, msPerRecord }));

  test("double while they are fast, up to 1,024, and halve while they are slow: a call is never long for long", () => {
    const limits = polled([...times(14, "more", 0), ...times(13, "more", 2)]);
    assert.deepEqual(limits.slice(0, 14), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024, 1024]);
    assert.deepEqual(limits.slice(14), [1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1, 1, 1]);
  });

  test("do not become more by waiting", () => {
    assert.deepEqual(polled([...times(20, "wait", 0), ...times(3, "more", 0)]).slice(18), [1, 1, 1, 2, 4]);
  });
});

describe("a task's turn", () => {
  test("is over in time, whatever a watermark fires, timers do and the end of the input brings", async () => {
    for (const timerAtMs of [Infinity, 0]) {
      const subject = new Subject(timerAtMs);
      subject.task.parts.inputPath.advance(7);
      const turns = await subject.turns();
      const timers = timerAtMs === 0 ? ["timers", "timed"] : [];
      const watermarks = ["firing 7", "fired 7", ...timers, "firing Infinity", "fired Infinity"];
      assert.deepEqual(subject.done, watermarks);
      assert.ok(turns.length > (subject.done.length / 2) * ((ROWS * ROW_MS) / BUDGET_MS) * 0.8);
      for (const { result, ms } of turns) {
        assert.ok(ms < BUDGET_MS * 1.5, `${ms} ms`);
        assert.notEqual(result, "blocked");
      }
    }
  });

  const numbers = Array.from({ length: ROWS }, (_, n) => n);
  const given: Record<string, Iterable<number>> = { "an array": numbers, "a generator": numbers.values() };
  for (const [what, results] of Object.entries(given)) {
    test(`is over in time, however much ${what} of a flatMap gives and no output stops`, async () => {
      const subject = new Subject(Infinity, results);
      const turns = await subject.turns();
      assert.equal(subject.flatMapped, ROWS);
      for (const { result, ms } of turns) {
        assert.ok(ms < BUDGET_MS * 1.5, `${ms} ms`);
        assert.notEqual(result, "blocked");
      }
    });
  }
});

/** A task with two input channels that give what the test says, and what happens in it, in order. */
function gated(script: readonly (readonly [channel: number, element: Partial<ReceivedElement>])[], more: object = {}) {
  const log: string[] = [];
  const queue = [...script];
  const receiver = { release: () => log.push("released") };
  const channels = [0, 1].map(() => ({ port: 0, receiver, reader: null, codec: null, ended: false }));
  let open = channels.length;
  const gate = {
    channels,
    get open() {
      return open;
    },
    poll(into: { element: Partial<ReceivedElement> | null }) {
      const [channel, element] = queue.shift() ?? [0, null];
      into.element = element && { rows: null, times: null, kinds: null, marks: null, value: 0, ...element };
      return element && channels[channel];
    },
    onEnd: () => {
      open -= 1;
    },
    usage: () => 0,
  };
  const status: TaskStatus = { full: false, failure: null };
  const clock = { nowMs: () => 0, monotonicMs: () => 0 };
  const operator = {
    onWatermark: (watermark: number) => log.push(`watermark ${watermark}`) > 0,
    onIdle: () => log.push("idle") > 0,
    nextProcessingTimeMs: () => 5,
    onProcessingTime: () => true,
  } as unknown as Operator;
  const partition = { setWatermark: () => undefined, setIdle: (idle: boolean) => idle || log.push("active") };
  const path = [
    { kind: "operator", operator },
    { kind: "partition", partition: partition as unknown as ResultPartition },
  ] as const;
  const loop = (rows: readonly unknown[], _times: unknown, from: number, to: number): number => {
    log.push(...rows.slice(from, to).map((row) => `row ${row}`));
    return to;
  };
  const task = new Task({
    state: new TaskState(() => undefined),
    ...{ name: "task", clock, status, turn: new TurnClock(clock), gate, input: { channel: 0 }, source: null },
    chain: { options: { bindings: [{}] }, operators: [], compileLoop: () => loop, endWatch: () => undefined },
    ...{ partitions: [], sinks: [], flatMaps: [], eventTimes: [], unheard: [], stores: [], loopOptions: () => ({}) },
    combiner: new WatermarkCombiner(channels.length),
    inputPath: new WatermarkPath(path, status, () => undefined),
    operators: [operator],
    metrics: {
      sent: (batches: number, bytes: number) => log.push(`sent ${batches} batches, ${bytes} bytes`),
      usage: () => undefined,
      wake: () => undefined,
      received: () => undefined,
      inputWatermark: () => undefined,
    },
    ...more,
  } as unknown as TaskParts);
  const run = (): string[] => {
    for (let turns = 0; turns < 10; turns += 1) task.turn(BUDGET_MS);
    return log.filter((entry) => entry !== "released" && !entry.startsWith("sent 0"));
  };
  return { task, run, log };
}

const watermark = (value: number) => ({ kind: ELEMENT.watermark, value });
const idle = (value: 0 | 1) => ({ kind: ELEMENT.idle, value });
const END = { kind: ELEMENT.end };

describe("watermarks of a task's input", () => {
  test("among the records of a batch are delivered between those, before the first and behind the last as well", () => {
    const rows = { kind: ELEMENT.rows, rows: [1, 2, 3, 4], marks: [0, 5, 1, 10, 4, 30] };
    const { run } = gated([
      [1, watermark(100)],
      [0, rows],
    ]);
    assert.deepEqual(run(), ["watermark 5", "row 1", "watermark 10", "row 2", "row 3", "row 4", "watermark 30"]);
  });

  test("among the records of a batch say that its channel is no longer idle", () => {
    const { run } = gated([
      [0, idle(1)],
      [1, idle(1)],
      [0, { kind: ELEMENT.rows, rows: [1], marks: [1, 10] }],
    ]);
    assert.deepEqual(run(), ["idle", "row 1", "watermark 10", "active"]);
  });

  test("go on when the channel that held them back has ended; the end of all is none", () => {
    const held = [
      [0, watermark(50)],
      [1, watermark(10)],
      [1, END],
    ] as const;
    assert.deepEqual(gated(held).run(), ["watermark 10", "watermark 50"]);
    const ended = gated([...held, [0, END]]);
    assert.deepEqual(ended.run(), ["watermark 10", "watermark 50", "watermark Infinity"]);
  });

  test("come at the end to the greatest time of all, also of what nobody hears of otherwise", () => {
    const ends = [
      [0, END],
      [1, END],
    ] as const;
    const { run } = gated([[0, watermark(50)], ...ends], { unheard: [{ greatest: 20 }, { greatest: 70 }] });
    assert.deepEqual(run(), ["watermark 70", "watermark Infinity"]);
  });
});

test("a task that waits for its sinks wants no turn for its timers", () => {
  const sink = { prepareCommit: () => new Promise(() => undefined), flushSome: () => undefined, failure: null };
  const ends = [
    [0, END],
    [1, END],
  ] as const;
  const { task } = gated(ends, { sinks: [sink] });
  assert.equal(task.nextProcessingTimeMs(), 5);
  for (let turns = 0; turns < 10; turns += 1) task.turn(BUDGET_MS);
  assert.equal(task.nextProcessingTimeMs(), Infinity);
});

test("what a task sends is counted over all its outputs", () => {
  const partition = (batches: number, bytes: number) => ({
    ...{ counts: { batches, bytes }, flushSome: () => undefined, nextFlushMs: () => Infinity, usage: () => 0 },
  });
  const { task, log } = gated([], { partitions: [partition(2, 300), partition(1, 50)] });
  task.turn(BUDGET_MS);
  assert.deepEqual(log, ["sent 3 batches, 350 bytes"]);
});

const IDLE_MS = 500;

/** A source task of two splits whose output is full whenever the test says so. */
function sourceTask() {
  const world = { nowMs: 0, room: true, read: (): void => undefined };
  const status: TaskStatus = { full: false, failure: null };
  const clock = { nowMs: () => -1, monotonicMs: () => world.nowMs };
  const driver = new EventTimeDriver({
    uid: "time",
    outOfOrderMs: 0,
    onlySteps: false,
    live: false,
    stepMs: 1_000,
    idleMs: IDLE_MS,
    order: "splits",
    bounded: false,
    unit: "ms",
    field: null,
    shownField: null,
    onBehind: null,
    onMisfit: null,
  });
  const path = new WatermarkPath([], status, () => undefined);
  const task = new Task({
    state: new TaskState(() => undefined),
    name: "task",
    clock,
    status,
    turn: new TurnClock(clock),
    chain: { options: { bindings: [{}] }, endWatch: () => undefined },
    gate: null,
    source: {
      poll: () => {
        world.read();
        status.full = !world.room;
        return "wait";
      },
      watermark: () => -Infinity,
    },
    partitions: [
      {
        drain: () => world.room,
        flushSome: () => undefined,
        nextFlushMs: () => Infinity,
        usage: () => 0,
        counts: { batches: 0, bytes: 0 },
      },
    ],
    sinks: [],
    flatMaps: [],
    unheard: [],
    eventTimes: [{ driver, path }],
    inputPath: new WatermarkPath([], status, () => undefined),
    operators: [],
    stores: [],
    metrics: { sent: () => undefined, usage: () => undefined, wake: () => undefined },
  } as unknown as TaskParts);
  const observe = (split: string, timeMs: number) => () => {
    driver.enterSplit(split);
    driver.assign(timeMs, {});
  };
  const turn = (nowMs: number, read: () => void = () => undefined): TurnResult => {
    world.nowMs = nowMs;
    world.read = read;
    return task.turn(nowMs + BUDGET_MS);
  };
  return { world, task, path, turn, observe };
}

describe("idleness of a source's splits", () => {
  test("does not run while the source is blocked by its output: no split that could not be polled is idle", () => {
    const { world, task, path, turn, observe } = sourceTask();
    turn(0, observe("b", 50));
    assert.equal(path.delivered, 49);
    world.room = false;
    assert.equal(turn(10, observe("a", 100)), "blocked");
    assert.equal(task.nextMonotonicMs(), Infinity, "it is woken when there is room");
    world.room = true;
    turn(10_010, observe("a", 200));
    assert.equal(path.delivered, 49, "b could be polled for 10 ms, and not for 10 s");
    assert.equal(task.nextMonotonicMs(), 10_000 + IDLE_MS);
    turn(9_999 + IDLE_MS, observe("a", 300));
    assert.equal(path.delivered, 49);
    turn(10_000 + IDLE_MS, observe("a", 400));
    assert.equal(path.delivered, 399, "b has been silent for so long while it could have given something");
  });
});
