// Parts that live on across checkpoints, attempts, runs and parallelisms (T6 of file-target.ts, part-state.ts):
// whatever dies, and wherever, each row of the checkpoint that counts is visible once in the end.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SeededRandom } from "../../../base/seeded-random.ts";
import { type WriterOptions, WriterUnderTest } from "../../../operators/sink.contract.ts";
import type { Committable, Sink } from "../../../operators/sink.ts";
import { readAll } from "../../../operators/source.contract.ts";
import type { Json } from "../../../operators/source.ts";
import type { SimEnv } from "../../../testing/sim-env.ts";
import { simWorld, type World } from "../../../testing/world.ts";
import { t } from "../../../types/t.ts";
import { csv } from "../csv/csv.ts";
import { jsonl } from "../json/jsonl.ts";

const numbers = (from: number, to: number): { n: number }[] =>
  Array.from({ length: to - from }, (_, index) => ({ n: from + index }));

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

async function readBack(world: World<SimEnv>, directory = "/out"): Promise<number[]> {
  const { records } = await readAll(jsonl(directory, { type: t.struct({ n: t.f64 }) }), world);
  return records.map(({ n }) => n).sort((left, right) => left - right);
}

const shown = ({ env }: World<SimEnv>): string[] =>
  env.disk
    .paths()
    .filter((path) => path.startsWith("/out/part-"))
    .map((path) => path.slice("/out/".length));
const hidden = ({ env }: World<SimEnv>): string[] => env.disk.paths().filter((path) => path.endsWith(".tmp"));
const text = ({ env }: World<SimEnv>, path: string): string => new TextDecoder().decode(env.disk.get(path)!);

/** What a checkpoint holds: by subtask, what is not committed; what is in progress; which rows come before it. */
type Held = {
  readonly committables: readonly (readonly Committable[])[];
  readonly states: readonly Json[];
  readonly rows: number;
  /** False: there is none, and the job begins anew. */
  readonly isTaken: boolean;
};

const NOTHING: Held = { committables: [], states: [], rows: 0, isTaken: false };

/** A job with one sink that writes the numbers from 0 on, taken in turn by its subtasks. */
class Runs {
  readonly world: World<SimEnv>;
  readonly #sink: Sink<unknown>;
  readonly #bounded: boolean;
  #job = 0;
  #attempt = -1;
  #writers: WriterUnderTest[] = [];
  /** By subtask, beside what is asked for next. */
  #carried: (readonly Committable[])[] = [];
  row = 0;
  held = NOTHING;

  constructor(seed: number, sink: Sink<unknown>, bounded: boolean) {
    this.world = simWorld(seed);
    this.#sink = sink;
    this.#bounded = bounded;
  }

  /** Another process has another job id. */
  newProcess(): void {
    this.#job += 1;
    this.#attempt = -1;
  }

  /** The next one begins anew. */
  forget(): void {
    this.newProcess();
    this.held = NOTHING;
  }

  /** `order` of subtasks, as they happen to come to it. */
  async open(parallelism: number, held: Held = this.held, order = range(parallelism)): Promise<void> {
    const restored = held.isTaken;
    this.#attempt += 1;
    this.held = held;
    this.row = held.rows;
    const own = Array.from({ length: parallelism }, (_, subtask) =>
      held.committables.flatMap((of, before) => ((before < parallelism ? before : 0) === subtask ? of : [])),
    );
    this.#carried = this.#bounded ? own : own.map(() => []);
    const given = { jobId: `job-${this.#job}`, attempt: this.#attempt, restored, bounded: this.#bounded, parallelism };
    const restore = { uncommitted: held.committables.flat(), states: held.states };
    this.#writers = own.map((_, subtaskIndex) => {
      const options: WriterOptions = { ...given, ...(restored && restore), subtaskIndex };
      return new WriterUnderTest(this.#sink, this.world, options);
    });
    for (const subtask of order) {
      const writer = this.#writers[subtask]!;
      if (!this.#bounded && restored && own[subtask]!.length > 0) await writer.commit(own[subtask]!);
      await writer.open();
    }
  }

  async write(count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      await this.#writers[Math.abs(this.row) % this.#writers.length]!.write([{ n: this.row }]);
      this.row += 1;
    }
  }

