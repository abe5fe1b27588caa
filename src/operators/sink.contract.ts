// What every sink guarantees, and the small driver that stands for the task in tests of sinks.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Env } from "../base/env.ts";
import type { Committable, Sink, SinkWriter, SinkWriterContext } from "./sink.ts";

export type SinkWorld = { readonly env: Env; readonly settle: () => Promise<void> };

export type WriterOptions = {
  readonly uid?: string;
  readonly jobId?: string;
  readonly subtaskIndex?: number;
  readonly parallelism?: number;
  readonly attempt?: number;
  readonly restored?: boolean;
  readonly bounded?: boolean;
};

const PATIENCE_MS = 100_000; // Of real time, before a test that waits for nothing fails.

/** A writer in a world: every call lets the world go on until it has settled. */
export class WriterUnderTest {
  readonly context: SinkWriterContext;
  readonly #writer: SinkWriter<unknown>;
  readonly #world: SinkWorld;

  constructor(sink: Sink<unknown>, world: SinkWorld, options: WriterOptions = {}) {
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

  /** As plain data, as a checkpoint stores it. */
  async prepareCommit(): Promise<Committable[]> {
    const committables = await settled(this.#world, () => this.#writer.prepareCommit());
    return JSON.parse(JSON.stringify(committables)) as Committable[];
  }

  commit(committables: readonly Committable[]): Promise<void> {
    return settled(this.#world, () => this.#writer.commit(committables));
  }

  abort(): Promise<void> {
    return settled(this.#world, () => this.#writer.abort());
  }

  close(): Promise<void> {
    return settled(this.#world, () => this.#writer.close());
  }

  /** The end of a job that went well. */
  async finish(): Promise<void> {
    await this.commit(await this.prepareCommit());
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
  readonly world: SinkWorld;
  readonly records: readonly unknown[];
  /** What a reader of the outside system sees now, in any order. */
  readonly visible: () => Promise<readonly unknown[]>;
};

/** For sinks that commit. */
export function sinkContract(name: string, make: () => SinkCase | Promise<SinkCase>): void {
  const sees = async ({ visible }: SinkCase, records: readonly unknown[]): Promise<void> => {
    const text = (items: readonly unknown[]): string[] => items.map((item) => JSON.stringify(item)).sort();
    assert.deepEqual(text(await visible()), text(records));
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

    guarantee(
      "K3: a commit repeated changes nothing, also by another writer and after further commits",
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

    guarantee("a run without rows commits and shows none", async (given) => {
      await writeRun(given.sink, given.world, []);
      await sees(given, []);
    });

    guarantee("the description is plain data", async ({ sink }) => {
      const described = sink.describe();
      assert.deepEqual(JSON.parse(JSON.stringify(described)), described);
    });
  });
}
