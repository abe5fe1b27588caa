// Functions that put a promise into a field of a record, where no type says what the field holds.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inEveryMode, MODES } from "../../../test/api/every-mode.ts";
import { blackhole, collection, type Job, job, print, type Stream } from "../../index.ts";
import { heldPromise } from "./held-promise.ts";

const late = async (value: number): Promise<number> => value;
const managed = MODES.filter(({ store }) => store === "managed");

describe("a record that holds a promise fails the job at the operator that made it, in every mode", () => {
  const makers: Record<string, (rows: Stream<number>) => { to(uid: string, sink: ReturnType<typeof print>): unknown }> =
    {
      map: (rows) => rows.map((n) => ({ n: late(n) })).uid("made"),
      flatMap: (rows) => rows.flatMap((n) => [{ n: late(n) }]).uid("made"),
      "map behind a policy": (rows) =>
        rows
          .map((n) => ({ n: late(n) }))
          .uid("made")
          .onError("skip"),
    };
  for (const [kind, make] of Object.entries(makers)) {
    test(kind, async () => {
      for (const sink of [print, blackhole]) {
        const holding = (): Job =>
          job({ name: "late" }, (env) => void make(env.from("in", collection([1, 2]))).to("out", sink()));
        for (const { error, printed, mode } of await inEveryMode(holding, managed)) {
          assert.equal(error?.code, "FUNCTION_RETURNED_PROMISE", `${mode.name}, ${error?.message}`);
          assert.match(error?.message ?? "", /holds a promise in its field n$/, mode.name);
          assert.equal(error?.operator, "made", mode.name);
          assert.deepEqual(printed, [], mode.name);
        }
      }
    });
  }
});

test("the first promise is found wherever it is, and its place named", () => {
  const promise = late(1);
  const own: Record<string, unknown> = { a: 1, list: [{ b: 2 }] };
  own.self = own;
  assert.equal(heldPromise(own), null);
  assert.equal(heldPromise({ ...own, order: { items: [1, { price: promise }] } }), "order.items[1].price");
  assert.equal(heldPromise({ map: new Map([["k", promise]]) }), "map[k]");
  assert.equal(heldPromise(new Set([promise])), "[]");
  for (const none of [null, undefined, 1, "text", new Date(0), new Uint8Array(3)])
    assert.equal(heldPromise(none), null);
});
