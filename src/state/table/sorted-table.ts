// Values of keys in the order of their times, in managed memory: a row per value, and a heap over the rows of all keys.
//
//   row    │ key │ namespace: arrival │ blob? │ f64 time │ i32 index in the heap, i32 hash of the key │
//          │ i32 channel, i32 type │ value, when its type has a fixed size │
//
// Records that wait for event time lie here; what else works by time and key (joins over intervals, patterns, the
// first of many) can find a key's rows by (key, arrival).
//
//   O1. The first value is the one of the least time; at equal times of the least channel, then that which came first.
//   O2. The order of a key's values survives a snapshot: times, channels and arrivals are in it. Values of one time
//       and channel that come from different subtasks are of different keys, and follow each other by hash.
//   O3. A value that the budget refuses leaves the table as it was (STATE_BUDGET_EXCEEDED).
//   O4. Rows stay where they are: the heap holds their addresses.
//   O5. A snapshot names the types of its values, so that they can be read without the job, and taken over by one whose
//       types are wider (types/values/type-change.ts).
//
// Snapshot of a key group: 0 without values; else 1, string (JSON: the types), then entries (format/state-snapshot.ts)
// with f64 time, f64 arrival, i32 channel, i32 type, u32 size, the value in the codec's form.

import { canonicalJson } from "../../base/canonical-json.ts";
import { UserError } from "../../base/errors.ts";
import { ByteCursor, ByteSink, writeByte, writeF64, writeI32, writeString } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import { type KeyCodec, keyCodec } from "../../types/keys/key-bytes.ts";
import { compileKeyHash, type KeyHash } from "../../types/keys/key-hash.ts";
import { isNumberKey } from "../../types/keys/key-spec.ts";
import { specText } from "../../types/spec/spec-text.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { refusalText, typeChange } from "../../types/values/type-change.ts";
import { compileValueProgram } from "../../types/values/value-codec.ts";
import { writeBytes } from "../format/state-snapshot.ts";
import { type ValueFormat, valueFormat, valueMisfit } from "../format/value-format.ts";
import { KeyBatch } from "../keys/key-batch.ts";
import { TimerHeap } from "../pages/timer-heap.ts";
import { ManagedTable, type TableOptions } from "./managed-table.ts";
import { readSortedPart, type ValueReader } from "./sorted-part.ts";
import { forEachRow, writeRowKey } from "./table-snapshot.ts";

const NONE = -1;
// Words of a row's value part.
const TIME = 0;
const HEAP = 1;
const ORIGIN = 2;
const VALUE = 3;

export type SortedSpec = {
  readonly name: string;
  /** Types of the values; each value says by its index which one it is of. */
  readonly types: readonly TypeSpec[];
};

/** Where a value belongs. */
export type SortedPlace = {
  key: unknown;
  /** Canonical hash of the key (types/keys/key-hash.ts). */
  hash: number;
  timeMs: number;
  /** Breaks ties of time before arrival does. */
  channel: number;
  /** Index of its type. */
  type: number;
};

/** A value that was taken; the object is reused. */
export type SortedEntry = SortedPlace & { value: unknown };

/** A `KeyedPart`. */
export class SortedTable {
  readonly name: string;
  /** Nothing lies beside the rows and the heap, which are charged to the table. */
  readonly bytes = 0;
  readonly table: ManagedTable;
  readonly #formats: readonly ValueFormat[];
  readonly #types: readonly TypeSpec[];
  readonly #heap: TimerHeap;
  readonly #codec: KeyCodec;
  readonly #isNumber: boolean;
  readonly #hash: KeyHash;
  readonly #word: number;
  readonly #one = new KeyBatch(1);
  readonly #sink = new ByteSink(256);
  readonly #cursor: ByteCursor;
  readonly #taken: SortedEntry = { key: undefined, hash: 0, timeMs: 0, channel: 0, type: 0, value: undefined };
  /** Number of the next value to arrive. */
  #arrival = 0;

