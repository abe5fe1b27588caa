import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type SinkCase,
  settled,
  sinkContract,
  type WriterOptions,
  WriterUnderTest,
  writeRun,
} from "../../../operators/sink.contract.ts";
import type { Committable, Sink } from "../../../operators/sink.ts";
import { readAll } from "../../../operators/source.contract.ts";
import type { Source } from "../../../operators/source.ts";
import type { SimEnv } from "../../../testing/sim-env.ts";
import { simWorld, type World } from "../../../testing/world.ts";
import { t } from "../../../types/t.ts";
import { type CsvOptions, csv } from "../csv/csv.ts";
import { jsonl } from "../json/jsonl.ts";

const Row = t.struct({ n: t.f64, text: t.string.nullable() });
const records = Array.from({ length: 60 }, (_, n) => ({ n, text: n % 9 === 0 ? null : `é "${n}",\n` }));

/** Names in a directory that a user sees. */
const shown = (env: SimEnv, directory = "/out"): string[] =>
  env.disk
    .paths()
    .filter((path) => path.startsWith(`${directory}/`) && !path.includes("/."))
    .map((path) => path.slice(directory.length + 1));
const hidden = (env: SimEnv): string[] => env.disk.paths().filter((path) => path.endsWith(".tmp"));
const text = (env: SimEnv, path: string): string => new TextDecoder().decode(env.disk.get(path) ?? assert.fail(path));
const numbers = (from: number, to: number): { n: number }[] =>
  Array.from({ length: to - from }, (_, index) => ({ n: from + index }));

async function readBack(world: World<SimEnv>, directory = "/out"): Promise<number[]> {
  const { records: read } = await readAll(jsonl(directory, { type: t.struct({ n: t.f64 }) }), world);
  return read.map(({ n }) => n).sort((left, right) => left - right);
}

let worlds = 0;

/** A case whose directory is read back by what `read` declares. */
function sinkCase(anew: () => Sink<unknown>, read: Source<unknown>): SinkCase {
  worlds += 1;
  const world = simWorld(worlds);
  const { disk } = world.env;
  return {
    ...{ sink: anew(), anew, world, records },
    visible: async () => (shown(world.env).length === 0 ? [] : (await readAll(read, world)).records),
    fail: (at) => {
      let operations = 0;
      disk.faults.fail = () => {
        operations += 1;
        return at !== null && operations >= at ? "DISK_IO" : null;
      };
    },
  };
}

for (const roll of [undefined, { rows: 7 }, { size: 100 }]) {
  const options = roll === undefined ? {} : { roll };
  sinkContract(`jsonl, rolling by ${JSON.stringify(roll ?? "default")}`, () =>
    sinkCase(() => jsonl("/out", options), jsonl("/out", { type: Row })),
  );
}
sinkContract("jsonl with ops", () => {
  const given = sinkCase(() => jsonl("/out", { op: true }), jsonl("/out"));
  const withoutOp = ({ op, ...record }: { op?: string }): object => {
    assert.equal(op, "+I");
    return record;
  };
  return { ...given, visible: async () => ((await given.visible()) as { op?: string }[]).map(withoutOp) };
});
sinkContract("csv", () => sinkCase(() => csv("/out/", { roll: { rows: 13 } }), csv("/out", { type: Row })));
sinkContract(
  "a single jsonl file",
  () => sinkCase(() => jsonl("/out/all.jsonl"), jsonl("/out/all.jsonl", { type: Row })),
  { once: true },
);
sinkContract(
  "a single csv file",
  () => sinkCase(() => csv("/out/all.csv", { header: false }), csv("/out/all.csv", { header: false, type: Row })),
  {
    once: true,
  },
);

