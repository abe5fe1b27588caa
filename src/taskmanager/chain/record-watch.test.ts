// Records that are changed after they were handed on, in slots, where they are not frozen.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inEveryMode, MODES } from "../../../test/api/every-mode.ts";
import {
  blackhole,
  collection,
  count,
  generate,
  type Job,
  job,
  last,
  type Sink,
  type Stream,
  sum,
  t,
} from "../../index.ts";
import { difference } from "./record-difference.ts";
import { RecordWatch } from "./record-watch.ts";

type Row = { k: string; v: number; tags: string[] };
const rows = (count: number): Row[] => Array.from({ length: count }, (_, v) => ({ k: "a", v, tags: [`${v}`] }));
const SLOTS = MODES.filter(({ checks, store }) => !checks && store === "managed");

const made = (build: (rows: Stream<Row>) => void, count = 100): Job =>
  job({ name: "changing" }, (env) => build(env.from("in", collection(rows(count)))));

/** Jobs in which "guilty" changes what others hold. */
const GUILTY: Record<string, () => Job> = {
  "a map that changes what another branch gets": () =>
    made((from) => {
      from
        .map((row) => {
          (row as Row).v += 1;
          return { v: row.v };
        })
        .uid("guilty")
        .to("one", blackhole());
      from.to("two", blackhole());
    }),
  "a filter that changes a nested list": () =>
    made((from) => {
      from
        .filter((row) => row.tags.push("x") > 0)
        .uid("guilty")
        .to("one", blackhole());
    }),
  "a flatMap that changes its record after a filter": () =>
    made((from) => {
      from
        .filter(({ v }) => v % 2 === 0)
        .flatMap((row) => {
          (row as Row).k = "b";
          return [];
        })
        .uid("guilty")
        .to("one", blackhole());
    }),
  "a map that changes what it has given before": () => {
    let last: Row | null = null;
    return made((from) => {
      from
        .map((row) => {
          if (last !== null) last.v = -1;
          last = { ...row };
          return last;
        })
        .uid("guilty")
        .to("one", blackhole());
    });
  },
  "a map that always gives the same object": () => {
    const scratch = { v: 0 };
    return made((from) => {
      from
        .map(({ v }) => {
          scratch.v = v + 1;
          return scratch;
        })
        .uid("guilty")
        .to("one", blackhole());
    });
  },
  "a process function that emits the same object": () => {
    const scratch = { v: 0 };
    return made((from) => {
      from
        .keyBy("k")
        .process({
          uid: "guilty",
          out: t.struct({ v: t.f64 }),
          onRecord({ v }, { emit }) {
            scratch.v = v + 1;
            emit(scratch);
          },
        })
        .to("one", blackhole());
    });
  },
  "a generated record that is the same object each time": () => {
    const scratch = { v: 0 };
    return job({ name: "changing" }, (env) => {
      const next = (v: number) => {
        scratch.v = v;
        return scratch;
      };
      env.from("guilty", generate(50, next)).to("one", blackhole());
    });
  },
};

describe("a record that is changed after it was handed on fails the job in slots, with the operator", () => {
  for (const [what, make] of Object.entries(GUILTY)) {
    test(what, async () => {
      for (const { error, mode } of await inEveryMode(make, SLOTS)) {
        assert.equal(error?.code, "RECORD_MUTATED", mode.name);
        assert.equal(error?.operator, "guilty", mode.name);
      }
    });
  }
});

test("functions that change nothing pass, also with records that hold themselves", async () => {
  const make = () =>
    made((from) => {
      const looped = from.map((row) => {
        const record: { row: Row; self?: unknown } = { row };
        record.self = record;
        return record;
      });
      looped.map(({ row }) => ({ ...row, v: row.v + 1 })).to("one", blackhole());
      looped.filter(({ row }) => row.v > 3).to("two", blackhole());
    });
  for (const { error, mode } of await inEveryMode(make, SLOTS)) assert.equal(error, null, mode.name);
});

test("whole numbers of -0, which the check of a link by reference makes 0, are no changes", async () => {
  const Whole = t.struct({ k: t.string, n: t.i32 });
  const make = () =>
    made((from) => {
      from
        .map(Whole, ({ k, v }) => ({ k, n: v % 2 === 0 ? -0 : v }))
        .keyBy("k")
        .reduce("last", (_, row) => row)
        .to("one", blackhole());
    });
  for (const { error, mode } of await inEveryMode(make, SLOTS)) assert.equal(error, null, mode.name);
});

