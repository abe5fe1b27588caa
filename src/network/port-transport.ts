// Control messages between two threads: any number of connections, in both directions, over the one port that the
// threads have. They stay in one order, and are drained with it when a thread ends.

import type { Timers } from "../base/env.ts";
import { type Frame, FramedConnection } from "./framed-connection.ts";
import type { Connection, Traffic, Transport } from "./transport.ts";

/** What `MessagePort`, `parentPort` and `Worker` have in common. */
type Port = {
  postMessage(message: PortMessage): void;
  on(event: "message", receive: (message: PortMessage) => void): unknown;
  on(event: "close" | "exit", ended: () => void): unknown;
  off(event: "message", receive: (message: PortMessage) => void): unknown;
  off(event: "close" | "exit", ended: () => void): unknown;
};

/** `dialed`: the connection, by its number, is one that the thread has opened which posts this. */
type PortMessage = { readonly connection: number; readonly dialed: boolean } & (
  | { readonly kind: "open"; readonly address: string }
  | { readonly kind: "frame"; readonly frame: Frame }
  | { readonly kind: "end" }
);

export type PortOptions = { readonly port: Port; readonly timers: Timers; readonly messageBytesMax?: number };

/** Keeps its thread alive until it is closed. */
export class PortTransport implements Transport {
  readonly #options: PortOptions;
  readonly #listeners = new Map<string, (connection: Connection<Traffic, Traffic>) => void>();
  readonly #dialed = new Map<number, FramedConnection>();
  readonly #accepted = new Map<number, FramedConnection>();
  #connections = 0;

  constructor(options: PortOptions) {
    this.#options = options;
    options.port.on("message", this.#arrived);
    options.port.on("close", this.#ended);
    options.port.on("exit", this.#ended);
  }

  listen<Out extends Traffic, In extends Traffic>(
    address: string,
    onConnection: (connection: Connection<Out, In>) => void,
  ): { close(): void } {
    this.#listeners.set(address, onConnection as (connection: Connection<Traffic, Traffic>) => void);
    return { close: () => void this.#listeners.delete(address) };
  }

  connect<Out extends Traffic, In extends Traffic>(address: string): Connection<Out, In> {
    this.#connections += 1;
    const connection = this.#connections;
    this.#post({ kind: "open", connection, dialed: true, address });
    return this.#end(connection, address, true) as Connection<Out, In>;
  }

  /** Ends all connections, and lets go of the thread. */
  close(): void {
    for (const connection of [...this.#dialed.values(), ...this.#accepted.values()]) connection.close();
    const { port } = this.#options;
    port.off("message", this.#arrived);
    port.off("close", this.#ended);
    port.off("exit", this.#ended);
  }

  #end(connection: number, address: string, dialed: boolean): FramedConnection {
    const ends = dialed ? this.#dialed : this.#accepted;
    const end = new FramedConnection({
      ...this.#options,
      address,
      wire: {
        post: (frame) => this.#post({ kind: "frame", connection, dialed, frame }),
        end: () => {
          ends.delete(connection);
          this.#post({ kind: "end", connection, dialed });
        },
      },
    });
    ends.set(connection, end);
    return end;
  }

  #post(message: PortMessage): void {
    this.#options.port.postMessage(message);
  }

  readonly #arrived = (message: PortMessage): void => {
    const { connection, dialed } = message;
    if (message.kind === "open") {
      const onConnection = this.#listeners.get(message.address);
      if (onConnection === undefined) this.#post({ kind: "end", connection, dialed: false });
      else onConnection(this.#end(connection, message.address, false));
      return;
    }
    const ends = dialed ? this.#accepted : this.#dialed;
    if (message.kind === "frame") {
      ends.get(connection)?.arrived(message.frame);
      return;
    }
    const end = ends.get(connection);
    ends.delete(connection);
    end?.ended();
  };

  readonly #ended = (): void => {
    const ends = [...this.#dialed.values(), ...this.#accepted.values()];
    this.#dialed.clear();
    this.#accepted.clear();
    for (const end of ends) end.ended();
  };
}
