// Timers: what both stores guarantee.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteCursor } from "../../types/bytes/byte-buffer.ts";
import type { FiredTimer, KeyedStateStore } from "../contract/keyed-state.ts";
import { makeHeap, makeManaged } from "./store-makers.contract.ts";
import { F64, MAX_PARALLELISM, STRING, type StoreMaker, snapshotOf, use, valueSpec } from "./tested-store.contract.ts";

type Fired = readonly [name: string, at: number, key: unknown];

export function fireAll(store: KeyedStateStore, domain: FiredTimer["domain"], upToMs: number): Fired[] {
  const fired: Fired[] = [];
  assert.ok(
    store.timers.fire(
      domain,
      upToMs,
      ({ name, at, key }) => void fired.push([name, at, key]),
      () => false,
    ),
  );
  return fired;
}

export function timersContract(make: StoreMaker): void {
  firingTests(make);
  endOfTimeTests(make);
}

function firingTests(make: StoreMaker): void {
  test("timers fire in order of time, each once, with their key current; the same name moves one", () => {
    const { store } = make({ key: STRING });
    const value = store.value<number>(valueSpec("v", F64), null);
    for (const key of ["a", "b", "c"]) {
      use(store, STRING, key);
      value.set(key.charCodeAt(0));
      store.timers.event.set("late", 500);
      store.timers.event.set("t", 100 + key.charCodeAt(0));
      store.timers.processing.set("t", 1);
    }
    use(store, STRING, "b");
    store.timers.event.set("t", 50);
    store.timers.event.set("late", 400);
    assert.equal(store.timers.event.get("t"), 50);
    assert.equal(store.timers.event.get("other"), undefined);
    use(store, STRING, "c");
    store.timers.event.clear("late");
    store.timers.event.clear("nothing");
    assert.equal(store.timers.count, 8);
    assert.equal(store.timers.next("event"), 50);
    const seen: unknown[] = [];
    store.timers.fire(
      "event",
      450,
      (timer) => void seen.push([timer.name, timer.at, timer.key, value.get()]),
      () => false,
    );
    assert.deepEqual(seen, [
      ["t", 50, "b", 98],
      ["t", 197, "a", 97],
      ["t", 199, "c", 99],
      ["late", 400, "b", 98],
    ]);
    assert.equal(store.timers.next("event"), 500);
    assert.equal(store.timers.next("processing"), 1);
    assert.deepEqual(fireAll(store, "event", Infinity), [["late", 500, "a"]]);
    assert.equal(store.timers.next("event"), Infinity);
    assert.equal(store.timers.count, 3);
  });

  test("a timer moved to a later time fires then and not before; moved back and forth it fires once", () => {
    const { store } = make({ key: F64 });
    for (let key = 0; key < 50; key += 1) {
      use(store, F64, key);
      for (const at of [10, 200, 30, 100 + key]) store.timers.event.set("silence", at);
    }
    assert.deepEqual(fireAll(store, "event", 99), []);
    assert.equal(store.timers.next("event"), 100);
    assert.deepEqual(
      fireAll(store, "event", 1000).map(([, at]) => at),
      Array.from({ length: 50 }, (_, key) => 100 + key),
    );
  });

  test("equal times fire in an order that does not depend on when they were set", () => {
    const orders = [false, true].map((reversed) => {
      const { store } = make({ key: STRING });
      const all = Array.from({ length: 40 }, (_, n) => [`key ${n % 20}`, `name ${n % 3}`] as const);
      for (const [key, name] of reversed ? all.toReversed() : all) {
        use(store, STRING, key);
        store.timers.event.set(name, 7);
      }
      return fireAll(store, "event", 7);
    });
    assert.equal(orders[0]!.length, 40);
    assert.deepEqual(orders[0], orders[1]);
  });

  test("a callback may set and clear timers of any key; those that come due fire in the same run", () => {
    const { store } = make({ key: F64 });
    use(store, F64, 1);
    store.timers.event.set("start", 10);
    store.timers.event.set("victim", 30);
    const seen: string[] = [];
    const done = store.timers.fire(
      "event",
      100,
      ({ name, at, key }) => {
        seen.push(`${name}@${at} of ${String(key)}`);
        if (name === "start") {
          assert.equal(store.timers.event.get("start"), undefined);
          store.timers.event.set("start again", 20);
          store.timers.event.set("past", 5);
          store.timers.event.set("far", 101);
          store.timers.event.clear("victim");
          use(store, F64, 2);
          store.timers.event.set("of two", 20);
        }
      },
      () => false,
    );
    assert.ok(done);
    assert.deepEqual(seen.slice(0, 2), ["start@10 of 1", "past@5 of 1"]);
    assert.deepEqual(seen.slice(2).sort(), ["of two@20 of 2", "start again@20 of 1"]);
    assert.equal(store.timers.next("event"), 101);
  });

  test("firing stops when told to, and goes on where it stopped", () => {
    const { store } = make({ key: F64 });
    for (let key = 0; key < 5; key += 1) {
      use(store, F64, key);
      store.timers.processing.set("t", key);
    }
    const seen: number[] = [];
    const push = ({ at }: FiredTimer) => void seen.push(at);
    assert.equal(
      store.timers.fire("processing", 3, push, () => seen.length === 2),
      false,
    );
    assert.deepEqual(seen, [0, 1]);
    assert.equal(
      store.timers.fire("processing", 3, push, () => false),
      true,
    );
    assert.deepEqual(seen, [0, 1, 2, 3]);
    assert.equal(
      store.timers.fire("processing", 3, push, () => true),
      true,
      "nothing is due: there is nothing to stop",
    );
  });

  test("a timer without a time is refused", () => {
    const { store } = make({ key: F64 });
    use(store, F64, 1);
    assert.throws(() => store.timers.event.set("t", Number.NaN), { code: "TIMER_TIME_INVALID" });
    assert.throws(() => store.timers.event.set("t", undefined as unknown as number), /timer "t" .* set to undefined/);
    assert.equal(store.timers.count, 0);
  });
}

