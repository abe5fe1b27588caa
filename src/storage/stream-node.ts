// Streams among the paths: standard input, named pipes, `<(…)` of a shell, devices. They are read once, from their
// start to their end, and what waits for them can be given up.
//
// A descriptor is owned by the stream that is made of it, which closes it. Node's count of what a worker thread has
// opened by number does not know that: threads that read streams are started without it (`trackUnmanagedFds`).

import { closeSync, constants, createReadStream, fstatSync, open, openSync } from "node:fs";
import { Socket } from "node:net";
import { Readable } from "node:stream";
import { isatty, ReadStream } from "node:tty";
import { promisify } from "node:util";
import { type FileHandle, type FileStat, STDIN_PATH } from "../base/disk.ts";
import { diskError } from "./disk-error.ts";

/** Descriptors that this process was given. */
const INHERITED = /^\/(?:dev|proc\/self)\/fd\/\d+$/;

const GIVE_UP_EVERY_MS = 10;

const openFile = promisify(open);

/** What waits ends when `signal` aborts, as if the stream did. */
export async function streamOpen(path: string, signal: AbortSignal | undefined): Promise<FileHandle> {
  if (signal?.aborted) return new NodeStream(path, Readable.from([]), signal);
  if (path !== STDIN_PATH) return new NodeStream(path, readableOf(await descriptorOf(path, signal)), signal);
  // A pipe is opened anew, so that descriptor 0 stays what it is. A file goes on where others have left it.
  const fd = fstatSync(0).isFIFO() ? await descriptorOf("/dev/fd/0", signal) : 0;
  return new NodeStream(path, readableOf(fd), signal);
}

export const STREAM_STAT: FileStat = { size: 0, modifiedMs: 0, kind: "stream" };

async function descriptorOf(path: string, signal: AbortSignal | undefined): Promise<number> {
  // Who wrote to a pipe that a shell made may have ended already: that must not be waited for.
  if (INHERITED.test(path)) return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  // A named pipe opens when somebody opens it to write. To give up, we do that ourselves, as soon as there is a reader.
  let timer: NodeJS.Timeout | undefined;
  const giveUp = (): void => {
    timer = setInterval(() => openToWrite(path), GIVE_UP_EVERY_MS);
  };
  signal?.addEventListener("abort", giveUp);
  try {
    return await openFile(path, constants.O_RDONLY);
  } finally {
    signal?.removeEventListener("abort", giveUp);
    clearInterval(timer);
  }
}

/** Not in the background: the threads that work there may all be waiting for pipes. */
function openToWrite(path: string): void {
  try {
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
  } catch {
    return; // Nobody opens it to read just now.
  }
}

function readableOf(fd: number): Readable {
  const stats = fstatSync(fd);
  if (isatty(fd)) return new ReadStream(fd);
  if (stats.isFIFO() || stats.isSocket()) return new Socket({ fd, readable: true, writable: false });
  return createReadStream("", { fd, autoClose: fd !== 0 });
}

class NodeStream implements FileHandle {
  readonly path: string;
  readonly #readable: Readable;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(path: string, readable: Readable, signal: AbortSignal | undefined) {
    this.path = path;
    this.#readable = readable;
    this.#chunks = readable[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    this.#signal = signal;
    this.#onAbort = () => readable.destroy();
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted) readable.destroy();
  }

  /** The bytes after those that were read before, whatever the position. */
  async read(into: Uint8Array, offset: number, length: number): Promise<number> {
    if (this.#rest.length === 0) this.#rest = (await this.#next()) ?? this.#rest;
    const taken = this.#rest.subarray(0, length);
    into.set(taken, offset);
    this.#rest = this.#rest.subarray(taken.length);
    return taken.length;
  }

  append(): Promise<void> {
    throw diskError("write to", this.path, "DISK_IO", { reason: "it is open for reading" });
  }

  async sync(): Promise<void> {}

  stat(): Promise<FileStat> {
    return Promise.resolve(STREAM_STAT);
  }

  async close(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#readable.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #next(): Promise<Uint8Array | null> {
    try {
      const { value, done } = await this.#chunks.next();
      return done === true ? null : value;
    } catch (error) {
      if (this.#signal?.aborted) return null;
      throw error;
    }
  }
}
