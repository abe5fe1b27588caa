import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Fifo } from "./fifo.ts";

describe("a queue", () => {
  test("gives back what was put in, in order, whatever the calls", () => {
    const calls = fc.array(fc.constantFrom("push", "push", "shift" as const), { maxLength: 200 });
    fc.assert(
      fc.property(calls, (given) => {
        const fifo = new Fifo<number>();
        const model: number[] = [];
        for (const [index, call] of given.entries()) {
          if (call === "shift") assert.equal(fifo.shift(), model.shift());
          else {
            fifo.push(index);
            model.push(index);
          }
          assert.deepEqual([fifo.length, fifo.first, fifo.toArray()], [model.length, model[0], model]);
        }
      }),
    );
  });
});
