// A connection over which one attempt of a job is spoken of: each message says whose it is, and what is late, twice or
// foreign is dropped here, before anybody looks at it.

import type { Connection, Says } from "../network/transport.ts";
import { type DropCounts, type Fence, type Fenced, FencedEnd } from "./fence.ts";

export type FencedSays<M> = Says<Fenced<M>>;

export class FencedConnection<Out, In> {
  readonly #connection: Connection<FencedSays<Out>, FencedSays<In>>;
  readonly #end: FencedEnd<Out, In>;

  constructor(connection: Connection<FencedSays<Out>, FencedSays<In>>, fence: Fence, dropped: DropCounts) {
    this.#connection = connection;
    this.#end = new FencedEnd(fence, dropped);
  }

  send(body: Out): void {
    this.#connection.send(this.#end.say(body));
  }

  /** Sets what is done with what arrives: at once, when the connection was made or handed over. */
  receive(onMessage: (body: In) => void, onLost: () => void = () => undefined): void {
    this.#connection.receive({
      message: (message) => {
        const received = this.#end.receive(message);
        if (received !== null) onMessage(received.body);
      },
      lost: onLost,
    });
  }
}