describe("part files", () => {
  test("are named after subtask and number, and roll at exactly so many rows", async () => {
    const world = simWorld(1);
    await writeRun(jsonl("/out", { roll: { rows: 4 } }), world, numbers(0, 10), { subtaskIndex: 1, parallelism: 2 });
    assert.deepEqual(shown(world.env), [
      "part-001-00000-job-1-0.jsonl",
      "part-001-00001-job-1-0.jsonl",
      "part-001-00002-job-1-0.jsonl",
    ]);
    assert.equal(text(world.env, "/out/part-001-00002-job-1-0.jsonl"), '{"n":8}\n{"n":9}\n');
    assert.deepEqual(hidden(world.env), []);
  });

  test("roll by time on the environment's clock, and by size after the row that passes it", async () => {
    const world = simWorld(1);
    const writer = new WriterUnderTest(jsonl("/out", { roll: { every: "1m" } }), world);
    await writer.open();
    await writer.write(numbers(0, 2));
    await world.env.advance(60_000);
    await writer.write(numbers(2, 5));
    await writer.finish();
    assert.deepEqual(shown(world.env), ["part-000-00000-job-1-0.jsonl", "part-000-00001-job-1-0.jsonl"]);
    assert.equal(text(world.env, "/out/part-000-00000-job-1-0.jsonl").split("\n").length - 1, 3);
    // Rows of 8 bytes.
    for (const [size, rows] of [
      [16, [2, 2, 1]],
      [17, [3, 2]],
    ] as const) {
      await writeRun(jsonl(`/by-${size}`, { roll: { size } }), world, numbers(0, 5));
      const parts = shown(world.env, `/by-${size}`).map((name) => text(world.env, `/by-${size}/${name}`));
      assert.deepEqual(
        parts.map((part) => part.length / 8),
        rows,
        `${size} bytes`,
      );
    }
  });

  test("each CSV part has the header, and a run without rows leaves the directory only", async () => {
    const world = simWorld(1);
    await writeRun(csv("/out", { roll: { rows: 2 } }), world, [{ a: 1, b: "" }, { a: null }, { b: "x,y" }]);
    assert.equal(text(world.env, "/out/part-000-00000-job-1-0.csv"), 'a,b\n1,""\n,\n');
    assert.equal(text(world.env, "/out/part-000-00001-job-1-0.csv"), 'a,b\n,"x,y"\n');
    await writeRun(csv("/empty"), world, []);
    assert.deepEqual(shown(world.env, "/empty"), []);
    assert.equal((await settled(world, () => world.env.disk.stat("/empty")))?.kind, "directory");
  });

  test("a writer that nobody flushes says that it is full, and holds no more than its buffers", async () => {
    const world = simWorld(1);
    const writer = new WriterUnderTest(jsonl("/out"), world);
    await writer.open();
    let written = 0;
    while (writer.offer({ text: "x".repeat(1_000) })) written += 1;
    assert.ok(written > 200 && written < 1_200, `${written}`);
    await writer.flush();
    assert.ok(writer.offer({ text: "y" }));
    await writer.finish();
    const lines = shown(world.env)
      .map((name) => text(world.env, `/out/${name}`))
      .join("")
      .trim()
      .split("\n");
    assert.equal(lines.length, written + 2);
  });
});

