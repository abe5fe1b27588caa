// The form of one key group whose rows are pages of packs (pages/page-packs.ts). Beside the canonical form
// (format/state-snapshot.ts), which it says as much as, it can be written and read without looking at each row.
//
//   group    "MRKP" · u32 version · string (JSON: key type, state specs, tables)
//            · u32 packs, each: string name · f64 bytes · f64 place of its index · f64 size of its index
//            · tables in that order: table · u32 size · bytes of what is kept beside pages (store/store-pages.ts)
//            · from version 2 on, states that lie on the heap: entry… 0, as in format/state-snapshot.ts, but that one
//            may come twice: the second takes its place, and of maps the items add up
//   table    u32 row pages · i32 first with free slots · u32 log pages · i32 words used · i32 words dead
//            · byte second hash · for each page: i32 its pack, -1: there is no such page
//            · for each page: i32 its place in the pack
//
// What lies in the pages: table/row-layout.ts and table/blob-log.ts.

import { InternalError } from "../../base/errors.ts";
import { bytesCopy } from "../../base/memory-view.ts";
import {
  ByteCursor,
  corrupt,
  readByte,
  readF64,
  readI32,
  readString,
  readU32,
  take,
  writeByte,
  writeF64,
  writeI32,
  writeString,
  writeU32,
} from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import { writeBytes } from "../format/state-snapshot.ts";
import type { PackRef } from "../pages/page-packs.ts";

const MAGIC = 0x504b524d; // "MRKP"
const VERSION = 2;

/** Pages of one table in one key group, rows before log. */
export type TablePages = {
  readonly rows: { readonly pages: number; readonly open: number };
  readonly log: { readonly pages: number; readonly tail: number; readonly garbage: number };
  readonly isHardened: boolean;
  /** By page: its pack, by its number among the group's, -1 where there is no page; and its place there. */
  readonly packs: Int32Array;
  readonly places: Int32Array;
};

export type GroupPages = {
  /** JSON: what the tables are of. */
  readonly header: string;
  readonly packs: readonly PackRef[];
  readonly tables: readonly TablePages[];
  /** What is kept beside pages. */
  readonly beside: ByteReader;
  /** The entries that follow. */
  readonly rest: ByteReader;
};

/** Whether a key group is in this form. */
export function isPageForm(bytes: Buffer): boolean {
  return readU32(new ByteCursor(bytes)) === MAGIC;
}

/** All but the entries that follow. */
export function writeGroupPages(
  group: Omit<GroupPages, "beside" | "rest"> & { readonly beside: Uint8Array },
  out: ByteWriter,
): void {
  writeU32(out, MAGIC);
  writeU32(out, VERSION);
  writeString(out, group.header);
  writeU32(out, group.packs.length);
  for (const { name, bytes, index } of group.packs) {
    writeString(out, name);
    for (const figure of [bytes, index.offset, index.length]) writeF64(out, figure);
  }
  for (const table of group.tables) writeTable(table, out);
  writeBytes(out, group.beside, 0, group.beside.length);
}

function writeTable({ rows, log, isHardened, packs, places }: TablePages, out: ByteWriter): void {
  writeU32(out, rows.pages);
  writeI32(out, rows.open);
  writeU32(out, log.pages);
  writeI32(out, log.tail);
  writeI32(out, log.garbage);
  writeByte(out, isHardened ? 1 : 0);
  writeInts(out, packs);
  writeInts(out, places);
}

/** What the tables of a key group in this form are of. Throws STATE_VERSION_UNKNOWN. */
export function pageFormHeader(input: ByteReader): string {
  if (readU32(input) !== MAGIC) corrupt("no key group in pages");
  checkVersion(readU32(input));
  return readString(input);
}

function checkVersion(version: number): void {
  if (version >= 1 && version <= VERSION) return;
  throw new InternalError("STATE_VERSION_UNKNOWN", `keyed state in pages of version ${version}, known is ${VERSION}`, {
    fix: "Restore it with the version of Millrace that wrote it, or a later one.",
  });
}

/** `tablesOf`: how many the header says there are. Throws STATE_VERSION_UNKNOWN. */
export function readGroupPages(input: ByteReader, tablesOf: (header: string) => number): GroupPages {
  const header = pageFormHeader(input);
  const packs = Array.from({ length: readU32(input) }, () => readPack(input));
  const tables = Array.from({ length: tablesOf(header) }, () => readTable(input));
  const size = readU32(input);
  const start = take(input, size);
  const end = start + size;
  return {
    ...{ header, packs, tables, beside: new ByteCursor(input.bytes, start, end) },
    rest: new ByteCursor(input.bytes, end, input.end),
  };
}

function readPack(input: ByteReader): PackRef {
  const name = readString(input);
  const bytes = readF64(input);
  const offset = readF64(input);
  return { name, bytes, index: { offset, length: readF64(input) } };
}

function readTable(input: ByteReader): TablePages {
  const rows = { pages: readU32(input), open: readI32(input) };
  const log = { pages: readU32(input), tail: readI32(input), garbage: readI32(input) };
  const isHardened = readByte(input) === 1;
  const count = rows.pages + log.pages;
  const packs = readInts(input, count);
  return { rows, log, isHardened, packs, places: readInts(input, count) };
}

/** In one copy: machines are little-endian, as pages themselves are. */
function writeInts(out: ByteWriter, ints: Int32Array): void {
  out.reserve(ints.byteLength);
  out.bytes.set(new Uint8Array(ints.buffer, ints.byteOffset, ints.byteLength), out.position);
  out.position += ints.byteLength;
}

/** In one copy, too. */
function readInts(input: ByteReader, count: number): Int32Array {
  const start = take(input, count * 4);
  const bytes = Buffer.alloc(count * 4);
  bytesCopy(bytes, 0, input.bytes, start, start + count * 4);
  return new Int32Array(bytes.buffer, bytes.byteOffset, count);
}
