// The sink side of file connectors: records to text to part files, committed in two phases.
//
//   write ──▶ active buffer ──seal──▶ sealed buffers ──pump──▶ file in progress ──roll──▶ synced files ──▶
//   prepareCommit
//
// The pump is the only one that waits: it writes sealed buffers in their order, one append at a time. Memory is bounded
// by the active buffer and two sealed ones; with two, `write` says that it is full.

import type { FileHandle } from "../../../base/disk.ts";
import type { Committable, SinkWriter, SinkWriterContext } from "../../../operators/sink.ts";
import type { RowEncoder } from "../format/row-encoder.ts";
import { rowWithoutValues } from "./empty-row.ts";
import type { FileTarget, PendingFile } from "./file-target.ts";
import type { SingleFile } from "./single-file.ts";

/** When a file is complete and the next one begins. Infinity: this does not count. */
export type RollLimits = { readonly bytes: number; readonly rows: number; readonly ms: number };

export type FileWriterOptions = {
  readonly target: FileTarget | SingleFile;
  readonly encoder: RowEncoder;
  readonly roll: RollLimits;
};

const BUFFER_BYTES = 256 * 1024;
/** Of one that nothing was written to: sinks of few rows take little. */
const BUFFER_BYTES_FIRST = 8 * 1024;
const SEALED_MAX = 2;

type OpenFile = { readonly handle: FileHandle; readonly from: string; readonly to: string; size: number };
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
  #rows = 0;
  #bytes = 0;
  #startedMs = 0;
  // Of the file that the pump is writing.
  #file: OpenFile | null = null;
  #pending: PendingFile[] = [];
  #pump: Promise<void> | null = null;
  #failure: { error: unknown } | null = null;
  #hasCommitted = false;

  constructor(context: SinkWriterContext, options: FileWriterOptions) {
    this.#context = context;
    this.#encoder = options.encoder;
    this.#roll = options.roll;
    this.#target = options.target;
  }

  open(): Promise<void> {
    return this.#target.open();
  }

  write(record: unknown, _timestampMs: number): boolean {
    if (this.#rows === 0) this.#begin(record);
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

  async prepareCommit(): Promise<readonly Committable[]> {
    if (this.#rows > 0) this.#seal(true);
    else if (this.#target.isSingle && !this.#hasCommitted) this.#sealEmpty();
    await this.flush();
    const files = this.#pending;
    // The first commit of a run also removes what earlier runs left, even when there is nothing to show instead. Each
    // checkpoint of a run without an end says how many parts are visible then.
    if (files.length === 0 && this.#hasCommitted && this.#context.bounded) return [];
    this.#pending = [];
    this.#hasCommitted = true;
    return [await this.#target.prepare(files)];
  }

  /** What `prepareCommit` has handed out stays: it may belong to a completed checkpoint. */
  async abort(): Promise<void> {
    this.#failure ??= { error: new Error("aborted") }; // Stops the pump.
    await this.#pump;
    const names = this.#pending.map((file) => file.from);
    if (this.#file !== null) names.push(this.#file.from);
    await this.close();
    for (const name of names) await this.#context.disk.remove(`${this.#target.directory}/${name}`);
    this.#pending = [];
  }

  async close(): Promise<void> {
    await this.#pump;
    await this.#file?.handle.close();
    this.#file = null;
  }

  #begin(record: unknown): void {
    this.#startedMs = this.#context.env.clock.monotonicMs();
    const text = this.#encoder.begin(record);
    if (text !== "") this.#append(text);
  }

  /** A file without rows: with its header, where the columns are known. */
  #sealEmpty(): void {
    const row = rowWithoutValues(this.#context.recordType);
    if (row !== null) this.#begin(row);
    this.#seal(true);
  }

  #isOld(): boolean {
    return (
      this.#roll.ms !== Number.POSITIVE_INFINITY &&
      this.#context.env.clock.monotonicMs() - this.#startedMs >= this.#roll.ms
    );
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
    if (size > 0) await file.handle.append(buffer.subarray(0, size));
    file.size += size;
    this.#context.metrics.count("numBytesOut", size);
    if (!endsFile) return;
    await file.handle.sync();
    await file.handle.close();
    this.#file = null;
    this.#pending.push({ from: file.from, to: file.to, size: file.size });
  }

  async #openFile(): Promise<OpenFile> {
    const { from, to } = this.#target.nextFile();
    return { handle: await this.#context.disk.open(`${this.#target.directory}/${from}`, "create"), from, to, size: 0 };
  }
}
