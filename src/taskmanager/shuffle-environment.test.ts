import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OPTIONS } from "../config/options.ts";
import { SegmentPool } from "../memory/segment-pool.ts";
import { type JobDescriptor, type SlotWiring, type TaskDescriptor, taskIdOf } from "../protocol/slot-messages.ts";
import { ShuffleEnvironment } from "./shuffle-environment.ts";

const PER_CHANNEL = 2;
const SHARED = 3;

/** Vertex 0, whose subtask i is in slot i, sends to vertex 1, whose subtask j is in slot j. */
const channel = (from: number, to: number, attempt: number) => ({ edge: 0, from, to, attempt });

const base = (vertex: number, subtask: number, attempt: number) => {
  return { id: taskIdOf(vertex, subtask, attempt), name: `${vertex} (${subtask})`, vertex, subtask, attempt };
};

function sender(from: number, receivers: readonly number[], attempt = 0): TaskDescriptor {
  const channels = receivers.map((to) => ({ ...channel(from, to, attempt), peer: to }));
  return { ...base(0, from, attempt), inputs: [], outputs: [{ edge: 0, channels }] };
}

function receiver(to: number, senders: readonly number[], attempt = 0): TaskDescriptor {
  const channels = senders.map((from) => ({ ...channel(from, to, attempt), peer: from }));
  return { ...base(1, to, attempt), inputs: [{ edge: 0, channels }], outputs: [] };
}

function setUp(segments = 64) {
  const network = SegmentPool.create({ name: "network memory", configKey: "k", segments, segmentSize: 4_096 });
  const shuffle = new ShuffleEnvironment(network);
  const values = { [OPTIONS.buffersPerChannel.key]: PER_CHANNEL, [OPTIONS.floatingBuffersPerGate.key]: SHARED };
  const jobOf = (jobId: string) =>
    ({ jobId, config: [{ origin: { kind: "job" }, values }] }) as unknown as JobDescriptor;
  const connect = (slot: number, tasks: readonly TaskDescriptor[], jobId = "job"): SlotWiring =>
    shuffle.connect({ run: jobId, job: jobOf(jobId), slot, tasks, slotOf: (peer) => peer + 10 });
  return { network, shuffle, connect, leased: () => network.stats().leased };
}

const memoryOf = ({ rings }: SlotWiring, name: string): SharedArrayBuffer | undefined => rings.get(name)?.memory;

describe("the shuffle environment", () => {
  test("X1: both ends of a channel get one ring, whichever comes first, and the slot of the TaskManager at the other", () => {
    const { connect } = setUp();
    const first = connect(1, [receiver(1, [0])]);
    const second = connect(0, [sender(0, [1])]);
    assert.ok(memoryOf(first, "0/0/1/0") !== undefined);
    assert.equal(memoryOf(first, "0/0/1/0"), memoryOf(second, "0/0/1/0"));
    assert.deepEqual([first.rings.get("0/0/1/0")?.peer, second.rings.get("0/0/1/0")?.peer], [10, 11]);
  });

  test("channels within a slot need no ring and no segments; those of other attempts and jobs are others", () => {
    const { connect, leased } = setUp();
    assert.equal(connect(0, [sender(0, [0]), receiver(0, [0])]).rings.size, 0);
    assert.equal(leased(), 0);
    const half = connect(5, [sender(5, [5, 6])]);
    assert.deepEqual([half.rings.size, leased()], [1, PER_CHANNEL + SHARED]);
    const memories = [
      connect(0, [sender(0, [1])]),
      connect(0, [sender(0, [1], 1)]),
      connect(0, [sender(0, [1])], "other job"),
    ].map((wiring) => [...wiring.rings.values()][0]?.memory);
    assert.equal(new Set(memories).size, 3);
  });

  test("X2: an output gets segments for each of its channels and some that they share; without enough nothing is taken", () => {
    const { connect, leased, shuffle } = setUp(2 * (2 * PER_CHANNEL + SHARED) - 1);
    const wiring = connect(0, [sender(0, [1, 2])]);
    assert.equal(wiring.segments.get("0/0/0/0")?.length, 2 * PER_CHANNEL + SHARED);
    const [before, channels] = [leased(), shuffle.size];
    assert.throws(() => connect(3, [receiver(3, [0]), sender(3, [1, 2])]), { code: "MEMORY_EXHAUSTED" });
    assert.deepEqual([leased(), shuffle.size], [before, channels]);
  });

  test("X3: segments are free once the sending task and all that read from it were released, in whatever order", () => {
    const tasks = [sender(0, [1, 2]), receiver(1, [0]), receiver(2, [0])];
    for (const order of permutations(tasks)) {
      const { connect, shuffle, leased, network } = setUp();
      for (const task of tasks) connect(task.subtask, [task]);
      for (const [index, { id }] of order.entries()) {
        assert.ok(leased() > 0, `after ${index} of ${order.map((task) => task.id)}`);
        shuffle.release("job", id);
        shuffle.release("job", id); // Twice is once.
      }
      assert.deepEqual([leased(), shuffle.size, network.report().length], [0, 0, 0]);
    }
  });

  test("a task of a new attempt is connected while others still read from the one before", () => {
    const { connect, shuffle, leased } = setUp();
    connect(0, [sender(0, [1])]);
    connect(1, [receiver(1, [0])]);
    const each = leased();
    shuffle.release("job", sender(0, [1]).id);
    assert.equal(leased(), each, "what was sent may still be read");
    connect(0, [sender(0, [1], 1)]);
    assert.equal(leased(), 2 * each);
    shuffle.release("job", receiver(1, [0]).id);
    assert.equal(leased(), each);
  });
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));
}
