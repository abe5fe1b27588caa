import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, type TestContext, test } from "node:test";
import type { FrozenState, PageFill } from "../../state/contract/frozen-state.ts";
import { PAGE_BYTES, PAGE_WORDS } from "../../state/pages/page-allocator.ts";
import type { PackRef } from "../../state/pages/page-packs.ts";
import { type PageChunk, placeInChunk } from "../../state/pages/page-snapshot.ts";
import { temporaryStorage } from "../storage/checkpoint-storage.contract.ts";
import type { CheckpointStorage } from "../storage/checkpoint-storage.ts";
import { packsWrite, pagesFill } from "./pack-file.ts";

const CHUNK_PAGES = 512;
/** Five reads, the last of them of a block that is not full. */
const PAGES = 4 * 256 + 70;
/** Half of each page can be compressed. */
const pages = Array.from({ length: PAGES }, () => {
  return Buffer.concat([randomBytes(PAGE_BYTES / 2), Buffer.alloc(PAGE_BYTES / 2)]);
});

async function packOf(storage: CheckpointStorage, compression: boolean): Promise<PackRef> {
  let next = 0;
  let pack: PackRef | null = null;
  const frozen = {
    next: (): PageChunk | null => {
      if (next === PAGES) return null;
      const chunk = { bytes: Buffer.alloc(placeInChunk(CHUNK_PAGES)), pages: 0, at: 2 ** 16 + next };
      for (; chunk.pages < CHUNK_PAGES && next < PAGES; chunk.pages += 1) {
        pages[next]!.copy(chunk.bytes, placeInChunk(chunk.pages));
        next += 1;
      }
      return chunk;
    },
    recycle: () => undefined,
    written: (_at: number, file: PackRef) => {
      pack = file;
    },
  };
  await packsWrite(storage, frozen as unknown as FrozenState, { nextName: () => "shared/1-0", compression });
  assert.ok(pack !== null);
  return pack;
}

/** Pages of the pack by their places, one after the other at the addresses that `addressOf` gives. */
function fillOf(pack: PackRef, target: Buffer, place: readonly number[], addressOf: (n: number) => number): PageFill {
  return {
    ...{ packs: [pack], target, place: Int32Array.from(place), pack: new Int32Array(place.length) },
    address: Int32Array.from(place, (_, n) => addressOf(n) * PAGE_WORDS),
  };
}

function checked(target: Buffer, address: number, place: number): void {
  const page = target.subarray(address * PAGE_BYTES, (address + 1) * PAGE_BYTES);
  assert.ok(page.equals(pages[place]!), `page ${place} at ${address}`);
}

async function packIn(context: TestContext, compression = false): Promise<[CheckpointStorage, PackRef]> {
  const { storage } = temporaryStorage(context);
  return [storage, await packOf(storage, compression)];
}

describe("pages of a pack", () => {
  for (const compression of [false, true]) {
    test(`come where they are wanted${compression ? ", compressed" : ""}`, async (context) => {
      const [storage, pack] = await packIn(context, compression);
      const target = Buffer.alloc((PAGES + 8) * PAGE_BYTES);
      const all = Array.from({ length: PAGES }, (_, n) => n);
      await pagesFill(storage, [fillOf(pack, target, all, (n) => n + 8)], () => undefined);
      for (const place of all) checked(target, place + 8, place);
      assert.ok(target.subarray(0, 8 * PAGE_BYTES).every((byte) => byte === 0));
    });
  }

  test("come from many places to many, whichever are neighbours, and in two fills", async (context) => {
    const [storage, pack] = await packIn(context);
    const target = Buffer.alloc(PAGES * PAGE_BYTES);
    // Neighbours in the pack alone, in memory alone, in both, in none, and at the border of two blocks.
    const places = [3, 4, 5, 9, 8, 7, 63, 64, 65, 200, 900, 901, PAGES - 1];
    const addresses = [20, 22, 23, 24, 25, 26, 40, 41, 42, 30, 2, 1, 0];
    const one = fillOf(pack, target, places, (n) => addresses[n]!);
    const other = fillOf(pack, target, [6, 66], (n) => 60 + n);
    await pagesFill(storage, [one, other], () => undefined);
    for (const [n, place] of places.entries()) checked(target, addresses[n]!, place);
    checked(target, 60, 6);
    checked(target, 61, 66);
    const touched = new Set([...addresses, 60, 61]);
    for (let at = 0; at < PAGES; at += 1) {
      const page = target.subarray(at * PAGE_BYTES, (at + 1) * PAGE_BYTES);
      if (!touched.has(at))
        assert.ok(
          page.every((byte) => byte === 0),
          `page ${at}`,
        );
    }
  });

  test("are not touched any more once that is not to be", async (context) => {
    const [storage, pack] = await packIn(context);
    const target = Buffer.alloc(PAGES * PAGE_BYTES);
    const all = Array.from({ length: PAGES }, (_, n) => n);
    let checks = 0;
    const check = (): void => {
      checks += 1;
      if (checks > 1) throw new Error("the slot was ended");
    };
    await assert.rejects(pagesFill(storage, [fillOf(pack, target, all, (n) => n)], check), /the slot was ended/);
    assert.equal(checks, 2);
    for (let place = 0; place < 256; place += 1) checked(target, place, place);
    assert.ok(target.subarray(256 * PAGE_BYTES).every((byte) => byte === 0));
  });

  test("that are not there are damage", async (context) => {
    const [storage, pack] = await packIn(context);
    const target = Buffer.alloc(4 * PAGE_BYTES);
    for (const place of [PAGES, PAGES + 64]) {
      await assert.rejects(
        pagesFill(storage, [fillOf(pack, target, [place], (n) => n)], () => undefined),
        {
          code: "CHECKPOINT_OBJECT_DAMAGED",
        },
      );
    }
  });
});
