// Functions that throw what cannot be read, and timers that never let event time go on.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inEveryMode, MODES } from "../../../test/api/every-mode.ts";
import { causesBehind } from "../../base/errors.ts";
import { blackhole, collection, type Job, job, print, t } from "../../index.ts";

const managed = MODES.filter(({ store }) => store === "managed");
const trap = (): never => {
  throw new Error("trap");
};

class Unreadable extends Error {
  override get message(): string {
    return trap();
  }
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe("what a function throws is told with its operator, however it resists", () => {
  const thrown: Record<string, () => unknown> = {
    "a proxy": () => new Proxy({}, { get: trap, getPrototypeOf: trap }),
    "a proxy of an error": () => new Proxy(new Error("inner"), { get: trap }),
    "a proxy that was revoked": revoked,
    "an error whose message throws": () => new Unreadable(),
  };
  for (const [what, make] of Object.entries(thrown)) {
    const throwing = (policy: "fail" | "skip"): Job =>
      job({ name: "odd" }, (env) => {
        const mapped = env
          .from("in", collection([{ n: 1 }, { n: 2 }]))
          .map(({ n }) => {
            if (n === 1) throw make();
            return { n };
          })
          .uid("odd");
        mapped.onError(policy).to("out", print());
      });

    test(what, async () => {
      for (const { error, mode } of await inEveryMode(() => throwing("fail"), managed)) {
        assert.equal(error?.code, "USER_FUNCTION_THREW", mode.name);
        assert.equal(error?.operator, "odd", mode.name);
      }
      for (const { error, printed, mode } of await inEveryMode(() => throwing("skip"), managed)) {
        assert.equal(error, null, mode.name);
        assert.deepEqual(printed, ["out { n: 2 }"], mode.name);
      }
    });
  }
});

describe("errors that hold others are told by those", () => {
  const cleanUp = { [Symbol.dispose]: trap };
  const thrown: Record<string, { readonly throws: () => void; readonly told: RegExp; readonly causes: string[] }> = {
    "what was thrown first, when cleaning up after it failed as well": {
      throws: () => {
        using _ = cleanUp;
        throw new RangeError("first");
      },
      told: /threw RangeError: first/,
      causes: ["first"],
    },
    "each of those that an error without a message gathers": {
      throws: () => {
        throw new AggregateError([new Error("address one"), new Error("address two", { cause: new Error("why") })]);
      },
      told: /threw AggregateError: Error: address one; Error: address two/,
      causes: ["", "address one", "address two", "why"],
    },
  };
  for (const [what, { throws, told, causes }] of Object.entries(thrown)) {
    test(what, async () => {
      const throwing = (): Job =>
        job({ name: "held" }, (env) => {
          env
            .from("in", collection([1]))
            .filter(() => throws() ?? true)
            .to("out", print());
        });
      for (const { error, mode } of await inEveryMode(throwing, managed)) {
        assert.match(error?.message ?? "", told, mode.name);
        const [...found] = error === null ? [] : causesBehind(error, 10).map((cause) => (cause as Error).message);
        assert.deepEqual(found, causes, mode.name);
      }
    });
  }
});

describe("a timer that is set again for a time that has come is refused at its line", () => {
  for (const [what, step] of [
    ["its own time", 0],
    ["an earlier one", -5],
  ] as const) {
    test(what, async () => {
      const make = () =>
        job({ name: "endless" }, (env) => {
          env
            .from("in", collection([{ k: "a", ts: 1 }]))
            .eventTime({ at: "ts", unit: "ms" })
            .keyBy("k")
            .process({
              uid: "again",
              out: t.f64,
              onRecord: (record, { timers }) => timers.set("again", record.ts),
              onTimer: ({ at }, { timers }) => timers.set("again", at + step),
            })
            .onError("skip")
            .to("out", blackhole());
        });
      for (const { error, mode } of await inEveryMode(make, managed)) {
        assert.equal(error?.code, "TIMER_ENDLESS", mode.name);
        assert.equal(error?.operator, "again", mode.name);
        assert.match(error?.stack ?? "", /odd-throws\.test\.ts/, mode.name);
      }
    });
  }
});
