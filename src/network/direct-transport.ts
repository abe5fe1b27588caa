// Control messages within one thread. `directTransport` has them arrive in the next round of events; the simulation
// gives it lines of its own.

import type { Timers } from "../base/env.ts";
import { Fifo } from "../base/fifo.ts";
import { FramedConnection, type Wire } from "./framed-connection.ts";
import type { Connection, Traffic, Transport } from "./transport.ts";

/** Takes what arrives, and has it happen later: one after the other, in the order given. */
export type Pipe = (arrive: () => void) => void;

/** What carries one connection. */
export type Line = {
  /** From who dials to who listens, and back. */
  readonly down: Pipe;
  readonly up: Pipe;
  /** Takes what tells each end that the line is broken. */
  breaks?(tellNear: () => void, tellFar: () => void): void;
};

export type PairOptions = {
  readonly timers: Timers;
  readonly messageBytesMax?: number;
  readonly line: () => Line;
};

export function directTransport({ timers }: { readonly timers: Timers }, messageBytesMax?: number): Transport {
  const later = (deliver: () => void): void => timers.soon(deliver);
  return pairTransport({
    timers,
    ...(messageBytesMax !== undefined && { messageBytesMax }),
    line: () => ({ down: pipe(later), up: pipe(later) }),
  });
}

/** Each run of what `later` is given, at any time and in any order, has the oldest arrive (T1). */
function pipe(later: (deliver: () => void) => void): Pipe {
  const underWay = new Fifo<() => void>();
  return (arrive) => {
    underWay.push(arrive);
    later(() => underWay.shift()?.());
  };
}

/** Connections whose two ends are in this thread. */
export function pairTransport(options: PairOptions): Transport {
  const listeners = new Map<string, (connection: Connection<Traffic, Traffic>) => void>();
  return {
    listen(address, onConnection) {
      listeners.set(address, onConnection as (connection: Connection<Traffic, Traffic>) => void);
      return { close: () => void listeners.delete(address) };
    },
    connect<Out extends Traffic, In extends Traffic>(address: string): Connection<Out, In> {
      const { down, up, breaks } = options.line();
      let far: FramedConnection | "not yet" | "broken" = "not yet";
      const toFar = (tell: (end: FramedConnection) => void): void => {
        if (typeof far === "object") tell(far);
      };
      const end = (wire: Wire): FramedConnection => new FramedConnection({ ...options, address, wire });
      const near: FramedConnection = end({
        post: (frame) => down(() => toFar((to) => to.arrived(frame))),
        end: () => down(() => toFar((to) => to.ended())),
      });
      down(() => {
        if (far === "broken") return;
        const onConnection = listeners.get(address);
        if (onConnection === undefined) {
          near.ended();
          return;
        }
        far = end({ post: (frame) => up(() => near.arrived(frame)), end: () => up(() => near.ended()) });
        onConnection(far);
      });
      breaks?.(
        () => near.ended(),
        () => {
          toFar((to) => to.ended());
          far = "broken";
        },
      );
      return near as Connection<Out, In>;
    },
  };
}
