import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CheckpointId } from "../../base/ids.ts";
import { Committables } from "./committables.ts";

const id = (value: number): CheckpointId => value as CheckpointId;
const wrote = (...committables: string[]) => [{ sink: "out", committables }];

const two = Committables.none.with(id(1), 0, wrote("a")).with(id(1), 1, wrote("b")).with(id(2), 0, wrote("c"));

describe("what sinks have prepared", () => {
  test("is part of its checkpoint and of all later ones, whatever became of its own (P1)", () => {
    assert.deepEqual(two.of("out", 0, 1), ["a"]);
    assert.deepEqual(two.of("out", 0, 2), ["a", "c"]);
    assert.deepEqual(two.of("out", 1, 7), ["b"]);
    assert.deepEqual(two.of("other", 0), []);
  });

  test("is handed out for its commit once, with the first checkpoint that is completed at or after its own", () => {
    const of = (after: number, upTo: number) =>
      two.between(after, id(upTo)).map(({ subtask, prepared }) => [subtask, ...prepared.committables]);
    assert.deepEqual(of(0, 1), [
      [0, "a"],
      [1, "b"],
    ]);
    assert.deepEqual(of(1, 2), [[0, "c"]]);
    assert.deepEqual(of(0, 2), [
      [0, "a", "c"],
      [1, "b"],
    ]);
  });

  test("stays part of later checkpoints until its own commit was acknowledged, however slow that is (P2)", () => {
    const committed = two.without("out", 0, id(1));
    assert.deepEqual(committed.of("out", 0), ["c"]);
    assert.deepEqual(committed.of("out", 1), ["b"]);
  });
});
