// What every transport guarantees (transport.ts, T1 to T3). `transportContract` registers one suite; each
// implementation runs it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Transport } from "./transport.ts";

export type TransportUnderTest = {
  readonly transport: Transport;
  /** Lets everything under way arrive, answers included. */
  settle(): Promise<void>;
};

const MESSAGES = 40;

export function transportContract(name: string, make: (seed: number) => TransportUnderTest): void {
  describe(`transport: ${name}`, () => {
    test("T1: messages of each direction arrive once, in order, and never inside the send", async () => {
      for (let seed = 1; seed <= 50; seed += 1) {
        const { transport, settle } = make(seed);
        const { near, far } = transport.connect<number, string>("test");
        const down: number[] = [];
        const up: string[] = [];
        let sent = 0;
        let sending = false;
        const send = (): void => {
          sending = true;
          near.send(sent);
          sending = false;
          sent += 1;
        };
        far.onMessage((message) => {
          assert.ok(!sending, "delivered inside a send");
          down.push(message);
          far.send(`${message}`);
        });
        near.onMessage((message) => {
          up.push(message);
          if (sent < MESSAGES) send();
        });
        while (sent < MESSAGES / 2) send();
        await settle();
        near.close();
        far.close();
        const expected = Array.from({ length: MESSAGES }, (_, index) => index);
        assert.deepEqual(down, expected, `SEED=${seed}`);
        assert.deepEqual(up, expected.map(String), `SEED=${seed}`);
      }
    });

    test("T2: plain data arrives as it was sent, and shared memory stays shared", async () => {
      const { transport, settle } = make(2);
      const { near, far } = transport.connect<object, never>("test");
      const message = {
        text: "ü",
        numbers: [0, -0, Number.NaN, Infinity],
        nothing: null,
        memory: new SharedArrayBuffer(4),
      };
      const received: object[] = [];
      far.onMessage((arrived) => received.push(arrived));
      near.send(message);
      await settle();
      near.close();
      far.close();
      new Uint8Array(message.memory)[0] = 7;
      assert.deepEqual(received, [message]);
    });

    for (const closing of ["near", "far"] as const) {
      test(`T3: when the ${closing} end has closed, nothing reaches it, and nothing that it sends arrives`, async () => {
        const { transport, settle } = make(3);
        const { near, far } = transport.connect<string, string>("test");
        const [closed, other] = closing === "near" ? [near, far] : [far, near];
        const reached: string[] = [];
        const arrived: string[] = [];
        closed.onMessage((message) => reached.push(message));
        other.onMessage((message) => arrived.push(message));
        closed.send("early");
        other.send("under way");
        closed.close();
        closed.close();
        closed.send("late");
        other.send("late");
        await settle();
        other.close();
        assert.deepEqual(reached, []);
        assert.ok(!arrived.includes("late"), `${arrived}`);
      });
    }
  });
}
