// T3, T4 and the end of a task: in which order its parts hear of what.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ResultPartition } from "../../network/result-partition.ts";
import { WatermarkCombiner } from "../../operators/event-time/watermark-combiner.ts";
import type { Operator } from "../../operators/operator.ts";
import type { KeyedStateStore } from "../../state/contract/keyed-state.ts";
import type { TaskStatus } from "../chain/chain.ts";
import { WatermarkPath } from "../chain/watermark-path.ts";
import { FlatMapDriver } from "../drivers/flat-map-driver.ts";
import type { SinkDriver } from "../drivers/sink-driver.ts";
import type { SourceDriver } from "../drivers/source-driver.ts";
import { TurnClock } from "../drivers/turn-clock.ts";
import { Task } from "./task.ts";
import type { TaskParts } from "./task-parts.ts";
import { TaskState } from "./task-state.ts";

type Setup = {
  /** What breaks, by the names in the log. */
  readonly breaks?: readonly string[];
  /** How often a partition has no room for its end. */
  readonly refusals?: number;
  readonly polls?: readonly ("more" | "wait" | "end")[];
  /** Names of the sinks; "none" has nothing to commit. */
  readonly names?: readonly string[];
};

const PREPARED = ["a", "b"].map((sink) => ({ sink, committables: [`prepare ${sink}`] }));

