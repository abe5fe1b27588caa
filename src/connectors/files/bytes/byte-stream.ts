// The bytes of a file as chunks, read ahead through the disk: at most one chunk waits while the next records are
// parsed.
//
//   B1. A chunk is valid until the next but one is asked for: consumers copy at once.
//   B2. One read at a time per file handle; each stream has its own handle.
//   B3. A file that ends before the size that it had when it was opened has been cut meanwhile: that is FILE_CHANGED
//       and not its end.

import { type Disk, type FileHandle, STDIN_PATH } from "../../../base/disk.ts";
import { UserError } from "../../../base/errors.ts";
import { type Compression, decompressed } from "./decompress-node.ts";
import { utf8Chunks } from "./transcode.ts";

/** How the text of a file lies in its bytes. Only UTF-8 as it is can be cut and read from the middle. */
export type FileCoding = {
  readonly compression: Compression | null;
  /** Null: UTF-8. */
  readonly encoding: string | null;
};

export function isPlain({ compression, encoding }: FileCoding): boolean {
  return compression === null && encoding === null;
}

export type StreamOptions = {
  readonly disk: Disk;
  readonly coding: FileCoding;
  readonly chunkBytes: number;
  /** Ends streams early: their consumer is gone. */
  readonly signal: AbortSignal;
  /** Told of the bytes read from the disk, compressed as they are. */
  readonly onBytes?: (count: number) => void;
};

/** Chunks of UTF-8 from `offset` on; of a file that is not plain, the offset is in what it becomes. */
export async function* byteStream(
  file: string,
  offset: number,
  options: StreamOptions,
): AsyncGenerator<Uint8Array, void, void> {
  await using handle = await options.disk.open(file, "read", options.signal);
  const { compression, encoding } = options.coding;
  if (isPlain(options.coding)) {
    yield* readChunks(handle, offset, options);
    return;
  }
  const stored = (): AsyncIterable<Uint8Array> => readChunks(handle, 0, options);
  const bytes = compression === null ? stored() : decompressed(file, compression, stored);
  let skip = offset;
  for await (const chunk of encoding === null ? bytes : utf8Chunks(file, encoding, bytes)) {
    if (skip < chunk.length) yield chunk.subarray(skip);
    skip = Math.max(0, skip - chunk.length);
  }
  if (skip > 0 && !options.signal.aborted) throw fileShrunk(file, offset);
}

export function fileShrunk(file: string, offset: number): UserError {
  return new UserError("FILE_CHANGED", `${file} ends before byte ${offset}, where reading was to go on`, {
    fix: "input files must not change between a snapshot and its restore: put the file back, or start without the snapshot",
  });
}

function fileCut(file: string, position: number, size: number): UserError {
  return new UserError(
    "FILE_CHANGED",
    `${file} ended at byte ${position} while it was read, and had ${size} at first`,
    {
      fix: "input files must not become shorter while they are read: rotate logs by renaming them, not by copying and truncating",
    },
  );
}

async function* readChunks(
  handle: FileHandle,
  offset: number,
  { chunkBytes, signal, onBytes }: StreamOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { kind, size } = await handle.stat();
  const buffers = [new Uint8Array(chunkBytes), new Uint8Array(chunkBytes)];
  let position = offset;
  for (let turn = 0; ; turn ^= 1) {
    const buffer = buffers[turn]!;
    const count = await handle.read(buffer, 0, chunkBytes, position);
    if (signal.aborted) return;
    if (count === 0) {
      if (kind === "file" && position < size) throw fileCut(handle.path, position, size);
      return;
    }
    position += count;
    onBytes?.(count);
    yield buffer.subarray(0, count);
  }
}

/** Pulls a stream one chunk ahead of its consumer, who asks without waiting. */
export class ReadAhead {
  /** All chunks were taken. */
  ended = false;
  readonly #chunks: AsyncGenerator<Uint8Array, void, void>;
  readonly #wake: () => void;
  #ready: Uint8Array | null = null;
  #failure: { error: unknown } | null = null;
  #pending: Promise<void> | null = null;

  constructor(chunks: AsyncGenerator<Uint8Array, void, void>, wake: () => void) {
    this.#chunks = chunks;
    this.#wake = wake;
    this.#pull();
  }

  /** The next chunk; null when there is none now: then `ended`, or `wake` will be called. Throws what reading threw. */
  take(): Uint8Array | null {
    if (this.#failure !== null) throw this.#failure.error;
    const chunk = this.#ready;
    this.#ready = null;
    if (chunk !== null) this.#pull();
    return chunk;
  }

  async close(): Promise<void> {
    await this.#pending;
    await this.#chunks.return();
  }

  #pull(): void {
    this.#pending = this.#next();
  }

  async #next(): Promise<void> {
    try {
      const { done, value } = await this.#chunks.next();
      if (done === true) this.ended = true;
      else this.#ready = value;
    } catch (error) {
      this.#failure = { error }; // For the consumer, who is not waiting now.
    }
    this.#pending = null;
    this.#wake();
  }
}

/** What the first bytes of a file tell when it is no UTF-8 text at all. Null when it may be. */
export function encodingProblem(file: string, start: Uint8Array, coding: FileCoding): UserError | null {
  const [first, second, third, fourth] = start;
  const wide = wideEncoding(start);
  if (wide !== null) {
    const [encoding, fix] = wide;
    return new UserError("ENCODING_UNSUPPORTED", `${file} is ${encoding}, not UTF-8`, { fix });
  }
  const isGzip = first === 0x1f && second === 0x8b;
  const isZstd = first === 0x28 && second === 0xb5 && third === 0x2f && fourth === 0xfd;
  if (coding.compression !== null || !(isGzip || isZstd)) return null;
  const [compression, ending] = isGzip ? ["gzip", ".gz"] : ["zstd", ".zst"];
  return new UserError(
    "ENCODING_UNSUPPORTED",
    `${file} is compressed with ${compression}, ${file === STDIN_PATH ? "which its name cannot say" : "but its name does not say so"}`,
    {
      fix: `${file === STDIN_PATH ? "" : `rename it to end with "${ending}", or `}set the option \`compression: "${compression}"\``,
    },
  );
}

/** Encodings of two and four bytes a letter, and what to do: by the mark, or by zeros beside the first letters. */
function wideEncoding([a, b, c, d]: Uint8Array): [encoding: string, fix: string] | null {
  const marksWide = a === 0 && b === 0 && c === 0xfe && d === 0xff;
  if (marksWide || (a === 0xff && b === 0xfe && c === 0 && d === 0)) return ["UTF-32", "convert it to UTF-8"];
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return ["UTF-16", 'say `encoding: "utf-16"`'];
  if (a && b === 0 && c && d === 0) return ["UTF-16 without a byte order mark", 'say `encoding: "utf-16le"`'];
  if (a === 0 && b && c === 0 && d) return ["UTF-16 without a byte order mark", 'say `encoding: "utf-16be"`'];
  return null;
}
