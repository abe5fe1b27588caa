import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EngineError } from "../../base/errors.ts";
import type { InputGate } from "../../network/input-gate.ts";
import type { ResultPartition } from "../../network/result-partition.ts";
import { valueTooLarge } from "../../types/bytes/byte-buffer.ts";
import type { PrepareMoment, SinkDriver } from "../drivers/sink-driver.ts";
import { type Barrier, barrierOf, barrierValue } from "./barrier.ts";
import { type TakenSnapshot, TaskCheckpoints } from "./task-checkpoints.ts";

type Setup = {
  readonly tooLarge?: readonly number[];
  readonly channels?: number;
  readonly sinks?: readonly string[];
  readonly failing?: boolean;
};

function setUp({ channels = 0, sinks = [], failing = false, tooLarge = [] }: Setup = {}) {
  const log: string[] = [];
  const room = { barriers: Infinity, releases: 0 };
  const clock = { nowMs: () => 0, monotonicMs: () => log.length };
  const partition = (name: string): ResultPartition =>
    ({
      barrier: (value: number) => {
        room.barriers -= 1;
        if (room.barriers < 0) return false;
        const { checkpoint, canonical, isFinal } = barrierOf(value);
        log.push(
          [name, "barrier", checkpoint, ...(canonical ? ["canonical"] : []), ...(isFinal ? ["final"] : [])].join(" "),
        );
        return true;
      },
    }) as unknown as ResultPartition;
  const ready = Promise.withResolvers<void>();
  const sink = (uid: string): SinkDriver =>
    ({
      uid,
      prepareCommit: async (moment: PrepareMoment) => {
        log.push(moment === "checkpoint" ? `prepare ${uid}` : `prepare ${uid} at ${moment}`);
        await ready.promise;
        if (failing) throw new Error("the disk is full");
        return uid === "quiet" ? [] : [`what ${uid} wrote`];
      },
      snapshot: async () => (uid === "quiet" ? null : Buffer.from(`what ${uid} keeps back`)),
    }) as unknown as SinkDriver;
  const gate = { channels: Array.from({ length: channels }, () => ({ blocked: false })) };
  const taken: TakenSnapshot[] = [];
  const checkpoints = new TaskCheckpoints({
    clock,
    mode: "exactly-once",
    gate: channels === 0 ? null : (gate as unknown as InputGate),
    partitions: [partition("left"), partition("right")],
    sinks: sinks.map(sink),
    subtask: 0,
    release: () => {
      room.releases -= 1;
      return room.releases < 0;
    },
    snapshot: () => {
      log.push("snapshot");
      if (tooLarge.includes(log.filter((line) => line === "snapshot").length)) throw valueTooLarge(2 ** 31);
      return [{ uid: "op", subtask: 0, parts: {}, keyed: null, splits: [] }];
    },
    taken: (snapshot) => taken.push(snapshot),
    wake: () => log.push("woken"),
  });
  const blocked = (): boolean[] => gate.channels.map((channel) => channel.blocked);
  return { checkpoints, log, taken, room, blocked, release: () => ready.resolve() };
}

