import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { ScriptedSender, type SentEvent } from "../../test/network/scripted-sender.ts";
import { UserError } from "../base/errors.ts";
import { SeededRandom } from "../base/seeded-random.ts";
import { subtaskOf } from "../state/keys/key-groups.ts";
import { compileBatchCodec } from "../types/batch/batch-codec.ts";
import type { CodecPair } from "../types/bytes/codec.ts";
import { compileKeyHash } from "../types/keys/key-hash.ts";
import { ShapeLearner } from "../types/shapes/shape-learner.ts";
import type { TypeSpec } from "../types/spec/type-spec.ts";
import {
  type ChannelSelector,
  selectAll,
  selectByKey,
  selectCustom,
  selectFirst,
  selectRoundRobin,
} from "./channel-selector.ts";
import { ResultPartition } from "./result-partition.ts";

const SPEC = {
  kind: "struct",
  fields: [
    { name: "id", type: { kind: "f64" } },
    { name: "text", type: { kind: "string" } },
  ],
} as unknown as TypeSpec;
const IGNORING = { timestamps: true, extraFields: "ignore" } as const;
const CODEC = compileBatchCodec(SPEC, { timestamps: true, extraFields: "refuse" }, "partition-test");
const row = (id: number, text = "t") => ({ id, text });

/** Of two kinds, the second of which a projection of the first would fit, too. */
const FIELDS = [{ name: "id", type: { kind: "f64" }, optional: false }] as const;
const PART = { name: "part", type: { kind: "f64" }, optional: false } as const;
const PAIR: CodecPair = {
  field: "part",
  with: compileBatchCodec({ kind: "struct", fields: [PART, ...FIELDS] }, IGNORING, "partition-test with"),
  without: compileBatchCodec({ kind: "struct", fields: FIELDS }, IGNORING, "partition-test without"),
};

type Setup = {
  channels?: number;
  selector?: ChannelSelector;
  kinds?: readonly ("local" | "simulated")[];
  learned?: boolean;
  pair?: boolean;
  batchBytesMax?: number;
  bufferTimeoutMs?: number;
  overdraftRecordsMax?: number;
  recordBytesMax?: number;
  marks?: boolean;
};

let partitions = 0;

function setUp(setup: Setup = {}) {
  const { channels = 1, learned = false, pair = false } = setup;
  const kinds = setup.kinds ?? Array.from({ length: channels }, () => "simulated" as const);
  const senders = kinds.map((kind) => new ScriptedSender(kind, learned ? null : pair ? PAIR.with : CODEC));
  const status = { full: false };
  partitions += 1;
  const name = `partition test ${partitions}`;
  const partition = new ResultPartition({
    name,
    senders,
    selector: setup.selector ?? selectFirst,
    timestamps: true,
    marks: setup.marks ?? false,
    shape: learned ? new ShapeLearner({ timestamps: true }, name) : pair ? PAIR : CODEC,
    status,
    batchBytesMax: setup.batchBytesMax ?? 1_000,
    bufferTimeoutMs: setup.bufferTimeoutMs ?? 100,
    overdraftRecordsMax: setup.overdraftRecordsMax ?? 1_000,
    recordBytesMax: setup.recordBytesMax ?? 1_000_000,
    refusal: {
      misfit: (record, mismatch) =>
        new UserError(
          mismatch?.unsupported ? "CODEC_UNSUPPORTED" : "CODEC_MISMATCH",
          `${mismatch?.path}: ${mismatch?.actual} in ${inspect(record)}`,
        ),
      tooLarge: (_record, bytes, maxBytes) => new UserError("RECORD_TOO_LARGE", `${bytes} of ${maxBytes}`),
    },
  });
  return { partition, senders, status, sender: senders[0]! };
}

const recordsOf = (sender: ScriptedSender) => sender.events.flatMap((event) => ("record" in event ? [event] : []));
const idsOf = (sender: ScriptedSender): number[] =>
  recordsOf(sender).map(({ record }) => (record as { id: number }).id);

function emitAll(partition: ResultPartition, count: number): void {
  for (let id = 0; id < count; id += 1) partition.emit(row(id), id);
}

const threw = (error: unknown) => error as Error;