describe("a directory that holds files already", () => {
  const names = (env: SimEnv): string => shown(env).join();

  test("a second run of the same sink replaces the parts of the first, when it commits", async () => {
    const world = simWorld(1);
    const sink = jsonl("/out", { roll: { rows: 2 } });
    for (const subtaskIndex of [0, 1]) await writeRun(sink, world, numbers(0, 5), { subtaskIndex, parallelism: 2 });
    const writer = new WriterUnderTest(sink, world, { jobId: "job-2" });
    await writer.open();
    await writer.write(numbers(10, 13));
    await writer.flush();
    assert.equal((await readBack(world)).length, 10, "until the commit the first run's rows are there");
    await writer.finish();
    assert.deepEqual(await readBack(world), [10, 11, 12]);
    assert.equal(names(world.env), "part-000-00000-job-2-0.jsonl,part-000-00001-job-2-0.jsonl");
    await writeRun(sink, world, [], { jobId: "job-3" });
    assert.deepEqual(await readBack(world), [], "a run without rows replaces them by none");
  });

  test("a part without leading zeros, as they were once written, is replaced by the one of the same number", async () => {
    const world = simWorld(1);
    await writeRun(jsonl("/out"), world, numbers(0, 5));
    world.env.disk.put("/out/part-0-0.jsonl", text(world.env, "/out/part-000-00000-job-1-0.jsonl"));
    await writeRun(jsonl("/out"), world, numbers(10, 13), { jobId: "job-2" });
    assert.equal(names(world.env), "part-000-00000-job-2-0.jsonl");
    assert.deepEqual(await readBack(world), [10, 11, 12]);
  });

  test("a run that fails before its commit leaves the parts of the one before", async () => {
    const world = simWorld(1);
    const sink = jsonl("/out");
    await writeRun(sink, world, numbers(0, 5));
    for (const jobId of ["job-2", "job-3"]) {
      const writer = new WriterUnderTest(sink, world, { jobId });
      await writer.open();
      await writer.write(numbers(10, 13));
      await writer.abort();
      await writer.close();
    }
    assert.deepEqual(await readBack(world), [0, 1, 2, 3, 4]);
    await writeRun(sink, world, numbers(20, 21), { jobId: "job-4" });
    assert.deepEqual(await readBack(world), [20]);
  });

  test("append keeps what is there, and a restarted attempt of it does not double its own", async () => {
    const world = simWorld(1);
    const sink = jsonl("/out", { mode: "append" });
    await writeRun(sink, world, numbers(0, 2));
    await writeRun(sink, world, numbers(2, 4), { jobId: "job-2" });
    assert.deepEqual(await readBack(world), [0, 1, 2, 3]);
    await writeRun(sink, world, numbers(2, 4), { jobId: "job-2", attempt: 1 });
    assert.deepEqual(await readBack(world), [0, 1, 2, 3]);
    assert.equal(names(world.env), "part-000-00000-job-1-0.jsonl,part-000-00001-job-2-1.jsonl");
  });

  test("a run without an end adds to what earlier ones committed; one with an end replaces all of it", async () => {
    const world = simWorld(1);
    const endless = { bounded: false } as const;
    await writeRun(jsonl("/out"), world, numbers(0, 2), { ...endless, parallelism: 2 });
    await writeRun(jsonl("/out"), world, numbers(2, 4), { ...endless, parallelism: 2, subtaskIndex: 1 });
    await writeRun(jsonl("/out"), world, numbers(4, 6), { ...endless, jobId: "job-2" });
    assert.deepEqual(await readBack(world), [0, 1, 2, 3, 4, 5]);
    assert.match(names(world.env), /^part-000-00000-job-1-0.*part-000-00001-job-2-0.*part-001-00000-job-1-0/);
    await writeRun(jsonl("/out"), world, numbers(4, 6), { ...endless, jobId: "job-2", attempt: 1 });
    assert.deepEqual(await readBack(world), [0, 1, 2, 3, 4, 5], "an attempt that starts over doubles nothing");
    await writeRun(jsonl("/out"), world, numbers(8, 9), { jobId: "job-3" });
    assert.deepEqual(await readBack(world), [8]);
    world.env.disk.put("/mixed/data.jsonl", "{}");
    const mixed = writeRun(jsonl("/mixed"), world, [], endless);
    await assert.rejects(mixed, { code: "SINK_TARGET_OCCUPIED" });
  });

  test("parts and files of others are refused by default, and kept or replaced when the mode says so", async () => {
    for (const [name, kept] of [
      ["part-000-00000.jsonl", false],
      ["part-003-00007.csv", false],
      ["data.jsonl", true],
    ] as const) {
      const world = simWorld(1);
      world.env.disk.put(`/out/${name}`, '{"n":-1}\n');
      world.env.disk.put("/out/README", "mine");
      const refused = {
        code: "SINK_TARGET_OCCUPIED",
        message: `/out holds ${name}, which the sink "out" did not write`,
      };
      const part = "part-000-00000-job-2-0.jsonl";
      await assert.rejects(writeRun(jsonl("/out"), world, numbers(0, 1)), refused);
      await writeRun(jsonl("/out", { mode: "append" }), world, numbers(0, 1));
      assert.ok(shown(world.env).includes(name));
      await writeRun(jsonl("/out", { mode: "replace" }), world, numbers(5, 6), { jobId: "job-2" });
      assert.equal(names(world.env), kept ? `README,${name},${part}` : `README,${part}`);
      assert.equal(text(world.env, `/out/${part}`), '{"n":5}\n');
    }
  });

  test("two sinks of one job cannot share a directory", async () => {
    const world = simWorld(1);
    await new WriterUnderTest(jsonl("/out"), world, { uid: "one" }).open();
    await assert.rejects(new WriterUnderTest(csv("/out"), world, { uid: "two" }).open(), {
      code: "SINK_TARGET_SHARED",
    });
  });
});

