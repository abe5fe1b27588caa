// Finds the files of a source and cuts them into splits.
//
// A file larger than the split size is cut into ranges of equal size, unless there is one subtask only, or it is
// compressed or in another encoding than UTF-8. Where every line break ends a record, ranges are cut by arithmetic and
// each reader finds its first record. Where text in quotes may hold line breaks, only the bytes from the start of the
// file tell where records begin: then the file is scanned once, and each range goes out as soon as the scan has passed
// it.
//
//   E1. The ranges of a file follow one another without a gap, in order; those of all files go out in the order of the
//       files. Those that are given back take their places in that order again, and keep their ids.
//   E2. A snapshot holds the ranges not handed out, and for a scan under way the rest of the file as one cut still to
//       be made.

import type { Disk } from "../../../base/disk.ts";
import type { EnumeratorContext, Json, SourceSplit, SplitEnumerator } from "../../../operators/source.ts";
import { byteStream, type FileCoding, isPlain } from "../bytes/byte-stream.ts";
import type { RecordBoundary, RecordFormat } from "../format/record-format.ts";
import { type FoundFile, filesFind } from "../paths/files-find.ts";
import { firstRecord } from "./file-probe.ts";
import type { FilePosition } from "./split-reader.ts";

export type FileSplitOptions = {
  readonly paths: readonly string[];
  readonly format: RecordFormat<unknown>;
  readonly splitBytes: number;
  readonly inTimeOrder: boolean;
  readonly chunkBytes: number;
  readonly recordBytesMax: number;
  readonly codingOf: (file: string) => FileCoding;
};

/** A split to hand out, or a part of a file that is still to be cut into splits of `cutBytes`. */
type Part = { readonly id: string; readonly position: FilePosition; readonly cutBytes: number | null };

export class FileSplits implements SplitEnumerator {
  readonly #context: EnumeratorContext;
  readonly #options: FileSplitOptions;
  readonly #closing = new AbortController();
  #parts: Part[] | null = null;
  #scan: Promise<void> | null = null;
  #failure: { error: unknown } | null = null;

  constructor(context: EnumeratorContext, options: FileSplitOptions) {
    this.#context = context;
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#parts !== null) return; // Restored: all there was to find is in the snapshot.
    const files = await filesFind(this.#context.disk, this.#options.paths);
    this.#tellOfOneFile(files);
    this.#parts = files.flatMap((file, place) => this.#cut(file, place));
  }

  next(_subtaskIndex: number): SourceSplit | "wait" | null {
    if (this.#failure !== null) throw this.#failure.error;
    const parts = this.#parts ?? [];
    const first = parts[0];
    if (first === undefined) return null;
    if (first.cutBytes !== null) {
      this.#scan ??= this.#scanPart(first);
      return "wait";
    }
    parts.shift();
    return { id: first.id, position: first.position };
  }

  onlyFollows(split: SourceSplit): boolean {
    const { file, offset } = split.position as FilePosition;
    return (this.#parts ?? []).every(({ position }) => position.file === file && position.offset >= offset);
  }

  addBack(splits: readonly SourceSplit[]): void {
    const back = splits.map(({ id, position }): Part => ({ id, position: position as FilePosition, cutBytes: null }));
    this.#parts = [...back, ...(this.#parts ?? [])].sort(inOrder);
  }

  snapshot(): Json {
    return [...(this.#parts ?? [])];
  }

  restore(state: Json): void {
    this.#parts = [...(state as Part[])];
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#scan;
  }

  /** Not refused: the path may be that of a directory in another run. */
  #tellOfOneFile(files: readonly FoundFile[]): void {
    const { paths, inTimeOrder } = this.#options;
    const [path = ""] = paths;
    if (!inTimeOrder || paths.length > 1 || files[0]?.path !== path) return;
    const { env, uid } = this.#context;
    env.log.write("warn", `inTimeOrder has no effect: ${path} is one file`, { source: uid });
  }

  #cut({ path: file, size, isStream }: FoundFile, place: number): Part[] {
    const { splitBytes, format, codingOf } = this.#options;
    const start = { file, place, offset: 0, cut: false, line: 1, end: null };
    const whole: FilePosition = isStream ? { ...start, stream: true } : start;
    if (this.#context.parallelism === 1 || !isPlain(codingOf(file)) || size <= splitBytes) return [partOf(whole, null)];
    const cutBytes = Math.max(Math.ceil(size / Math.ceil(size / splitBytes)), 4); // Not inside a byte order mark.
    const count = Math.ceil(size / cutBytes);
    if (!format.cutsAnywhere) return [partOf(whole, cutBytes)];
    return Array.from({ length: count }, (_, index): Part => {
      const end = index === count - 1 ? null : (index + 1) * cutBytes;
      const from = index * cutBytes;
      return partOf(index === 0 ? { ...whole, end } : { file, place, offset: from, cut: true, line: null, end }, null);
    });
  }

  /** Replaces the first part by a range and the rest, over and over, until the rest is one range. */
  async #scanPart(part: Part): Promise<void> {
    try {
      for await (const position of recordRanges(part, this.#options, this.#context.disk, this.#closing.signal)) {
        const [rest, ...others] = this.#parts!.splice(this.#parts!.findIndex(isUncut));
        this.#parts!.push(partOf(position, null));
        if (position.end !== null) {
          const left = { ...position, offset: position.end, line: null, end: null };
          this.#parts!.push(partOf(left, rest!.cutBytes));
        }
        this.#parts!.push(...others);
        this.#context.wake();
      }
    } catch (error) {
      this.#failure = { error }; // For `next`, which throws it.
    }
    this.#scan = null;
    this.#context.wake();
  }
}

function isUncut(part: Part): boolean {
  return part.cutBytes !== null;
}

/** Ranges of about `cutBytes` that begin with a record, found by a scan from the part's first record on. */
async function* recordRanges(
  { position, cutBytes }: Part,
  { format, chunkBytes, recordBytesMax, codingOf }: FileSplitOptions,
  disk: Disk,
  signal: AbortSignal,
): AsyncGenerator<FilePosition, void, void> {
  const stream = { disk, coding: codingOf(position.file), chunkBytes, signal };
  const boundary = format.createBoundary();
  let start = position;
  let at = position.offset;
  // A byte order mark is not part of the first record.
  if (at === 0) at = (await firstRecord(position.file, format, recordBytesMax, stream)).start;
  for await (const chunk of byteStream(position.file, at, stream)) {
    let from = 0;
    while (from >= 0) {
      const found = boundaryFrom(boundary, chunk, from, start.offset + cutBytes! - at);
      if (found >= 0) {
        yield { ...start, end: at + found };
        start = { ...start, offset: at + found, line: null };
      }
      from = found;
    }
    at += chunk.length;
  }
  if (!signal.aborted) yield start;
}

/** The first index after a record that is not before `atLeast`; -1 when it is not in the chunk. */
function boundaryFrom(boundary: RecordBoundary, chunk: Uint8Array, from: number, atLeast: number): number {
  if (boundary.nextFrom !== undefined) return boundary.nextFrom(chunk, from, chunk.length, atLeast);
  let found = boundary.next(chunk, from, chunk.length);
  while (found >= 0 && found < atLeast) found = boundary.next(chunk, found, chunk.length);
  return found;
}

/** As it is before anybody has read of it, which is what its id tells. */
function partOf(position: FilePosition, cutBytes: number | null): Part {
  return { id: `${position.file}@${position.offset}`, position, cutBytes };
}

function inOrder({ position: left }: Part, { position: right }: Part): number {
  return left.place - right.place || left.offset - right.offset;
}