  constructor({ name, types }: SortedSpec, key: TypeSpec, options: TableOptions) {
    const { allocator, owner } = options;
    const label = `${owner.operator}-${name}`;
    this.name = name;
    this.#types = types;
    this.#formats = types.map((type, index) => valueFormat(type, allocator.view, `${label}-${index}`));
    this.#codec = keyCodec(key);
    this.#isNumber = isNumberKey(key);
    this.#hash = compileKeyHash(key, `${label}_restore`);
    this.#cursor = new ByteCursor(this.#sink.bytes);
    const table = new ManagedTable(
      {
        name,
        key: this.#isNumber ? "number" : "bytes",
        namespaced: true,
        listed: false,
        blob: this.#formats.some(({ kind }) => kind === "blob"),
        valueWords: VALUE + Math.max(...this.#formats.map((format) => (format.kind === "fixed" ? format.words : 0))),
        initial: null,
      },
      options,
    );
    this.table = table;
    this.#word = table.layout.valueWord;
    this.#heap = new TimerHeap({
      allocator,
      account: table.account,
      timeWord: this.#word + TIME,
      indexAt: (this.#word + HEAP) * 2,
      tie: (left, right) => this.#tie(left, right),
    });
  }

  get size(): number {
    return this.table.size;
  }

  /** Time of the first value, Infinity when there is none. */
  get firstMs(): number {
    return this.#heap.leastMs();
  }

  /** Adds a value as the youngest arrival. Throws STATE_BUDGET_EXCEEDED, and when the value does not fit its type. */
  add(place: SortedPlace, value: unknown): void {
    this.#insert(place, this.#arrival, value);
    this.#arrival += 1;
  }

