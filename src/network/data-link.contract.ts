// What every link guarantees (data-link.ts, L1 to L7). `dataLinkContract` registers one suite; each implementation runs
// it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SeededRandom } from "../base/seeded-random.ts";
import { compileBatchCodec } from "../types/batch/batch-codec.ts";
import type { RowKind } from "../types/bytes/row-kind.ts";
import type { DataReceiver, DataSender } from "./data-link.ts";
import { ELEMENT } from "./element.ts";

export type LinkUnderTest = {
  readonly sender: DataSender;
  readonly receiver: DataReceiver;
  /** Rings of each side's doorbell so far. */
  readonly rings: { sender: number; receiver: number };
  /** Lets everything under way arrive. */
  settle(): Promise<void>;
  /** After everything was released: throws when the link holds memory that it should have given back. */
  checkIdle(): void;
};

export type LinkOptions = {
  readonly carries: "rows" | "batches";
  make(seed: number): LinkUnderTest;
};

const CODEC = compileBatchCodec(
  {
    kind: "struct",
    fields: [
      { name: "id", type: { kind: "f64" } },
      { name: "text", type: { kind: "string" } },
    ],
  } as never,
  { timestamps: true, kinds: true, extraFields: "refuse" },
  "data-link-contract",
);

/** More than all segments of any link under test. */
const LARGE_BYTES = 50_000;

type Row = { id: number; text: string };
type Sent =
  | { kind: "data"; rows: Row[]; times: number[]; kinds: number[]; marks: number[] }
  | { kind: "control"; control: number; value: number }
  | { kind: "schema"; text: string };

/** A sender and a receiver that speak in rows, whatever the link carries. */
class Ends {
  readonly link: LinkUnderTest;
  readonly received: Sent[] = [];
  readonly #carries: "rows" | "batches";
  readonly #writer = CODEC.createWriter();
  readonly #reader = CODEC.createReader();

  constructor(options: LinkOptions, seed: number) {
    this.link = options.make(seed);
    this.#carries = options.carries;
  }