describe("a run that goes on from a snapshot of another one", () => {
  const sink = jsonl("/out");

  /** What a run has committed in checkpoints: it never ends. */
  async function committed(world: World<SimEnv>, rows: readonly unknown[], options: WriterOptions): Promise<void> {
    const writer = new WriterUnderTest(sink, world, options);
    await writer.open();
    await writer.write(rows);
    await writer.commit(await writer.prepareCommit());
    await writer.close();
  }

  test("keeps the parts of subtasks that it no longer has, and numbers its own behind", async () => {
    const world = simWorld(1);
    for (const subtaskIndex of [0, 1, 2, 3]) {
      await committed(world, numbers(subtaskIndex, subtaskIndex + 1), { subtaskIndex, parallelism: 4 });
    }
    const next = { jobId: "job-2", restored: true, parallelism: 2 };
    for (const subtaskIndex of [0, 1]) {
      await committed(world, numbers(10 + subtaskIndex, 11 + subtaskIndex), { ...next, subtaskIndex });
    }
    assert.deepEqual(await readBack(world), [0, 1, 2, 3, 10, 11]);
    assert.ok(shown(world.env).includes("part-001-00001-job-2-0.jsonl"), shown(world.env).join());
  });

  /** What the runs have prepared and nobody has committed, by subtask of the last one. Two rows per subtask. */
  async function prepared(world: World<SimEnv>, parallelisms: readonly number[]): Promise<Committable[][]> {
    let carried: Committable[][] = [];
    let rows = 0;
    for (const [run, parallelism] of parallelisms.entries()) {
      const uncommitted = carried.flat();
      // Those of subtasks that are no more are with the first.
      const next: Committable[][] = Array.from({ length: parallelism }, () => []);
      for (const [subtask, all] of carried.entries()) next[subtask < parallelism ? subtask : 0]!.push(...all);
      for (const [subtaskIndex, own] of next.entries()) {
        const job = { jobId: `job-${run}`, restored: run > 0, parallelism, subtaskIndex, uncommitted };
        const writer = new WriterUnderTest(sink, world, job);
        await writer.open();
        await writer.write(numbers(rows, rows + 1));
        own.push(...(await writer.prepareCommit()));
        await writer.write(numbers(rows + 1, rows + 2));
        own.push(...(await writer.prepareCommit()));
        await writer.abort(); // What was prepared stays.
        rows += 2;
      }
      carried = next;
    }
    return carried;
  }

  test("shows at its end what runs before it had prepared, with any parallelism, in any order, again after a crash", async () => {
    const runs = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 });
    const property = fc.asyncProperty(runs, fc.boolean(), fc.nat(30), async (parallelisms, isReversed, crashAfter) => {
      const world = simWorld(1);
      await writeRun(sink, world, numbers(1_000, 1_001), { jobId: "job-of-yesterday" });
      const all = await prepared(world, parallelisms);
      assert.deepEqual(await readBack(world), [1_000], "nothing is shown before the end");
      const committer = new WriterUnderTest(sink, world, { jobId: "elsewhere" });
      const commitAll = async (): Promise<void> => {
        for (const own of isReversed ? all.toReversed() : all) await committer.commit(own);
      };
      let operations = 0;
      world.env.disk.faults.fail = () => {
        operations += 1;
        return operations === crashAfter ? "DISK_IO" : null;
      };
      await commitAll().catch(() => undefined); // Tried again below.
      world.env.disk.faults.fail = () => null;
      await commitAll();
      const rows = 2 * parallelisms.reduce((sum, parallelism) => sum + parallelism, 0);
      assert.deepEqual(
        await readBack(world),
        numbers(0, rows).map(({ n }) => n),
      );
    });
    await fc.assert(property, { numRuns: 60 });
  });

  test("passes over a claim that a crash has torn: the one before it counts", async () => {
    const world = simWorld(1);
    await committed(world, numbers(0, 1), {});
    world.env.disk.put("/out/.millrace-0-9.json", '{"uid":"out","job":"jo');
    await committed(world, numbers(1, 2), { jobId: "job-2", restored: true });
    assert.deepEqual(await readBack(world), [0, 1]);
  });

  test("keeps those of all runs before it, however many, until one starts anew", async () => {
    const world = simWorld(1);
    await committed(world, numbers(0, 1), {});
    for (const run of [1, 2, 3]) {
      await committed(world, numbers(run, run + 1), { jobId: `job-${run + 1}`, restored: true });
    }
    assert.deepEqual(await readBack(world), [0, 1, 2, 3]);
    await writeRun(sink, world, numbers(9, 10), { jobId: "job-9" });
    assert.deepEqual(await readBack(world), [9]);
    world.env.disk.crash();
    assert.deepEqual(await readBack(world), [9], "durable once it was reported");
  });
});

