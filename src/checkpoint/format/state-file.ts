// Files of state: sections of bytes, each in blocks with a checksum, behind a line that says what it is.
//
//   file      "millrace state 1\n", then sections
//   section   blocks, one after the other
//   block     u32 bytes that follow the head, u32 bytes once they are decompressed, u32 CRC-32 of the eight bytes
//             before and of those that follow; all little-endian. Equal counts: not compressed
//
//   F1. What was not written is never given back: each byte of the head and of the blocks is covered by a check, and
//       what fails one is CHECKPOINT_OBJECT_DAMAGED, with the file and the place.
//   F2. A block holds at most 256 KiB, so that compressing or checking one takes less than a millisecond.

import { crc32, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { PAGE_BYTES } from "../../state/pages/page-allocator.ts";
import { BLOCK_PAGES, BLOCK_ROOM } from "../../state/pages/page-snapshot.ts";
import type { CheckpointStorage, ObjectReader, ObjectWriter } from "../storage/checkpoint-storage.ts";
import { damaged } from "../storage/damage.ts";

/** Another format has another one; which there are is said by the version of the metadata. */
const HEAD = Buffer.from("millrace state 1\n");
const BLOCK_HEAD_BYTES = BLOCK_ROOM;
const BLOCK_BYTES_MAX = BLOCK_PAGES * PAGE_BYTES;
/** Less is not compressed: a call takes as long as for some KiB. */
const COMPRESSED_MIN = 1024;
/** Read at once where a whole file is checked. */
const CHECKED_BYTES = 4 * BLOCK_BYTES_MAX;

/** Where a section lies. */
export type Section = { readonly file: string; readonly offset: number; readonly length: number };

/** Writes the sections of one file, one after the other. */
export class StateFileWriter {
  readonly #name: string;
  readonly #object: ObjectWriter;
  readonly #isCompressed: boolean;
  #offset = 0;
  /** What is not written yet. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  private constructor(name: string, object: ObjectWriter, isCompressed: boolean) {
    this.#name = name;
    this.#object = object;
    this.#isCompressed = isCompressed;
    this.#put(HEAD);
  }

  static async create(
    storage: CheckpointStorage,
    name: string,
    { compression = false }: { readonly compression?: boolean } = {},
  ): Promise<StateFileWriter> {
    return new StateFileWriter(name, await storage.create(name), compression);
  }

  get name(): string {
    return this.#name;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#offset;
  }

  /**
   * `compressed`: by default as the file. Small sections are written together: on a busy thread each step waits for a
   * turn.
   */
  async add(bytes: Uint8Array, compressed = this.#isCompressed): Promise<Section> {
    const offset = this.#offset;
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES_MAX) {
      const raw = bytes.subarray(at, Math.min(bytes.length, at + BLOCK_BYTES_MAX));
      const stored = compressed ? smallerOf(raw) : raw;
      this.#put(Buffer.concat([blockHead(stored, raw.length), stored]));
      if (this.#waitingBytes >= BLOCK_BYTES_MAX) await this.flush();
    }
    return { file: this.#name, offset, length: this.#offset - offset };
  }

  /** Writes what was added. */
  async flush(): Promise<void> {
    if (this.#waitingBytes === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    await this.#object.append(waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting));
  }

  #put(part: Buffer): void {
    this.#waiting.push(part);
    this.#waitingBytes += part.length;
    this.#offset += part.length;
  }

  /**
   * Blocks of the greatest size, the last one of any, each with room for its head before it, at once. Writes into that
   * room. Returns where they lie.
   */
  async addFramed(bytes: Buffer): Promise<number[]> {
    await this.flush();
    const offsets: number[] = [];
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += BLOCK_HEAD_BYTES + BLOCK_BYTES_MAX) {
      const frame = bytes.subarray(at, Math.min(bytes.length, at + BLOCK_HEAD_BYTES + BLOCK_BYTES_MAX));
      const raw = frame.subarray(BLOCK_HEAD_BYTES);
      const stored = this.#isCompressed ? smallerOf(raw) : raw;
      offsets.push(this.#offset);
      this.#offset += BLOCK_HEAD_BYTES + stored.length;
      const head = blockHead(stored, raw.length);
      if (this.#isCompressed) parts.push(head, Buffer.from(stored.buffer, stored.byteOffset, stored.length));
      else head.copy(frame);
    }
    await this.#object.append(this.#isCompressed ? Buffer.concat(parts) : bytes);
    return offsets;
  }

  /** Everything that was added survives a crash. */
  async commit(): Promise<void> {
    await this.flush();
    await this.#object.commit();
  }

  abort(): Promise<void> {
    return this.#object.abort();
  }
}

/** Reads sections of one file. */
export class StateFileReader {
  readonly #name: string;
  readonly #object: ObjectReader;

  private constructor(name: string, object: ObjectReader) {
    this.#name = name;
    this.#object = object;
  }

  static async open(storage: CheckpointStorage, name: string): Promise<StateFileReader> {
    const object = await storage.open(name);
    try {
      await checkHead(name, object);
    } catch (error) {
      await object.close();
      throw error;
    }
    return new StateFileReader(name, object);
  }

  /** The bytes as they were added. */
  async read({ offset, length }: Section): Promise<Buffer> {
    const blocks = this.#wholeBlocks(await this.#object.read(offset, length), offset);
    return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks);
  }

  /**
   * The blocks of sections, one section after the other; while one is dealt with the next one is read. Blocks are valid
   * until then.
   */
  async *each(sections: readonly Section[]): AsyncGenerator<readonly Buffer[]> {
    const longest = sections.reduce((most, { length }) => Math.max(most, length), 0);
    const rooms = [Buffer.allocUnsafeSlow(longest), Buffer.allocUnsafeSlow(longest)];
    const reading = (n: number): Promise<Buffer> | null => {
      const section = sections[n];
      return section === undefined ? null : this.#object.read(section.offset, section.length, rooms[n % 2]);
    };
    let next = reading(0);
    try {
      for (const [n, { offset }] of sections.entries()) {
        const bytes = await next!;
        next = reading(n + 1);
        yield this.#wholeBlocks(bytes, offset);
      }
    } finally {
      await next?.catch(() => undefined); // Whoever gives up here has another reason.
    }
  }

  /** Reads all of the file, bit by bit. */
  async check(): Promise<void> {
    const { size } = this.#object;
    for (let at = HEAD.length; at < size; ) {
      const length = Math.min(CHECKED_BYTES, size - at);
      const end = this.#blocks(await this.#object.read(at, length), at, []);
      if (end === 0) throw this.#damaged(at, "a block ends early");
      at += end;
    }
  }

  close(): Promise<void> {
    return this.#object.close();
  }

  #wholeBlocks(bytes: Buffer, offset: number): Buffer[] {
    const blocks: Buffer[] = [];
    const end = this.#blocks(bytes, offset, blocks);
    if (end < bytes.length) throw this.#damaged(offset + end, "a block ends early");
    return blocks;
  }

  /** Appends the blocks that are whole in `bytes`. Returns where they end. */
  #blocks(bytes: Buffer, offset: number, blocks: Buffer[]): number {
    let at = 0;
    while (bytes.length - at >= BLOCK_HEAD_BYTES) {
      const end = at + BLOCK_HEAD_BYTES + bytes.readUInt32LE(at);
      if (end > bytes.length) break;
      blocks.push(this.#block(bytes.subarray(at, end), offset + at));
      at = end;
    }
    return at;
  }

  /** F1 */
  #block(block: Buffer, at: number): Buffer {
    const stored = block.subarray(BLOCK_HEAD_BYTES);
    const rawBytes = block.readUInt32LE(4);
    if (checksum(block.subarray(0, 8), stored) !== block.readUInt32LE(8)) throw this.#damaged(at, "a checksum differs");
    if (rawBytes === stored.length) return stored;
    try {
      const raw = zstdDecompressSync(stored, { maxOutputLength: rawBytes });
      if (raw.length === rawBytes) return raw;
    } catch {} // Reported below: its checksum is right, so it was written wrongly.
    throw this.#damaged(at, "a block cannot be decompressed");
  }

  #damaged(at: number, what: string): Error {
    return damaged(this.#name, `${what}, at byte ${at}`);
  }
}

async function checkHead(name: string, object: ObjectReader): Promise<void> {
  const head = await object.read(0, HEAD.length);
  if (!head.equals(HEAD)) throw damaged(name, "it does not begin as files of state do");
}

function smallerOf(raw: Uint8Array): Uint8Array {
  if (raw.length < COMPRESSED_MIN) return raw;
  const compressed = zstdCompressSync(raw);
  return compressed.length < raw.length ? compressed : raw;
}

function blockHead(stored: Uint8Array, rawBytes: number): Buffer {
  const head = Buffer.allocUnsafe(BLOCK_HEAD_BYTES);
  head.writeUInt32LE(stored.length, 0);
  head.writeUInt32LE(rawBytes, 4);
  head.writeUInt32LE(checksum(head.subarray(0, 8), stored), 8);
  return head;
}

function checksum(head: Uint8Array, stored: Uint8Array): number {
  return crc32(stored, crc32(head));
}
