import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { settled, WriterUnderTest } from "../../../operators/sink.contract.ts";
import type { Sink, SinkClaim } from "../../../operators/sink.ts";
import type { SimEnv } from "../../../testing/sim-env.ts";
import { simWorld, type World } from "../../../testing/world.ts";
import { csv } from "../csv/csv.ts";
import { jsonl } from "../json/jsonl.ts";

/** What happens once for each run, before any of it runs. */
function claim(sink: Sink<unknown>, world: World<SimEnv>, { bounded = true, jobName = "a" } = {}): Promise<SinkClaim> {
  return settled(world, () => sink.claim!({ disk: world.env.disk, uid: "out", jobName, bounded }));
}

describe("a run claims where its sinks write to", () => {
  test("for itself until it ends: another run is refused, and told who has it", async () => {
    const world = simWorld(1);
    for (const sink of [jsonl("/out"), csv("/single/out.csv")]) {
      const first = await claim(sink, world);
      await assert.rejects(claim(sink, world, { jobName: "b" }), {
        code: "SINK_TARGET_LOCKED",
        message: /^\/.*out.* is being written to by job "a" \(process \d+ on sim/,
      });
      await settled(world, () => first.release());
      await settled(world, async () => (await claim(sink, world, { jobName: "b" })).release());
    }
  });

  test("another file of the same directory is another place", async () => {
    const world = simWorld(1);
    await claim(jsonl("/data/one.jsonl"), world);
    await claim(jsonl("/data/two.jsonl"), world);
  });

  test("unless it cannot be written to: a file in its way, a pattern, an address, several paths", async () => {
    const world = simWorld(1);
    world.env.disk.put("/alerts", "{}");
    await assert.rejects(claim(jsonl("/alerts"), world), { code: "SINK_TARGET_IS_FILE" });
    await assert.rejects(claim(jsonl("/out/*.jsonl"), world), { code: "PATH_UNSUPPORTED" });
    await assert.rejects(claim(jsonl("s3://bucket/x"), world), { code: "PATH_UNSUPPORTED" });
    await assert.rejects(claim(jsonl(["/a", "/b"]), world), { code: "CONNECTOR_OPTION_INVALID" });
  });

  test("options that have no effect there are refused, by sinks and by sources", async () => {
    const world = simWorld(1);
    const refused = (name: string) => ({ code: "CONNECTOR_OPTION_INVALID", message: new RegExp(name) });
    await assert.rejects(
      claim(jsonl("/out", { splitSize: 1, invalid: "skip" }), world),
      refused("invalid, splitSize of a sink"),
    );
    await assert.rejects(claim(csv("/out/x.csv", { roll: { rows: 7 } }), world), refused("roll of a single file"));
    await assert.rejects(claim(csv("/out/x.csv", { mode: "append" }), world), refused("append"));
    await assert.rejects(claim(csv("/out/x.csv.gz"), world), refused("x.csv.gz"));
    const { env } = world;
    const context = { env, disk: env.disk, uid: "in", parallelism: 1, wake: () => undefined };
    assert.throws(() => jsonl("/in", { roll: { rows: 1 } }).createEnumerator(context), refused("roll of a source"));
    assert.throws(() => csv("/in", { mode: "append" }).createEnumerator(context), refused("mode of a source"));
  });

  test("a file has the ending of its format, or one of no format", async () => {
    const world = simWorld(1);
    const refused = { code: "CONNECTOR_OPTION_INVALID", message: /a file that ends with/ };
    for (const path of ["/out.csv", "/data/OUT.CSV", "/out.tsv"])
      await assert.rejects(claim(jsonl(path), world), refused);
    for (const path of ["/x.jsonl", "/x.ndjson", "/x.json"]) await assert.rejects(claim(csv(path), world), refused);
    for (const sink of [jsonl("/a.json"), jsonl("/a.ndjson"), jsonl("/a.txt"), csv("/b.tsv"), csv("/b.txt")]) {
      await claim(sink, world);
    }
    await claim(csv("/parts.jsonl/"), world);
  });

  test("a job without an end does not write a single file", async () => {
    const refused = { code: "SINK_FILE_ENDLESS", fix: "to write part files, give a directory: /out/x/" };
    await assert.rejects(claim(jsonl("/out/x.jsonl"), simWorld(1), { bounded: false }), refused);
  });
});

describe("a single file", () => {
  const text = ({ env }: World<SimEnv>, path: string): string | null => {
    const bytes = env.disk.get(path);
    return bytes === null ? null : new TextDecoder().decode(bytes);
  };
  const visible = ({ env }: World<SimEnv>): string[] => env.disk.paths().filter((path) => !path.includes("/."));

  async function run(
    sink: Sink<unknown>,
    world: World<SimEnv>,
    rows: readonly unknown[],
    end: "finish" | "abort" = "finish",
    jobId = "job-1",
  ): Promise<void> {
    const writer = new WriterUnderTest(sink, world, { jobId });
    await writer.open();
    await writer.write(rows);
    if (end === "finish") return writer.finish();
    await writer.abort();
    await writer.close();
  }

  test("holds all rows of one run, and is replaced by those of the next when it commits", async () => {
    const world = simWorld(1);
    const sink = jsonl("/data/out.jsonl");
    assert.equal(sink.parallelism, 1);
    await run(sink, world, [{ n: 1 }, { n: 2 }]);
    assert.equal(text(world, "/data/out.jsonl"), '{"n":1}\n{"n":2}\n');
    await run(sink, world, [{ n: 3 }], "abort", "job-2");
    assert.equal(text(world, "/data/out.jsonl"), '{"n":1}\n{"n":2}\n');
    await run(sink, world, [{ n: 4 }], "finish", "job-3");
    assert.equal(text(world, "/data/out.jsonl"), '{"n":4}\n');
    await run(sink, world, [], "finish", "job-4");
    assert.equal(text(world, "/data/out.jsonl"), "", "a run without rows leaves an empty file");
    assert.deepEqual(visible(world), ["/data/out.jsonl"]);
  });

  test("that somebody else wrote is not replaced, unless the mode says so; a directory never is", async () => {
    const world = simWorld(1);
    world.env.disk.put("/data/out.csv", "theirs");
    world.env.disk.put("/data/dir.csv/x", "");
    await assert.rejects(run(csv("/data/out.csv"), world, []), { code: "SINK_TARGET_OCCUPIED" });
    await assert.rejects(run(csv("/data/dir.csv"), world, []), { code: "SINK_TARGET_IS_DIRECTORY" });
    await run(csv("/data/out.csv", { mode: "replace" }), world, [{ a: 1 }]);
    assert.equal(text(world, "/data/out.csv"), "a\n1\n");
    await run(csv("/data/out.csv"), world, [{ a: 2 }], "finish", "job-2");
    assert.equal(text(world, "/data/out.csv"), "a\n2\n");
  });

  test("belongs to the sink that wrote it: another one of that place is refused", async () => {
    const world = simWorld(1);
    const write = async (uid: string, jobId: string): Promise<void> => {
      const writer = new WriterUnderTest(jsonl("/out.jsonl"), world, { uid, jobId });
      await writer.open();
      await writer.finish();
    };
    await write("one", "job-1");
    await assert.rejects(write("two", "job-2"), { code: "SINK_TARGET_OCCUPIED" });
    await write("one", "job-3");
  });

  test("belongs to nobody by runs that fail", async () => {
    const world = simWorld(1);
    for (const jobId of ["job-1", "job-2", "job-3"]) await run(jsonl("/out.jsonl"), world, [{ n: 1 }], "abort", jobId);
    world.env.disk.put("/out.jsonl", "theirs");
    await assert.rejects(run(jsonl("/out.jsonl"), world, []), { code: "SINK_TARGET_OCCUPIED" });
    const write = async (uid: string, jobId: string, end: "finish" | "abort"): Promise<void> => {
      const writer = new WriterUnderTest(jsonl("/out.jsonl", { mode: "replace" }), world, { uid, jobId });
      await writer.open();
      await writer[end]();
    };
    await write("one", "job-4", "finish");
    for (const jobId of ["job-5", "job-6", "job-7"]) await write("two", jobId, "abort");
    const writer = new WriterUnderTest(jsonl("/out.jsonl"), world, { uid: "one", jobId: "job-8" });
    await writer.open();
    await writer.finish();
  });

  test("survives a loss of power once its commit was reported", async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const world = simWorld(seed);
      await run(jsonl("/data/out.jsonl"), world, [{ n: 1 }]);
      world.env.disk.crash();
      assert.equal(text(world, "/data/out.jsonl"), '{"n":1}\n', `SEED=${seed}`);
    }
  });

  test("is committed as often as it is asked for, and missed when its data has gone", async () => {
    const world = simWorld(1);
    const { disk } = world.env;
    const writer = new WriterUnderTest(jsonl("/data/out.jsonl"), world);
    await writer.open();
    await writer.write([{ n: 1 }]);
    const committables = await writer.prepareCommit();
    for (const times of [1, 2]) {
      await writer.commit(committables);
      assert.equal(text(world, "/data/out.jsonl"), '{"n":1}\n', `${times}`);
    }
    await writer.close();
    disk.put("/data/out.jsonl", "something else");
    const again = new WriterUnderTest(jsonl("/data/out.jsonl"), world);
    await assert.rejects(again.commit(committables), { code: "SINK_COMMIT_LOST" });
  });

  test("is whole or not there, whenever power is lost, and leftovers are swept", async () => {
    const rows = Array.from({ length: 50 }, (_, n) => ({ n }));
    const whole = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
    for (let operations = 1; operations <= 30; operations += 1) {
      const world = simWorld(operations);
      const { disk } = world.env;
      let count = 0;
      disk.faults.fail = () => {
        count += 1;
        if (count === operations) disk.crash();
        return count >= operations ? "DISK_IO" : null;
      };
      await run(jsonl("/out.jsonl"), world, rows).catch(() => disk.crash());
      assert.ok([null, whole].includes(text(world, "/out.jsonl")), `after ${operations} operations`);
      disk.faults.fail = () => null;
      await run(jsonl("/out.jsonl"), world, rows, "finish", "job-2");
      assert.equal(text(world, "/out.jsonl"), whole);
      const others = disk.paths().filter((path) => !/^\/\.out\.jsonl\.millrace-0-[12]\.json$/.test(path));
      assert.deepEqual(others, ["/out.jsonl"]);
    }
  });
});
