import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JobVertex } from "../../graph/job-graph.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Operator } from "../../operators/operator.ts";
import { KEY_DOUBTFUL } from "../../types/keys/key-hash.ts";
import { Chain, type TaskStatus } from "./chain.ts";
import { KEY_RUN_MAX, KeyRun } from "./key-run.ts";

type Row = { readonly n: number };

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n);
const rowsOf = (count: number): Row[] => range(0, count).map((n) => ({ n }));

/** A chain of one keyed operator, which writes down what it is told. `keyOf` is the user's function. */
function keyedChain(keyOf: (row: Row) => unknown, fullAfter: (n: number) => boolean = () => false) {
  const status: TaskStatus = { full: false, failure: null };
  const told: string[] = [];
  const operator = {
    prefetch: (hashes: Int32Array, count: number) => void told.push(`ahead ${hashes.slice(0, count).join()}`),
    onRecord: ({ n }: Row, time: number, key: unknown, hash: number) => {
      told.push(`${n} at ${time}: ${key} ${hash}`);
      if (fullAfter(n)) status.full = true;
    },
  } as unknown as Operator;
  const chain = new Chain({
    vertex: {
      operators: [
        { kind: "process", name: "own", uid: "own", onError: "fail", sides: [], output: null, key: { field: null } },
      ],
      chained: [],
    } as unknown as JobVertex,
    name: "key run",
    exchanges: [],
    sourceFits: false,
    checks: false,
    status,
    counts: new Float64Array(1),
    bindings: [{ o: operator }],
    graph: { plan: { edges: [] } as unknown as Plan, changelogs: new Map() },
    onSkipped: () => undefined,
    keys: [
      {
        field: null,
        key: keyOf,
        hash: (key) => (key === "?" ? KEY_DOUBTFUL : Number(key) * 10),
        doubtful: (_, record) => {
          throw new Error(`no key for ${(record as Row).n}`);
        },
      },
    ],
  });
  const loop = chain.compileLoop({ input: { kind: "rows" }, port: 0, key: { field: null }, timestamps: true });
  return { loop, status, told };
}

const aheadOf = (ns: readonly number[]): string => `ahead ${ns.map((n) => n * 10).join()}`;
const worked = (ns: readonly number[], time = "NaN"): string[] => ns.map((n) => `${n} at ${time}: ${n} ${n * 10}`);

describe("the loop of a keyed operator", () => {
  test("tells the keys of a run before the first of its records", () => {
    const { loop, told } = keyedChain(({ n }) => n);
    const count = KEY_RUN_MAX + 2;
    assert.equal(loop(rowsOf(count), null, 1, count), count);
    const runs = [range(1, KEY_RUN_MAX + 1), range(KEY_RUN_MAX + 1, count)];
    assert.deepEqual(
      told,
      runs.flatMap((run) => [aheadOf(run), ...worked(run)]),
    );
  });

  test("gives each record its own time", () => {
    const { loop, told } = keyedChain(({ n }) => n);
    loop(rowsOf(3), new Float64Array([5, 6, 7]), 1, 3);
    assert.deepEqual(told, [aheadOf([1, 2]), ...worked([1], "6"), ...worked([2], "7")]);
  });

  for (const [what, keyOf, message] of [
    ["fails", ({ n }: Row) => (n === 3 ? assert.fail("three") : n), /three on the record \{ n: 3 \}/],
    ["is no key", ({ n }: Row) => (n === 3 ? "?" : n), /no key for 3/],
  ] as const) {
    test(`works on the records before one whose key ${what}`, () => {
      const { loop, told } = keyedChain(keyOf);
      assert.throws(() => loop(rowsOf(9), null, 0, 9), { message });
      assert.deepEqual(told, [aheadOf([0, 1, 2]), ...worked([0, 1, 2])]);
    });
  }

  test("stops behind the record after which an output is full, and takes few more than fit from then on", () => {
    const { loop, status, told } = keyedChain(
      ({ n }) => n,
      (n) => n === 1 || n === 3,
    );
    const rows = rowsOf(20);
    assert.equal(loop(rows, null, 0, 20), 2);
    status.full = false;
    assert.equal(loop(rows, null, 2, 20), 4);
    status.full = false;
    assert.equal(loop(rows, null, 4, 20), 20);
    assert.deepEqual(told, [
      aheadOf(range(0, 20)),
      ...worked([0, 1]),
      aheadOf([2, 3]),
      ...worked([2, 3]),
      ...[range(4, 8), range(8, 16), range(16, 20)].flatMap((run) => [aheadOf(run), ...worked(run)]),
    ]);
  });
});

test("a run that is over keeps no record", () => {
  const run = new KeyRun();
  run.records[0] = {};
  run.keys[1] = {};
  run.end(2, 2);
  assert.ok(run.records.every((record) => record === null) && run.keys.every((key) => key === null));
});
