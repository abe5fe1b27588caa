// The control seam: how control messages get from one component to another.
//
// Implementations: `directTransport` (direct-transport.ts) within one thread, `portTransport` (port-transport.ts)
// between two threads, the simulated one (testing/sim-transport.ts) with seeded delays, cuts and half-open
// connections; later TCP between processes.
//
//   T1. What one end sends arrives at the other in the order sent, each at most once, never inside the call that sent
//       it.
//   T2. Messages are plain data.
//   T3. Nothing reaches an end that has closed, and nothing that it sends afterwards arrives. What it sent before may
//       still do.
//   T4. An end that did not close itself is told once that the connection is lost: the other end has closed, nobody
//       listens, or the connection broke. Nothing arrives after that, and what is sent is dropped. Of a broken
//       connection the two ends may learn at very different times, and until then send into the void.
//   T5. A request ends in its reply, or is rejected: at its deadline, with the connection, or when the other end could
//       not answer. A reply that comes later is dropped.
//   T6. What is larger than the transport takes is refused where it is sent; the connection goes on.
//   T7. Nothing passes from one connection to another: what was under way on the old one is lost, or arrives there,
//       perhaps after a new one was made.

import type { EngineError } from "../base/errors.ts";

/** What one end of a connection says. */
export type Says<Message, Request = never, Reply = never> = {
  readonly message: Message;
  readonly request: Request;
  /** What its requests are answered with. */
  readonly reply: Reply;
};

/** Any of them. */
export type Traffic = Says<unknown, unknown, unknown>;

/** What an end does with what arrives. */
export type Receiver<In extends Traffic> = {
  message?(message: In["message"]): void;
  /** What it throws or rejects with rejects the request. Without it all requests are rejected. */
  request?(request: In["request"]): In["reply"] | Promise<In["reply"]>;
  /** T4. `error` has the code CONNECTION_LOST. */
  lost?(error: EngineError): void;
};

/** One end of a two-way connection. */
export interface Connection<Out extends Traffic, In extends Traffic> {
  /** Throws MESSAGE_TOO_LARGE. */
  send(message: Out["message"]): void;
  /** Rejects with MESSAGE_TOO_LARGE, REQUEST_TIMEOUT, REQUEST_FAILED or CONNECTION_LOST. */
  request(request: Out["request"], timeoutMs: number): Promise<Out["reply"]>;
  /** Sets what is done with what arrives: at once, when the connection was made or handed over. */
  receive(receiver: Receiver<In>): void;
  close(): void;
}

export interface Transport {
  /** Takes connections to an address until `close`, which leaves those that were made. */
  listen<Out extends Traffic, In extends Traffic>(
    address: string,
    onConnection: (connection: Connection<Out, In>) => void,
  ): { close(): void };
  /** Opens a connection; it may be used at once. That nobody listens there is told as its loss. */
  connect<Out extends Traffic, In extends Traffic>(address: string): Connection<Out, In>;
}