/** A sink that changes what it gets. */
const changing = (): Sink<unknown> => {
  const sink = blackhole();
  const write = (record: unknown) => Object.assign(record as object, { n: -1 }) !== null;
  return { ...sink, createWriter: (context) => ({ ...sink.createWriter(context), write }) };
};

test("rows of numbers that the engine makes are the only sink's own; where others hold them they are watched", async () => {
  type Aggregates = Parameters<ReturnType<Stream<Row>["keyBy"]>["aggregate"]>[0];
  const codes = async (aggregates: Aggregates, more: (sums: { to: Stream<Row>["to"] }) => void = () => undefined) => {
    const make = () =>
      made((from) => {
        const sums = from.keyBy("k").aggregate(aggregates).uid("sums");
        sums.to("one", changing());
        more(sums as never);
      });
    return new Set((await inEveryMode(make, SLOTS)).map(({ error }) => error?.code));
  };
  assert.deepEqual([...(await codes({ n: count(), sum: sum("v") }))], [undefined]);
  assert.deepEqual([...(await codes({ n: count() }, (sums) => sums.to("two", blackhole())))], ["RECORD_MUTATED"]);
  assert.deepEqual([...(await codes({ n: count(), last: last("tags") }))], ["RECORD_MUTATED"]);
});

test("W1: which batches and records are looked at depends on their order alone", () => {
  const watch = new RecordWatch(1, { onChanged: () => new Error("changed"), onPromise: assert.fail });
  const due = Array.from({ length: 1_000 }, (_, n) => n + 1).filter(() => watch.due(0));
  assert.equal(due.length, 16 + Math.floor(1_000 / 256));
  assert.deepEqual(due.slice(0, 17), [...Array.from({ length: 16 }, (_, n) => n + 1), 256]);
  const looked: number[] = [];
  for (let n = 0; n < 40_000; n += 1) {
    watch.left[0]! -= 1;
    if (watch.left[0]! >= 0) continue;
    looked.push(n);
    watch.look(0, { n });
  }
  assert.deepEqual(looked, [...Array.from({ length: 16 }, (_, n) => n), 16 + 16_384, 16 + 16_384 + 16_385]);
});

test("W2: a change is seen after the operator, when one of the next records is looked at, and at the end", () => {
  const told: unknown[] = [];
  const watch = new RecordWatch(2, {
    onPromise: assert.fail,
    onChanged: (output, change, by) => {
      told.push([output, change.path, by]);
      return new Error("changed");
    },
  });
  const records = rows(7);
  watch.look(1, records[0]);
  watch.still(1, 5);
  records[0]!.v = 9;
  assert.throws(() => watch.still(1, 5), /changed/);
  assert.throws(() => watch.look(1, records[1]), /changed/);
  records[0]!.v = 0;
  for (const record of records.slice(1, 4)) watch.look(1, record);
  records[0]!.tags.push("late");
  assert.throws(() => watch.look(1, records[4]), /changed/);
  records[0]!.tags.pop();
  for (const record of records.slice(4)) watch.look(1, record);
  records[0]!.v = 9; // no longer kept
  watch.end();
  records[6]!.k = "b";
  assert.throws(() => watch.end(), /changed/);
  assert.deepEqual(told, [
    [1, "v", 5],
    [1, "v", null],
    [1, "tags[1]", null],
    [1, "k", null],
  ]);
});

test("the first difference is named by its path, and what is equal differs nowhere", () => {
  const make = () => ({
    n: Number.NaN,
    at: new Date(5),
    by: new Map([["x", { y: [1, 2] }]]),
    of: new Set([1]),
    bytes: new Uint8Array([1, 2]),
    none: undefined,
  });
  assert.equal(difference(make(), make()), null);
  const changes: [string, (value: ReturnType<typeof make>) => void][] = [
    ["n", (value) => (value.n = 1)],
    ["at", (value) => value.at.setTime(6)],
    ["by[1].y[0]", (value) => (value.by.get("x")!.y[0] = 7)],
    ["of[1]", (value) => value.of.add(2)],
    ["bytes[1]", (value) => (value.bytes[1] = 9)],
    ["more", (value) => Object.assign(value, { more: 1 })],
  ];
  for (const [path, change] of changes) {
    const value = make();
    change(value);
    assert.equal(difference(make(), value)?.path, path);
  }
});
