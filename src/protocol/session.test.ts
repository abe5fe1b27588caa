import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Attempt, JobId, LeaderEpoch } from "../base/ids.ts";
import { SeededRandom } from "../base/seeded-random.ts";
import type { Connection, Transport } from "../network/transport.ts";
import { SimEnv } from "../testing/sim-env.ts";
import { type SimCuts, simTransport } from "../testing/sim-transport.ts";
import { DropCounts, type Fence, FencedEnd } from "./fence.ts";
import { DialedSession, type Session, SessionListener, type SessionSays } from "./session.ts";

const TIMING = { heartbeatIntervalMs: 1_000, heartbeatTimeoutMs: 5_000 };

function fenceOf({ job = "job", attempt = 1, epoch = 1 } = {}): Fence {
  return { job: job as JobId, attempt: attempt as Attempt, epoch: epoch as LeaderEpoch };
}

/** One end, and what happened there. */
type Seen = { readonly received: number[]; readonly lost: string[] };
const seen = (): Seen => ({ received: [], lost: [] });

class World {
  readonly env: SimEnv;
  readonly transport: Transport;
  readonly dropped: DropCounts = new DropCounts();
  /** Sessions that were accepted, in order. */
  readonly accepted: { fence: Fence; session: Session<number>; seen: Seen }[] = [];
  readonly listener: SessionListener<number, number>;
  dials = 0;

  constructor(seed: number, cuts?: SimCuts) {
    this.env = new SimEnv({ seed });
    const random = new SeededRandom(seed);
    const transport = simTransport({ env: this.env, random, delayMaxMs: 5, ...(cuts && { cuts }) });
    this.transport = {
      ...transport,
      connect: (address) => {
        this.dials += 1;
        return transport.connect(address);
      },
    };
    this.listener = new SessionListener(this.transport, "there", {
      ...{ env: this.env, timing: TIMING, dropped: this.dropped },
      open: (fence, session) => {
        const one = { fence, session, seen: seen() };
        this.accepted.push(one);
        return user(one.seen);
      },
    });
  }

  dial(fence: Fence = fenceOf(), address = "there"): { session: Session<number>; seen: Seen } {
    const here = seen();
    const session = new DialedSession<number, number>({
      ...{ env: this.env, timing: TIMING, dropped: this.dropped, transport: this.transport, address, fence },
      ...user(here),
    });
    return { session, seen: here };
  }

  /** A connection that is not held to the rules of sessions. */
  raw(): Connection<SessionSays<number>, SessionSays<number>> {
    return this.transport.connect("there");
  }
}

