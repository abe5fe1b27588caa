import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PollResult, Source, SourceReader, SourceSplit } from "../../../operators/source.ts";
import { simWorld } from "../../../testing/world.ts";
import { csv } from "../csv/csv.ts";

type World = ReturnType<typeof simWorld>;

function setUp(world: World, source: Source<unknown>) {
  const seen = { records: [] as unknown[], entered: [] as string[], left: [] as string[], wakes: 0 };
  const { env } = world;
  const reader: SourceReader<unknown> = source.createReader({
    ...{ env, disk: env.disk, uid: "in", subtaskIndex: 0, parallelism: 1 },
    metrics: { count: () => {}, gauge: () => {}, mark: () => {}, observe: () => {} },
    wake: () => {
      seen.wakes += 1;
    },
  });
  const poll = (limit = 100): PollResult =>
    reader.poll(
      {
        offer: (record) => seen.records.push(record) > 0,
        invalid: () => assert.fail("a row was refused"),
        enterSplit: (split) => seen.entered.push(split),
        leaveSplit: (split) => seen.left.push(split),
      },
      limit,
    );
  const toEnd = async (): Promise<void> => {
    while (poll() !== "end") await world.settle();
  };
  return { reader, poll, seen, toEnd };
}

const splitOf = (file: string): SourceSplit => ({
  id: file,
  position: { file, offset: 0, cut: false, line: 1, end: null },
});

const files = { "/in/a": "x,y\n1,2\n3,4\n", "/in/b": "y,x\n5,6\n", "/in/c": "x,z\n7,8\n" };
const source = csv(Object.keys(files)) as Source<unknown>;

function worldOf(): World {
  const world = simWorld(1);
  for (const [path, content] of Object.entries(files)) world.env.disk.put(path, content);
  return world;
}

describe("a reader of files", () => {
  test("reads its splits one after the other, each entered before its first record and left after its last", async () => {
    const { reader, seen, toEnd } = setUp(worldOf(), source);
    for (const file of Object.keys(files)) reader.addSplit(splitOf(file));
    reader.noMoreSplits();
    await toEnd();
    assert.deepEqual(seen.entered, Object.keys(files));
    assert.deepEqual(seen.left, Object.keys(files));
    await reader.close();
  });

  test("reads each file by its own header, though they are equally long", async () => {
    const { reader, seen, toEnd } = setUp(worldOf(), source);
    for (const file of Object.keys(files)) reader.addSplit(splitOf(file));
    reader.noMoreSplits();
    await toEnd();
    assert.deepEqual(seen.records, [
      { x: "1", y: "2" },
      { x: "3", y: "4" },
      { y: "5", x: "6" },
      { x: "7", z: "8" },
    ]);
    assert.deepEqual(Object.keys(seen.records[2] as object), ["y", "x"]);
    await reader.close();
  });

  test("says in a snapshot where it is, and which splits wait behind", async () => {
    const world = worldOf();
    const { reader, poll, seen } = setUp(world, source);
    for (const file of Object.keys(files)) reader.addSplit(splitOf(file));
    while (seen.records.length === 0) {
      poll(1);
      await world.settle();
    }
    const snapshot = JSON.parse(JSON.stringify(reader.snapshot())) as SourceSplit[];
    assert.deepEqual(
      snapshot.map(({ id }) => id),
      Object.keys(files),
    );
    await reader.close();
    const again = setUp(world, source);
    for (const split of snapshot) again.reader.addSplit(split);
    again.reader.noMoreSplits();
    await again.toEnd();
    assert.equal(seen.records.length + again.seen.records.length, 4);
    await again.reader.close();
    assert.equal(world.env.disk.openHandles, 0);
  });

  test("is closed once its files are, whatever it is about to do with them", async () => {
    for (let ms = 0; ms < 12; ms += 1) {
      const world = worldOf();
      const { reader, poll } = setUp(world, source);
      for (const file of Object.keys(files)) reader.addSplit(splitOf(file));
      for (let at = 0; at < ms; at += 1) {
        poll(1);
        await world.env.advance(1);
      }
      let left = Number.NaN;
      const closed = reader.close().then(() => {
        left = world.env.disk.openHandles;
      });
      await world.settle();
      await closed;
      assert.equal(left, 0, `after ${ms} ms`);
    }
  });

  test("fails where a file has become shorter than the position that it is to go on from", async () => {
    const world = worldOf();
    const { reader, toEnd } = setUp(world, source);
    reader.addSplit({ id: "/in/a", position: { file: "/in/a", offset: 100, cut: false, line: 9, end: null } });
    reader.noMoreSplits();
    await assert.rejects(toEnd(), { code: "FILE_CHANGED" });
    const whole = setUp(world, source);
    const offset = files["/in/a"].length;
    whole.reader.addSplit({ id: "/in/a", position: { file: "/in/a", offset, cut: false, line: 4, end: null } });
    whole.reader.noMoreSplits();
    await whole.toEnd();
    assert.deepEqual(whole.seen.records, [], "one that was read to its end has ended");
  });

  test("wakes its task for each split and when it hears that there will be no more", async () => {
    const world = worldOf();
    const { reader, seen, poll } = setUp(world, source);
    assert.equal(poll(), "wait");
    reader.addSplit(splitOf("/in/a"));
    assert.equal(seen.wakes, 1);
    reader.noMoreSplits();
    assert.equal(seen.wakes, 2);
    const closed = reader.close();
    await world.settle();
    await closed;
  });
});
