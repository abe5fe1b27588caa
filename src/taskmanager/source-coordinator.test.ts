import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SourceSplit, SplitEnumerator } from "../operators/source.ts";
import { SourceCoordinator } from "./source-coordinator.ts";

type Next = (subtask: number) => SourceSplit | "wait" | null;

function setUp(next: Next, start: () => Promise<void> = async () => undefined) {
  const failures: unknown[] = [];
  let closed = 0;
  const enumerator: SplitEnumerator = {
    start,
    next,
    snapshot: () => null,
    addBack: () => undefined,
    restore: () => undefined,
    close: async () => {
      closed += 1;
    },
  };
  const coordinator = new SourceCoordinator(enumerator, "in", (error) => failures.push(error));
  const answers: [subtask: number, split: string | null][] = [];
  const ask = (subtask: number): void =>
    coordinator.request(subtask, (split) => answers.push([subtask, split?.id ?? null]));
  return { coordinator, answers, ask, failures, closed: () => closed };
}

const split = (id: string): SourceSplit => ({ id, position: null });

describe("a source's coordinator", () => {
  test("answers each request once, in the order they came, and nobody before the enumerator has started", async () => {
    let given = 0;
    const started = Promise.withResolvers<void>();
    const { coordinator, answers, ask } = setUp(
      () => {
        given += 1;
        return split(`${given}`);
      },
      () => started.promise,
    );
    ask(1);
    ask(0);
    const starting = coordinator.start();
    coordinator.retry();
    assert.deepEqual(answers, []);
    started.resolve();
    await starting;
    ask(1);
    coordinator.retry();
    assert.deepEqual(answers, [
      [1, "1"],
      [0, "2"],
      [1, "3"],
    ]);
  });

  test("who has to wait holds up nobody else, keeps its place, and is answered when the enumerator wakes it", async () => {
    const ready = new Set([1, 2]);
    const { coordinator, answers, ask } = setUp((subtask) => (ready.has(subtask) ? split(`of ${subtask}`) : "wait"));
    await coordinator.start();
    ask(0);
    ask(1);
    ask(3);
    ask(2);
    assert.deepEqual(answers, [
      [1, "of 1"],
      [2, "of 2"],
    ]);
    coordinator.retry();
    assert.equal(answers.length, 2);
    ready.add(3).add(0);
    coordinator.retry();
    coordinator.retry();
    assert.deepEqual(answers.slice(2), [
      [0, "of 0"],
      [3, "of 3"],
    ]);
  });

  test("says that there are no more", async () => {
    const { coordinator, answers, ask } = setUp(() => null);
    await coordinator.start();
    ask(0);
    assert.deepEqual(answers, [[0, null]]);
  });

  test("names the source when its enumerator does not start, throws, or gives what is no split", async () => {
    const broken = setUp(
      () => null,
      () => Promise.reject(new Error("no such place")),
    );
    await assert.rejects(broken.coordinator.start(), { code: "SOURCE_FAILED", operator: "in" });
    const throwing = setUp(() => {
      throw new Error("gave up");
    });
    await throwing.coordinator.start();
    throwing.ask(0);
    assert.deepEqual([throwing.answers, throwing.failures.length], [[], 1]);
    assert.equal((throwing.failures[0] as { code: string }).code, "SOURCE_FAILED");
    for (const given of [undefined, {}, { id: 5 }, "next"]) {
      const { coordinator, answers, failures, ask } = setUp(() => given as never);
      await coordinator.start();
      ask(0);
      assert.deepEqual(answers, []);
      assert.equal((failures[0] as { code: string }).code, "SOURCE_SPLIT_INVALID");
    }
  });

  test("closes its enumerator", async () => {
    const { coordinator, closed } = setUp(() => null);
    await coordinator.close();
    assert.equal(closed(), 1);
  });
});
