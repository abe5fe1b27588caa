import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Source, SourceSplit, SplitEnumerator } from "../../../operators/source.ts";
import { simWorld } from "../../../testing/world.ts";
import { t } from "../../../types/t.ts";
import { csv } from "../csv/csv.ts";
import { jsonl } from "../json/jsonl.ts";
import type { FilePosition } from "./split-reader.ts";

const Row = t.struct({ n: t.f64 });
const path = "/in/a";

type World = ReturnType<typeof simWorld>;

function enumerator(source: Source<unknown>, { env }: World, parallelism = 2): SplitEnumerator {
  return source.createEnumerator({ env, disk: env.disk, uid: "in", parallelism, wake: () => undefined });
}

async function started(source: Source<unknown>, world: World, parallelism = 2): Promise<SplitEnumerator> {
  const splits = enumerator(source, world, parallelism);
  const starting = splits.start();
  await world.settle();
  await starting;
  return splits;
}

/** All that is handed out, in its order. */
async function allOf(splits: SplitEnumerator, world: World): Promise<SourceSplit[]> {
  const all: SourceSplit[] = [];
  for (let next = splits.next(0); next !== null; next = splits.next(0)) {
    if (next === "wait") await world.settle();
    else all.push(...[next].flat());
  }
  return all;
}

const rangeOf = ({ position }: SourceSplit): [number, number | null] => {
  const { offset, end } = position as FilePosition;
  return [offset, end];
};

/** Ranges of one file follow one another without a gap, from its start to its end. */
function assertWhole(splits: readonly SourceSplit[]): void {
  const ranges = splits.map(rangeOf);
  assert.equal(ranges[0]?.[0], 0);
  assert.equal(ranges.at(-1)?.[1], null);
  for (const [index, [from]] of ranges.entries()) if (index > 0) assert.equal(from, ranges[index - 1]?.[1]);
}

