// The control seam: how control messages get from one component to another.
//
// Implementations: message ports between threads (port-connection.ts), `directTransport` below within one thread, the
// simulated one with seeded delays (testing/sim-transport.ts); later gRPC between processes.
//
//   T1. Messages of one direction arrive in the order sent, each at most once, never inside the `send` that sent them.
//   T2. Messages are plain data. Receivers must bear what comes late or twice from an earlier attempt: messages carry
//       its id.
//   T3. Nothing reaches an end that has closed, and nothing that it sends arrives. What it sent before may still do.

import type { Env } from "../base/env.ts";

/** One end of a two-way connection. */
export interface Connection<in Out, out In> {
  send(message: Out): void;
  /** Sets the receiver; before the first message can arrive. */
  onMessage(receive: (message: In) => void): void;
  close(): void;
}

export interface Transport {
  /** Two connected ends. */
  connect<Down, Up>(name: string): { readonly near: Connection<Down, Up>; readonly far: Connection<Up, Down> };
}

/** Delivers within one thread, in the next round of events. */
export function directTransport(env: Env): Transport {
  return { connect: <Down, Up>() => connectionPair<Down, Up>((deliver) => env.timers.soon(deliver)) };
}

/**
 * A pair whose messages travel when `later` runs what it is given, at any time and in any order: each run delivers the
 * oldest message of its direction (T1).
 */
export function connectionPair<Down, Up>(
  later: (deliver: () => void) => void,
): {
  near: Connection<Down, Up>;
  far: Connection<Up, Down>;
} {
  let open = true;
  const close = (): void => {
    open = false;
  };
  const down = direction<Down>(later, () => open);
  const up = direction<Up>(later, () => open);
  return {
    near: { send: down.send, onMessage: up.onMessage, close },
    far: { send: up.send, onMessage: down.onMessage, close },
  };
}

function direction<M>(later: (deliver: () => void) => void, isOpen: () => boolean) {
  const waiting: M[] = [];
  let receive: (message: M) => void = () => undefined;
  const deliver = (): void => {
    const message = waiting.shift();
    if (message !== undefined && isOpen()) receive(message);
  };
  return {
    send: (message: M): void => {
      waiting.push(message);
      later(deliver);
    },
    onMessage: (receiver: (message: M) => void): void => {
      receive = receiver;
    },
  };
}