/** A task of a source, an operator, a partition and sinks, which write down what they hear. */
function setUp({ breaks = [], refusals = 0, polls = ["end"], names = ["a", "b"] }: Setup = {}) {
  const log: string[] = [];
  const said = (what: string): string => {
    log.push(what);
    if (breaks.includes(what)) throw new Error(`${what} broke`);
    return what;
  };
  const clock = { nowMs: () => 0, monotonicMs: () => 0 };
  const status: TaskStatus = { full: false, failure: null };
  const turn = new TurnClock(clock);
  const left = { refusals };
  let polled = 0;
  const source = {
    poll: () => {
      polled += 1;
      return polls[polled - 1] ?? "wait";
    },
    watermark: () => (polled === 0 ? -Infinity : polled * 10),
    isUnread: false,
    nextPollMs: () => Infinity,
    close: async () => void said("close source"),
  } as unknown as SourceDriver;
  const operator = {
    onWatermark: (watermark: number) => said(`watermark ${watermark}`) !== "",
    nextProcessingTimeMs: () => Infinity,
    close: () => void said("close operator"),
  } as unknown as Operator;
  const partition = {
    counts: { batches: 0, bytes: 0 },
    setWatermark: (watermark: number) => void said(`partition ${watermark}`),
    flushSome: () => undefined,
    nextFlushMs: () => Infinity,
    usage: () => 0,
    drain: () => true,
    end: () => {
      left.refusals -= 1;
      if (left.refusals >= 0) return false;
      return said("partition ends") !== "";
    },
  } as unknown as ResultPartition;
  const sinks = names.map((name) => {
    return {
      uid: name,
      full: false,
      failure: null,
      flushSome: () => undefined,
      prepareCommit: async () => [said(`prepare ${name}`)].slice(name === "none" ? 1 : 0),
      abort: async () => void said(`abort ${name}`),
      close: async () => void said(`close ${name}`),
    } as unknown as SinkDriver;
  });
  const flatMap = new FlatMapDriver({ uid: "flatMap", status, turn, onThrow: () => undefined });
  const task = new Task({
    state: new TaskState(() => undefined),
    ...{ name: "task", clock, status, turn, source, gate: null, partitions: [partition], sinks, flatMaps: [flatMap] },
    chain: { options: { bindings: [] }, endWatch: () => undefined },
    combiner: new WatermarkCombiner(1),
    eventTimes: [],
    unheard: [],
    inputPath: new WatermarkPath(
      [
        { kind: "operator", operator },
        { kind: "partition", partition },
      ],
      status,
      () => undefined,
    ),
    operators: [operator],
    onFailure: (error: unknown) => error,
    stores: [{ release: async () => void said("release store") } as unknown as KeyedStateStore],
    metrics: { sent: () => undefined, usage: () => undefined, wake: () => void log.push("woken") },
  } as unknown as TaskParts);
  return { task, log, status, take: () => log.splice(0) };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the life of a task", () => {
  test("T4: at the end come the last watermark, the end of the exchanges, and the sinks", async () => {
    const { task, take } = setUp({ polls: ["more", "end"] });
    assert.equal(task.turn(5), "idle");
    assert.deepEqual(take(), [
      ...["watermark 10", "partition 10", "watermark 20", "partition 20"],
      ...["watermark Infinity", "partition Infinity", "partition ends", "prepare a", "prepare b"],
    ]);
    await settled();
    assert.deepEqual(take(), ["woken"]);
    assert.equal(task.turn(5), "finished");
    assert.deepEqual(await task.prepare(), PREPARED);
    assert.deepEqual(take(), [], "they were asked once");
  });

  test("its sinks are asked once, and not before every exchange has taken its end", async () => {
    const { task, take } = setUp({ refusals: 2 });
    assert.equal(task.turn(5), "blocked");
    assert.equal(task.turn(5), "blocked");
    assert.ok(!take().includes("prepare a"));
    assert.equal(task.turn(5), "idle");
    assert.deepEqual(take(), ["partition ends", "prepare a", "prepare b"]);
    task.turn(5);
    assert.deepEqual(await task.prepare(), PREPARED);
    assert.deepEqual(take(), ["woken"]);
  });

  test("one that is stopped prepares what its sinks have; those that have nothing to commit are not named", async () => {
    const { task, take } = setUp({ polls: ["wait"], names: ["a", "none", "b"] });
    task.turn(5);
    take();
    assert.deepEqual(await task.prepared(), []);
    assert.deepEqual(await task.prepare(), PREPARED);
    assert.deepEqual(take(), ["prepare a", "prepare none", "prepare b"]);
    assert.deepEqual(await task.prepared(), PREPARED);
  });

  test("a sink that cannot prepare fails the task at its next turn, and wakes it for that", async () => {
    const { task, take } = setUp({ breaks: ["prepare b"] });
    task.turn(5);
    await settled();
    assert.equal(take().at(-1), "woken");
    assert.throws(() => task.turn(5), /prepare b broke/);
  });

  test("a failure kept out of a user function's way, or of a flush, fails the task before anything else", () => {
    const kept = setUp({ polls: ["more"] });
    kept.status.failure = new Error("kept") as never;
    assert.throws(() => kept.task.turn(5), /kept/);
    assert.deepEqual(kept.take(), []);
    const flushed = setUp({ polls: ["more"] });
    flushed.task.parts.sinks[1]!.failure = new Error("disk full");
    assert.throws(() => flushed.task.turn(5), /disk full/);
  });

  test("closing gives everything back, what lies in the pools first; what was not committed is aborted", async () => {
    const aborted = setUp();
    await aborted.task.close("abort");
    const sinks = ["abort a", "close a", "abort b", "close b"];
    assert.deepEqual(aborted.take(), ["close operator", "release store", "close source", ...sinks]);
    const committed = setUp();
    await committed.task.close("committed");
    assert.deepEqual(committed.take(), ["close operator", "release store", "close source", "close a", "close b"]);
  });

  test("what was prepared outlives the close; of what could not be prepared nothing does", async () => {
    const { task, take } = setUp();
    task.turn(5);
    take();
    await task.close("abort");
    assert.deepEqual(await task.prepared(), PREPARED);
    const unprepared = setUp({ breaks: ["prepare b"] });
    unprepared.task.turn(5);
    await unprepared.task.close("abort");
    assert.deepEqual(await unprepared.task.prepared(), []);
  });

  test("what fails while it is closed keeps nothing else from being closed, and the first failure is told", async () => {
    const { task, take } = setUp({ breaks: ["close source", "abort a", "close operator"] });
    await assert.rejects(task.close("abort"), /close operator broke/);
    const sinks = ["abort a", "close a", "abort b", "close b"];
    assert.deepEqual(take(), ["close operator", "release store", "close source", ...sinks]);
  });
});
