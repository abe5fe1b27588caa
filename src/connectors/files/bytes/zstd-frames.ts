// Where the frames of a zstd file end. Node's decompressor ends with the first frame of a chunk and drops the rest of
// the chunk without a word; given chunks that end with a frame it goes on, and knows what is cut off or no frame.
//
//   file   = *( frame / skipped )
//   frame  = magic, descriptor, [window], [dictionary], [size], 1*block, [checksum]
//   block  = 3 bytes little-endian: last (1 bit), type (2), size (21); then its content, of an RLE block one byte
//   skipped = magic 0x184D2A50 … 5F, u32 size, content

const FRAME = 0xfd2fb528;
const SKIPPED = 0x184d2a50;
const RLE = 1;

type Part = "magic" | "descriptor" | "block" | "skipped";
const BYTES: Readonly<Record<Part, number>> = { magic: 4, descriptor: 1, block: 3, skipped: 4 };

export class ZstdFrames {
  /** The part that comes next, and its bytes so far. */
  #part: Part = "magic";
  #value = 0;
  #count = 0;
  /** Content to pass over before that part. */
  #content = 0;
  #checksum = 0;
  #endsFrame = false;

  /** The chunk, cut after each end of a frame. */
  *pieces(chunk: Uint8Array): Generator<Uint8Array, void, void> {
    let start = 0;
    for (let at = 0; at < chunk.length; ) {
      if (this.#content > 0) {
        const step = Math.min(this.#content, chunk.length - at);
        this.#content -= step;
        at += step;
      } else {
        this.#take(chunk[at]!);
        at += 1;
      }
      if (!this.#endsFrame || this.#content > 0) continue;
      this.#endsFrame = false;
      yield chunk.subarray(start, at);
      start = at;
    }
    if (start < chunk.length) yield chunk.subarray(start);
  }

  #take(byte: number): void {
    this.#value += byte * 256 ** this.#count;
    this.#count += 1;
    if (this.#count < BYTES[this.#part]) return;
    const value = this.#value;
    this.#value = 0;
    this.#count = 0;
    this.#enter(this.#part, value);
  }

  #enter(part: Part, value: number): void {
    switch (part) {
      case "magic":
        if (value === FRAME) this.#part = "descriptor";
        else if (value - (value % 16) === SKIPPED) this.#part = "skipped";
        else this.#content = Number.POSITIVE_INFINITY; // No frame: the decompressor says so.
        return;
      case "descriptor": {
        const isSingle = (value >> 5) & 1;
        const sizeBytes = [isSingle, 2, 4, 8][value >> 6]!;
        this.#content = 1 - isSingle + [0, 1, 2, 4][value & 3]! + sizeBytes;
        this.#checksum = (value >> 2) & 1 ? 4 : 0;
        this.#part = "block";
        return;
      }
      case "block":
        this.#content = ((value >> 1) & 3) === RLE ? 1 : value >>> 3;
        if ((value & 1) === 1) this.#end(this.#content + this.#checksum);
        return;
      case "skipped":
        this.#end(value);
    }
  }

  #end(content: number): void {
    this.#content = content;
    this.#endsFrame = true;
    this.#part = "magic";
  }
}
