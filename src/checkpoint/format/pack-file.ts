// Packs of pages: files of state (state-file.ts) whose blocks are pages of managed memory, one after the other, and
// whose last section says where the blocks lie. They are shared: checkpoints refer to what an earlier one has written.
//
//   pack     block of 64 pages … (the last may have fewer) · index: f64 place of each block
//
//   P1. What is read was written, or is refused (F1 of state-file.ts).

import { assert } from "../../base/errors.ts";
import { bytesCopy } from "../../base/memory-view.ts";
import type { FrozenState, PageFill } from "../../state/contract/frozen-state.ts";
import { PAGE_BYTES, PAGE_WORDS } from "../../state/pages/page-allocator.ts";
import { PACK_PAGES, type PackRef } from "../../state/pages/page-packs.ts";
import { BLOCK_PAGES, bytesOfChunk, type PageChunk } from "../../state/pages/page-snapshot.ts";
import type { CheckpointStorage } from "../storage/checkpoint-storage.ts";
import { damaged } from "../storage/damage.ts";
import { type Section, StateFileReader, StateFileWriter } from "./state-file.ts";

export type PackOptions = {
  /** Of the next pack; used by nobody else. */
  readonly nextName: () => string;
  readonly compression: boolean;
};

/** Writes the pages of a snapshot that no earlier checkpoint has. When it fails, packs that were whole are left. */
export async function packsWrite(
  storage: CheckpointStorage,
  frozen: FrozenState,
  { nextName, compression }: PackOptions,
): Promise<void> {
  let pack: PackWriter | null = null;
  let writing: Promise<void> = Promise.resolve();
  try {
    for (let chunk = frozen.next(); chunk !== null; chunk = frozen.next()) {
      if (chunk.at % PACK_PAGES === 0) {
        await writing;
        await pack?.commit(frozen);
        pack = null;
        pack = new PackWriter(await StateFileWriter.create(storage, nextName(), { compression }), chunk.at);
      }
      assert(pack !== null, "the first page of a pack comes first");
      // While one chunk is written the next one is taken.
      await writing;
      writing = pack.add(chunk, frozen);
      writing.catch(() => undefined); // It is waited for below.
    }
    await writing;
    await pack?.commit(frozen);
  } catch (error) {
    await writing.catch(() => undefined);
    await pack?.abort();
    throw error;
  }
}

class PackWriter {
  readonly #file: StateFileWriter;
  readonly #at: number;
  readonly #places: number[] = [];

  constructor(file: StateFileWriter, at: number) {
    this.#file = file;
    this.#at = at;
  }

  async add(chunk: PageChunk, frozen: FrozenState): Promise<void> {
    this.#places.push(...(await this.#file.addFramed(bytesOfChunk(chunk))));
    frozen.recycle(chunk);
  }

  async commit(frozen: FrozenState): Promise<void> {
    const index = await this.#file.add(Buffer.from(Float64Array.from(this.#places).buffer), false);
    await this.#file.commit();
    const { name, length } = this.#file;
    frozen.written(this.#at, { name, bytes: length, index: { offset: index.offset, length: index.length } });
  }

  abort(): Promise<void> {
    return this.#file.abort();
  }
}

/** Blocks that are read at once: 1 MiB. */
const BLOCKS_READ = 4;

/** Pages of a fill from the n-th on that lie one behind the other, both in a block and where they go. */
type Wanted = { readonly fill: PageFill; readonly n: number; count: number };

/** Fills pages from their packs. `check` is called before any is written to, and throws when that is not to be. */
export async function pagesFill(
  storage: CheckpointStorage,
  fills: readonly PageFill[],
  check: () => void,
): Promise<void> {
  const byPack = new Map<string, { readonly pack: PackRef; readonly blocks: Map<number, Wanted[]> }>();
  for (const fill of fills) {
    const packs = fill.packs.map((pack) => {
      const known = byPack.get(pack.name) ?? { pack, blocks: new Map<number, Wanted[]>() };
      byPack.set(pack.name, known);
      return known;
    });
    for (let n = 0; n < fill.pack.length; n += 1) {
      const pack = fill.pack[n]!;
      if (pack !== -1) want(packs[pack]!.blocks, fill, n);
    }
  }
  for (const { pack, blocks } of byPack.values()) if (blocks.size > 0) await packRead(storage, pack, blocks, check);
}

function want(blocks: Map<number, Wanted[]>, fill: PageFill, n: number): void {
  const block = Math.floor(fill.place[n]! / BLOCK_PAGES);
  const wanted = blocks.get(block);
  const last = wanted?.at(-1);
  if (wanted === undefined) blocks.set(block, [{ fill, n, count: 1 }]);
  else if (last?.fill === fill && isNext(last, n)) last.count += 1;
  else wanted.push({ fill, n, count: 1 });
}

function isNext({ fill: { place, address }, n, count }: Wanted, next: number): boolean {
  return next === n + count && place[next] === place[n]! + count && address[next] === address[n]! + count * PAGE_WORDS;
}

async function packRead(
  storage: CheckpointStorage,
  { name, index }: PackRef,
  blocks: ReadonlyMap<number, readonly Wanted[]>,
  check: () => void,
): Promise<void> {
  const reader = await StateFileReader.open(storage, name);
  try {
    const places = placesOf(await reader.read({ file: name, ...index }));
    const ends = [...places.slice(1), index.offset];
    const runs = runsOf([...blocks.keys()].sort((left, right) => left - right));
    const sectionOf = ([from, to]: Run): Section => ({
      file: name,
      offset: places[from]!,
      length: ends[to]! - places[from]!,
    });
    for (const run of runs) if (run[1] >= places.length) throw damaged(name, `it has no block ${run[1]}`);
    let r = 0;
    for await (const read of reader.each(runs.map(sectionOf))) {
      check();
      const [from, to] = runs[r]!;
      if (read.length !== to - from + 1) throw damaged(name, `blocks ${from} to ${to} are ${read.length}`);
      for (const [at, bytes] of read.entries()) {
        for (const wanted of blocks.get(from + at)!) copyPages(name, bytes, wanted);
      }
      r += 1;
    }
  } finally {
    await reader.close();
  }
}

function copyPages(name: string, bytes: Buffer, { fill, n, count }: Wanted): void {
  const from = (fill.place[n]! % BLOCK_PAGES) * PAGE_BYTES;
  const end = from + count * PAGE_BYTES;
  if (end > bytes.length) throw damaged(name, `it has no page ${fill.place[n]! + count - 1}`);
  bytesCopy(fill.target, (fill.address[n]! / PAGE_WORDS) * PAGE_BYTES, bytes, from, end);
}

function placesOf(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 8 }, (_, n) => bytes.readDoubleLE(n * 8));
}

/** First and last block. */
type Run = readonly [number, number];

/** Neighbours are read together. */
function runsOf(blocks: readonly number[]): Run[] {
  const runs: [number, number][] = [];
  for (const block of blocks) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] + 1 === block && block - last[0] < BLOCKS_READ) last[1] = block;
    else runs.push([block, block]);
  }
  return runs;
}