/** Each timer that fires sets another one of its name, a second later; says what fired. */
function rearming(store: KeyedStateStore, also: (timer: FiredTimer) => void = () => undefined) {
  const fired: Fired[] = [];
  const onTimer = (timer: FiredTimer): void => {
    fired.push([timer.name, timer.at, timer.key]);
    also(timer);
    store.timers[timer.domain].set(timer.name, timer.at + 1000);
  };
  return { fired, onTimer };
}

function endOfTimeTests(make: StoreMaker): void {
  test("when event time ends, each timer that is set fires once: those that callbacks add are dropped and counted", () => {
    const { store, finish } = make({ key: STRING });
    for (const key of ["a", "b", "c"]) {
      use(store, STRING, key);
      store.timers.event.set("tick", 1000);
    }
    const { fired, onTimer } = rearming(store);
    assert.ok(store.timers.fire("event", 3500, onTimer, () => false));
    assert.equal(fired.length, 9);
    assert.equal(store.timers.dropped, 0);
    assert.ok(store.timers.fire("event", Infinity, onTimer, () => false));
    assert.deepEqual(
      fired.slice(9).map(([, at]) => at),
      [4000, 4000, 4000],
    );
    assert.equal(store.timers.dropped, 3);
    assert.equal(store.timers.count, 0);
    assert.equal(store.timers.next("event"), Infinity);
    assert.equal(finish(), 0);
  });

  test("when event time ends, callbacks may still move and clear timers that are left, and set ones in processing time", () => {
    const { store } = make({ key: F64 });
    use(store, F64, 1);
    for (const [name, at] of [
      ["first", 1],
      ["moved", 2],
      ["cleared", 3],
      ["last", 4],
    ] as const) {
      store.timers.event.set(name, at);
    }
    const { fired, onTimer } = rearming(store, ({ name }) => {
      if (name !== "first") return;
      store.timers.event.set("moved", 5000);
      store.timers.event.clear("cleared");
      store.timers.event.set("new", 2);
      assert.equal(store.timers.event.get("new"), undefined);
      store.timers.processing.set("poll", 7);
    });
    assert.ok(store.timers.fire("event", Infinity, onTimer, () => false));
    assert.deepEqual(
      fired.map(([name, at]) => `${name}@${at}`),
      ["first@1", "last@4", "moved@5000"],
    );
    assert.equal(store.timers.dropped, 4);
    assert.equal(store.timers.next("processing"), 7);
    assert.ok(store.timers.fire("processing", 7, onTimer, () => false));
    assert.equal(store.timers.next("processing"), 1007);
  });

  test("when event time ends in the middle of a snapshot, the rest fires once in whatever store it is restored to", () => {
    const { store } = make({ key: F64 });
    for (let key = 0; key < 10; key += 1) {
      use(store, F64, key);
      store.timers.event.set("tick", key);
    }
    const before = rearming(store);
    assert.ok(!store.timers.fire("event", Infinity, before.onTimer, () => before.fired.length === 4));
    for (const makeOther of [makeHeap, makeManaged]) {
      const other = makeOther({ key: F64 });
      for (let group = 0; group < MAX_PARALLELISM; group += 1) {
        other.store.restore(group, new ByteCursor(snapshotOf(store, group)));
      }
      const after = rearming(other.store);
      assert.equal(other.store.timers.count, 6);
      assert.ok(other.store.timers.fire("event", Infinity, after.onTimer, () => false));
      assert.deepEqual(
        after.fired.map(([, at]) => at),
        [4, 5, 6, 7, 8, 9],
      );
      assert.equal(other.finish(), 0);
    }
  });
}