describe("choice of the channel", () => {
  test("rebalance goes round, beginning at the sender's own channel", () => {
    const { partition, senders } = setUp({ channels: 3, selector: selectRoundRobin(3, 1) });
    emitAll(partition, 6);
    partition.end();
    assert.deepEqual(senders.map(idsOf), [
      [2, 5],
      [0, 3],
      [1, 4],
    ]);
  });

  test("broadcast reaches every channel, local or not, global the first only", () => {
    const broadcast = setUp({ kinds: ["simulated", "local", "simulated"], selector: selectAll });
    emitAll(broadcast.partition, 3);
    broadcast.partition.end();
    assert.deepEqual(broadcast.senders.map(idsOf), [
      [0, 1, 2],
      [0, 1, 2],
      [0, 1, 2],
    ]);
    const global = setUp({ channels: 3, selector: selectFirst });
    emitAll(global.partition, 3);
    global.partition.end();
    assert.deepEqual(global.senders.map(idsOf), [[0, 1, 2], [], []]);
  });

  test("hash sends each key to the subtask that owns its key group", () => {
    const channels = 3;
    const hash = compileKeyHash({ kind: "f64" }, "partition-test");
    const key = { key: undefined, hash, doubtful: () => undefined };
    const keyCode = 'record["id"]';
    const selector = selectByKey({ keyCode, key, subtask: subtaskOf, channels, maxParallelism: 128, threw });
    const { partition, senders } = setUp({ channels, selector });
    emitAll(partition, 500);
    partition.end();
    senders.forEach((sender, channel) => {
      for (const id of idsOf(sender)) assert.equal(subtaskOf(hash(id), channels, 128), channel);
    });
    assert.equal(senders.flatMap(idsOf).length, 500);
  });

  test("a custom partitioner's choice is followed, and refused when there is no such channel", () => {
    const partitionFunction = (record: { id: number }) => record.id;
    const outOfRange = () => new UserError("PARTITION_OUT_OF_RANGE", "");
    const selector = selectCustom({ partition: partitionFunction, channels: 2, outOfRange, threw });
    const { partition, senders } = setUp({ channels: 2, selector });
    partition.emit(row(1), 0);
    partition.emit(row(0), 0);
    const unreadable = { valueOf: () => assert.fail("was asked for a number") };
    for (const wrong of [2, -1, 0.5, Number.NaN, undefined, "1", null, 1n, Symbol.iterator, unreadable]) {
      assert.throws(
        () => partition.emit({ id: wrong, text: "" }, 0),
        { code: "PARTITION_OUT_OF_RANGE" },
        inspect(wrong),
      );
    }
    partition.end();
    assert.deepEqual(senders.map(idsOf), [[0], [1]]);
  });
});

describe("when batches are sent", () => {
  test("P2: a full batch goes at once, a partial one when the task is idle and the receiver has nothing", () => {
    const { partition, sender } = setUp({ batchBytesMax: 500 });
    emitAll(partition, 100);
    assert.ok(sender.batches > 1, "full batches have gone");
    const sent = idsOf(sender).length;
    assert.ok(sent < 100);
    sender.unreleased = 0;
    partition.flushSome(0, true);
    assert.equal(idsOf(sender).length, 100);
    assert.equal(sender.announced, sender.batches, "P6: the receiver has been told of all of them");
    assert.equal(partition.nextFlushMs(), Infinity);
  });

  test("P2: an idle task whose receiver is busy asks to be rung at its release, and sends then", () => {
    const { partition, sender } = setUp();
    partition.emit(row(1), 1);
    sender.unreleased = 1;
    partition.flushSome(10, true);
    assert.deepEqual([idsOf(sender), sender.asked], [[], 1]);
    assert.equal(partition.nextFlushMs(), 110);
    sender.unreleased = 0;
    partition.flushSome(11, true);
    assert.deepEqual(idsOf(sender), [1]);
  });

  test("P2: a partial batch waits no longer than the buffer time-out, whatever the receiver does", () => {
    const { partition, sender } = setUp({ bufferTimeoutMs: 20 });
    sender.unreleased = 5;
    partition.emit(row(1), 1);
    partition.flushSome(100, false);
    partition.flushSome(119, false);
    assert.deepEqual(idsOf(sender), []);
    assert.equal(partition.nextFlushMs(), 120);
    partition.flushSome(120, false);
    assert.deepEqual(idsOf(sender), [1]);
  });

  test("P2: a busy task's partial batches wait a little per channel, so that many channels do not mean tiny batches", () => {
    const { partition, sender } = setUp({ channels: 8 });
    partition.emit(row(1), 1);
    partition.flushSome(0, false);
    partition.flushSome(1.9, false);
    assert.deepEqual(idsOf(sender), []);
    partition.flushSome(2, false);
    assert.deepEqual(idsOf(sender), [1]);
  });

  test("a link without room is not asked again before it rings: no turn is wanted until then", () => {
    const { partition, sender } = setUp({ bufferTimeoutMs: 5 });
    sender.room = 0;
    partition.emit(row(1), 1);
    partition.flushSome(0, true);
    partition.flushSome(50, false);
    assert.equal(partition.nextFlushMs(), Infinity);
    sender.room = Infinity;
    partition.flushSome(51, false);
    assert.deepEqual(idsOf(sender), [1]);
  });

  test("with batches that only full ones leave, nothing else is sent before the end", () => {
    const { partition, sender } = setUp({ bufferTimeoutMs: Infinity });
    partition.emit(row(1), 1);
    partition.flushSome(0, true);
    partition.flushSome(1e9, false);
    assert.equal(partition.nextFlushMs(), Infinity);
    assert.deepEqual(idsOf(sender), []);
    partition.end();
    assert.deepEqual(idsOf(sender), [1]);
  });
});