const periodic = (checkpoint: number): Barrier => ({ checkpoint, canonical: false, isFinal: false });

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a task in a checkpoint", () => {
  test("a source takes its snapshot before it goes on, and then its barrier goes out (Q1)", () => {
    const { checkpoints, log, taken } = setUp();
    assert.equal(checkpoints.run(), "done");
    checkpoints.trigger(periodic(1));
    assert.equal(checkpoints.run(), "done");
    assert.deepEqual(log, ["snapshot", "left barrier 1", "right barrier 1"]);
    assert.deepEqual(
      taken.map(({ checkpoint, snapshots, prepared }) => [checkpoint, snapshots.length, prepared]),
      [[1, 1, []]],
    );
    assert.equal(checkpoints.run(), "done");
    assert.equal(taken.length, 1);
  });

  test("what is held back for others goes out before the snapshot, as there is room (Q1)", () => {
    const { checkpoints, log, room } = setUp();
    room.releases = 2;
    checkpoints.trigger(periodic(1));
    assert.equal(checkpoints.run(), "again");
    assert.equal(checkpoints.run(), "again");
    assert.deepEqual(log, []);
    assert.equal(checkpoints.run(), "done");
    assert.equal(log[0], "snapshot");
  });

  test("nothing happens until the barrier has gone out everywhere (Q1)", () => {
    const { checkpoints, log, taken, room } = setUp();
    room.barriers = 1;
    checkpoints.trigger(periodic(1));
    assert.equal(checkpoints.run(), "blocked");
    assert.equal(checkpoints.run(), "blocked");
    assert.equal(taken.length, 0);
    room.barriers = 9;
    checkpoints.run();
    assert.equal(taken.length, 1);
    assert.equal(log.filter((line) => line === "snapshot").length, 1);
    assert.equal(log.at(-1), "right barrier 1");
  });

  test("channels with a barrier are blocked until the snapshot is due, or the checkpoint is given up", () => {
    const { checkpoints, blocked, taken } = setUp({ channels: 2 });
    checkpoints.onBarrier(0, barrierValue(periodic(1)));
    assert.deepEqual(blocked(), [true, false]);
    assert.equal(checkpoints.run(), "done");
    assert.equal(taken.length, 0);
    checkpoints.abort(1);
    assert.deepEqual(blocked(), [false, false]);
    checkpoints.onBarrier(1, barrierValue(periodic(2)));
    checkpoints.onBarrier(0, barrierValue(periodic(2)));
    assert.deepEqual(blocked(), [false, false]);
    checkpoints.run();
    assert.deepEqual(
      taken.map(({ checkpoint }) => checkpoint),
      [2],
    );
  });

  test("the end of a channel stands for its barrier", () => {
    const { checkpoints, taken } = setUp({ channels: 2 });
    checkpoints.onBarrier(0, barrierValue(periodic(1)));
    checkpoints.onEnd(1);
    checkpoints.run();
    assert.equal(taken.length, 1);
    assert.ok(taken[0]!.alignmentMs >= 0);
  });

  test("one that is given up before its snapshot is not taken", () => {
    const { checkpoints, taken } = setUp();
    checkpoints.trigger(periodic(1));
    checkpoints.abort(1);
    assert.equal(checkpoints.run(), "done");
    assert.equal(taken.length, 0);
  });

  test("the task goes on only when its sinks have prepared (Q2)", async () => {
    const { checkpoints, log, taken, release } = setUp({ sinks: ["out", "quiet", "op"] });
    checkpoints.trigger(periodic(1));
    assert.equal(checkpoints.run(), "waits");
    assert.equal(checkpoints.run(), "waits");
    assert.equal(taken.length, 0);
    release();
    await settled();
    assert.deepEqual(taken[0]?.prepared, [
      { sink: "out", committables: ["what out wrote"] },
      { sink: "op", committables: ["what op wrote"] },
    ]);
    const kept = taken[0]?.snapshots.map(({ uid, parts }) => [uid, Buffer.from(parts.writer ?? []).toString()]);
    assert.deepEqual(kept, [
      ["op", "what op keeps back"],
      ["out", "what out keeps back"],
    ]);
    assert.equal(log.at(-1), "woken");
    assert.equal(checkpoints.run(), "done");
  });

  test("a snapshot that cannot be taken fails its checkpoint alone: barriers go on, sinks prepare, the next one is taken (Q5)", async () => {
    const { checkpoints, log, taken, release } = setUp({ sinks: ["files"], tooLarge: [1] });
    checkpoints.trigger(periodic(1));
    checkpoints.run();
    assert.deepEqual(log, ["snapshot", "left barrier 1", "right barrier 1", "prepare files"]);
    release();
    await settled();
    checkpoints.trigger(periodic(2));
    checkpoints.run();
    await settled();
    assert.equal(checkpoints.run(), "done");
    assert.deepEqual(
      taken.map(({ checkpoint, failure, prepared }) => [
        checkpoint,
        (failure as EngineError | null)?.code,
        prepared.length,
      ]),
      [
        [1, "VALUE_TOO_LARGE", 1],
        [2, undefined, 1],
      ],
    );
  });

  test("a sink that cannot prepare fails the task", async () => {
    const { checkpoints, release } = setUp({ sinks: ["out"], failing: true });
    checkpoints.trigger(periodic(1));
    checkpoints.run();
    release();
    await settled();
    assert.throws(() => checkpoints.run(), /disk is full/);
  });

  test("a source that is asked for the next one while a barrier has no room sends each barrier to all, in order (Q4)", () => {
    const { checkpoints, log, taken, room } = setUp();
    room.barriers = 1;
    checkpoints.trigger(periodic(1));
    assert.equal(checkpoints.run(), "blocked");
    checkpoints.trigger(periodic(2));
    checkpoints.trigger(periodic(3));
    assert.equal(checkpoints.run(), "blocked");
    checkpoints.abort(2);
    room.barriers = 9;
    assert.equal(checkpoints.run(), "done");
    assert.deepEqual(
      log.filter((line) => line.includes("barrier")),
      ["left barrier 1", "right barrier 1", "left barrier 3", "right barrier 3"],
    );
    assert.deepEqual(
      taken.map(({ checkpoint }) => checkpoint),
      [1, 3],
    );
  });

  test("after the final one nothing more is done (Q3)", () => {
    const { checkpoints, taken } = setUp();
    checkpoints.trigger(periodic(1));
    assert.equal(checkpoints.run(), "done");
    checkpoints.trigger({ ...periodic(2), isFinal: true });
    assert.equal(checkpoints.run(), "waits");
    assert.equal(checkpoints.run(), "waits");
    assert.equal(taken.length, 2);
  });

  test("what a checkpoint is, its barriers say, and pass on: sinks keep nothing back at a final one", async () => {
    for (const [canonical, isFinal, moment] of [
      [false, true, "prepare out at stop"],
      [true, true, "prepare out at stop"],
      [true, false, "prepare out at savepoint"],
      [false, false, "prepare out"],
    ] as const) {
      const { checkpoints, log, release } = setUp({ channels: 2, sinks: ["out"] });
      checkpoints.onBarrier(0, barrierValue({ checkpoint: 7, canonical, isFinal }));
      checkpoints.onEnd(1);
      checkpoints.run();
      release();
      await settled();
      const words = [canonical ? " canonical" : "", isFinal ? " final" : ""].join("");
      assert.deepEqual(log.slice(1, 4), [`left barrier 7${words}`, `right barrier 7${words}`, moment]);
      assert.equal(checkpoints.run(), isFinal ? "waits" : "done");
    }
  });
});
