// The control seam: how control messages get from one component to another.
//
// Implementations: a message port between threads (`slot-runner-node.ts`, `slot-worker.ts`), `directTransport` below within one
// thread, the simulated one with seeded delays (testing/sim-transport.ts); later gRPC between processes.
//
//   T1. Messages of one direction arrive in the order sent, each at most once, never inside the `send` that sent them.
//   T2. Messages are plain data. Receivers must bear what comes late or twice from an earlier attempt: messages carry its id.
//   T3. After `close` nothing is delivered in either direction.

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

/** A pair whose messages travel when `later` runs what it is given; `later` keeps the order of each direction. */
export function connectionPair<Down, Up>(later: (deliver: () => void, direction: "down" | "up") => void): {
  near: Connection<Down, Up>;
  far: Connection<Up, Down>;
} {
  let open = true;
  let receiveNear: (message: Up) => void = () => undefined;
  let receiveFar: (message: Down) => void = () => undefined;
  const close = (): void => {
    open = false;
  };
  return {
    near: {
      send: (message) => later(() => open && receiveFar(message), "down"),
      onMessage: (receive) => {
        receiveNear = receive;
      },
      close,
    },
    far: {
      send: (message) => later(() => open && receiveNear(message), "up"),
      onMessage: (receive) => {
        receiveFar = receive;
      },
      close,
    },
  };
}