describe("crashes and faults while writing", () => {
  type Progress = { rows: number; checkpoint: Committable[] | null };

  /** Rows from where `progress` stands up to 19, in checkpoints of 5; stops in the middle when the disk does. */
  async function run(world: World<SimEnv>, attempt: number, progress: Progress): Promise<void> {
    const restored = progress.checkpoint !== null;
    const writer = new WriterUnderTest(jsonl("/out", { roll: { rows: 3 } }), world, { attempt, restored });
    if (progress.checkpoint !== null) await writer.commit(progress.checkpoint);
    await writer.open();
    while (progress.rows < 20) {
      await writer.write(numbers(progress.rows, progress.rows + 5));
      const checkpoint = await writer.prepareCommit();
      progress.checkpoint = checkpoint;
      progress.rows += 5;
      await writer.commit(checkpoint);
    }
    await writer.close();
  }

  function crashAfter({ disk }: SimEnv, operations: number): void {
    let count = 0;
    disk.faults.fail = () => {
      count += 1;
      if (count === operations) disk.crash();
      return count >= operations ? "DISK_IO" : null;
    };
  }

  function noTornFile({ env }: World<SimEnv>): void {
    for (const name of shown(env)) {
      for (const line of text(env, `/out/${name}`).trimEnd().split("\n")) assert.match(line, /^\{"n":\d+\}$/, name);
    }
  }

  async function crashTwice(seed: number): Promise<void> {
    const world = simWorld(seed);
    const { env } = world;
    const progress: Progress = { rows: 0, checkpoint: null };
    for (const [attempt, operations] of [1 + (seed % 97), 1 + (seed % 13)].entries()) {
      crashAfter(env, operations);
      await run(world, attempt, progress).catch(() => env.disk.crash());
      noTornFile(world);
    }
    env.disk.faults.fail = () => null;
    await run(world, 2, progress);
    assert.deepEqual(
      await readBack(world),
      numbers(0, 20).map(({ n }) => n),
    );
    assert.deepEqual(hidden(env), []);
  }

  test("whenever power is lost, once and again, no torn file is visible, and in the end each row is there once", async () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      await crashTwice(seed).catch((error: unknown) => {
        throw new Error(`SEED=${seed}`, { cause: error });
      });
    }
  });

  test("a crash while the parts of former subtasks are removed locks nobody out", async () => {
    for (let operations = 1; operations <= 60; operations += 1) {
      const world = simWorld(operations);
      for (const subtaskIndex of [0, 1, 2]) {
        await writeRun(jsonl("/out"), world, numbers(0, 2), { subtaskIndex, parallelism: 3 });
      }
      crashAfter(world.env, operations);
      await writeRun(jsonl("/out"), world, numbers(7, 8), { jobId: "job-2" }).catch(() => world.env.disk.crash());
      world.env.disk.faults.fail = () => null;
      await writeRun(jsonl("/out"), world, numbers(9, 10), { jobId: "job-3" });
      assert.deepEqual(await readBack(world), [9], `after ${operations} operations`);
    }
  });

  test("a full disk fails with its path, shows nothing, and gives the space back", async () => {
    const world = simWorld(1);
    world.env.disk.faults.capacityBytes = 300_000;
    const writer = new WriterUnderTest(jsonl("/out"), world);
    await writer.open();
    const refused = { code: "DISK_FULL", message: /cannot write to \/out\/\.part-000-00000/ };
    await assert.rejects(writer.write(numbers(0, 100_000)), refused);
    await assert.rejects(writer.prepareCommit(), { code: "DISK_FULL" });
    await writer.abort();
    await writer.close();
    assert.deepEqual(shown(world.env), []);
    assert.deepEqual(hidden(world.env), []);
    assert.equal(world.env.disk.openHandles, 0);
    await writeRun(jsonl("/out"), world, numbers(0, 10), { attempt: 1 });
    assert.equal((await readBack(world)).length, 10);
  });

  test("a read-only disk fails with the directory when the sink opens", async () => {
    const world = simWorld(1);
    world.env.disk.faults.readOnly = true;
    await assert.rejects(new WriterUnderTest(jsonl("/out"), world).open(), {
      code: "DISK_READ_ONLY",
      message: /\/out/,
    });
  });

  test("leftovers of earlier attempts are swept; those of other sinks, subtasks and later attempts are not", async () => {
    const world = simWorld(1);
    const open = async (options: WriterOptions, rows = 1): Promise<WriterUnderTest> => {
      const writer = new WriterUnderTest(jsonl("/out"), world, options);
      await writer.open();
      await writer.write(numbers(0, rows));
      await writer.flush();
      return writer;
    };
    await open({ subtaskIndex: 0, parallelism: 3, attempt: 0 });
    await open({ subtaskIndex: 2, parallelism: 3, attempt: 0 });
    assert.equal(hidden(world.env).length, 2);
    await open({ subtaskIndex: 1, parallelism: 2, attempt: 2 });
    assert.equal(hidden(world.env).length, 3, "subtask 1 leaves those of others alone");
    await assert.rejects(open({ subtaskIndex: 1, parallelism: 2, attempt: 1 }), { code: "SINK_SUPERSEDED" });
    assert.equal(hidden(world.env).length, 3, "a late attempt leaves the newer one alone");
    await open({ subtaskIndex: 0, parallelism: 2, attempt: 1 });
    assert.deepEqual(
      hidden(world.env).map((path) => path.replace(/\.[0-9a-f]{8}\./, ".*.")),
      ["/out/.part-000-00000.*.job-1.1.tmp", "/out/.part-001-00000.*.job-1.2.tmp"],
    );
  });

  test("data that somebody removed before its commit is reported, not passed over", async () => {
    const world = simWorld(1);
    const writer = new WriterUnderTest(jsonl("/out"), world);
    await writer.open();
    await writer.write(numbers(0, 3));
    const committables = await writer.prepareCommit();
    for (const path of hidden(world.env)) await settled(world, () => world.env.disk.remove(path));
    await assert.rejects(writer.commit(committables), {
      code: "SINK_COMMIT_LOST",
      message: /part-000-00000-job-1-0\.jsonl/,
    });
    world.env.disk.put("/out/part-000-00000-job-1-0.jsonl", "something else");
    await assert.rejects(writer.commit(committables), { code: "SINK_COMMIT_LOST" });
  });
});

