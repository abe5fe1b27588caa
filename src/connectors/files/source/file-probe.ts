// What a reader has to look up in a file before it can begin in the middle: the first record, the next boundary, a line
// number.
//
// Each look-up opens the file, reads what it needs in chunks, and closes it. None keeps more than one record in memory.

import { UserError } from "../../../base/errors.ts";
import { byteStream, encodingProblem, type FileCoding, type StreamOptions } from "../bytes/byte-stream.ts";
import { LineCounter, type RecordFormat } from "../format/record-format.ts";

export type FirstRecord = {
  /** The file's bytes up to the end of its first record; all of them when it has none. */
  readonly head: Buffer;
  /** Where the record begins in `head`: after a byte order mark, comments and blank lines. */
  readonly start: number;
};

export async function firstRecord(
  file: string,
  format: RecordFormat<unknown>,
  recordBytesMax: number,
  options: StreamOptions,
): Promise<FirstRecord> {
  const chunks = byteStream(file, 0, options);
  try {
    return await firstRecordOf(chunks, { file, format, recordBytesMax, coding: options.coding });
  } finally {
    await chunks.return();
  }
}

type FirstRecordOptions = {
  readonly file: string;
  readonly format: RecordFormat<unknown>;
  readonly recordBytesMax: number;
  readonly coding: FileCoding;
};

/** Takes no more chunks than it needs; `held` is all that it took. */
export async function firstRecordOf(
  chunks: AsyncIterator<Uint8Array, void, void>,
  { file, format, recordBytesMax, coding }: FirstRecordOptions,
): Promise<FirstRecord & { readonly held: Buffer }> {
  let held: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
    held = Buffer.concat([held, next.value]);
    const found = firstRecordIn(file, held, false, format, coding);
    if (found !== null) return { ...found, held };
    if (held.length > recordBytesMax) {
      // Where nothing is to be learnt from it, it is a bad row like any other.
      const plain = format.first === "plain" ? firstRecordIn(file, held, true, format, coding) : null;
      if (plain !== null) return { ...plain, held };
      throw new UserError("RECORD_TOO_LONG", `the first record of ${file} is longer than ${recordBytesMax} bytes`, {
        fix: "check that this is the right file and format, or raise the option `recordSizeMax`",
      });
    }
  }
  const found = firstRecordIn(file, held, true, format, coding);
  return { ...(found ?? { head: held, start: held.length }), held };
}

/** Null when more bytes are needed, or when there are no more and no record is among them. */
function firstRecordIn(
  file: string,
  held: Buffer,
  final: boolean,
  format: RecordFormat<unknown>,
  coding: FileCoding,
): FirstRecord | null {
  if (held.length < 4 && !final) return null; // Too little to tell a byte order mark or an archive.
  const problem = encodingProblem(file, held, coding);
  if (problem !== null) throw problem;
  const boundary = format.createBoundary();
  let start = afterLines(held, format.skipLines, final);
  if (start < 0) return null;
  while (start < held.length) {
    boundary.reset();
    let end = boundary.next(held, start, held.length);
    if (end < 0) {
      if (!final) return null;
      end = held.length;
    }
    if (!format.ignores(held[start]!)) return { head: held.subarray(0, end), start };
    start = end;
  }
  return null;
}

/** The index after a byte order mark and so many lines; -1 when more bytes are needed. */
function afterLines(held: Buffer, lines: number, final: boolean): number {
  let start = held[0] === 0xef && held[1] === 0xbb && held[2] === 0xbf ? 3 : 0;
  for (let left = lines; left > 0 && start >= 0 && start < held.length; left -= 1) start = lineEnd(held, start, final);
  return start;
}

/** The index after the line break of the line at `from`; -1 when more bytes are needed. */
function lineEnd(held: Buffer, from: number, final: boolean): number {
  let at = from;
  while (at < held.length && held[at] !== 10 && held[at] !== 13) at += 1;
  if (at + 1 >= held.length) return final ? held.length : -1;
  return held[at] === 13 && held[at + 1] === 10 ? at + 2 : at + 1;
}

/** Where the first record begins that starts at `offset` or after, when every line break ends a record. */
export async function nextRecordStart(
  file: string,
  offset: number,
  format: RecordFormat<unknown>,
  options: StreamOptions,
): Promise<number> {
  const boundary = format.createBoundary();
  // One byte early: a record that begins right at `offset` has its predecessor's line break there.
  let at = offset - 1;
  for await (const chunk of byteStream(file, at, options)) {
    const found = boundary.next(chunk, 0, chunk.length);
    if (found >= 0) return at + found;
    at += chunk.length;
  }
  return at;
}

/** The number of the line that begins at `offset`; lines count from 1. */
export async function lineAt(file: string, offset: number, options: StreamOptions): Promise<number> {
  const counter = new LineCounter();
  let at = 0;
  for await (const chunk of byteStream(file, 0, options)) {
    counter.add(chunk, 0, Math.min(chunk.length, offset - at));
    at += chunk.length;
    if (at >= offset) break;
  }
  return 1 + counter.lines;
}
