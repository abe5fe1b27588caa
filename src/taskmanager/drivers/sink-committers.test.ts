import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Sink, SinkCommitter } from "../../operators/sink.ts";
import { SimEnv } from "../../testing/sim-env.ts";
import { SinkCommitters } from "./sink-committers.ts";

/** Committers that write down what they hear; the test lets calls end. */
function setUp(breaks: string | null = null) {
  const env = new SimEnv({ seed: 1 });
  const calls: string[] = [];
  const ends: (() => void)[] = [];
  const called = (what: string): void => {
    calls.push(what);
    if (breaks === what) throw new Error(`${what} gave up`);
  };
  const committers = new SinkCommitters({
    ...{ env, jobId: "job" },
    sink: (sink) => {
      const createCommitter: Sink<unknown>["createCommitter"] = ({ uid, jobId }): SinkCommitter => {
        called(`make ${uid} of ${jobId}`);
        return {
          commit: async (committables) => {
            called(`commit ${uid} ${committables.join()}`);
            await new Promise<void>((resolve) => ends.push(resolve));
            calls.push("committed");
          },
          discard: async (committables) => called(`discard ${uid} ${committables.join()}`),
          close: async () => called(`close ${uid}`),
        };
      };
      return (
        sink === "simple" ? { createCommitter: () => ({ commit: async () => undefined }) } : { createCommitter }
      ) as Sink<unknown>;
    },
  });
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  return { committers, calls, ends, settle };
}

describe("the committers of a slot", () => {
  test("C1: each is made once and has one call at a time; those of different sinks do not wait for each other", async () => {
    const { committers, calls, ends, settle } = setUp();
    const first = committers.commit({ sink: "a", committables: [1, 2] });
    const second = committers.commit({ sink: "a", committables: [3] });
    const dropped = committers.discard({ sink: "b", committables: [4] });
    await settle();
    assert.deepEqual(calls, ["make a of job", "make b of job", "commit a 1,2", "discard b 4"]);
    ends.shift()?.();
    await Promise.all([first, dropped]);
    await settle();
    assert.deepEqual(calls.slice(4), ["committed", "commit a 3"]);
    const closed = committers.close();
    await settle();
    assert.deepEqual(calls.slice(6), ["close b"], "those that work are waited for");
    ends.shift()?.();
    await Promise.all([second, closed]);
    assert.deepEqual(calls.slice(7), ["committed", "close a"]);
  });

  test("C2: a call that fails is told with its sink, and tried once; the next one is made all the same", async () => {
    for (const what of ["make a of job", "commit a 1", "discard a 1", "close a"]) {
      const { committers, calls, ends, settle } = setUp(what);
      const results = [
        committers.commit({ sink: "a", committables: [1] }),
        committers.discard({ sink: "a", committables: [1] }),
      ];
      await settle();
      for (const end of ends) end();
      const outcomes = await Promise.allSettled([...results, ...(what === "close a" ? [committers.close()] : [])]);
      const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
      assert.ok(failures.length > 0);
      for (const error of failures) assert.deepEqual([error.code, error.operator], ["SINK_FAILED", "a"]);
      if (what === "commit a 1") assert.deepEqual(calls.slice(1), ["commit a 1", "discard a 1"]);
    }
  });

  test("what a committer does without is passed over", async () => {
    const { committers } = setUp();
    await committers.commit({ sink: "simple", committables: [] });
    await committers.discard({ sink: "simple", committables: [] });
    await committers.close();
  });
});
