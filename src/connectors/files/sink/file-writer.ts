// The sink side of file connectors: records to text to part files, committed in two phases.
//
//   write ──▶ active buffer ──seal──▶ sealed buffers ──pump──▶ file in progress ──roll──▶ synced files ──▶
//   prepareCommit
//
// A file lives on across checkpoints until it rolls: each of them knows how much of it was there, made durable, and how
// it may be gone on with (part-state.ts).
//
// The pump is the only one that waits: it writes sealed buffers in their order, one append at a time. Memory is bounded
// by the active buffer and two sealed ones; with two, `write` says that it is full.

import { crc32 } from "node:zlib";
import type { Committable, SinkWriter, SinkWriterContext } from "../../../operators/sink.ts";
import type { Json } from "../../../operators/source.ts";
import type { RowEncoder } from "../format/row-encoder.ts";
import { rowWithoutValues } from "./empty-row.ts";
import type { FileTarget, PendingFile } from "./file-target.ts";
import type { OpenFile } from "./part-state.ts";
import type { SingleFile } from "./single-file.ts";

/** When a file is complete and the next one begins. Infinity: this does not count. */
export type RollLimits = {
  readonly bytes: number;
  readonly rows: number;
  readonly ms: number;
  /** At a checkpoint; 0: each of them. */
  readonly checkpointMs: number;
};

export type FileWriterOptions = {
  readonly target: FileTarget | SingleFile;
  readonly encoder: RowEncoder;
  readonly roll: RollLimits;
};

const BUFFER_BYTES = 256 * 1024;
/** Of one that nothing was written to: sinks of few rows take little. */
const BUFFER_BYTES_FIRST = 8 * 1024;
const SEALED_MAX = 2;

type Sealed = { readonly buffer: Buffer; readonly size: number; readonly endsFile: boolean };

export class FileWriter implements SinkWriter<unknown> {
  readonly #context: SinkWriterContext;
  readonly #encoder: RowEncoder;
  readonly #roll: RollLimits;
  readonly #target: FileTarget | SingleFile;
  #active: Buffer = Buffer.allocUnsafe(BUFFER_BYTES_FIRST);
  #size = 0;
  #spare: Buffer | null = null;
  readonly #sealed: Sealed[] = [];
  // Of the file that `write` is filling.
  #hasBegun = false;
  #rows = 0;
  #bytes = 0;
  #startedMs = 0;
  #layout = "";
  /** It was begun before the restored checkpoint, and nothing was added yet. */
  #isResumed = false;
  // Of the file that the pump is writing.
  #file: OpenFile | null = null;
  #pending: (PendingFile & Pick<OpenFile, "isKept">)[] = [];
  #pump: Promise<void> | null = null;
  #failure: { error: unknown } | null = null;
  #hasCommitted = false;

  constructor(context: SinkWriterContext, options: FileWriterOptions) {
    this.#context = context;
    this.#encoder = options.encoder;
    this.#roll = options.roll;
    this.#target = options.target;
    // One that had come to its end has prepared all there was.
    this.#hasCommitted = options.target.isSingle && (context.uncommitted ?? []).length > 0;
  }

  async open(): Promise<void> {
    const taken = await this.#target.open();
    if (taken === null) return;
    const { file, state } = taken;
    this.#file = file;
    this.#rows = state.rows;
    this.#bytes = state.size;
    this.#layout = state.layout;
    this.#startedMs = this.#context.env.clock.monotonicMs() - state.ageMs;
    this.#isResumed = true;
  }

