// One end of a control connection between two threads.

import type { Connection } from "./transport.ts";

/** What `MessagePort`, `parentPort` and `Worker` have in common. */
type Port<Out, In> = {
  postMessage(message: Out): void;
  on(event: "message", receive: (message: In) => void): unknown;
  off(event: "message", receive: (message: In) => void): unknown;
};

/** An open connection that has a receiver keeps its thread alive. */
export function portConnection<Out, In>(port: Port<Out, In>): Connection<Out, In> {
  let open = true;
  let receiver: (message: In) => void = () => undefined;
  return {
    send: (message) => {
      if (open) port.postMessage(message);
    },
    onMessage: (receive) => {
      receiver = receive;
      port.on("message", receive);
    },
    close: () => {
      open = false;
      port.off("message", receiver);
    },
  };
}
