import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Source, SourceSplit, SplitEnumerator } from "../../operators/source.ts";
import { SourceCoordinator } from "./source-coordinator.ts";

type Next = SplitEnumerator["next"];

/** Null: that there are no more. */
function idsOf(splits: readonly SourceSplit[] | null): (string | null)[] {
  return splits?.map(({ id }) => id) ?? [null];
}

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
  const coordinator = new SourceCoordinator({
    enumerator,
    source: { bounded: false },
    operator: "in",
    failed: (error) => failures.push(error),
  });
  const answers: [subtask: number, split: string | null][] = [];
  const ask = (subtask: number): void =>
    coordinator.request({
      subtask,
      answer: (splits) => answers.push(...idsOf(splits).map((id) => [subtask, id] as [number, string | null])),
      release: () => assert.fail("an endless source holds nobody"),
    });
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

  test("who asks while others are answered comes after those who wait already", async () => {
    const ready = new Set([1]);
    const { coordinator, answers, ask } = setUp((subtask) => (ready.has(subtask) ? split(`of ${subtask}`) : "wait"));
    await coordinator.start();
    ask(0);
    coordinator.request({
      subtask: 1,
      answer: (given) => {
        answers.push([1, given?.[0]?.id ?? null]);
        ask(2);
      },
      release: () => undefined,
    });
    assert.deepEqual(answers, [[1, "of 1"]]);
    ready.add(2).add(0);
    coordinator.retry();
    assert.deepEqual(answers.slice(1), [
      [0, "of 0"],
      [2, "of 2"],
    ]);
  });

  test("an enumerator that wakes it from within next() is asked once per request, and gives its splits in order", async () => {
    const left = ["a", "b", "c"];
    const { coordinator, answers, ask } = setUp((subtask) => {
      if (left.length === 3 && subtask === 0) return "wait";
      const id = left.shift();
      coordinator.retry(); // What `wake` does.
      return id === undefined ? null : split(id);
    });
    ask(0);
    ask(1);
    ask(2);
    await coordinator.start();
    assert.deepEqual(answers, [
      [1, "a"],
      [2, "b"],
      [0, "c"],
    ]);
  });

  test("an enumerator that wakes it and has nothing, without end, fails the job", async () => {
    const { coordinator, answers, ask, failures } = setUp(() => {
      coordinator.retry();
      return "wait";
    });
    await coordinator.start();
    ask(0);
    assert.deepEqual([answers, (failures[0] as { code: string }).code], [[], "SOURCE_FAILED"]);
    assert.match(String(failures[0]), /calls wake/);
  });

  test("an enumerator that wakes it twice from within next() gives one split for each request", async () => {
    let given = 0;
    const { coordinator, answers, ask } = setUp(() => {
      coordinator.retry();
      coordinator.retry();
      given += 1;
      return split(`${given}`);
    });
    await coordinator.start();
    ask(0);
    ask(1);
    assert.deepEqual(answers, [
      [0, "1"],
      [1, "2"],
    ]);
    assert.equal(given, 2);
  });

  test("an enumerator that throws and wakes fails once, and is asked nothing more", async () => {
    let asked = 0;
    const { coordinator, answers, ask, failures } = setUp(() => {
      asked += 1;
      coordinator.retry();
      if (asked === 1) throw new Error("gave up");
      return split("late");
    });
    ask(0);
    ask(1);
    await coordinator.start();
    coordinator.retry();
    ask(2);
    assert.deepEqual([asked, answers, failures.length], [1, [], 1]);
  });

  test("once it closes, neither a wake nor a request asks the enumerator", async () => {
    let asked = 0;
    const { coordinator, answers, ask } = setUp(() => {
      asked += 1;
      return "wait";
    });
    await coordinator.start();
    ask(0);
    await coordinator.close();
    coordinator.retry();
    ask(1);
    assert.deepEqual([asked, answers], [1, []]);
  });

  test("closed while its enumerator starts, it asks nothing", async () => {
    const started = Promise.withResolvers<void>();
    const { coordinator, ask, failures } = setUp(
      () => assert.fail("asked"),
      () => started.promise,
    );
    ask(0);
    const starting = coordinator.start();
    await coordinator.close();
    started.resolve();
    await starting;
    assert.deepEqual(failures, []);
  });

  test("several splits that the enumerator gives at once are one answer", async () => {
    const { coordinator } = setUp(() => [split("a"), split("b")]);
    await coordinator.start();
    const answers: unknown[] = [];
    coordinator.request({ subtask: 0, answer: (splits) => answers.push(idsOf(splits)), release: () => undefined });
    assert.deepEqual(answers, [["a", "b"]]);
  });

  test("closed by what an answer leads to, it answers nobody else", async () => {
    const { coordinator, answers, ask } = setUp((subtask) => split(`of ${subtask}`));
    coordinator.request({
      subtask: 0,
      answer: () => {
        answers.push([0, "of 0"]);
        void coordinator.close();
      },
      release: () => undefined,
    });
    ask(1);
    await coordinator.start();
    assert.deepEqual(answers, [[0, "of 0"]]);
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
    for (const given of [undefined, {}, { id: 5 }, "next", [], [split("a"), {}]]) {
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

/** Splits `file@range`, handed out in this order. */
class Files implements SplitEnumerator {
  readonly splits: string[];

  constructor(...splits: string[]) {
    this.splits = splits;
  }

  async start(): Promise<void> {}

  next(): SourceSplit | null {
    const id = this.splits.shift();
    return id === undefined ? null : { id, position: null };
  }

  onlyFollows({ id }: SourceSplit): boolean {
    return this.splits.every((split) => split.split("@")[0] === id.split("@")[0]);
  }

  addBack(): void {}

  snapshot(): null {
    return null;
  }

  restore(): void {}

  async close(): Promise<void> {}
}

type Streams = Pick<Source<unknown>, "bounded" | "streams">;

async function coordinating(enumerator: SplitEnumerator, source: Streams = { bounded: true }) {
  const said: string[] = [];
  const coordinator = new SourceCoordinator({
    enumerator,
    source,
    operator: "in",
    failed: (error) => assert.fail(String(error)),
  });
  const ask = (subtask: number): void =>
    coordinator.request({
      subtask,
      answer: (splits) => said.push(...idsOf(splits).map((id) => `${subtask}:${id ?? "none"}`)),
      release: () => said.push(`${subtask} released`),
    });
  await coordinator.start();
  return { ask, take: () => said.splice(0) };
}

describe("C2: the watermark of a bounded source waits", () => {
  test("a subtask is released after its answer, when all that is left goes on where its last split ends", async () => {
    const { ask, take } = await coordinating(new Files("a@0", "b@0", "b@1", "b@2"));
    ask(0);
    assert.deepEqual(take(), ["0:a@0"]);
    ask(1);
    assert.deepEqual(take(), ["1:b@0", "1 released"]);
    ask(1);
    assert.deepEqual(take(), ["1:b@1"], "once and for all");
    ask(0);
    assert.deepEqual(take(), ["0:b@2", "0 released"]);
    ask(0);
    ask(1);
    assert.deepEqual(take(), ["0:none", "1:none"]);
  });

  test("who reads the first of many is released when the last has been begun by another", async () => {
    const { ask, take } = await coordinating(new Files("a@0", "b@0", "c@0"));
    for (const subtask of [0, 1, 1]) ask(subtask);
    assert.deepEqual(take(), ["0:a@0", "1:b@0", "1:c@0", "0 released", "1 released"]);
  });

  test("of an enumerator that does not say what is left nobody is released before there is no more", async () => {
    const enumerator = new Files("a@0", "b@0");
    Object.assign(enumerator, { onlyFollows: undefined });
    const { ask, take } = await coordinating(enumerator);
    for (const subtask of [0, 1, 0]) ask(subtask);
    assert.deepEqual(take(), ["0:a@0", "1:b@0", "0:none"]);
  });

  test("who asks while a subtask is released is answered", async () => {
    const said: string[] = [];
    const coordinator = new SourceCoordinator({
      enumerator: new Files("a@0", "a@1"),
      source: { bounded: true },
      operator: "in",
      failed: (error) => assert.fail(String(error)),
    });
    const ask = (subtask: number, release: () => void): void =>
      coordinator.request({
        subtask,
        answer: (splits) => said.push(...idsOf(splits).map((id) => `${subtask}:${id ?? "none"}`)),
        release,
      });
    await coordinator.start();
    ask(0, () => ask(1, () => undefined));
    assert.deepEqual(said, ["0:a@0", "1:a@1"]);
  });

  test("an enumerator that wakes it while it is asked what follows is asked for more", async () => {
    const enumerator = new Files("a@0", "b@0");
    let ready = false;
    const splits = { next: enumerator.next.bind(enumerator) };
    Object.assign(enumerator, {
      next: (subtask: number) => (subtask === 1 && !ready ? "wait" : splits.next()),
      onlyFollows: () => {
        if (!ready) wake();
        return false;
      },
    });
    const { ask, take } = await coordinating(enumerator);
    const wake = (): void => {
      ready = true;
      ask(2); // Its retry is the wake.
    };
    ask(1);
    ask(0);
    assert.deepEqual(take(), ["0:a@0", "1:b@0", "2:none"]);
  });

  test("of an endless source nobody waits, and nobody is released", async () => {
    const { ask, take } = await coordinating(new Files("a@0", "b@0"), { bounded: false, streams: "one" });
    for (const subtask of [0, 1, 0]) ask(subtask);
    assert.deepEqual(take(), ["0:a@0", "1:b@0", "0:none"]);
  });

  test("where all splits are one stream everybody is released with the first", async () => {
    const { ask, take } = await coordinating(new Files("a@0", "b@0"), { bounded: true, streams: "one" });
    ask(0);
    assert.deepEqual(take(), ["0:a@0", "0 released"]);
  });
});

/** Splits handed out in this order; those given back come first. */
class Queue extends Files {
  back: SourceSplit[] = [];

  override next(): SourceSplit | null {
    return this.back.shift() ?? super.next();
  }

  override addBack(splits?: readonly SourceSplit[]): void {
    this.back.push(...(splits ?? []));
  }
}

async function recovering(enumerator: SplitEnumerator, source: Streams) {
  const said: string[] = [];
  const coordinator = new SourceCoordinator({
    enumerator,
    source,
    operator: "in",
    failed: (error) => assert.fail(`${error}`),
  });
  const ask = (subtask: number): void =>
    coordinator.request({
      subtask,
      answer: (splits) =>
        said.push(
          ...(splits ?? [null]).map(
            (split) => `${subtask}:${split === null ? "none" : `${split.id}=${split.position}`}`,
          ),
        ),
      release: () => said.push(`${subtask} released`),
    });
  await coordinator.start();
  return { coordinator, ask, take: () => said.splice(0) };
}

describe("splits over checkpoints", () => {
  test("C5: between its snapshot and those of the readers nothing is handed out, whoever asks or wakes", async () => {
    const { coordinator, ask, take } = await recovering(new Queue("a", "b"), { bounded: false });
    ask(0);
    coordinator.snapshot(1);
    ask(1);
    coordinator.retry();
    assert.deepEqual(take(), ["0:a=null"]);
    coordinator.goOn();
    assert.deepEqual(take(), ["1:b=null"]);
  });

  test("C6: a reader that starts again gives back what it had, where it was, and what it got since, once", async () => {
    const { coordinator, ask, take } = await recovering(new Queue("a", "b", "c", "d"), { bounded: false });
    ask(0);
    ask(1);
    coordinator.snapshot(1);
    coordinator.goOn();
    ask(0);
    take();
    coordinator.giveBack(0, 1, [{ id: "a", position: 7 }]);
    for (const subtask of [0, 1, 0]) ask(subtask);
    assert.deepEqual(take(), ["0:a=7", "1:c=null", "0:d=null"]);
    coordinator.giveBack(0, 1, [{ id: "a", position: 7 }]);
    for (const subtask of [1, 1, 1]) ask(subtask);
    assert.deepEqual(take(), ["1:a=7", "1:d=null", "1:none"], "what 1 has stays with it");
    coordinator.snapshot(2);
    coordinator.completed(2);
    coordinator.giveBack(1, 2, [{ id: "a", position: 9 }]);
    coordinator.goOn();
    for (const subtask of [0, 0]) ask(subtask);
    assert.deepEqual(take(), ["0:a=9", "0:none"], "the rest was left before the checkpoint");
  });

  test("C6: what has gone to a reader since the last checkpoint that is complete comes back", async () => {
    const { coordinator, ask, take } = await recovering(new Queue("a", "b", "c"), { bounded: false });
    ask(0);
    coordinator.snapshot(1);
    coordinator.goOn();
    ask(0);
    coordinator.completed(1);
    ask(0);
    take();
    coordinator.giveBack(0, 1, [{ id: "a", position: 7 }]);
    for (const subtask of [0, 0, 0]) ask(subtask);
    assert.deepEqual(take(), ["0:a=7", "0:b=null", "0:c=null"]);
  });

  test("C6: what the reader before it had asked for is not answered", async () => {
    const { coordinator, ask, take } = await recovering(new Queue("a", "b"), { bounded: false });
    coordinator.snapshot(1);
    ask(0);
    coordinator.giveBack(0, 1, []);
    coordinator.goOn();
    assert.deepEqual(take(), []);
  });

  test("C7: who is released gets nothing that was given back, and nobody is released before it has gone", async () => {
    const { coordinator, ask, take } = await recovering(new Queue("a", "b", "c", "d"), {
      bounded: true,
      streams: "one",
    });
    for (const subtask of [0, 1, 0]) ask(subtask);
    assert.deepEqual(take(), ["0:a=null", "0 released", "1:b=null", "1 released", "0:c=null"]);
    coordinator.snapshot(1);
    coordinator.goOn();
    const split = (id: string) => ({ id, position: 5 });
    coordinator.giveBack(0, 1, [split("a"), split("c")]);
    ask(1);
    ask(0);
    assert.deepEqual(take(), ["0:a=5"]);
    ask(0);
    assert.deepEqual(take(), ["0:c=5", "0 released"]);
    coordinator.retry();
    assert.deepEqual(take(), ["1:d=null"]);
  });

  test("of a restore come first, with several for a reader where the enumerator gives several", async () => {
    const restored: unknown[] = [];
    const queue = new Queue("c");
    Object.assign(queue, {
      restore: (state: unknown) => restored.push(state),
      next: () => (queue.back.length > 0 ? queue.back.splice(0) : Files.prototype.next.call(queue)),
    });
    const said: string[] = [];
    const failed = (error: unknown): never => assert.fail(`${error}`);
    const coordinator = new SourceCoordinator({ enumerator: queue, source: { bounded: true }, operator: "in", failed });
    const splits = ["a", "b"].map((id) => ({ id, position: 3 }));
    await coordinator.start({ checkpoint: 4, coordinator: "state", splits });
    const ask = (): void =>
      coordinator.request({
        subtask: 0,
        answer: (splits) => said.push(...idsOf(splits).map((id) => id ?? "none")),
        release: () => said.push("released"),
      });
    for (let asked = 0; asked < 3; asked += 1) ask();
    assert.deepEqual(
      [restored, said],
      [["state"], ["a", "b", "c", "none"]],
      "released by the end only: it has several",
    );
    coordinator.giveBack(0, 4, splits);
    ask();
    assert.deepEqual(
      said.slice(4),
      ["a", "b", "c"],
      "what came with the restore is not given back again, but as given",
    );
  });
});
