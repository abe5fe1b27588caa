// The stage: what a run of records brings to their groups, as columns. Keys, event times and inputs are put here first,
// from rows or from the columns of a batch, by generated code; then rows of the table are looked up for all of them at
// once (their cache misses overlap), and accumulators updated in one loop.
//
//   S1. What is staged holds no reference to a batch's memory. References to values and records are dropped by `clear`.
//   S2. A key that is none (NaN, null, …) throws KEY_INVALID before anything of its run reaches a table.

import { UserError } from "../../base/errors.ts";
import { KeyBatch } from "../../state/keys/key-batch.ts";
import type { BatchReader, ColumnView } from "../../types/bytes/codec.ts";
import { type KeyCodec, keyCodec } from "../../types/keys/key-bytes.ts";
import { compileKeyHash, hashAscii, KEY_DOUBTFUL } from "../../types/keys/key-hash.ts";
import { isNumberKey, keyFits, keyInvalidError, keyProblem } from "../../types/keys/key-spec.ts";
import { fieldCode } from "../../types/spec/field-path.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { recordField, type ValueCode, valueCode } from "../expressions/expr-code.ts";
import { exprFields, exprText } from "../expressions/expr-spec.ts";
import { FieldProbe, takenFields } from "../expressions/field-presence.ts";
import type { FieldTypes } from "../expressions/field-types.ts";
import { mayMiss } from "../expressions/field-types.ts";
import type { RecordBatch } from "../operator.ts";
import type { AggregateInput, AggregateLayout } from "./aggregate-layout.ts";

/** How the key of a record is found. */
export type KeyAccess = {
  /** Name of the field that is the key; null: `of` computes it. */
  readonly field: string | null;
  readonly of: ((record: unknown) => unknown) | null;
  readonly type: TypeSpec;
  /** Fields of a key of several, which are columns of result rows. */
  readonly parts?: readonly string[] | undefined;
  /** Throws for what is no key. Only where nobody has looked at the key before, as an exchange does. */
  readonly doubtful?: (key: unknown, record: unknown) => void;
};

export type StageOptions = {
  /** Uid of the operator, and what tells this subtask's generated code apart. */
  readonly operator: string;
  readonly label: string;
  /** Null: keys are staged by someone else. */
  readonly key: KeyAccess | null;
  readonly layout: AggregateLayout;
  readonly fields: FieldTypes;
  readonly capacity: number;
};

/** Stages one record at position `at`. */
export type StageRecord = (at: number, record: unknown, timeMs: number) => void;
type StageRows = (
  records: readonly unknown[],
  times: Float64Array | null,
  from: number,
  at: number,
  count: number,
) => void;
type StageColumns = (
  reader: BatchReader,
  columns: readonly ColumnView[],
  from: number,
  at: number,
  count: number,
) => void;

export class AggregateStage {
  readonly keys: KeyBatch;
  readonly times: Float64Array;
  /** By input; null for inputs of the other form. */
  readonly numbers: readonly (Float64Array | null)[];
  readonly values: readonly (unknown[] | null)[];
  /** By input: 1 where it is missing; null when it never is. */
  readonly missing: readonly (Uint8Array | null)[];
  /** The records themselves, when an aggregate needs them. */
  readonly records: unknown[] | null;
  readonly capacity: number;
  readonly stageRecord: StageRecord;
  readonly #options: StageOptions;
  readonly #scope: Readonly<Record<string, unknown>>;
  readonly #stageRows: StageRows;
  /** By the kinds of the columns. */
  readonly #stageColumns = new Map<string, StageColumns>();
  readonly #paths: readonly string[];
  readonly #probe: FieldProbe | null;
  #rows: unknown[] = [];

  constructor(options: StageOptions) {
    const { layout, capacity, key } = options;
    this.#options = options;
    this.capacity = capacity;
    this.keys = new KeyBatch(capacity);
    this.times = new Float64Array(capacity);
    this.numbers = layout.inputs.map((input) => (input.form === "number" ? new Float64Array(capacity) : null));
    this.values = layout.inputs.map((input) => (input.form === "value" ? [] : null));
    this.missing = layout.inputs.map((input) => (input.mayMiss ? new Uint8Array(capacity) : null));
    this.records = layout.heaps.some((heap) => heap.input === -1) ? [] : null;
    const paths = new Set(layout.inputs.flatMap((input) => exprFields(input.spec)));
    if (key !== null && key.field !== null) paths.add(key.field);
    this.#paths = [...paths];
    this.#probe = fieldProbe(options);
    this.#scope = { ...stageScope(this, options), probe: this.#probe };
    const rows = this.#compile("rows", rowsCode(options, { records: this.records, probe: this.#probe }));
    this.stageRecord = (rows as { stageRecord: StageRecord }).stageRecord;
    this.#stageRows = (rows as { stageRows: StageRows }).stageRows;
  }

