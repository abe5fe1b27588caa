// What every transport guarantees (transport.ts, T1 to T7). `transportContract` registers one suite; each
// implementation runs it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Connection, Says, Transport } from "./transport.ts";

export type TransportUnderTest = {
  /** Dials what `far` listens to. The same, where both ends are in one thread. */
  readonly near: Transport;
  readonly far: Transport;
  /** Lets everything under way arrive, answers included. */
  settle(): Promise<void>;
  close(): void;
};

/** Of the transports under test. */
export const TEST_MESSAGE_BYTES_MAX = 10_000;

const MESSAGES = 40;
const NEVER_MS = 1_000_000;

type Talk = Says<unknown, string, string>;
type Ends = { readonly near: Connection<Talk, Talk>; readonly far: Connection<Talk, Talk> };

/** One end, and what happened there. */
function heard(end: Connection<Talk, Talk>): { readonly messages: unknown[]; readonly losses: string[] } {
  const messages: unknown[] = [];
  const losses: string[] = [];
  end.receive({ message: (message) => messages.push(message), lost: ({ code }) => losses.push(code) });
  return { messages, losses };
}

export function transportContract(name: string, make: (seed: number) => TransportUnderTest): void {
  const guarantee = (title: string, body: (given: TransportUnderTest) => Promise<void>): void => {
    test(title, async () => {
      const given = make(2);
      try {
        await body(given);
      } finally {
        given.close();
      }
    });
  };

  async function connected({ near, far, settle }: TransportUnderTest, address = "test"): Promise<Ends> {
    const { promise, resolve } = Promise.withResolvers<Connection<Talk, Talk>>();
    far.listen<Talk, Talk>(address, resolve);
    const dialed = near.connect<Talk, Talk>(address);
    await settle();
    return { near: dialed, far: await promise };
  }

  describe(`transport: ${name}`, () => {
    test("T1: messages of each direction arrive once, in order, from the first on, and never inside the send", async () => {
      for (let seed = 1; seed <= 50; seed += 1) {
        const given = make(seed);
        const down: unknown[] = [];
        const up: unknown[] = [];
        let sent = 0;
        let sending = false;
        given.far.listen<Talk, Talk>("test", (far) => {
          assert.ok(!sending, "handed over inside a call");
          far.send("hello");
          far.receive({
            message: (message) => {
              assert.ok(!sending, "delivered inside a send");
              down.push(message);
              far.send(`${message}`);
            },
          });
        });
        sending = true;
        const near = given.near.connect<Talk, Talk>("test");
        const send = (): void => {
          sending = true;
          near.send(sent);
          sending = false;
          sent += 1;
        };
        near.receive({
          message: (message) => {
            up.push(message);
            if (sent < MESSAGES) send();
          },
        });
        while (sent < MESSAGES / 2) send();
        await given.settle();
        given.close();
        const expected = Array.from({ length: MESSAGES }, (_, index) => index);
        assert.deepEqual(down, expected, `SEED=${seed}`);
        assert.deepEqual(up, ["hello", ...expected.map(String)], `SEED=${seed}`);
      }
    });

    guarantee("T2: plain data arrives as it was sent, and shared memory stays shared", async (given) => {
      const { near, far } = await connected(given);
      const { messages } = heard(far);
      const memory = new SharedArrayBuffer(4);
      const message = { text: "ü", numbers: [0, -0, Number.NaN, Infinity], nothing: null, memory };
      near.send(message);
      await given.settle();
      new Uint8Array(memory)[0] = 7;
      assert.deepEqual(messages, [message]);
    });

    for (const closing of ["near", "far"] as const) {
      guarantee(
        `T3, T4: when the ${closing} end has closed, nothing reaches it and nothing later comes from it; the other one is told`,
        async (given) => {
          const ends = await connected(given);
          const [closed, other] = closing === "near" ? [ends.near, ends.far] : [ends.far, ends.near];
          const here = heard(closed);
          const there = heard(other);
          closed.send("early");
          other.send("under way");
          closed.close();
          closed.close();
          closed.send("late");
          await given.settle();
          other.send("into the void");
          await given.settle();
          other.close();
          assert.deepEqual(here, { messages: [], losses: [] });
          assert.deepEqual(there, { messages: ["early"], losses: ["CONNECTION_LOST"] });
          await assert.rejects(closed.request("late", NEVER_MS), { code: "CONNECTION_LOST" });
          await assert.rejects(other.request("late", NEVER_MS), { code: "CONNECTION_LOST" });
        },
      );
    }

    guarantee("T4: of two ends that close at once neither is told of a loss", async (given) => {
      const { near, far } = await connected(given);
      const both = [heard(near), heard(far)];
      near.close();
      far.close();
      await given.settle();
      assert.deepEqual(both, [
        { messages: [], losses: [] },
        { messages: [], losses: [] },
      ]);
    });

    guarantee("T4: nobody listens: who dials is told, later", async (given) => {
      given.far.listen<Talk, Talk>("test", () => assert.fail("not for this one"));
      given.far.listen<Talk, Talk>("closed", () => assert.fail("it has stopped listening")).close();
      for (const address of ["nobody", "closed"]) {
        const near = given.near.connect<Talk, Talk>(address);
        const { losses } = heard(near);
        const asked = assert.rejects(near.request("?", NEVER_MS), { code: "CONNECTION_LOST" });
        assert.deepEqual(losses, []);
        await given.settle();
        await asked;
        assert.deepEqual(losses, ["CONNECTION_LOST"]);
      }
    });

    guarantee("T5: requests of both ends are answered each with its reply, whatever the order", async (given) => {
      const ends = await connected(given);
      const waiting: (() => void)[] = [];
      for (const end of [ends.near, ends.far])
        end.receive({
          request: (asked) => new Promise((resolve) => waiting.push(() => resolve(`${asked}!`))),
        });
      const replies = Promise.all([
        ends.near.request("a", NEVER_MS),
        ends.near.request("b", NEVER_MS),
        ends.far.request("c", NEVER_MS),
      ]);
      await until(given, () => waiting.length === 3);
      for (const answer of waiting.reverse()) answer();
      await given.settle();
      assert.deepEqual(await replies, ["a!", "b!", "c!"]);
    });

    guarantee("T5: one that the other end cannot answer is rejected with the reason", async (given) => {
      const { near, far } = await connected(given);
      const refused = (reason: RegExp) =>
        assert.rejects(near.request("a", NEVER_MS), { code: "REQUEST_FAILED", message: reason });
      let asked = refused(/nobody answers/);
      await given.settle();
      await asked;
      for (const request of [
        () => Promise.reject(new Error("no idea")),
        () => {
          throw new Error("no idea");
        },
      ]) {
        far.receive({ request });
        asked = refused(/no idea/);
        await given.settle();
        await asked;
      }
    });

    guarantee(
      "T5: one without a reply is rejected at its deadline, and with the connection; what comes later is dropped",
      async (given) => {
        const { near, far } = await connected(given);
        let answer: (reply: string) => void = () => undefined;
        far.receive({
          request: () =>
            new Promise((resolve) => {
              answer = resolve;
            }),
        });
        const late = assert.rejects(near.request("a", 5), {
          code: "REQUEST_TIMEOUT",
          message: /^test has not answered .* within 5 ms$/,
        });
        await Promise.all([late, given.settle()]);
        answer("late");
        await given.settle();
        const cut = assert.rejects(near.request("b", NEVER_MS), { code: "CONNECTION_LOST" });
        far.close();
        await given.settle();
        await cut;
      },
    );

    guarantee(
      "T6: what is too large is refused where it is sent, by its kind and size, and nothing else is",
      async (given) => {
        const { near, far } = await connected(given);
        const { messages } = heard(far);
        const refused = {
          code: "MESSAGE_TOO_LARGE",
          message: /^a control message "rows" to test has .* KiB, and one may/,
        };
        const large = { kind: "rows", rows: new Uint8Array(TEST_MESSAGE_BYTES_MAX) };
        near.send("before");
        assert.throws(() => near.send(large), refused);
        await assert.rejects(near.request("x".repeat(TEST_MESSAGE_BYTES_MAX), NEVER_MS), { code: "MESSAGE_TOO_LARGE" });
        assert.throws(
          () => near.send({ kind: "rows", rows: new Map([["", "x".repeat(TEST_MESSAGE_BYTES_MAX)]]) }),
          refused,
        );
        near.send(new Uint8Array(TEST_MESSAGE_BYTES_MAX / 2));
        const shared = new SharedArrayBuffer(2 * TEST_MESSAGE_BYTES_MAX); // Does not travel.
        near.send({ shared, view: new Uint8Array(shared) });
        near.send("behind");
        await given.settle();
        assert.deepEqual([messages[0], messages[3], messages.length], ["before", "behind", 4]);
      },
    );

    guarantee("T6: a reply that is too large rejects its request, and says so", async (given) => {
      const { near, far } = await connected(given);
      far.receive({ request: () => "x".repeat(TEST_MESSAGE_BYTES_MAX) });
      const asked = assert.rejects(near.request("a", NEVER_MS), { code: "REQUEST_FAILED", message: /may have/ });
      await given.settle();
      await asked;
    });

    guarantee("T7: connections side by side do not mix, and one may end without the other", async (given) => {
      const ends: Ends[] = [];
      for (const address of ["one", "two"]) ends.push(await connected(given, address));
      const [one, two] = ends as [Ends, Ends];
      const heards = [one.far, two.far, one.near, two.near].map(heard);
      one.near.send(1);
      two.near.send(2);
      one.far.send(3);
      two.far.send(4);
      await given.settle();
      one.near.close();
      two.near.send(5);
      await given.settle();
      assert.deepEqual(
        heards.map(({ messages }) => messages),
        [[1], [2, 5], [3], [4]],
      );
      assert.deepEqual(
        heards.map(({ losses }) => losses.length),
        [1, 0, 0, 0],
      );
    });
  });
}

async function until({ settle }: TransportUnderTest, holds: () => boolean): Promise<void> {
  while (!holds()) await settle();
}