  send(sent: Sent): boolean {
    const { sender } = this.link;
    if (sent.kind === "control") return sender.sendControl(sent.control as never, sent.value);
    if (sent.kind === "schema") return this.#carries === "rows" || sender.sendSchema(sent.text);
    if (this.#carries === "rows") {
      const { rows, times, kinds, marks } = sent;
      const changes = kinds.some((kind) => kind !== 0) ? Uint8Array.from(kinds) : null;
      return sender.sendRows({ rows, times: Float64Array.from(times), kinds: changes, marks });
    }
    this.#writer.reset();
    sent.rows.forEach((row, index) => {
      const at = sent.marks.indexOf(index);
      if (at >= 0 && at % 2 === 0) this.#writer.mark(sent.marks[at + 1]!);
      assert.ok(this.#writer.append(row, sent.times[index]!, sent.kinds[index] as RowKind));
    });
    const taken = sender.sendBatch(this.#writer);
    assert.equal(this.#writer.count, taken ? 0 : sent.rows.length, "L2: a refused batch stays with its sender");
    return taken;
  }

  /** Reads one element without releasing it; false when there is none. */
  poll(): boolean {
    const element = this.link.receiver.poll();
    if (element === null) return false;
    if (element.rows !== null) {
      const { times, marks } = element;
      const rows = element.rows as Row[];
      const kinds = rows.map((_, index) => element.kinds?.[index] ?? 0);
      this.received.push({ kind: "data", rows, times: [...(times ?? [])], kinds, marks: [...(marks ?? [])] });
    } else if (element.kind === ELEMENT.batch) {
      this.#reader.open(element.view!, element.offset, element.size);
      const rows = Array.from({ length: this.#reader.count }, (_, index) => this.#reader.record(index) as Row);
      const times = rows.map((_, index) => this.#reader.timestamp(index));
      const kinds = rows.map((_, index) => this.#reader.kind(index));
      this.received.push({ kind: "data", rows, times, kinds, marks: [...this.#reader.marks] });
    } else if (element.kind === ELEMENT.schema) {
      const text = element.view!.bytes.toString("utf8", element.offset, element.offset + element.size);
      this.received.push({ kind: "schema", text });
    } else {
      this.received.push({ kind: "control", control: element.kind, value: element.value });
    }
    return true;
  }

  receive(): boolean {
    if (!this.poll()) return false;
    this.link.receiver.release();
    return true;
  }

  /** Sends, and receives for as long as the link has no room. */
  async sendReceiving(sent: Sent, message: string): Promise<void> {
    for (let tries = 0; !this.send(sent); tries += 1) {
      assert.ok(tries < 1_000, `${message}: no room although everything was received`);
      await this.link.settle();
      this.receive();
    }
  }

  async receiveAll(): Promise<void> {
    for (let waits = 0; waits < 2; ) {
      await this.link.settle();
      const pumped = this.link.sender.pump();
      waits = this.receive() || !pumped ? 0 : waits + 1;
    }
  }
}

function dataOf(random: SeededRandom, from: number, rows = 1 + random.below(30), textMax = 40): Sent {
  const made = Array.from({ length: rows }, (_, index) => ({
    id: from + index,
    text: "x".repeat(random.below(textMax)),
  }));
  // Before some of the rows, one of two is marked; values are no places.
  const marks = random.next() < 0.5 ? [] : made.flatMap((_, index) => (index % 2 === 0 ? [index, index + 0.5] : []));
  const changes = random.next() < 0.5;
  const kinds = made.map(() => (changes ? random.below(4) : 0));
  return { kind: "data", rows: made, times: made.map((row) => row.id * 10), kinds, marks };
}

function somethingOf(random: SeededRandom, index: number, carries: "rows" | "batches"): Sent {
  const draw = random.next();
  if (draw < 0.15) return { kind: "control", control: ELEMENT.watermark, value: index };
  if (draw < 0.2) return { kind: "control", control: ELEMENT.idle, value: index & 1 };
  if (draw < 0.25 && carries === "batches")
    return { kind: "schema", text: `{"schema":"${"ü".repeat(random.below(200))}"}` };
  const large = draw < 0.35;
  return dataOf(random, index * 1_000, large ? 200 : undefined, large ? 200 : undefined);
}

const recordsOf = (sent: Sent): number => (sent.kind === "data" ? sent.rows.length : 0);

type Load = { readonly count: number; readonly carries: "rows" | "batches"; readonly message: string };

/** Sends something `count` times, receives now and then, and returns what it has sent. */
async function sendInterleaved(ends: Ends, random: SeededRandom, load: Load): Promise<Sent[]> {
  const sent: Sent[] = [];
  for (let index = 0; index < load.count; index += 1) {
    const next = somethingOf(random, index, load.carries);
    await ends.sendReceiving(next, load.message);
    sent.push(next);
    if (random.next() < 0.4) await ends.link.settle();
    while (random.next() < 0.4) ends.receive();
  }
  return sent;
}

/** Sends and receives something now and then, with a look at how many records are in flight. */
async function countedInFlight(ends: Ends, random: SeededRandom, { count, carries, message }: Load): Promise<void> {
  const { sender } = ends.link;
  let inFlight = 0;
  for (let index = 0; index < count; index += 1) {
    const next = somethingOf(random, index * 1_000, carries);
    if (random.next() < 0.6 && ends.send(next)) inFlight += recordsOf(next);
    assert.equal(sender.recordsInFlight(), inFlight, message);
    await ends.link.settle();
    if (random.next() < 0.5 && ends.receive()) inFlight -= recordsOf(ends.received.at(-1)!);
    await ends.link.settle();
    sender.pump();
  }
}

export function dataLinkContract(name: string, options: LinkOptions): void {
  describe(`link: ${name}`, () => {
    test("L1: everything arrives once, in the order sent, however sending and receiving interleave", async () => {
      for (let seed = 1; seed <= 60; seed += 1) {
        const random = new SeededRandom(seed);
        const ends = new Ends(options, seed);
        const sent = await sendInterleaved(ends, random, {
          count: 60,
          carries: options.carries,
          message: `SEED=${seed}`,
        });
        await ends.receiveAll();
        const end: Sent = { kind: "control", control: ELEMENT.end, value: 0 };
        assert.ok(ends.send(end));
        await ends.receiveAll();
        assert.deepEqual(ends.received, [...sent, end], `SEED=${seed}`);
        assert.equal(ends.link.sender.inFlight(), 0);
        ends.link.checkIdle();
      }
    });

    test("L2: a sender without room is told so, and rung once the receiver has made room", async () => {
      const ends = new Ends(options, 7);
      const random = new SeededRandom(7);
      let count = 0;
      while (ends.send(dataOf(random, count))) {
        count += 1;
        assert.ok(count < 1_000, "L4: batches in flight are bounded");
      }
      assert.ok(count >= 1);
      await ends.link.settle();
      const before = ends.link.rings.sender;
      assert.ok(ends.receive());
      await ends.link.settle();
      assert.ok(ends.link.rings.sender > before, "no ring after the release");
      assert.ok(ends.send(dataOf(random, count)), "rung, but there is no room");
    });

    test("L5: the receiver is rung for what arrives, once it is announced", async () => {
      const ends = new Ends(options, 8);
      ends.link.sender.announce();
      assert.equal(ends.link.rings.receiver, 0);
      assert.ok(ends.send({ kind: "control", control: ELEMENT.watermark, value: 5 }));
      ends.link.sender.announce();
      ends.link.sender.announce();
      await ends.link.settle();
      assert.equal(ends.link.rings.receiver, 1);
    });

    test("L3: an element is valid until it is released, whatever the sender does meanwhile", async () => {
      const ends = new Ends(options, 9);
      const random = new SeededRandom(9);
      const first = dataOf(random, 0, 20);
      assert.ok(ends.send(first));
      await ends.link.settle();
      const element = ends.link.receiver.poll()!;
      for (let index = 1; ends.send(dataOf(random, index * 100)); index += 1) await ends.link.settle();
      if (element.rows !== null) {
        assert.deepEqual(element.rows, first.kind === "data" ? first.rows : null);
      } else {
        const reader = CODEC.createReader();
        reader.open(element.view!, element.offset, element.size);
        assert.deepEqual({ id: 19, count: 20 }, { id: (reader.record(19) as Row).id, count: reader.count });
      }
      ends.link.receiver.release();
      await ends.receiveAll();
      ends.link.checkIdle();
    });

    test("L4: control elements in flight are bounded, too, and those that were taken arrive", async () => {
      const ends = new Ends(options, 10);
      const sent: Sent[] = [];
      const control = (): Sent => ({ kind: "control", control: ELEMENT.watermark, value: sent.length });
      for (let next = control(); ends.send(next); next = control()) {
        sent.push(next);
        assert.ok(sent.length < 10_000, "control elements are not bounded");
      }
      await ends.receiveAll();
      assert.deepEqual(ends.received, sent);
    });

    test("L4: batches in flight are bounded as before, whatever was received meanwhile", async () => {
      const ends = new Ends(options, 10);
      const random = new SeededRandom(10);
      const fill = async (): Promise<number> => {
        let count = 0;
        while (ends.send(dataOf(random, count, 1))) count += 1;
        await ends.receiveAll();
        return count;
      };
      const bound = await fill();
      for (let index = 0; index < 10; index += 1) {
        await ends.sendReceiving({ kind: "control", control: ELEMENT.watermark, value: index }, "a control element");
      }
      await ends.receiveAll();
      assert.equal(await fill(), bound);
    });

    test("an element counts as in flight until it is released, and the sender can ask to be rung then", async () => {
      const ends = new Ends(options, 11);
      assert.equal(ends.link.sender.ringAtRelease(), false, "nothing is in flight yet");
      assert.ok(ends.send(dataOf(new SeededRandom(11), 0)));
      assert.equal(ends.link.sender.ringAtRelease(), true);
      await ends.link.settle();
      const before = ends.link.rings.sender;
      assert.ok(ends.poll());
      assert.equal(ends.link.sender.inFlight(), 1);
      ends.link.receiver.release();
      await ends.link.settle();
      assert.equal(ends.link.sender.inFlight(), 0);
      assert.ok(ends.link.rings.sender > before, "no ring after the release");
    });

    test("L7: records count as in flight until they are released, and what the receiver wants of them comes through", async () => {
      for (let seed = 1; seed <= 20; seed += 1) {
        const random = new SeededRandom(seed);
        const ends = new Ends(options, seed);
        const { sender, receiver } = ends.link;
        assert.deepEqual([sender.recordsInFlight(), sender.appetite()], [0, 0]);
        receiver.setAppetite(100 + seed);
        await countedInFlight(ends, random, { count: 100, carries: options.carries, message: `SEED=${seed}` });
        await ends.receiveAll();
        assert.deepEqual([sender.recordsInFlight(), sender.appetite()], [0, 100 + seed], `SEED=${seed}`);
      }
    });

    if (options.carries === "rows") return;

    test("L6: a batch larger than all memory of the link arrives though nothing follows it", async () => {
      const ends = new Ends(options, 12);
      const text = "ß".repeat(LARGE_BYTES);
      const large: Sent = { kind: "data", rows: [{ id: 1, text }], times: [10], kinds: [3], marks: [0, 7] };
      assert.ok(ends.send(large));
      for (let steps = 0; ends.received.length === 0; steps += 1) {
        assert.ok(steps < 10_000, "it never arrives");
        await ends.link.settle();
        const rings = ends.link.rings.sender;
        ends.receive();
        await ends.link.settle();
        if (ends.link.rings.sender > rings) ends.link.sender.pump(); // As a slot does: only when rung.
      }
      assert.deepEqual(ends.received, [large]);
      await ends.receiveAll();
      ends.link.checkIdle();
    });
  });
}