describe("a partition without room", () => {
  for (const kind of ["simulated", "local"] as const) {
    test(`P1: nothing is lost over a ${kind} link, and the task is told when it may go on`, () => {
      const { partition, sender, status } = setUp({ kinds: [kind], batchBytesMax: 300 });
      sender.room = 0;
      for (let id = 0; id < 600; id += 1) partition.emit(row(id), id);
      assert.equal(status.full, true);
      assert.equal(partition.drain(), false);
      for (let tries = 0; !partition.drain(); tries += 1) {
        assert.ok(tries < 1_000, "it never drains");
        sender.room = 1;
      }
      sender.room = Infinity;
      partition.end();
      assert.deepEqual(
        idsOf(sender),
        Array.from({ length: 600 }, (_, id) => id),
      );
      assert.deepEqual(sender.events.at(-1), { end: true });
    });
  }

  test("a channel without room does not keep what another has staged from being sent", () => {
    const { partition, senders } = setUp({ channels: 2, selector: selectRoundRobin(2, 0), batchBytesMax: 100 });
    for (const sender of senders) sender.room = 0;
    emitAll(partition, 40);
    senders[1]!.room = Infinity;
    assert.deepEqual([partition.drain(), idsOf(senders[1]!).length], [false, 20]);
    senders[0]!.room = Infinity;
    assert.deepEqual([partition.drain(), idsOf(senders[0]!).length], [true, 20]);
  });

  test("one call that emits more than the overdraft fails, rather than fill the heap", () => {
    const { partition, sender } = setUp({ overdraftRecordsMax: 100 });
    sender.room = 0;
    assert.throws(() => emitAll(partition, 10_000), { code: "EMIT_OVERDRAFT" });
  });

  test("the overdraft concerns channels without room only: others go on taking what one call emits", () => {
    const partitionFunction = (record: { id: number }) => (record.id === 0 ? 0 : 1);
    const outOfRange = () => new UserError("PARTITION_OUT_OF_RANGE", "");
    const selector = selectCustom({ partition: partitionFunction, channels: 2, outOfRange, threw });
    const { partition, senders, status } = setUp({ channels: 2, selector, overdraftRecordsMax: 100, batchBytesMax: 1 });
    senders[0]!.room = 0;
    emitAll(partition, 1_000);
    assert.equal(status.full, true);
    assert.equal(idsOf(senders[1]!).length, 999);
  });
});