  write(record: unknown, _timestampMs: number): boolean {
    if (!this.#hasBegun) this.#begin(record);
    this.#append(this.#encoder.line(record));
    this.#rows += 1;
    if (this.#bytes >= this.#roll.bytes || this.#rows >= this.#roll.rows || this.#isOld()) this.#seal(true);
    else if (this.#size >= BUFFER_BYTES) this.#seal(false);
    return this.#sealed.length < SEALED_MAX && this.#failure === null;
  }

  async flush(): Promise<void> {
    if (this.#size > 0) this.#seal(false);
    await this.#pump;
    if (this.#failure !== null) throw this.#failure.error;
  }

  async prepareCommit(isLast: boolean): Promise<readonly Committable[]> {
    const { disk, bounded } = this.#context;
    if (this.#rows > 0) {
      if (isLast || this.#ageMs() >= this.#roll.checkpointMs) this.#seal(true);
    } else if (this.#target.isSingle && isLast && !this.#hasCommitted) this.#sealEmpty();
    await this.flush();
    await this.#file?.handle.sync();
    if (this.#file?.isNamed === false) {
      await disk.syncDirectory(this.#target.directory);
      this.#file.isNamed = true;
    }
    const files = this.#pending.map(({ from, to, size }) => ({ from, to, size }));
    this.#pending = [];
    // A bounded run has one commit at least: it says whose the checkpoint is, and removes what earlier runs left, even
    // when there is nothing to show instead. Each checkpoint of a run without an end says how many parts are visible.
    const always = !this.#hasCommitted || !bounded;
    const committables = await this.#target.prepare(files, { inProgress: this.#file, always });
    if (committables.length > 0) this.#hasCommitted = true;
    return committables;
  }

  async snapshot(): Promise<Json | null> {
    if (this.#file === null) return null;
    this.#file.isKept = true;
    const written = { rows: this.#rows, ageMs: this.#ageMs(), layout: this.#layout };
    return { ...this.#target.stateOf(this.#file), ...written };
  }

  /** What `prepareCommit` or `snapshot` has handed out stays: it may belong to a completed checkpoint. */
  async abort(): Promise<void> {
    this.#failure ??= { error: new Error("aborted") }; // Stops the pump.
    await this.#pump;
    const files = this.#file === null ? this.#pending : [...this.#pending, this.#file];
    await this.close();
    for (const { from, isKept } of files) {
      if (!isKept) await this.#context.disk.remove(`${this.#target.directory}/${from}`);
    }
    this.#pending = [];
  }

  async close(): Promise<void> {
    await this.#pump;
    await this.#file?.handle.close();
    this.#file = null;
  }

  #begin(record: unknown): void {
    const layout = this.#encoder.begin(record);
    const isResumed = this.#isResumed;
    this.#isResumed = false;
    if (isResumed && layout === this.#layout) {
      this.#hasBegun = true;
      return;
    }
    // The job has changed meanwhile: what follows does not belong into that file.
    if (isResumed && this.#target.isSingle) throw this.#target.changed("its rows had other columns");
    if (isResumed) this.#seal(true);
    this.#hasBegun = true;
    this.#layout = layout;
    this.#startedMs = this.#context.env.clock.monotonicMs();
    if (layout !== "") this.#append(layout);
  }

  /** A file without rows: with its header, where the columns are known. */
  #sealEmpty(): void {
    const row = rowWithoutValues(this.#context.recordType);
    if (row !== null) this.#begin(row);
    this.#seal(true);
  }

  #isOld(): boolean {
    return this.#roll.ms !== Number.POSITIVE_INFINITY && this.#ageMs() >= this.#roll.ms;
  }

  #ageMs(): number {
    return this.#context.env.clock.monotonicMs() - this.#startedMs;
  }

  #append(text: string): void {
    const sizeMax = this.#size + 3 * text.length; // One UTF-16 unit is at most three bytes of UTF-8.
    if (sizeMax > this.#active.length) this.#grow(sizeMax);
    const written = this.#active.write(text, this.#size);
    this.#size += written;
    this.#bytes += written;
  }

  #grow(size: number): void {
    const grown = Buffer.allocUnsafe(Math.max(size, 2 * this.#active.length));
    this.#active.copy(grown, 0, 0, this.#size);
    this.#active = grown;
  }

  #seal(endsFile: boolean): void {
    this.#sealed.push({ buffer: this.#active, size: this.#size, endsFile });
    this.#active = this.#spare ?? Buffer.allocUnsafe(BUFFER_BYTES_FIRST);
    this.#spare = null;
    this.#size = 0;
    if (endsFile) {
      this.#hasBegun = false;
      this.#isResumed = false;
      this.#rows = 0;
      this.#bytes = 0;
    }
    this.#pump ??= this.#write();
  }

  async #write(): Promise<void> {
    try {
      for (let next = this.#sealed[0]; next !== undefined && this.#failure === null; next = this.#sealed[0]) {
        await this.#writeSealed(next);
        this.#sealed.shift();
        if (next.buffer.length <= 2 * BUFFER_BYTES) this.#spare = next.buffer;
      }
    } catch (error) {
      this.#failure ??= { error }; // For `flush`, which throws it; `write` says that it is full.
    }
    this.#pump = null;
  }

  async #writeSealed({ buffer, size, endsFile }: Sealed): Promise<void> {
    const file = this.#file ?? (await this.#openFile());
    this.#file = file;
    if (size > 0) {
      const bytes = buffer.subarray(0, size);
      await file.handle.append(bytes);
      file.crc = crc32(bytes, file.crc);
    }
    file.size += size;
    this.#context.metrics.count("numBytesOut", size);
    if (!endsFile) return;
    await file.handle.sync();
    await file.handle.close();
    this.#file = null;
    this.#pending.push(file);
  }

  async #openFile(): Promise<OpenFile> {
    const names = this.#target.nextFile();
    const handle = await this.#context.disk.open(`${this.#target.directory}/${names.from}`, "create");
    return { handle, ...names, size: 0, crc: 0, isKept: false, isNamed: false };
  }
}
