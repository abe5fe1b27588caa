import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readAll, sourceContract } from "../../operators/source.contract.ts";
import { simWorld } from "../../testing/world.ts";
import { collection } from "./collection.ts";

const items = Array.from({ length: 100 }, (_, n) => ({ n }));

sourceContract("collection", () => ({ source: collection(items), world: simWorld(1), expected: items }));
sourceContract("an empty collection", () => ({ source: collection([]), world: simWorld(1), expected: [] }));

describe("collection", () => {
  test("one subtask reads the items in their order, and they are the same objects", async () => {
    const { records } = await readAll(collection(items), simWorld(1), { seed: 4 });
    assert.ok(records.length === items.length && records.every((record, index) => record === items[index]));
  });

  test("each of several subtasks reads its items in their order", async () => {
    const { perReader } = await readAll(collection(items), simWorld(1), { parallelism: 3, seed: 9 });
    for (const read of perReader) {
      assert.deepEqual(
        read,
        [...read].sort((left, right) => left.n - right.n),
      );
    }
  });
});