describe("order within a channel", () => {
  test("C1: a watermark follows the records before it; of several unsent ones the latest goes", () => {
    const { partition, senders } = setUp({ channels: 2, selector: selectRoundRobin(2, 0) });
    partition.emit(row(1), 1);
    partition.setWatermark(5);
    partition.setWatermark(7);
    partition.setWatermark(6);
    partition.flushSome(0, true);
    assert.deepEqual(senders[0]!.events, [{ record: row(1), time: 1 }, { watermark: 7 }]);
    assert.deepEqual(senders[1]!.events, [{ watermark: 7 }]);
  });

  for (const marks of [true, false]) {
    test(`a watermark ${marks ? "keeps its place among the records" : "comes behind them"}, encoded or by reference`, () => {
      const { partition, senders } = setUp({ kinds: ["local", "simulated"], selector: selectRoundRobin(2, 0), marks });
      for (const [id, watermark] of [5, 7, 9].entries()) {
        for (const _ of senders) partition.emit(row(id), id);
        partition.setWatermark(watermark);
      }
      partition.flushSome(0, true);
      for (const sender of senders) assert.deepEqual(sender.marks, [marks ? [1, 5, 2, 7, 3, 9] : []]);
    });
  }

  test("the end of event time does not replace the last watermark: the end of the channel says it", () => {
    const { partition, senders } = setUp({});
    partition.setWatermark(7);
    partition.setWatermark(Infinity);
    assert.equal(partition.end(), true);
    assert.deepEqual(senders[0]!.events, [{ watermark: 7 }, { end: true }]);
  });

  test("the end follows everything, and is sent once, whatever room there is", () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const random = new SeededRandom(seed);
      const kinds = ["local", "simulated", "simulated"] as const;
      const { partition, senders } = setUp({ kinds, selector: selectRoundRobin(3, 0), batchBytesMax: 200 });
      for (const sender of senders) sender.room = random.below(4);
      emitAll(partition, 50);
      partition.setWatermark(100);
      partition.setIdle(true);
      for (let tries = 0; !partition.end(); tries += 1) {
        assert.ok(tries < 1_000);
        for (const sender of senders) sender.room = random.below(2);
      }
      assert.ok(partition.end(), "a second end does nothing");
      for (const { events } of senders) {
        assert.deepEqual(events.slice(-3), [{ watermark: 100 }, { idle: 1 }, { end: true }], `SEED=${seed}`);
        assert.equal(events.filter((event) => "end" in event).length, 1);
      }
      assert.equal(senders.flatMap(idsOf).length, 50);
    }
  });

  test("C3, P3: records of changing shapes come out as they went in, in order, though links seldom have room", () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const random = new SeededRandom(seed);
      const setup = { channels: 2, selector: selectRoundRobin(2, 0), learned: true, batchBytesMax: 300 };
      const { partition, senders, status } = setUp(setup);
      const emitted = Array.from({ length: 60 }, (_, id) => emitSomeShape(random, id, { partition, senders, status }));
      for (const sender of senders) sender.room = Infinity;
      partition.end();
      senders.forEach((sender, channel) => {
        const expected = emitted.flatMap((record, id) => (id % 2 === channel ? [{ record, time: id }] : []));
        assert.deepEqual(recordsOf(sender), expected, `SEED=${seed}`);
        checkWatermarks(sender.events, `SEED=${seed}`);
      });
    }
  });
});

describe("P7: records of two kinds", () => {
  test("each encoded batch has one kind, and all come in order, though links seldom have room", () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const random = new SeededRandom(seed);
      const kinds = ["simulated", "local"] as const;
      const setup = { kinds, selector: selectRoundRobin(2, 0), pair: true, batchBytesMax: 150 };
      const { partition, senders, status } = setUp(setup);
      const emitted = Array.from({ length: 80 }, (_, id) => {
        const record = random.next() < 0.5 ? { id, part: -id } : { id, more: "stays behind" };
        emitOne(random, [record, id], { partition, senders, status });
        return record;
      });
      for (const sender of senders) sender.room = Infinity;
      partition.end();
      senders.forEach((sender, channel) => {
        const expected = emitted.filter(({ id }) => id % 2 === channel);
        const encoded = expected.map(({ id, part }) => (part === undefined ? { id } : { id, part }));
        assert.deepEqual(
          recordsOf(sender),
          (channel === 0 ? encoded : expected).map((record) => ({ record, time: record.id })),
          `SEED=${seed}`,
        );
        checkWatermarks(sender.events, `SEED=${seed}`);
      });
    }
  });

  test("while the kind stays the same, batches are as large as any, and no layout is announced", () => {
    const { partition, sender } = setUp({ pair: true, batchBytesMax: 10_000 });
    for (let id = 0; id < 100; id += 1) partition.emit({ id, part: 1 }, id);
    for (let id = 0; id < 100; id += 1) partition.emit({ id }, id);
    partition.end();
    assert.equal(idsOf(sender).length, 200);
    assert.deepEqual([sender.batches, sender.schemas], [2, 1]);
  });

  test("the reason against a record is that it does not fit its own kind, whichever came before it", () => {
    for (const kind of ["simulated", "local"] as const) {
      for (const before of [{ id: 1 }, { id: 1, part: 1 }]) {
        const { partition } = setUp({ kinds: [kind], pair: true });
        partition.emit(before, 1);
        assert.throws(() => partition.emit({ id: "x" }, 2), {
          code: "CODEC_MISMATCH",
          message: "id: string \"x\" in { id: 'x' }",
        });
      }
    }
  });
});

