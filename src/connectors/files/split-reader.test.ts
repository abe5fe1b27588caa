// What a reader says of its place, at any moment: whoever goes on from there loses and doubles nothing.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { InvalidRow, PollResult, Source, SourceReader, SourceSplit } from "../../operators/source.ts";
import { simWorld, type World } from "../../testing/world.ts";
import { t } from "../../types/t.ts";
import { csv } from "./csv/csv.ts";
import { jsonl } from "./json/jsonl.ts";

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