  /** Stages records `from` to `from + count` of a batch at position `at`. Number keys still need `keys.hashNumbers`. */
  stage(batch: RecordBatch, from: number, at: number, count: number): void {
    if (batch.rows !== null) this.#stageRows(batch.rows, batch.timestamps, from, at, count);
    else if (batch.reader !== null) this.#stageReader(batch.reader, from, at, count);
  }

  /** Forgets values and records. */
  clear(): void {
    for (const column of this.values) if (column !== null) column.length = 0;
    if (this.records !== null) this.records.length = 0;
  }

  #stageReader(reader: BatchReader, from: number, at: number, count: number): void {
    const columns = this.records === null && this.#options.key?.of == null ? this.#columns(reader) : null;
    if (columns !== null) {
      if (this.#probe !== null) this.#probe.unseen = false; // A record without the field has no column for it.
      this.#columnsStager(columns)(reader, columns, from, at, count);
      return;
    }
    const rows = this.#rows;
    for (let i = 0; i < count; i += 1) {
      rows[i] = reader.record(from + i);
      this.times[at + i] = reader.timestamp(from + i);
    }
    this.#stageRows(rows, this.times.subarray(at, at + count), 0, at, count);
    this.#rows = [];
  }

  /** Null when a field has no column. */
  #columns(reader: BatchReader): ColumnView[] | null {
    const columns: ColumnView[] = [];
    for (const path of this.#paths) {
      const column = reader.column(path);
      if (column === null) return null;
      columns.push(column);
    }
    return columns;
  }

  #columnsStager(columns: readonly ColumnView[]): StageColumns {
    const kinds = columns.map((column) => `${column.kind}${column.nulls === null ? "" : "?"}`).join(",");
    const known = this.#stageColumns.get(kinds);
    if (known !== undefined) return known;
    const stager = this.#compile(`columns ${kinds}`, columnsCode(this.#options, this.#paths, columns)) as StageColumns;
    this.#stageColumns.set(kinds, stager);
    return stager;
  }

  #compile(title: string, text: string): unknown {
    const label = `stage ${this.#options.label} ${title}`;
    const source = `"use strict"; // ${JSON.stringify(label)}\n${text}\n//# sourceURL=millrace-${encodeURIComponent(label)}.js`;
    return new Function(...Object.keys(this.#scope), source)(...Object.values(this.#scope));
  }
}

/** Null when all fields are declared. */
function fieldProbe({ operator, layout, fields }: StageOptions): FieldProbe | null {
  const taken = new Set(layout.inputs.flatMap(({ spec }) => takenFields(spec)));
  const paths = [...taken].filter((path) => fields(path) === null);
  return paths.length === 0 ? null : new FieldProbe(operator, paths);
}

/** What generated code sees, by name. */
function stageScope(stage: AggregateStage, options: StageOptions): Readonly<Record<string, unknown>> {
  const { key, operator, label, layout } = options;
  const type: TypeSpec = key?.type ?? { kind: "any" };
  const scope: Record<string, unknown> = {
    keys: stage.keys,
    keyNumbers: stage.keys.numbers,
    hashes: stage.keys.hashes,
    stageTimes: stage.times,
    stageRecords: stage.records,
    keyOf: key?.of,
    keyType: type,
    keyFits,
    codec: keyCodec(type) satisfies KeyCodec,
    hashKey: isNumberKey(type) ? null : compileKeyHash(type, `${label} stage`),
    hashAscii,
    DOUBTFUL: KEY_DOUBTFUL,
    checkKey(value: unknown, record: unknown): void {
      key?.doubtful?.(value, record);
      const problem = keyProblem(type, value);
      if (problem !== null) throw keyInvalidError(problem, { operator });
    },
    notNumber: (input: number, value: unknown) => notNumber(operator, layout.inputs[input], value),
  };
  layout.inputs.forEach((_, input) => {
    scope[`column${input}`] = stage.numbers[input] ?? stage.values[input];
    scope[`missing${input}`] = stage.missing[input];
  });
  return scope;
}

function notNumber(operator: string, input: AggregateInput | undefined, value: unknown): never {
  const text = input === undefined ? "an input" : exprText(input.spec);
  const shown = JSON.stringify(String(value)).slice(0, 100);
  throw new UserError(
    "AGGREGATE_INPUT",
    `${text} in operator ${operator} is ${shown}, a ${typeof value}: a number is needed`,
    {
      operator,
      fix: "give the field a number type where the records are made, or convert it in a map",
    },
  );
}

// ---------------------------------------------------------------- generated text

