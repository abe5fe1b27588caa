// What a reader says of its place, at any moment: whoever goes on from there loses and doubles nothing.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { InvalidRow, PollResult, Source, SourceReader, SourceSplit } from "../../../operators/source.ts";
import { simWorld, type World } from "../../../testing/world.ts";
import { t } from "../../../types/t.ts";
import { csv } from "../csv/csv.ts";
import { jsonl } from "../json/jsonl.ts";

const PATH = "/in/rows";
const Row = t.struct({ n: t.f64, text: t.string });

type Seen = { readonly records: unknown[]; readonly invalid: InvalidRow[] };

function reader(source: Source<unknown>, world: World<ReturnType<typeof simWorld>["env"]>): SourceReader<unknown> {
  const { env } = world;
  return source.createReader({
    ...{ env, disk: env.disk, uid: "in", subtaskIndex: 0, parallelism: 1, wake: () => undefined },
    metrics: { count: () => {}, gauge: () => {}, mark: () => {}, observe: () => {} },
  });
}

/** One poll of at most `limit` records; tells of them. */
function pollOnce(from: SourceReader<unknown>, limit: number, seen: Seen): PollResult {
  return from.poll(
    {
      offer: (record) => seen.records.push(record) > 0,
      // How much is kept of a long one depends on the chunks that it came in.
      invalid: (row) => seen.invalid.push({ ...row, raw: String(row.raw).slice(0, 60) }) > 0,
      enterSplit: () => undefined,
      leaveSplit: () => undefined,
    },
    limit,
  );
}

const splitOf = (): SourceSplit => ({
  id: PATH,
  position: { file: PATH, offset: 0, cut: false, line: 1, end: null },
});

/** Reads on from a split to the end. */
async function rest(source: Source<unknown>, content: string, splits: readonly SourceSplit[]): Promise<Seen> {
  const world = simWorld(1);
  world.env.disk.put(PATH, content);
  const seen: Seen = { records: [], invalid: [] };
  const again = reader(source, world);
  for (const split of JSON.parse(JSON.stringify(splits)) as SourceSplit[]) again.addSplit(split);
  again.noMoreSplits();
  while (pollOnce(again, 100, seen) !== "end") await world.settle();
  await again.close();
  return seen;
}

const long = "y".repeat(3_000);
const contents: Readonly<Record<string, { source: Source<unknown>; content: string }>> = {
  csv: {
    source: csv(PATH, { type: Row, invalid: "side", recordSizeMax: 500, readSize: 64 }) as Source<unknown>,
    content: `n,text\n1,a\n2,"${long}\n${long}"\r\n3,b\nx,c\r4,d\n5,${long}\n6,e\n`,
  },
  "JSON Lines": {
    source: jsonl(PATH, { type: Row, invalid: "side", recordSizeMax: 500, readSize: 64 }) as Source<unknown>,
    content: `{"n":1,"text":"a"}\n{"n":2,"text":"${long}"}\r\n{"n":3,"text":"b"}\nno\n{"n":4,"text":"d"}\n`,
  },
};

const MAX = 100;

/** A record of so many bytes, its line break included if it has one, and what may follow it. */
const SIZED: Readonly<Record<string, (length: number, end: "" | "\n") => string>> = {
  csv: (length, end) => `h,i\n${"x".repeat(length - 2 - end.length)},y${end}`,
  "JSON Lines": (length, end) => `{"h":"${"x".repeat(length - 8 - end.length)}"}${end}`,
};

/** Records and refused ones, in whatever pieces the file is read. */
async function counts(format: string, content: string): Promise<string[]> {
  const found: string[] = [];
  for (const readSize of [1, 16, 99, 100, 101, 102, "256kb"] as const) {
    const options = { invalid: "side", recordSizeMax: MAX, readSize } as const;
    const source = (format === "csv" ? csv(PATH, options) : jsonl(PATH, options)) as Source<unknown>;
    const { records, invalid } = await rest(source, content, [splitOf()]);
    found.push(`${records.length} taken, ${invalid.length} refused`);
  }
  return [...new Set(found)];
}

describe("a record of about the size that is allowed", () => {
  for (const [format, sized] of Object.entries(SIZED)) {
    test(`is taken or refused by its length alone, in whatever pieces ${format} is read`, async () => {
      for (const length of [MAX - 2, MAX - 1, MAX, MAX + 1, MAX + 2]) {
        const expected = length <= MAX ? "1 taken, 0 refused" : "0 taken, 1 refused";
        for (const end of ["", "\n"] as const)
          assert.deepEqual(await counts(format, sized(length, end)), [expected], `${length} bytes`);
      }
    });
  }
});

describe("a poll", () => {
  for (const [format, { source, content }] of Object.entries(contents)) {
    test(`gives no more than it is asked for, nor after the output is full, of ${format} with bad rows`, async () => {
      for (const [limit, room] of [
        [1, 100],
        [2, 100],
        [100, 1],
      ] as const) {
        const world = simWorld(1);
        world.env.disk.put(PATH, content);
        const from = reader(source, world);
        from.addSplit(splitOf());
        from.noMoreSplits();
        let given = 0;
        const take = (): boolean => {
          given += 1;
          return given < room;
        };
        const output = { offer: take, invalid: take, enterSplit: () => undefined, leaveSplit: () => undefined };
        for (let result: PollResult = "wait"; result !== "end"; ) {
          given = 0;
          result = from.poll(output, limit);
          assert.ok(given <= Math.min(limit, room), `${given} at once`);
          await world.settle();
        }
        await from.close();
      }
    });
  }
});

describe("a stream", () => {
  test("is not read again from the middle: what was read of it has gone", async () => {
    const world = simWorld(1);
    world.env.disk.put(PATH, "n,text\n1,a\n2,b\n");
    const from = reader(csv(PATH) as Source<unknown>, world);
    const position = { file: PATH, offset: 11, cut: false, line: 3, end: null, stream: true };
    from.addSplit({ id: PATH, position });
    from.noMoreSplits();
    await world.settle();
    const seen: Seen = { records: [], invalid: [] };
    assert.throws(() => pollOnce(from, 10, seen), { code: "STREAM_NOT_REPEATABLE" });
    await from.close();
  });
});

describe("the position of a reader", () => {
  for (const [format, { source, content }] of Object.entries(contents)) {
    test(`leads to what was not emitted yet, between any two polls of ${format}, also while a long record is skipped`, async () => {
      const whole = await rest(source, content, [splitOf()]);
      assert.ok(whole.records.length >= 3 && whole.invalid.length >= 2);
      const world = simWorld(2);
      world.env.disk.put(PATH, content);
      const seen: Seen = { records: [], invalid: [] };
      const from = reader(source, world);
      from.addSplit(splitOf());
      from.noMoreSplits();
      let places = 0;
      for (let result: PollResult = "wait"; result !== "end"; places += 1) {
        const after = await rest(source, content, from.snapshot());
        assert.deepEqual([...seen.records, ...after.records], whole.records);
        assert.deepEqual([...seen.invalid, ...after.invalid], whole.invalid);
        result = pollOnce(from, 1, seen);
        await world.env.advance(1);
      }
      assert.deepEqual(seen, whole);
      assert.ok(places > 50, `${places} places: the long record was not come upon piece by piece`);
      await from.close();
    });
  }
});