describe("P4: what is refused does not depend on the link", () => {
  class Point {
    #x = 1;
    y = this.#x;
  }
  /** The codes and reasons with which each kind of link refuses; null where it takes the record. */
  const verdicts = (record: unknown, learned: boolean) =>
    (["simulated", "local"] as const).map((kind) => {
      const { partition } = setUp({ kinds: [kind], learned });
      if (learned) partition.emit(row(1), 0);
      try {
        partition.emit(record, 0);
        return null;
      } catch (error) {
        return `${(error as UserError).code} ${(error as UserError).message}`;
      }
    });

  test("a record that the declared type does not fit fails by reference as it does encoded, with the same reason", () => {
    const wrong: readonly unknown[] = [
      { id: "5", text: "t" },
      { id: undefined, text: "t" },
      { text: "t" },
      { id: 1, text: null },
      { id: 1, text: () => "t" },
      { id: 1, text: Symbol("t") },
      { id: 1, text: "t", extra: 1 },
      { id: 1, text: "t", [Symbol("s")]: 1 },
      Object.assign(new Point(), row(1)),
      [1, "t"],
      () => 1,
      "text",
      null,
      undefined,
    ];
    for (const record of wrong) {
      const [encoded, byReference] = verdicts(record, false);
      assert.match(encoded ?? "", /^CODEC_/, inspect(record));
      assert.equal(byReference, encoded);
    }
    assert.deepEqual(verdicts({ text: "t", id: 1 }, false), [null, null]);
    assert.deepEqual(verdicts(Object.assign(Object.create(null), row(1)), false), [null, null]);
  });

  test("of undeclared records only those are refused that no codec carries, by reference, too", () => {
    const wrong: readonly unknown[] = [
      { id: 1, text: () => 1 },
      { id: 1, text: "t", more: [{ f: Symbol("s") }] },
      { id: new Point(), text: "t" },
      new Map([[1, new Point()]]),
      new (class extends Map {})(),
      Promise.resolve(1),
      new Proxy({}, {}),
      () => 1,
    ];
    for (const record of wrong) {
      const [encoded, byReference] = verdicts(record, true);
      assert.match(encoded ?? "", /^CODEC_UNSUPPORTED/, inspect(record));
      assert.equal(byReference, encoded);
    }
    const fine = [...SHAPES.map((shape) => shape(1)), { text: "t", id: 1 }, 5, "text", null, undefined, [1, [2]]];
    for (const record of fine) assert.deepEqual(verdicts(record, true), [null, null], inspect(record));
  });

  test("with channels of both kinds it is the same, whichever channel a record goes to", () => {
    for (const learned of [false, true]) {
      const { partition, senders } = setUp({
        kinds: ["local", "simulated"],
        selector: selectRoundRobin(2, 0),
        learned,
      });
      emitAll(partition, 4);
      for (let turn = 0; turn < 2; turn += 1) {
        assert.throws(() => partition.emit({ id: 1, text: () => 1 }, 0), { code: "CODEC_UNSUPPORTED" });
      }
      emitAll(partition, 4);
      partition.end();
      assert.deepEqual(senders.map(idsOf), [
        [0, 2, 0, 2],
        [1, 3, 1, 3],
      ]);
    }
  });
});