describe("rows as CSV", () => {
  const dialects: fc.Arbitrary<CsvOptions> = fc.constantFrom<CsvOptions>(
    {},
    { delimiter: ";", decimal: "," },
    { delimiter: "\t", trim: true },
    { quote: "'", escape: "\\", comment: "#" },
    { header: false, columns: ["a", "b", "c"] },
    { nulls: ["NULL", "-"] },
  );
  const cell = fc.string({
    unit: fc.constantFrom("a", ",", ";", "\t", '"', "'", "\\", "\n", "\r", " ", "#", "é", "𝄞", "-", "\ufeff"),
    maxLength: 6,
  });
  const row = fc.record({ a: fc.option(cell), b: fc.option(fc.double()), c: cell }, { noNullPrototype: true });

  test("what is written is read back the same, in every dialect, whatever the texts", async () => {
    const type = t.struct({ a: t.string.nullable(), b: t.f64.nullable(), c: t.string });
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 8 }),
        dialects,
        fc.integer({ min: 1, max: 30 }),
        async (rows, dialect, readSize) => {
          const world = simWorld(1);
          await writeRun(csv("/out", dialect), world, rows);
          const { records: read } = await readAll(csv("/out", { ...dialect, type, readSize }), world);
          assert.deepEqual(read, rows);
        },
      ),
      { numRuns: 400 },
    );
  });

  test("a single column that is empty is still a row", async () => {
    const world = simWorld(1);
    await writeRun(csv("/out"), world, [{ a: null }, { a: "" }, { a: "x" }]);
    assert.deepEqual((await readAll(csv("/out"), world)).records, [{ a: "" }, { a: "" }, { a: "x" }]);
  });

  test("dates, bigints, lists and objects are texts; declared columns choose and order", async () => {
    const world = simWorld(1);
    const value = {
      at: new Date(0),
      big: 2n ** 70n,
      list: [1, "x"],
      map: new Map([["k", 1]]),
      yes: true,
      nan: Number.NaN,
      gone: 1,
    };
    await writeRun(csv("/out", { columns: ["yes", "at", "big", "list", "map", "nan", "none"] }), world, [value]);
    assert.equal(
      text(world.env, "/out/part-000-00000-job-1-0.csv"),
      'yes,at,big,list,map,nan,none\ntrue,1970-01-01T00:00:00.000Z,1180591620717411303424,"[1,""x""]","{""k"":1}",NaN,\n',
    );
  });

  test("what would be lost or could not be read back is an error that names the field", async () => {
    const refused = async (
      rows: readonly unknown[],
      options: CsvOptions,
      code: string,
      message: RegExp,
    ): Promise<void> => {
      await assert.rejects(writeRun(csv("/out", options), simWorld(1), rows), { code, message });
    };
    await refused([{ a: 1 }, { a: 1, late: 2 }], {}, "CSV_COLUMN_UNKNOWN", /field "late"/);
    await refused([{ a: "\0" }], {}, "CSV_VALUE_UNSUPPORTED", /column "a": CSV cannot hold a NUL/);
    await refused([{ a: "\ud800" }], {}, "CSV_VALUE_UNSUPPORTED", /surrogate/);
    await refused([{ a: "x,y" }], { quote: false }, "CSV_VALUE_UNSUPPORTED", /needs quotes/);
    await refused([{ a: "x\ny" }], { multiline: false }, "CSV_VALUE_UNSUPPORTED", /line break/);
    await refused([7], {}, "CSV_VALUE_UNSUPPORTED", /must be an object, not number/);
  });
});