  async checkpoint(isCommitted = true): Promise<void> {
    const parts = [];
    for (const writer of this.#writers) parts.push(await writer.checkpoint());
    await this.#completed(parts, isCommitted);
  }

  /** The end of the job, or of a job without an end that is stopped. */
  async finish(): Promise<void> {
    const parts = [];
    for (const writer of this.#writers) parts.push({ committables: await writer.prepareCommit(), states: [] });
    await this.#completed(parts, true);
    if (this.#bounded) await this.#commit(this.held.committables);
    for (const writer of this.#writers) await writer.close();
  }

  async abort(): Promise<void> {
    for (const writer of this.#writers) {
      await writer.abort();
      await writer.close();
    }
  }

  async #completed(
    parts: readonly { committables: readonly Committable[]; states: readonly Json[] }[],
    commits: boolean,
  ) {
    const committables = parts.map((part, subtask) => [...(this.#carried[subtask] ?? []), ...part.committables]);
    this.held = { committables, states: parts.flatMap(({ states }) => states), rows: this.row, isTaken: true };
    this.#carried = committables;
    if (this.#bounded || !commits) return;
    await this.#commit(committables);
    this.#carried = [];
  }

  async #commit(committables: readonly (readonly Committable[])[]): Promise<void> {
    for (const [subtask, own] of committables.entries()) {
      if (own.length > 0) await this.#writers[subtask]!.commit(own);
    }
  }
}

describe("a part lives on across checkpoints", () => {
  test("of a bounded job until it is full; however many there are, nothing more is prepared for them", async () => {
    const runs = new Runs(1, jsonl("/out"), true);
    await runs.open(2);
    for (let round = 0; round < 50; round += 1) {
      await runs.write(4);
      await runs.checkpoint();
      await runs.world.env.advance(60_000);
    }
    assert.equal(runs.held.committables.flat().length, 2, "whose it is, once for each subtask");
    assert.equal(runs.held.states.length, 2);
    await runs.finish();
    assert.equal(shown(runs.world).length, 2);
    assert.deepEqual(await readBack(runs.world), range(200));
  });

  test("of a job without an end for a minute, or as long as it is told, or not at all", async () => {
    for (const [roll, parts] of [
      [{}, [0, 0, 1, 1, 1, 2, 2]],
      [{ every: "20s" }, [1, 2, 3, 4, 5, 6, 7]],
      [{ every: "30s" }, [0, 1, 1, 2, 2, 3, 3]],
      [{ everyCheckpoint: true }, [1, 2, 3, 4, 5, 6, 7]],
      [{ rows: 4 }, [0, 1, 1, 2, 2, 3, 3]],
    ] as const) {
      const runs = new Runs(1, jsonl("/out", { roll }), false);
      await runs.open(1);
      const seen = [];
      for (let round = 0; round < 7; round += 1) {
        await runs.write(1);
        await runs.world.env.advance(20_000);
        await runs.write(1);
        await runs.checkpoint();
        seen.push(shown(runs.world).length);
      }
      assert.deepEqual(seen, parts, JSON.stringify(roll));
      await runs.finish();
      assert.deepEqual(await readBack(runs.world), range(14));
    }
  });

  test("its age is that of its rows: a job that fails again and again shows them as well", async () => {
    const runs = new Runs(1, jsonl("/out"), false);
    for (let round = 0; round < 4; round += 1) {
      await runs.open(1);
      await runs.write(1);
      await runs.world.env.advance(20_000);
      await runs.checkpoint();
      await runs.abort();
    }
    assert.equal(shown(runs.world).length, 1);
  });

  test("across a restore under the name of the new attempt, and nothing of the old one stays", async () => {
    const runs = new Runs(1, csv("/out", { columns: ["n"] }), true);
    await runs.open(1);
    await runs.write(2);
    await runs.checkpoint();
    await runs.write(2);
    runs.newProcess();
    await runs.open(1);
    assert.equal(hidden(runs.world).length, 1);
    await runs.write(1);
    await runs.finish();
    assert.deepEqual(shown(runs.world), ["part-000-00000-job-1-0.csv"]);
    assert.equal(text(runs.world, "/out/part-000-00000-job-1-0.csv"), "n\n0\n1\n2\n");
  });

  test("and ends where what follows has another header", async () => {
    const world = simWorld(1);
    const first = new WriterUnderTest(csv("/out"), world);
    await first.open();
    await first.write([{ a: 1 }]);
    const { committables, states } = await first.checkpoint();
    const options = { attempt: 1, restored: true, uncommitted: committables, states };
    const second = new WriterUnderTest(csv("/out"), world, options);
    await second.open();
    await second.write([{ b: 2 }]);
    await second.finish();
    assert.deepEqual(
      shown(world).map((name) => text(world, `/out/${name}`)),
      ["a\n1\n", "b\n2\n"],
    );
  });

  test("where the job writes elsewhere now, there", async () => {
    const world = simWorld(1);
    const first = new WriterUnderTest(jsonl("/before"), world);
    await first.open();
    await first.write(numbers(0, 3));
    const { committables: uncommitted, states } = await first.checkpoint();
    for (const jobId of ["job-2", "job-3"]) {
      const options = { jobId, restored: true, uncommitted, states };
      const second = new WriterUnderTest(jsonl("/out"), world, options);
      await second.open();
      await second.write(numbers(3, 5));
      if (jobId === "job-3") await second.finish();
    }
    assert.deepEqual(await readBack(world), [0, 1, 2, 3, 4]);
  });
});

describe("what was lost of a part is told, never passed over", () => {
  for (const [what, change] of [
    ["shorter", (bytes: Uint8Array) => bytes.slice(0, -1)],
    ["changed", (bytes: Uint8Array) => bytes.map((byte, at) => (at === 3 ? byte ^ 1 : byte))],
    ["gone", () => null],
  ] as const) {
    test(`when the file is ${what}`, async () => {
      for (const sink of [jsonl("/out"), jsonl("/out/all.jsonl")]) {
        const world = simWorld(1);
        const first = new WriterUnderTest(sink, world);
        await first.open();
        await first.write(numbers(0, 5));
        const { states } = await first.checkpoint();
        const [path = ""] = hidden(world);
        const bytes = change(world.env.disk.get(path)!);
        if (bytes !== null) world.env.disk.put(path, bytes);
        else await Promise.all([world.env.disk.remove(path), world.env.advance(10)]);
        const second = new WriterUnderTest(sink, world, { attempt: 1, restored: true, states });
        const message = new RegExp(`checkpoint knows 40 bytes: .*${path.replaceAll(".", "\\.")}`);
        await assert.rejects(second.open(), { code: "SINK_PART_LOST", message });
        assert.equal(world.env.disk.openHandles, 1, "of the first one");
      }
    });
  }

  test("and a directory of parts does not become one file", async () => {
    const world = simWorld(1);
    const first = new WriterUnderTest(jsonl("/out"), world);
    await first.open();
    await first.write(numbers(0, 1));
    const { states } = await first.checkpoint();
    const single = new WriterUnderTest(jsonl("/out.jsonl"), world, { attempt: 1, restored: true, states });
    await assert.rejects(single.open(), { code: "SINK_TARGET_CHANGED" });
  });
});

/** What a seed came to, so that the test can see that each happens. */
const seen = {
  power: 0,
  process: 0,
  abort: 0,
  older: 0,
  rescaled: 0,
  orphans: 0,
  failedOpens: 0,
  earlier: 0,
  again: 0,
};

const ROLLS = (random: SeededRandom) =>
  [{}, {}, { rows: 1 + random.below(5) }, { size: 20 + random.below(100) }, { everyCheckpoint: true }] as const;
const MODES = [undefined, "append", "replace"] as const;
const ROUNDS = 6;

/** One job from its first start to its end. */
class Life {
  readonly runs: Runs;
  readonly #random: SeededRandom;
  readonly #bounded: boolean;
  readonly #adds: boolean;
  #parallelism: number;
  /** The checkpoint before the one that counts. */
  #before: Held;

  constructor(seed: number) {
    const random = new SeededRandom(seed ^ 0x9a275);
    this.#random = random;
    this.#bounded = random.next() < 0.5;
    const rolls = ROLLS(random);
    const roll = rolls[random.below(rolls.length)]!;
    const mode = MODES[random.below(3)];
    this.#adds = mode === "append" || (mode === undefined && !this.#bounded);
    this.runs = new Runs(seed, jsonl("/out", { roll, ...(mode && { mode }) }), this.#bounded);
    this.#parallelism = 1 + random.below(4);
    this.#before = this.runs.held;
  }

  /** Gives the rows that are to be there in the end. */
  async live(): Promise<number[]> {
    const earlier = this.#random.next() < 0.5 ? await this.#earlierRun() : [];
    for (let round = 0; round < ROUNDS; round += 1) {
      await this.#dying(this.#random.below(120));
      await this.#end();
    }
    const isAgain = this.#before.isTaken && this.#random.next() < 0.5;
    const froms = isAgain ? [this.runs.held, this.#before] : [this.runs.held];
    if (froms.length > 1) seen.again += 1;
    for (const from of froms) {
      await this.#begin(from);
      await this.runs.write(this.#random.below(12));
      await this.runs.finish();
      this.runs.newProcess();
    }
    return [...(this.#adds ? earlier : []), ...range(this.runs.row)];
  }

  /** That this one does not go on from; the rows before 0. */
  async #earlierRun(): Promise<number[]> {
    seen.earlier += 1;
    const count = this.#random.below(12);
    await this.runs.open(1 + this.#random.below(4), { ...NOTHING, rows: -count });
    await this.runs.write(count);
    await this.runs.finish();
    this.runs.forget();
    return range(count).map((row) => row - count);
  }

  /** With the operation of this number, or as it is. */
  async #dying(atOperation: number): Promise<void> {
    const { faults } = this.runs.world.env.disk;
    let operations = 0;
    faults.fail = () => {
      operations += 1;
      return operations > atOperation ? "DISK_IO" : null;
    };
    const isOlder = this.#before.isTaken && this.#random.next() < 0.15;
    if (isOlder) seen.older += 1;
    let hasOpened = false;
    try {
      await this.#begin(isOlder ? this.#before : this.runs.held);
      hasOpened = true;
      for (let checkpoints = this.#random.below(4); checkpoints > 0; checkpoints -= 1) await this.#checkpoint();
      await this.runs.write(this.#random.below(12));
    } catch (error) {
      if ((error as { code?: string }).code !== "DISK_IO") throw error;
      if (!hasOpened) seen.failedOpens += 1;
    }
    faults.fail = () => null;
  }

  async #begin(from: Held): Promise<void> {
    if (this.#random.next() < 0.5) {
      this.#parallelism = 1 + this.#random.below(4);
      seen.rescaled += 1;
    }
    const states = from.states as readonly { readonly subtask: number }[];
    if (states.some(({ subtask }) => subtask >= this.#parallelism)) seen.orphans += 1;
    const random = this.#random;
    const order = range(this.#parallelism).sort(() => random.next() - 0.5);
    await this.runs.open(this.#parallelism, from, order);
    this.#before = from;
  }

  async #checkpoint(): Promise<void> {
    const { runs } = this;
    await runs.write(this.#random.below(12));
    if (this.#random.next() < 0.2) await runs.world.env.advance(60_000);
    const before = runs.held;
    await runs.checkpoint(this.#random.next() < 0.8);
    if (before.isTaken) this.#before = before;
    if (!this.#bounded) await assertCovered(runs);
  }

  async #end(): Promise<void> {
    const { runs } = this;
    const how = (["abort", "process", "power"] as const)[this.#random.below(3)]!;
    seen[how] += 1;
    if (how === "abort") await runs.abort().catch(() => undefined);
    else runs.world.env.disk.crash(how);
    if (how !== "abort" || this.#random.next() < 0.5) runs.newProcess();
  }
}

/** What is visible of a job without an end is before the checkpoint that counts. */
async function assertCovered(runs: Runs): Promise<void> {
  const rows = await readBack(runs.world);
  assert.equal(new Set(rows).size, rows.length, "a row twice");
  assert.ok(
    rows.every((row) => row < runs.held.rows),
    "visible, and in no checkpoint",
  );
}

test("whatever dies, from whichever checkpoint, with any parallelism: each row is there once, in 240 lives", async () => {
  for (let seed = 1; seed <= 240; seed += 1) {
    const life = new Life(seed);
    const rows = await life.live().catch((error: unknown) => {
      throw new Error(`SEED=${seed}`, { cause: error });
    });
    assert.deepEqual(await readBack(life.runs.world), rows, `SEED=${seed}`);
    assert.deepEqual(hidden(life.runs.world), [], `SEED=${seed}`);
  }
  for (const [what, count] of Object.entries(seen)) assert.ok(count >= 24, `${what}: ${count}`);
});