describe("P5: the maximum size is one of records, not of batches", () => {
  const MAX = 10_000;

  test("what one call emits beyond the room becomes batches not much larger than the limit", () => {
    for (const learned of [false, true]) {
      const { partition, sender } = setUp({
        learned,
        batchBytesMax: 1_000,
        recordBytesMax: MAX,
        overdraftRecordsMax: 9_000,
      });
      sender.room = 0;
      for (let id = 0; id < 5_000; id += 1) partition.emit(row(id, "x".repeat(100)), id);
      assert.equal(partition.drain(), false);
      sender.room = Infinity;
      assert.equal(partition.drain(), true);
      partition.end();
      assert.deepEqual(
        idsOf(sender),
        Array.from({ length: 5_000 }, (_, id) => id),
      );
      assert.ok(Math.max(...sender.sizes) <= 2_500, `a batch of ${Math.max(...sender.sizes)} bytes`);
    }
  });

  test("records just below the maximum pass, however many wait and whatever is staged before them", () => {
    const texts = ["x".repeat(MAX - 200), "é".repeat(MAX - 200), "日".repeat(MAX / 2 - 200)];
    for (const [index, text] of [...texts, ...texts].entries()) {
      const { partition, sender } = setUp({ learned: index < texts.length, recordBytesMax: MAX });
      sender.room = 0;
      for (let id = 0; id < 20; id += 1) partition.emit(row(id, id % 2 === 0 ? "t" : text), id);
      sender.room = Infinity;
      partition.end();
      assert.equal(idsOf(sender).length, 20);
      assert.ok(Math.max(...sender.sizes) < 2 * MAX + 2_000, "large records are not gathered in one batch");
    }
  });

  test("a record above the maximum is refused with both sizes, whatever its text is made of", () => {
    for (const learned of [false, true]) {
      for (const [letter, length] of [
        ["x", MAX],
        ["é", MAX],
        ["日", MAX / 2],
      ] as const) {
        const { partition } = setUp({ learned, recordBytesMax: MAX });
        partition.emit(row(0), 0);
        assert.throws(() => partition.emit(row(1, letter.repeat(length)), 1), {
          code: "RECORD_TOO_LARGE",
          message: /^10\d{3} of 10000$/,
        });
      }
    }
  });

  test("a large record of a new shape does not wait for the one after it", () => {
    const { partition, sender } = setUp({ learned: true });
    partition.emit(row(1, "x".repeat(5_000)), 1);
    assert.deepEqual(idsOf(sender), [1]);
  });
});

const SHAPES: readonly ((id: number) => Record<string, unknown>)[] = [
  (id) => ({ id }),
  (id) => ({ id, name: `n${id}` }),
  (id) => ({ id, tags: ["a", id] }),
  (id) => ({ name: null, id }),
  (id) => ({ id: `text ${id}` }),
  (id) => ({ id, nested: { at: new Date(id), big: BigInt(id) } }),
];

type Emitting = Pick<ReturnType<typeof setUp>, "partition" | "senders" | "status">;

/** Emits and returns one record. */
function emitSomeShape(random: SeededRandom, id: number, emitting: Emitting): unknown {
  const record = SHAPES[random.below(SHAPES.length)]!(id);
  emitOne(random, [record, id], emitting);
  return record;
}

/** Links may gain or lose room before the record, a watermark and a flush may follow it. */
function emitOne(
  random: SeededRandom,
  [record, id]: readonly [unknown, number],
  { partition, senders, status }: Emitting,
): void {
  for (const sender of senders) if (random.next() < 0.5) sender.room = random.below(3);
  partition.emit(record, id);
  if (random.next() < 0.2) partition.setWatermark(id);
  if (random.next() < 0.3) partition.flushSome(id, true);
  if (status.full && partition.drain()) status.full = false;
}

/** No record may come after a watermark that was set when it had been emitted: here, times grow with the watermarks. */
function checkWatermarks(events: readonly SentEvent[], message: string): void {
  let seen = -Infinity;
  let late = 0;
  for (const event of events) {
    if ("watermark" in event) {
      assert.ok(event.watermark > seen, `${message}: watermarks rise`);
      seen = event.watermark;
    } else if ("record" in event && event.time <= seen) late += 1;
  }
  assert.equal(late, 0, `${message}: records overtaken by a watermark`);
}
