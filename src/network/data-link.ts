// The data seam: how elements get from a sending task to a receiving one.
//
// Implementations: `local-link.ts` (same slot, by reference), `ring-link.ts` (slots of one process, shared memory),
// `testing/sim-link.ts` (virtual time, seeded delays); later TCP between TaskManagers. One contract suite runs all
// (`data-link.contract.ts`).
//
//   L1. Elements arrive once each, in the order sent.
//   L2. Nothing blocks. A sender without room says so, and rings the sending slot's doorbell once there is room again.
//   L3. A received element is valid until `release`; only then may its memory be used again.
//   L4. In-flight data is bounded: by segments for batches, by a count for everything else.
//   L5. A receiver is rung for what arrives at the latest when the sender calls `announce`, as it does at the end of
//       each of its turns.
//   L6. A batch that was taken arrives, whether or not something follows it: its sender calls `pump` when rung until it
//       is through.
//   L7. What the receiver wants under way at most (its appetite, in records) comes to the sender in the end; who sends
//       keeps to it (output-channel.ts, C7), the link takes whatever there is room for.

import type { BatchWriter, MemoryView } from "../types/bytes/codec.ts";
import type { ControlKind, ElementKind } from "./element.ts";

/** Wakes the slot on the other side. Safe to call from any thread that holds it. */
export interface Doorbell {
  ring(): void;
}

/** Records by reference, which nobody changes. */
export type RowRun = {
  readonly rows: readonly unknown[];
  /** Event times; null: none. */
  readonly times: Float64Array | null;
  /** Kinds (RowKind); null: all are inserts. */
  readonly kinds: Uint8Array | null;
  /** Watermarks between the rows, as `BatchReader.marks`; null: none. */
  readonly marks: readonly number[] | null;
};

/** Reused by its receiver: read it before `release`, never keep it. */
export type ReceivedElement = {
  kind: ElementKind;
  value: number;
  /** Batch and schema: where the bytes are. */
  view: MemoryView | null;
  offset: number;
  size: number;
  /** Rows, as `RowRun`. */
  rows: readonly unknown[] | null;
  times: Float64Array | null;
  kinds: Uint8Array | null;
  marks: readonly number[] | null;
};

/** Of nothing but a kind and a value. */
export function bareElement(kind: ElementKind, value = 0): ReceivedElement {
  return { kind, value, view: null, offset: 0, size: 0, rows: null, times: null, kinds: null, marks: null };
}

export interface DataSender {
  readonly kind: "local" | "ring" | "simulated" | "tcp";
  /** Encodes and sends what the writer holds, and empties it; false: no room, nothing happened. */
  sendBatch(writer: BatchWriter): boolean;
  /** By reference; links between threads or processes do not have it. */
  sendRows(run: RowRun): boolean;
  sendSchema(text: string): boolean;
  sendControl(kind: ControlKind, value: number): boolean;
  /** Rings the receiver, unless it has been rung for everything that was sent. */
  announce(): void;
  /** Goes on with a batch that was taken although not all of it had room; true: nothing of it is left here. */
  pump(): boolean;
  /** Elements sent and not yet released by the receiver. */
  inFlight(): number;
  /** Records of them. */
  recordsInFlight(): number;
  /** Records that the receiver wants in flight at most, as last heard; 0: it has said nothing. */
  appetite(): number;
  /** Part of the memory for what is in flight that is taken, 0 to 1. */
  outUsage(): number;
  /** Rings the sending slot at the receiver's next release; false: the receiver has released everything already. */
  ringAtRelease(): boolean;
}

export interface DataReceiver {
  /** The next element, or null when there is none now. Call `release` before the next `poll`. */
  poll(): ReceivedElement | null;
  release(): void;
  /** Part of what may wait here that does, 0 to 1. */
  inUsage(): number;
  /** Tells the sender how many records, at least one, to have in flight at most. */
  setAppetite(records: number): void;
}