describe("the splits of a file", () => {
  const lines = Array.from({ length: 100 }, (_, n) => `{"n":${n}}\n`).join("");

  test("E1: cover it without a gap, in order, in equal pieces where every line break ends a record", async () => {
    const world = simWorld(1);
    world.env.disk.put(path, lines);
    const source = jsonl(path, { type: Row, splitSize: 200 }) as Source<unknown>;
    const splits = await allOf(await started(source, world), world);
    assertWhole(splits);
    assert.equal(splits.length, Math.ceil(lines.length / 200));
    assert.equal(new Set(splits.map(({ id }) => id)).size, splits.length);
    const [only, ...others] = await allOf(await started(source, world, 1), world);
    assert.deepEqual([rangeOf(only ?? assert.fail()), others], [[0, null], []]);
  });

  test("are one where its bytes cannot be read from the middle", async () => {
    const world = simWorld(1);
    for (const file of ["/in/a.gz", "/in/a.zst"]) {
      world.env.disk.put(file, lines);
      const source = jsonl(file, { type: Row, splitSize: 200 }) as Source<unknown>;
      assert.deepEqual((await allOf(await started(source, world), world)).map(rangeOf), [[0, null]]);
    }
  });

  test("E1: begin with a record where quotes may hold line breaks, whatever the texts", async () => {
    const cells = fc.array(fc.constantFrom("a", '"', "\n", "\r", ",", "xyz", '""'), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.array(cells, { maxLength: 20 }), fc.integer({ min: 8, max: 60 }), async (rows, size) => {
        const records = rows.map((row) => `"${row.join("").replaceAll('"', '""')}"\n`);
        const content = `h\n${records.join("")}`;
        const world = simWorld(1);
        world.env.disk.put(path, content);
        const source = csv(path, { splitSize: size, readSize: 16 }) as Source<unknown>;
        const splits = await allOf(await started(source, world), world);
        assertWhole(splits);
        const starts = new Set([0, 2, ...records.map((_, at) => 2 + records.slice(0, at + 1).join("").length)]);
        for (const [from] of splits.map(rangeOf)) assert.ok(starts.has(from), `${from} in ${JSON.stringify(content)}`);
      }),
      { numRuns: 200 },
    );
  });

  test("of a file that cannot be scanned are none: who asks is told why", async () => {
    const world = simWorld(1);
    world.env.disk.put(path, lines);
    const splits = await started(csv(path, { splitSize: 50, readSize: 16 }) as Source<unknown>, world);
    world.env.disk.faults.fail = (operation) => (operation === "read" ? "DISK_IO" : null);
    assert.equal(splits.next(0), "wait");
    await world.settle();
    assert.throws(() => splits.next(0), { code: "DISK_IO" });
  });

  test("of a file that is scanned go out as the scan passes them, and each wakes who waits", async () => {
    const world = simWorld(1);
    world.env.disk.put(path, lines);
    const { env } = world;
    let wakes = 0;
    const wake = (): void => {
      wakes += 1;
    };
    const source = csv(path, { splitSize: 50, readSize: 16 }) as Source<unknown>;
    const splits = source.createEnumerator({ env, disk: env.disk, uid: "in", parallelism: 2, wake });
    await world.settle();
    const starting = splits.start();
    await world.settle();
    await starting;
    let isFirst = true;
    for (let next = splits.next(0); next !== null; next = splits.next(0)) {
      if (next !== "wait") {
        if (isFirst) assert.equal((splits.snapshot() as unknown[]).length, 1, "the rest is not cut yet");
        isFirst = false;
        continue;
      }
      const before = wakes;
      while (wakes === before) await env.advance(1);
    }
    assert.equal(isFirst, false);
    await splits.close();
  });

  test("are closed with all that they have open, however far a scan has come", async () => {
    for (let ms = 0; ms < 10; ms += 1) {
      const world = simWorld(1);
      world.env.disk.put(path, lines);
      const splits = await started(csv(path, { splitSize: 50, readSize: 16 }) as Source<unknown>, world);
      assert.equal(splits.next(0), "wait");
      await world.env.advance(ms);
      let left = Number.NaN;
      const closed = splits.close().then(() => {
        left = world.env.disk.openHandles;
      });
      await world.settle();
      await closed;
      assert.equal(left, 0, `after ${ms} ms`);
    }
  });

  test("only follow the one before when nothing of another file is left", async () => {
    const world = simWorld(1);
    world.env.disk.put("/in/a", lines);
    world.env.disk.put("/in/b", lines);
    const splits = await started(jsonl("/in", { type: Row, splitSize: 500 }) as Source<unknown>, world);
    const follows: boolean[] = [];
    for (let next = splits.next(0); next !== null; next = splits.next(0)) {
      follows.push(splits.onlyFollows?.(next as SourceSplit) ?? false);
    }
    const perFile = follows.length / 2;
    assert.ok(perFile >= 2);
    const expected = [...Array.from({ length: perFile }, () => false), ...Array.from({ length: perFile }, () => true)];
    assert.deepEqual(follows, expected);
  });

  test("that are given back are handed out again, before the others, in order, with their ids", async () => {
    const world = simWorld(1);
    for (const name of ["/in/a", "/in/b", "/in/c"]) world.env.disk.put(name, lines);
    const files = jsonl(["/in/b", "/in/a", "/in/c"], { type: Row, splitSize: 200 }) as Source<unknown>;
    const all = await allOf(await started(files, world), world);
    const splits = await started(files, world);
    const count = all.findIndex(({ id }) => id.startsWith("/in/c")) + 1;
    const given = Array.from({ length: count }, () => splits.next(0) as SourceSplit);
    assert.deepEqual(given, all.slice(0, count));
    const half = count >> 1;
    splits.addBack(given.slice(0, half).reverse());
    splits.addBack(given.slice(half).reverse());
    assert.deepEqual(await allOf(splits, world), all);
    const read = { ...(all[1]!.position as FilePosition), offset: 250, cut: false };
    splits.addBack([{ id: all[1]!.id, position: read }]);
    assert.deepEqual(await allOf(splits, world), [{ id: all[1]!.id, position: read }]);
  });

  test("only follow one of the same file when they come after it", async () => {
    const world = simWorld(1);
    world.env.disk.put(path, lines);
    const splits = await started(jsonl(path, { type: Row, splitSize: 200 }) as Source<unknown>, world);
    const [first, second] = [splits.next(0), splits.next(0)] as SourceSplit[];
    assert.deepEqual([splits.onlyFollows?.(first!), splits.onlyFollows?.(second!)], [true, true]);
    splits.addBack([first!]);
    assert.equal(splits.onlyFollows?.(second!), false);
  });

  test("E2: a snapshot stays as it was taken, and as it was restored from", async () => {
    const world = simWorld(1);
    world.env.disk.put(path, lines);
    const source = jsonl(path, { type: Row, splitSize: 200 }) as Source<unknown>;
    const splits = await started(source, world);
    const snapshot = splits.snapshot();
    const before = JSON.stringify(snapshot);
    splits.next(0);
    assert.equal(JSON.stringify(snapshot), before);
    const restored = enumerator(source, world);
    restored.restore(snapshot);
    restored.next(0);
    assert.equal(JSON.stringify(snapshot), before);
  });

  test("E2: a snapshot at any moment holds what is not handed out, also in the middle of a scan", async () => {
    const content = `h\n${Array.from({ length: 60 }, (_, n) => `"row\n${n}"\n`).join("")}`;
    const world = simWorld(3);
    world.env.disk.put(path, content);
    const source = csv(path, { splitSize: 50, readSize: 16 }) as Source<unknown>;
    const splits = await started(source, world);
    const given: SourceSplit[] = [];
    for (let next = splits.next(0); next !== null; next = splits.next(0)) {
      const restored = enumerator(source, world);
      restored.restore(JSON.parse(JSON.stringify(splits.snapshot())));
      if (next !== "wait") given.push(...[next].flat());
      assertWhole([...given, ...(await allOf(restored, world))]);
      if (next === "wait") await world.env.advance(1);
    }
    assertWhole(given);
    assert.ok(given.length > 5);
  });
});
