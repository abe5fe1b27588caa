// A sender for tests of what stands before it.

import { heapView } from "../../src/base/memory-view.ts";
import type { DataSender, RowRun } from "../../src/network/data-link.ts";
import { type ControlKind, ELEMENT } from "../../src/network/element.ts";
import { compileBatchCodec } from "../../src/types/batch/batch-codec.ts";
import type { BatchCodec, BatchCodecOptions, BatchWriter } from "../../src/types/bytes/codec.ts";
import { ROW_KIND, type RowKind } from "../../src/types/bytes/row-kind.ts";
import type { TypeSpec } from "../../src/types/spec/type-spec.ts";

/** What a sender was given. */
export type SentEvent =
  | { record: unknown; time: number; kind?: RowKind }
  | { watermark: number }
  | { idle: number }
  | { end: true };

/** A sender whose room the test decides; it reads back at once what it was given. */
export class ScriptedSender implements DataSender {
  readonly kind: "local" | "simulated";
  readonly events: SentEvent[] = [];
  /** Elements it still takes. */
  room = Infinity;
  unreleased = 0;
  /** What its receiver wants in flight; 0: it has said nothing. */
  wanted = 0;
  asked = 0;
  batches = 0;
  /** Layouts that were announced. */
  schemas = 0;
  /** Batches that had been sent when the receiver was last told. */
  announced = 0;
  /** Bytes of the batches it encoded. */
  readonly sizes: number[] = [];
  /** Of each batch, the watermarks among its records. */
  readonly marks: (readonly number[])[] = [];
  #codec: BatchCodec | null;

  constructor(kind: "local" | "simulated", codec: BatchCodec | null) {
    this.kind = kind;
    this.#codec = codec;
  }

  sendBatch(writer: BatchWriter): boolean {
    if (!this.#take()) return false;
    const view = heapView(writer.encodedSize());
    const size = writer.encode(view, 0);
    const reader = this.#codec!.createReader();
    reader.open(view, 0, size);
    for (let i = 0; i < reader.count; i += 1) this.#record(reader.record(i), reader.timestamp(i), reader.kind(i));
    this.batches += 1;
    this.sizes.push(size);
    this.marks.push([...reader.marks]);
    return true;
  }

  sendRows({ rows, times, kinds, marks }: RowRun): boolean {
    if (!this.#take()) return false;
    this.marks.push([...(marks ?? [])]);
    rows.forEach((record, index) => {
      this.#record(record, times?.[index] ?? Number.NaN, (kinds?.[index] ?? ROW_KIND.insert) as RowKind);
    });
    this.batches += 1;
    return true;
  }

  sendSchema(text: string): boolean {
    if (!this.#take()) return false;
    this.schemas += 1;
    const { spec, options } = JSON.parse(text) as { spec: TypeSpec; options: BatchCodecOptions };
    this.#codec = compileBatchCodec(spec, options, `scripted ${this.events.length}`);
    return true;
  }

  sendControl(kind: ControlKind, value: number): boolean {
    if (!this.#take()) return false;
    if (kind === ELEMENT.watermark) this.events.push({ watermark: value });
    else if (kind === ELEMENT.idle) this.events.push({ idle: value });
    else this.events.push({ end: true });
    return true;
  }

  pump(): boolean {
    return true;
  }

  outUsage(): number {
    return 0;
  }

  inFlight(): number {
    return this.unreleased;
  }

  recordsInFlight(): number {
    return 0;
  }

  appetite(): number {
    return this.wanted;
  }

  announce(): void {
    this.announced = this.batches;
  }

  ringAtRelease(): boolean {
    this.asked += 1;
    return this.unreleased > 0;
  }

  #record(record: unknown, time: number, kind: RowKind): void {
    this.events.push(kind === ROW_KIND.insert ? { record, time } : { record, time, kind });
  }

  #take(): boolean {
    if (this.room <= 0) return false;
    this.room -= 1;
    this.unreleased += 1;
    return true;
  }
}
