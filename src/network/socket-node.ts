// Control connections between processes of one machine: JSON, a line for each frame, over a port of the loopback
// device. Neither keeps its process alive.
//
// A port and not a socket in the file system: such a socket's path may have a hundred bytes only, which is less than
// directories have, and not every file system takes one. Who may connect is for a token to say (client/control/).
//
//   K1. A line that is longer than a message may be, or is no frame, ends its connection, and nothing else.

import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { Timers } from "../base/env.ts";
import { type Frame, FramedConnection } from "./framed-connection.ts";
import type { Connection, Traffic } from "./transport.ts";

const LOOPBACK = "127.0.0.1";
const MESSAGE_BYTES_MAX = 1024 ** 2;
/** A character of text takes up to six bytes as JSON. */
const LINE_BYTES_MAX = 6 * MESSAGE_BYTES_MAX;
/** Somebody who connects and does nothing more keeps nobody out for long. */
const SILENT_MS = 30_000;
const CONNECTIONS_MAX = 32;
/** What was sent reaches a process that runs within much less. */
const FLUSH_MS = 2_000;

export type Listening = {
  readonly port: number;
  /** Resolves when what was sent has left, and no connection is open. */
  close(): Promise<void>;
};

/** Rejects with Node's error where no port can be had. */
export async function loopbackListen<Out extends Traffic, In extends Traffic>(
  timers: Timers,
  onConnection: (connection: Connection<Out, In>) => void,
): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.unref();
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    const silent = timers.after(SILENT_MS, () => socket.destroy(), { background: true });
    socket.once("data", () => silent.cancel());
    onConnection(connectionOf(socket, timers, "whoever has connected") as Connection<Traffic, Traffic> as never);
  });
  server.maxConnections = CONNECTIONS_MAX;
  const port = await listening(server);
  server.unref();
  return {
    port,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.end();
      const late = timers.after(FLUSH_MS, () => {
        for (const socket of sockets) socket.destroy();
      });
      await closed;
      late.cancel();
    },
  };
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: 0, host: LOOPBACK }, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

/** That nobody listens there is told as its loss. `name`: of the other end, for errors. */
export function loopbackConnect<Out extends Traffic, In extends Traffic>(
  port: number,
  { timers, name }: { readonly timers: Timers; readonly name: string },
): Connection<Out, In> {
  return connectionOf(createConnection({ port, host: LOOPBACK }), timers, name) as Connection<
    Traffic,
    Traffic
  > as never;
}

function connectionOf(socket: Socket, timers: Timers, name: string): FramedConnection {
  const connection = new FramedConnection({
    timers,
    address: name,
    messageBytesMax: MESSAGE_BYTES_MAX,
    wire: {
      post: (frame) => void socket.write(`${JSON.stringify(frame)}\n`),
      end: () => void socket.end(),
    },
  });
  let line: Buffer[] = [];
  let bytes = 0;
  const arrived = (part: Buffer): void => {
    for (let from = 0; from < part.length; ) {
      const end = part.indexOf("\n", from);
      const piece = part.subarray(from, end < 0 ? part.length : end);
      line.push(piece);
      bytes += piece.length;
      if (bytes > LINE_BYTES_MAX) throw new Error("a line without end");
      if (end < 0) return;
      const text = Buffer.concat(line).toString("utf8");
      line = [];
      bytes = 0;
      connection.arrived(JSON.parse(text) as Frame);
      from = end + 1;
    }
  };
  socket.on("data", (part) => {
    try {
      arrived(part);
    } catch {
      socket.destroy(); // K1
    }
  });
  socket.on("error", () => socket.destroy());
  socket.on("end", () => socket.end());
  socket.on("close", () => connection.ended());
  return connection;
}