function rowsCode(options: StageOptions, { records, probe }: { records: unknown; probe: unknown }): string {
  const field = recordField("record", (path) => mayMiss(options.fields(path)));
  return `function stageRecord(i, record, time) {
  stageTimes[i] = time;
  ${records === null ? "" : "stageRecords[i] = record;"}
  ${probe === null ? "" : "if (probe.unseen) probe.see(record);"}
  ${rowKeyCode(options.key)}
  ${inputsCode(options.layout.inputs, field)}
}
function stageRows(records, times, from, at, count) {
  for (let n = 0; n < count; n += 1) stageRecord(at + n, records[from + n], times === null ? NaN : times[from + n]);
}
return { stageRecord, stageRows };`;
}

function rowKeyCode(key: KeyAccess | null): string {
  if (key === null) return "";
  const value = key.field === null ? "keyOf(record)" : fieldCode("record", key.field, "?.");
  return valueKeyCode(key, value, "record");
}

function valueKeyCode(key: KeyAccess, value: string, record: string): string {
  const check = `checkKey(key, ${record});`;
  if (isNumberKey(key.type)) {
    const misfit = key.type.kind === "f64" ? 'typeof key !== "number" || key !== key' : "!keyFits(keyType, key)";
    return `const key = ${value}; if (${misfit}) ${check} keyNumbers[i] = key;`;
  }
  return `const key = ${value}, hash = hashKey(key); if (hash === DOUBTFUL) ${check}
    hashes[i] = hash; keys.stage(i, key, codec);`;
}

function inputsCode(inputs: readonly AggregateInput[], field: (path: string) => ValueCode): string {
  return inputs
    .map(({ spec, form, mayMiss: isOptional, unchecked }, n) => {
      const { value, missing } = valueCode(spec, field);
      const check = unchecked ? `if (typeof x !== "number") notNumber(${n}, x);` : "";
      const put = `{ const x = ${value}; ${check} column${n}[i] = x; }`;
      if (missing === null) return isOptional ? `missing${n}[i] = 0; ${put}` : put;
      const none = form === "number" ? "0" : "null";
      return `if (${missing}) { missing${n}[i] = 1; column${n}[i] = ${none}; } else { missing${n}[i] = 0; ${put} }`;
    })
    .join("\n    ");
}

function columnsCode(options: StageOptions, paths: readonly string[], columns: readonly ColumnView[]): string {
  const { key, layout, fields } = options;
  const prelude = columns.map(columnPrelude).join("\n  ");
  const field = (path: string) => {
    const c = paths.indexOf(path);
    return columnValue(columns[c]!, c, fields(path));
  };
  return `return function stageColumns(reader, columns, from, at, count) {
  ${prelude}
  for (let i = at, j = from, end = at + count; i < end; i += 1, j += 1) {
    stageTimes[i] = reader.timestamp(j);
    ${key === null || key.field === null ? "" : columnKeyCode(key, columns[paths.indexOf(key.field)]!, paths.indexOf(key.field))}
    ${inputsCode(layout.inputs, field)}
  }
};`;
}

function columnPrelude(column: ColumnView, c: number): string {
  const nulls =
    column.nulls === null
      ? ""
      : `const nulls${c} = columns[${c}].nulls.bytes, nullBase${c} = columns[${c}].nulls.base;`;
  switch (column.kind) {
    case "f64":
      return `const array${c} = columns[${c}].f64, base${c} = columns[${c}].base; ${nulls}`;
    case "i32":
      return `const array${c} = columns[${c}].i32, base${c} = columns[${c}].base; ${nulls}`;
    case "bool":
      return `const array${c} = columns[${c}].bytes, base${c} = columns[${c}].base; ${nulls}`;
    case "text":
      return `const text${c} = columns[${c}].text, bytes${c} = text${c}.bytes, isAscii${c} = text${c}.ascii; ${nulls}`;
  }
}

function columnValue(column: ColumnView, c: number, type: TypeSpec | null): ValueCode {
  const element = column.kind === "text" ? `text${c}.string(j)` : `array${c}[base${c} + j]`;
  const isDate = type?.kind === "date" || (type?.kind === "nullable" && type.inner.kind === "date");
  const value = column.kind === "bool" ? `${element} === 1` : isDate ? `new Date(${element})` : element;
  return { value: `(${value})`, missing: column.nulls === null ? null : `nulls${c}[nullBase${c} + j] !== 0` };
}

function columnKeyCode(key: KeyAccess, column: ColumnView, c: number): string {
  const noKey = column.nulls === null ? "" : `if (nulls${c}[nullBase${c} + j] !== 0) checkKey(null);`;
  const value = columnValue(column, c, key.type).value;
  if (column.kind !== "text") return `${noKey} ${valueKeyCode(key, value, "null")}`;
  return `${noKey} if (isAscii${c}) {
      const start = text${c}.start(j), stop = text${c}.end(j);
      hashes[i] = hashAscii(bytes${c}, start, stop); keys.stageAscii(i, bytes${c}, start, stop);
    } else { ${valueKeyCode(key, value, "null")} }`;
}
