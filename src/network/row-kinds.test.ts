import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ScriptedSender } from "../../test/network/scripted-sender.ts";
import { SeededRandom } from "../base/seeded-random.ts";
import { compileBatchCodec } from "../types/batch/batch-codec.ts";
import type { RowKind } from "../types/bytes/row-kind.ts";
import { ShapeLearner } from "../types/shapes/shape-learner.ts";
import { t } from "../types/t.ts";
import { selectRoundRobin } from "./channel-selector.ts";
import { ResultPartition } from "./result-partition.ts";

const SPEC = t.struct({ id: t.f64, text: t.string }).spec;

/** A partition with a channel by reference and one that encodes, between which records take turns. */
class Ends {
  readonly senders: readonly [ScriptedSender, ScriptedSender];
  readonly partition: ResultPartition;
  readonly status = { full: false };

  constructor({ learned, kinds }: { readonly learned: boolean; readonly kinds: boolean }) {
    const name = `row kinds ${learned} ${kinds}`;
    const codec = compileBatchCodec(SPEC, { timestamps: true, kinds, extraFields: "refuse" }, name);
    this.senders = [new ScriptedSender("local", null), new ScriptedSender("simulated", learned ? null : codec)];
    this.partition = new ResultPartition({
      name,
      senders: this.senders,
      selector: selectRoundRobin(2, 0),
      timestamps: true,
      kinds,
      shape: learned ? new ShapeLearner({ timestamps: true, kinds }, name) : codec,
      status: this.status,
      batchBytesMax: 500,
      bufferTimeoutMs: 100,
      overdraftRecordsMax: 10_000,
      recordBytesMax: 1_000_000,
      refusal: { misfit: () => new Error("misfit"), tooLarge: () => new Error("too large") },
    });
  }

  /** Links gain and lose room now and then. */
  move(random: SeededRandom): void {
    const draw = random.below(40);
    if (draw > 1) return;
    for (const sender of this.senders) sender.room = draw === 0 ? 0 : random.below(4);
    if (this.status.full) this.status.full = !this.partition.drain();
  }

  end(): void {
    for (const sender of this.senders) sender.room = Infinity;
    assert.ok(this.partition.end());
  }
}

const changes = fc.array(
  fc.record({ kind: fc.constantFrom<RowKind>(0, 1, 2, 3), run: fc.constantFrom(1, 2, 700), wide: fc.boolean() }),
  { maxLength: 12, size: "max" },
);

function emittedOf(learned: boolean) {
  return ({ kind, wide }: { kind: RowKind; wide: boolean }, id: number) => {
    const record = { id, text: learned && wide ? null : "t" };
    return { record, time: id, ...(kind !== 0 && { kind }) }; // An insert is emitted without its kind.
  };
}

test("kinds stay with their records, by reference and encoded, of declared and learned shapes, whatever room there is", () => {
  const property = fc.property(changes, fc.boolean(), fc.nat(), (given, learned, seed) => {
    const random = new SeededRandom(seed);
    const ends = new Ends({ learned, kinds: true });
    const emitted = given
      .flatMap(({ run, ...each }) => Array.from({ length: run }, () => each))
      .map(emittedOf(learned));
    for (const { record, time, kind } of emitted) {
      ends.partition.emit(record, time, kind);
      ends.move(random);
    }
    ends.end();
    for (const [channel, { events }] of ends.senders.entries()) {
      const records = events.filter((event) => "record" in event);
      assert.deepEqual(
        records,
        emitted.filter((_, id) => id % 2 === channel),
      );
    }
  });
  fc.assert(property, { numRuns: 60 });
});

test("the code of an edge of inserts alone knows nothing of kinds", () => {
  const [plain, changing] = [false, true].map((kinds) => new Ends({ learned: false, kinds }).partition.emit.toString());
  assert.doesNotMatch(plain!, /kind|Change/);
  assert.match(changing!, /kind/);
  const without = changing!.replaceAll(", kind = 0", "").replaceAll(", kind", "").replace("stageChange", "stageRow");
  assert.equal(without, plain);
});
