// What every sink guarantees, and the small driver that stands for the task in tests of sinks.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Env } from "../base/env.ts";
import type { Committable, Sink, SinkCommitter, SinkWriter, SinkWriterContext } from "./sink.ts";
import type { Json } from "./source.ts";

export type SinkWorld = { readonly env: Env; readonly settle: () => Promise<void> };

export type WriterOptions = {
  readonly uid?: string;
  readonly jobId?: string;
  readonly subtaskIndex?: number;
  readonly parallelism?: number;
  readonly attempt?: number;
  readonly restored?: boolean;
  readonly bounded?: boolean;
  readonly uncommitted?: readonly Committable[];
  readonly states?: readonly Json[];
};

/** Of one sink, in one checkpoint. */
export type HeldBySink = { readonly committables: readonly Committable[]; readonly states: readonly Json[] };

const PATIENCE_MS = 100_000; // Of real time, before a test that waits for nothing fails.

/** A writer in a world: every call lets the world go on until it has settled. */
export class WriterUnderTest {
  readonly context: SinkWriterContext;
  readonly #sink: Sink<unknown>;
  readonly #writer: SinkWriter<unknown>;
  readonly #world: SinkWorld;

  constructor(sink: Sink<unknown>, world: SinkWorld, options: WriterOptions = {}) {
    this.#sink = sink;
    this.#world = world;
    this.context = {
      env: world.env,
      disk: world.env.disk,
      uid: "out",
      jobId: "job-1",
      subtaskIndex: 0,
      parallelism: 1,
      attempt: 0,
      restored: false,
      bounded: true,
      metrics: { count: () => {}, gauge: () => {}, mark: () => {}, observe: () => {} },
      print: async () => {},
      deliver: async () => {},
      ...options,
    };
    this.#writer = sink.createWriter(this.context);
  }