function user({ received, lost }: Seen) {
  return {
    receive: (value: number) => void received.push(value),
    lost: ({ code, message }: { code: string; message: string }) => {
      assert.equal(code, "SESSION_LOST");
      lost.push(message);
    },
  };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe("a session", () => {
  test("N1: all that both ends say is received once and in order, however often connections break", async () => {
    let dials = 0;
    for (let seed = 1; seed <= 60; seed += 1) {
      const world = new World(seed, { chance: 0.8, withinMs: 300, halfOpenMaxMs: 3_000 });
      const near = world.dial();
      while (world.accepted.length === 0) await world.env.advance(10);
      const [far] = world.accepted;
      for (let value = 0; value < 300; value += 1) {
        near.session.send(value);
        far!.session.send(value);
        await world.env.advance(value % 10 === 0 ? 100 : 1);
      }
      await world.env.advance(60_000);
      assert.deepEqual(
        [near.seen, far!.seen],
        [
          { received: upTo(300), lost: [] },
          { received: upTo(300), lost: [] },
        ],
        `SEED=${seed}`,
      );
      dials += world.dials;
      world.listener.close();
    }
    assert.ok(dials > 180, `${dials} connections`);
  });

  test("what is said before there is a connection waits for it, and nobody has to be there yet", async () => {
    const world = new World(1);
    const near = world.dial();
    for (const value of upTo(5)) near.session.send(value);
    await world.env.advance(100);
    assert.deepEqual(world.accepted[0]?.seen.received, upTo(5));
  });

  test("N2, N4: of ends that stay apart who leads gives up first, then who follows", async () => {
    const world = new World(1);
    const near = world.dial();
    await world.env.advance(100);
    world.listener.close();
    await world.env.advance(100);
    assert.match(near.seen.lost[0]!, /^attempt 1 of job job has lost touch: there has ended it$/);

    const alone = new World(2);
    alone.listener.close();
    const nobody = alone.dial();
    await alone.env.advance(TIMING.heartbeatTimeoutMs - 1_000);
    assert.deepEqual(nobody.seen.lost, []);
    await alone.env.advance(3_000);
    assert.match(nobody.seen.lost[0]!, /there cannot be reached for 5000 ms$/);

    const left = new World(3);
    const raw = left.raw();
    const hello = { kind: "hello", fence: fenceOf(), heard: 0, dial: 1, resumes: false } as const;
    const reply = raw.request(hello, 1_000);
    await left.env.advance(100);
    assert.deepEqual(await reply, { kind: "heard", heard: 0 });
    raw.close();
    await left.env.advance(2 * TIMING.heartbeatTimeoutMs);
    assert.deepEqual(left.accepted[0]!.seen.lost, [], "who leads may still come back");
    await left.env.advance(2_000);
    assert.match(left.accepted[0]!.seen.lost[0]!, /nobody has dialled for 11000 ms$/);
  });

  test("N2: a connection that is dead without a sign is noticed, and another one made", async () => {
    const world = new World(1);
    let accepted = 0;
    world.transport.listen<SessionSays<number>, SessionSays<number>>("silent", (side) => {
      accepted += 1;
      side.receive({
        request: ({ kind }) => (kind === "hello" ? { kind: "heard", heard: 0 } : new Promise<never>(() => undefined)),
      });
    });
    world.dial(fenceOf(), "silent");
    await world.env.advance(TIMING.heartbeatTimeoutMs);
    assert.equal(accepted, 1, "it has time to answer");
    await world.env.advance(TIMING.heartbeatIntervalMs + 1_000);
    assert.equal(accepted, 2);
  });

  test("N5: a newer attempt or leader ends the session before; one of the past is refused, also after the end", async () => {
    const world = new World(1);
    const first = world.dial(fenceOf());
    await world.env.advance(100);
    const second = world.dial(fenceOf({ attempt: 2 }));
    await world.env.advance(100);
    assert.match(world.accepted[0]!.seen.lost[0]!, /a newer attempt or leader has taken over/);
    await world.env.advance(10_000);
    assert.match(first.seen.lost[0]!, /does not know this attempt any more/);
    const third = world.dial(fenceOf({ attempt: 1, epoch: 2 }));
    await world.env.advance(100);
    assert.equal(world.accepted[1]!.seen.lost.length, 1);
    third.session.close();
    await world.env.advance(100);
    assert.equal(world.accepted[2]!.seen.lost.length, 1, "who follows is told that it is over");
    for (const past of [fenceOf({ attempt: 9 }), fenceOf({ epoch: 2 })]) {
      const late = world.dial(past);
      late.session.send(7);
      await world.env.advance(100);
      assert.equal(late.seen.lost.length, 1);
    }
    assert.equal(world.accepted.length, 3);
    assert.equal(second.seen.received.length, 0);
  });

  test("N3: a hello that comes late does not take the session over", async () => {
    const world = new World(1);
    const near = world.dial();
    await world.env.advance(100);
    const stale = world.raw();
    const hello = { kind: "hello", fence: fenceOf(), heard: 0, dial: 1, resumes: false } as const;
    const reply = stale.request(hello, 1_000);
    await world.env.advance(100);
    assert.deepEqual(await reply, { kind: "refused" });
    near.session.send(1);
    await world.env.advance(100);
    assert.deepEqual(world.accepted[0]!.seen.received, [1]);
  });

  const helloOf = (dial: number, resumes = false) =>
    ({ kind: "hello", fence: fenceOf(), heard: 0, dial, resumes }) as const;

  test("N3: a connection that breaks when a newer one is there takes nothing with it, and the newer closes it", async () => {
    const world = new World(1);
    const older = world.raw();
    const lost: string[] = [];
    older.receive({ lost: ({ code }) => lost.push(code) });
    const newer = world.raw();
    const said: unknown[] = [];
    newer.receive({ message: (message) => said.push(message) });
    const replies = [older.request(helloOf(1), 1_000)];
    await world.env.advance(100);
    replies.push(newer.request(helloOf(2), 1_000));
    older.close();
    await Promise.all([...replies, world.env.advance(100)]);
    await world.env.advance(10 * TIMING.heartbeatTimeoutMs);
    const [{ session, seen: there }] = world.accepted as [(typeof world.accepted)[0]];
    session.send(7);
    await world.env.advance(100);
    assert.deepEqual(there.lost, []);
    assert.deepEqual(said, [{ kind: "said", message: { fence: fenceOf(), sequence: 1, body: 7 } }]);

    const third = world.raw();
    newer.receive({ lost: ({ code }) => lost.push(code) });
    const reply = third.request(helloOf(3), 1_000);
    await world.env.advance(100);
    await reply;
    assert.deepEqual(lost, ["CONNECTION_LOST"], "of the one that was left open");
  });

  test("N5: one that was welcome before does not begin anew with somebody who knows nothing of it", async () => {
    const world = new World(1);
    const raw = world.raw();
    const reply = raw.request(helloOf(3, true), 1_000);
    await world.env.advance(100);
    assert.deepEqual([await reply, world.accepted.length], [{ kind: "refused" }, 0]);
  });

  test("dials again at once however often its connection has broken before", async () => {
    const world = new World(1);
    world.dial();
    const open: Connection<SessionSays<number>, SessionSays<number>>[] = [];
    world.listener.close();
    world.transport.listen<SessionSays<number>, SessionSays<number>>("there", (side) => {
      open.push(side);
      side.receive({ request: () => ({ kind: "heard", heard: 0 }) });
    });
    for (let connection = 1; connection <= 12; connection += 1) {
      await world.env.advance(100);
      assert.equal(open.length, connection);
      open.at(-1)!.close();
    }
  });

  test("who receives much says so, without being asked", async () => {
    const world = new World(1);
    const raw = world.raw();
    const heard: number[] = [];
    raw.receive({ message: (message) => message.kind === "heard" && heard.push(message.heard) });
    const reply = raw.request(helloOf(1), 1_000);
    await world.env.advance(100);
    await reply;
    for (let sequence = 1; sequence <= 200; sequence += 1)
      raw.send({ kind: "said", message: { fence: fenceOf(), sequence, body: sequence } });
    await world.env.advance(100);
    assert.deepEqual(heard, [64, 128, 192]);
  });

  test("a message without a session is dropped and counted", async () => {
    const world = new World(1);
    world.raw().send({ kind: "said", message: { fence: fenceOf(), sequence: 1, body: 5 } });
    await world.env.advance(100);
    assert.deepEqual([world.accepted, world.dropped.counts.foreign], [[], 1]);
  });
});

describe("F1: received is", () => {
  const dropped = (message: { fence?: Fence; sequence?: number }): DropCounts["counts"] => {
    const counts = new DropCounts();
    const end = new FencedEnd<string, string>(fenceOf(), counts);
    assert.deepEqual(end.receive({ fence: fenceOf(), sequence: 1, body: "first" }), { body: "first" });
    assert.equal(end.receive({ fence: fenceOf(), sequence: 2, body: "second", ...message }), null);
    assert.equal(end.heard, 1);
    return counts.counts;
  };
  const none = new DropCounts().counts;

  test("what comes next of this attempt, and nothing else, which is counted by its reason", () => {
    assert.deepEqual(dropped({ sequence: 1 }), { ...none, twice: 1 });
    assert.deepEqual(dropped({ sequence: 3 }), { ...none, early: 1 });
    assert.deepEqual(dropped({ fence: fenceOf({ attempt: 0 }) }), { ...none, late: 1 });
    assert.deepEqual(dropped({ fence: fenceOf({ epoch: 0, attempt: 9 }) }), { ...none, late: 1 });
    assert.deepEqual(dropped({ fence: fenceOf({ attempt: 2 }) }), { ...none, foreign: 1 });
    assert.deepEqual(dropped({ fence: fenceOf({ epoch: 2 }) }), { ...none, foreign: 1 });
    assert.deepEqual(dropped({ fence: fenceOf({ job: "other" }) }), { ...none, foreign: 1 });
  });
});