  /** Takes the first value out; there must be one. The result is valid until the next call. */
  take(): SortedEntry {
    const row = this.#heap.top(0);
    const taken = this.#taken;
    const { f64, i32 } = this.table;
    const origin = (row + this.#word + ORIGIN) * 2;
    taken.timeMs = f64[row + this.#word + TIME]!;
    taken.hash = i32[(row + this.#word + HEAP) * 2 + 1]!;
    taken.channel = i32[origin]!;
    taken.type = i32[origin + 1]!;
    taken.key = this.#keyOf(row);
    taken.value = this.#valueOf(row, taken.type);
    this.#heap.remove(row);
    this.table.remove(row);
    return taken;
  }

  snapshot(keyGroup: number, out: ByteWriter): void {
    const { table } = this;
    let isFirst = true;
    forEachRow(table, keyGroup - table.keyGroups.first, (row) => {
      if (isFirst) {
        writeByte(out, 1);
        writeString(out, canonicalJson(this.#types));
        isFirst = false;
      }
      const origin = (row + this.#word + ORIGIN) * 2;
      const type = table.i32[origin + 1]!;
      writeRowKey(table, row, out);
      writeF64(out, table.f64[row + this.#word + TIME]!);
      writeF64(out, table.namespace(row));
      writeI32(out, table.i32[origin]!);
      writeI32(out, type);
      const sink = this.#bytesOf(row, type);
      writeBytes(out, sink.bytes, 0, sink.position);
    });
    writeByte(out, 0);
  }

  restore(_keyGroup: number, input: ByteReader): void {
    readSortedPart(
      input,
      this.#codec,
      (types) => this.#readers(types),
      (entry) => {
        const { key, timeMs, arrival, channel, type, value } = entry;
        this.#insert({ key, hash: this.#hash(key), timeMs, channel, type }, arrival, value);
        this.#arrival = Math.max(this.#arrival, arrival + 1);
      },
    );
  }

  /** O5 */
  #readers(saved: readonly TypeSpec[]): readonly ValueReader[] {
    const label = `${this.table.account.operator}-${this.name}`;
    return saved.map((from, index) => {
      const change = typeChange(from, this.#types[index] ?? from);
      if (change.kind === "refused") throw this.#changed(from, this.#types[index]!, refusalText(change));
      const { read } = compileValueProgram(from, "refuse", `${label}-${index}-saved`);
      const { convert } = change;
      return convert === null ? read : (input) => convert(read(input));
    });
  }

  #changed(from: TypeSpec, to: TypeSpec, reason: string): UserError {
    const { operator } = this.table.account;
    return new UserError(
      "STATE_TYPE_CHANGED",
      `"${this.name}" of operator "${operator}" holds ${specText(to)}, but held ${specText(from)}: ${reason}`,
      { operator, fix: "Leave the type of its records as it was, or give the operator another uid." },
    );
  }

  release(): void {
    this.table.release();
    this.#heap.release();
  }

  #insert({ key, hash, timeMs, channel, type }: SortedPlace, arrival: number, value: unknown): void {
    const { table } = this;
    const format = this.#formats[type]!;
    const sink = format.kind === "blob" ? this.#encoded(value, type) : null;
    const batch = this.#stage(key, hash, arrival);
    const row = this.#heap.reserve() ? table.resolveIn(table.groupOf(hash), batch, 0) : NONE;
    if (row === NONE) throw table.exceeded();
    if (sink === null) {
      if (!(format as Extract<ValueFormat, { kind: "fixed" }>).write(value, row + this.#word + VALUE)) {
        table.remove(row);
        throw valueMisfit(this.#types[type]!, value, table.account);
      }
    } else if (!table.blobs.write(row, sink.bytes, 0, sink.position)) {
      table.remove(row);
      throw table.exceeded();
    }
    table.f64[row + this.#word + TIME] = timeMs;
    table.i32[(row + this.#word + HEAP) * 2 + 1] = hash;
    table.i32[(row + this.#word + ORIGIN) * 2] = channel;
    table.i32[(row + this.#word + ORIGIN) * 2 + 1] = type;
    this.#heap.push(row, channel);
  }

  #stage(key: unknown, hash: number, arrival: number): KeyBatch {
    const batch = this.#one;
    batch.hashes[0] = hash;
    batch.namespaces[0] = arrival;
    if (this.#isNumber) {
      batch.numbers[0] = (key as number) + 0; // -0 becomes 0
    } else {
      batch.position = 0;
      batch.stage(0, key, this.#codec);
    }
    return batch;
  }

  /** The bytes of a value, until the next call. */
  #encoded(value: unknown, type: number): ByteSink {
    const sink = this.#sink;
    sink.position = 0;
    if (!this.#formats[type]!.program.write(value, sink)) {
      throw valueMisfit(this.#types[type]!, value, this.table.account);
    }
    return sink;
  }

  /** The bytes of a row's value, until the next call. */
  #bytesOf(row: number, type: number): ByteSink {
    const format = this.#formats[type]!;
    if (format.kind === "fixed") return this.#encoded(format.read(row + this.#word + VALUE), type);
    const sink = this.#sink;
    sink.position = 0;
    this.table.blobs.read(row, sink);
    return sink;
  }

  #valueOf(row: number, type: number): unknown {
    const format = this.#formats[type]!;
    return format.kind === "fixed"
      ? format.read(row + this.#word + VALUE)
      : format.program.read(this.#read(this.#bytesOf(row, type)));
  }

  #keyOf(row: number): unknown {
    if (this.#isNumber) return this.table.f64[row]!;
    const sink = this.#sink;
    sink.position = 0;
    this.table.readKey(row, sink);
    return this.#codec.read(this.#read(sink));
  }

  #read(sink: ByteSink): ByteCursor {
    const cursor = this.#cursor;
    cursor.bytes = sink.bytes;
    cursor.position = 0;
    cursor.end = sink.position;
    return cursor;
  }

  /** Order of two values of one time and channel (O1, O2). */
  #tie(left: number, right: number): number {
    const { table } = this;
    const order = table.namespace(left) - table.namespace(right);
    if (order !== 0) return order;
    const hashAt = (this.#word + HEAP) * 2 + 1;
    return table.i32[left * 2 + hashAt]! - table.i32[right * 2 + hashAt]!;
  }
}