  open(): Promise<void> {
    return settled(this.#world, () => this.#writer.open());
  }

  /** Writes as the task does: flushes when the writer says that it is full. Returns how often that was. */
  async write(records: readonly unknown[]): Promise<number> {
    let flushes = 0;
    for (const record of records) {
      if (this.#writer.write(record, Number.NaN)) continue;
      flushes += 1;
      await this.flush();
    }
    return flushes;
  }

  /** One record, without heeding the answer. */
  offer(record: unknown): boolean {
    return this.#writer.write(record, Number.NaN);
  }

  flush(): Promise<void> {
    return settled(this.#world, () => this.#writer.flush());
  }

  /** All of it, as plain data, as a checkpoint stores it. */
  async prepareCommit(): Promise<Committable[]> {
    const committables = await settled(this.#world, () => this.#writer.prepareCommit(true));
    return JSON.parse(JSON.stringify(committables)) as Committable[];
  }

  /** What a checkpoint holds, as plain data. */
  async checkpoint(): Promise<HeldBySink> {
    await this.flush();
    const committables = await settled(this.#world, () => this.#writer.prepareCommit(false));
    const state = (await settled(this.#world, async () => this.#writer.snapshot?.())) ?? null;
    return JSON.parse(JSON.stringify({ committables, states: state === null ? [] : [state] })) as HeldBySink;
  }

  /** By a committer that knows nothing but the committables. */
  commit(committables: readonly Committable[]): Promise<void> {
    return settled(this.#world, () => this.#committer().commit(committables));
  }

  discard(committables: readonly Committable[]): Promise<void> {
    return settled(this.#world, async () => this.#committer().discard?.(committables));
  }

  #committer(): SinkCommitter {
    const { env, disk, uid, jobId } = this.context;
    return this.#sink.createCommitter?.({ env, disk, uid, jobId }) ?? assert.fail("the sink has no committers");
  }

  abort(): Promise<void> {
    return settled(this.#world, () => this.#writer.abort());
  }

  close(): Promise<void> {
    return settled(this.#world, () => this.#writer.close());
  }

  /** The end of a job that went well. */
  async finish(): Promise<void> {
    const committables = await this.prepareCommit();
    if (committables.length > 0) await this.commit(committables);
    await this.close();
  }
}

/** Runs what waits in a world to its end. */
export async function settled<T>(world: SinkWorld, run: () => Promise<T>): Promise<T> {
  let over = false;
  const result = run().finally(() => {
    over = true;
  });
  result.catch(() => {}); // Thrown by the await below.
  const startMs = performance.now();
  while (!over && performance.now() - startMs < PATIENCE_MS) await world.settle();
  assert.ok(over, "a promise of the sink never settles");
  return result;
}

/** Writes rows in one run of one writer. */
export async function writeRun(
  sink: Sink<unknown>,
  world: SinkWorld,
  records: readonly unknown[],
  options: WriterOptions = {},
): Promise<void> {
  const writer = new WriterUnderTest(sink, world, options);
  await writer.open();
  await writer.write(records);
  await writer.finish();
}

export type SinkCase = {
  readonly sink: Sink<unknown>;
  /** The same sink, declared again: what another process has of it. */
  readonly anew: () => Sink<unknown>;
  readonly world: SinkWorld;
  readonly records: readonly unknown[];
  /** From now on the operation of this number on the outside system fails, and all that follow; null: none does. */
  readonly fail: (at: number | null) => void;
  /** What a reader of the outside system sees now, in any order. */
  readonly visible: () => Promise<readonly unknown[]>;
};

/** For sinks that commit. `once`: for those that one subtask writes, and that show what they have at the end only. */
export function sinkContract(
  name: string,
  make: () => SinkCase | Promise<SinkCase>,
  { once = false }: { readonly once?: boolean } = {},
): void {
  const textsOf = (items: readonly unknown[]): string[] => items.map((item) => JSON.stringify(item)).sort();
  const sees = async ({ visible }: SinkCase, records: readonly unknown[]): Promise<void> => {
    assert.deepEqual(textsOf(await visible()), textsOf(records));
  };
  const guarantee = (title: string, body: (given: SinkCase) => Promise<void>): void => {
    test(title, async () => body(await make()));
  };
  describe(`sink contract: ${name}`, () => {
    guarantee("K3: rows are visible after the commit and not before, each once", async (given) => {
      const writer = new WriterUnderTest(given.sink, given.world);
      await writer.open();
      await writer.write(given.records);
      await writer.flush();
      await sees(given, []);
      const committables = await writer.prepareCommit();
      await sees(given, []);
      await writer.commit(committables);
      await sees(given, given.records);
      await writer.close();
      await sees(given, given.records);
    });

    test("K3: a commit that failed in the middle, wherever, is brought to its end by another committer elsewhere", async () => {
      let failures = 0;
      for (let at = 1; ; at += 1) {
        const given = await make();
        const writer = new WriterUnderTest(given.sink, given.world);
        await writer.open();
        await writer.write(given.records);
        const committables = await writer.prepareCommit();
        given.fail(at);
        const isDone = await writer.commit(committables).then(
          () => true,
          () => false,
        );
        given.fail(null);
        const before = textsOf(await given.visible());
        const rows = textsOf(given.records);
        assert.deepEqual(
          before.filter((row) => !rows.includes(row)),
          [],
          `whole rows only, after ${at} operations`,
        );
        assert.equal(new Set(before).size, before.length, `each once, after ${at} operations`);
        const elsewhere = new WriterUnderTest(given.anew(), given.world, { attempt: 1 });
        for (const _times of [1, 2]) {
          await elsewhere.commit(committables);
          await sees(given, given.records);
        }
        await writer.close();
        await sees(given, given.records);
        if (isDone) break;
        failures += 1;
      }
      assert.ok(failures > 0, "a commit does something outside");
    });

    test("K3: two committers at once show each row once, whichever of them fails", async () => {
      for (let round = 0; round < 10; round += 1) {
        const given = await make();
        const writer = new WriterUnderTest(given.sink, given.world);
        await writer.open();
        await writer.write(given.records);
        const committables = await writer.prepareCommit();
        const elsewhere = new WriterUnderTest(given.anew(), given.world, { attempt: 1 });
        const results = await Promise.allSettled([writer.commit(committables), elsewhere.commit(committables)]);
        for (const result of results) {
          if (result.status === "rejected") assert.equal(result.reason.retryable, true, String(result.reason));
        }
        await elsewhere.commit(committables);
        await sees(given, given.records);
        await writer.close();
      }
    });

    guarantee("K4: what was prepared outlives its writer's abort, and is gone once it is discarded", async (given) => {
      const prepare = async (jobId: string): Promise<readonly Committable[]> => {
        const writer = new WriterUnderTest(given.sink, given.world, { jobId });
        await writer.open();
        await writer.write(given.records);
        const committables = await writer.prepareCommit();
        await writer.abort();
        await writer.close();
        await sees(given, []);
        return committables;
      };
      const elsewhere = new WriterUnderTest(given.anew(), given.world, { attempt: 1 });
      const dropped = await prepare("job-1");
      for (const _times of [1, 2]) await elsewhere.discard(dropped);
      await sees(given, []);
      await elsewhere.commit(await prepare("job-2"));
      await sees(given, given.records);
    });

    guarantee("K6: what a checkpoint holds is gone on with, however often, whatever came after it", (given) =>
      goneOnWith(given, sees),
    );
    if (!once) severalCommits(guarantee, sees);
    guarantee("K4: abort leaves nothing visible, and the next attempt starts afresh", async (given) => {
      const writer = new WriterUnderTest(given.sink, given.world);
      await writer.open();
      await writer.write(given.records);
      await writer.abort();
      await writer.close();
      await sees(given, []);
      await writeRun(given.sink, given.world, given.records, { attempt: 1 });
      await sees(given, given.records);
    });

    guarantee("a run without rows commits and shows none", async (given) => {
      await writeRun(given.sink, given.world, []);
      await sees(given, []);
    });

    guarantee("the description is plain data, and the same of a sink declared again", async ({ sink, anew }) => {
      const described = sink.describe();
      assert.deepEqual(JSON.parse(JSON.stringify(described)), described);
      assert.deepEqual(anew().describe(), described);
    });
  });
}

type Sees = (given: SinkCase, records: readonly unknown[]) => Promise<void>;

/** Twice from the same checkpoint, then from one of its own; half of the attempts die without a word. */
async function goneOnWith(given: SinkCase, sees: Sees): Promise<void> {
  const { records, world } = given;
  const third = Math.ceil(records.length / 3);
  let held: HeldBySink = { committables: [], states: [] };
  let rows = 0;
  const begin = async (attempt: number): Promise<WriterUnderTest> => {
    const options = { attempt, restored: attempt > 0, uncommitted: held.committables, states: held.states };
    const writer = new WriterUnderTest(given.anew(), world, options);
    await writer.open();
    await writer.write(records.slice(rows, rows + third));
    return writer;
  };
  for (const [attempt, end] of ["checkpoint", "dies", "aborts", "checkpoint", "aborts", "dies"].entries()) {
    const writer = await begin(attempt);
    if (end === "checkpoint") {
      const { committables, states } = await writer.checkpoint();
      held = { committables: [...held.committables, ...committables], states };
      rows += third;
      await writer.write(records.slice(0, 2));
    }
    await writer.flush();
    if (end === "aborts") await writer.abort();
    if (end === "aborts") await writer.close();
    await sees(given, []);
  }
  const last = await begin(6);
  if (held.committables.length > 0) await last.commit(held.committables);
  await last.finish();
  await sees(given, records);
}

type Guarantee = (title: string, body: (given: SinkCase) => Promise<void>) => void;

function severalCommits(guarantee: Guarantee, sees: Sees): void {
  guarantee(
    "K3: a commit repeated changes nothing, also by another committer and after further commits",
    async (given) => {
      const writer = new WriterUnderTest(given.sink, given.world);
      await writer.open();
      const half = Math.ceil(given.records.length / 2);
      await writer.write(given.records.slice(0, half));
      const first = await writer.prepareCommit();
      await writer.commit(first);
      await writer.commit(first);
      await sees(given, given.records.slice(0, half));
      await writer.write(given.records.slice(half));
      const second = await writer.prepareCommit();
      await writer.commit(second);
      await new WriterUnderTest(given.sink, given.world, { attempt: 1 }).commit([...first, ...second]);
      await sees(given, given.records);
      await writer.close();
    },
  );

  guarantee("K5: what a checkpoint holds is committed after a crash, what came after it is not", async (given) => {
    const half = Math.ceil(given.records.length / 2);
    const crashed = new WriterUnderTest(given.sink, given.world);
    await crashed.open();
    await crashed.write(given.records.slice(0, half));
    const checkpoint = await crashed.prepareCommit();
    await crashed.write(given.records.slice(0, 3));
    await crashed.flush();
    const restored = new WriterUnderTest(given.sink, given.world, { attempt: 1, restored: true });
    await restored.commit(checkpoint);
    await restored.open();
    await sees(given, given.records.slice(0, half));
    await restored.write(given.records.slice(half));
    await restored.finish();
    await sees(given, given.records);
  });

  guarantee("the rows of all subtasks are visible together, and each commits for itself", async (given) => {
    const writers = [0, 1, 2].map(
      (subtaskIndex) => new WriterUnderTest(given.sink, given.world, { subtaskIndex, parallelism: 3 }),
    );
    await Promise.all(writers.map((writer) => writer.open()));
    const shares = writers.map((_, index) => given.records.filter((_record, at) => at % 3 === index));
    for (const [index, writer] of writers.entries()) await writer.write(shares[index]!);
    await writers[1]!.finish();
    await sees(given, shares[1]!);
    await writers[0]!.finish();
    await writers[2]!.finish();
    await sees(given, given.records);
  });
}

/** For sinks whose rows are outside once they are flushed. */
export function flushingSinkContract(name: string, sink: Sink<unknown>, makeWorld: () => SinkWorld): void {
  describe(`sink contract: ${name}`, () => {
    for (const end of ["finish", "abort"] as const) {
      test(`what is flushed is outside: there is nothing to commit, and nobody to do it (${end})`, async () => {
        const writer = new WriterUnderTest(sink, makeWorld());
        await writer.open();
        await writer.write([{ n: 1 }, { n: 2 }]);
        await writer.flush();
        await writer.write([{ n: 3 }]);
        assert.deepEqual(await writer.prepareCommit(), []);
        assert.equal(sink.createCommitter, undefined);
        if (end === "abort") await writer.abort();
        await writer.close();
      });
    }

    test("the description is plain data", () => {
      const described = sink.describe();
      assert.deepEqual(JSON.parse(JSON.stringify(described)), described);
    });
  });
}
