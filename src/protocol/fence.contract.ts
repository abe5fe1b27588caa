// What every receiver of messages about a job guarantees (fence.ts, F1): messages that come twice, late, out of order,
// or from somebody else do nothing, whatever they say.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Attempt, JobId, LeaderEpoch } from "../base/ids.ts";
import type { DropCounts, Fence, Fenced } from "./fence.ts";

export type FencedReceiver<M> = {
  /** Whose messages it takes: attempt 1 of epoch 1. */
  readonly fence: Fence;
  /** Number of the last message that it has received: not 0. */
  readonly heard: number;
  readonly dropped: DropCounts;
  /** Sends a message as it is, and lets everything happen that it leads to. */
  send(message: Fenced<M>): Promise<void>;
  /** All that could have changed, and everything that was done so far. */
  seen(): unknown;
};

/** `messages`: one of every kind, without which it does not compile; each would do something if it were received. */
export function fenceContract<M extends { readonly kind: string }>(
  name: string,
  messages: { readonly [K in M["kind"]]: Extract<M, { readonly kind: K }> },
  make: () => Promise<FencedReceiver<M>>,
): void {
  const wrongs: readonly [keyof DropCounts["counts"], string, (fence: Fence) => Partial<Fence>, sequence: number][] = [
    ["twice", "twice", () => ({}), 0],
    ["early", "before the one that comes first", () => ({}), 2],
    ["late", "from an attempt of the past", () => ({ attempt: 0 as Attempt }), 1],
    ["late", "from a leader of the past", () => ({ epoch: 0 as LeaderEpoch }), 1],
    ["foreign", "from a leader whom nobody knows yet", () => ({ epoch: 7 as LeaderEpoch }), 1],
    ["foreign", "of another job", () => ({ job: "other" as JobId }), 1],
  ];
  describe(`fence of ${name}`, () => {
    for (const [kind, body] of Object.entries<M>(messages)) {
      test(`F1: "${kind}" that comes twice, late, early or from somebody else does nothing, and is counted`, async () => {
        for (const [reason, what, change, ahead] of wrongs) {
          const receiver = await make();
          const { fence, heard, dropped } = receiver;
          const before = structuredClone(receiver.seen());
          await receiver.send({ fence: { ...fence, ...change(fence) }, sequence: heard + ahead, body });
          assert.deepEqual(receiver.seen(), before, what);
          assert.deepEqual(dropped.counts, { late: 0, twice: 0, early: 0, foreign: 0, [reason]: 1 }, what);
        }
      });

      test(`"${kind}" is received when its turn has come`, async () => {
        const receiver = await make();
        const before = structuredClone(receiver.seen());
        await receiver.send({ fence: receiver.fence, sequence: receiver.heard + 1, body });
        assert.notDeepEqual(receiver.seen(), before);
      });
    }
  });
}
