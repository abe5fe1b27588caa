// What CSV and JSON Lines have in common: one object that is a source in `env.from(…)` and a sink in `.to(…)`.

import { STDIN_PATH } from "../../base/disk.ts";
import { type Duration, durationMs } from "../../base/duration.ts";
import { memorySizeParse } from "../../base/memory-size.ts";
import type { Sink } from "../../operators/sink.ts";
import type { InvalidPolicy, Json, Source } from "../../operators/source.ts";
import { checkOptions, FLAG, type OptionKind, oneOf } from "../../types/check-options.ts";
import { describe } from "../../types/spec/describe.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { withOp } from "../rows/op-field.ts";
import type { FileCoding } from "./bytes/byte-stream.ts";
import { encodingOf } from "./bytes/transcode.ts";
import { optionInvalid } from "./format/csv-dialect.ts";
import type { RecordFormat } from "./format/record-format.ts";
import type { RowEncoder } from "./format/row-encoder.ts";
import { typedEncoder } from "./format/typed-encoder.ts";
import { fileSink } from "./sink/file-sink.ts";
import type { RollLimits } from "./sink/file-writer.ts";
import { FileReader } from "./source/file-reader.ts";
import { FileSplits } from "./source/file-splits.ts";
import { checkSourceOptions } from "./source/source-options.ts";

/** Bytes, or text such as "16mb". */
export type Size = number | string;

export type FileOptions = {
  /**
   * Source: what becomes of rows that cannot be read. "fail" ends the job, "skip" counts them, "side" sends them to
   * `side.invalid`.
   */
  readonly invalid?: InvalidPolicy;
  /** Source: files are cut into pieces of this size for the subtasks; "16mb" by default. */
  readonly splitSize?: Size;
  /**
   * Source: the files follow one another in event time, as daily logs do. They are read in the order of their names,
   * and windows are given while later files wait. A record older than `outOfOrder` allows, seen from the files before,
   * is late. Default: false; each file goes through time by itself, and no window is given before all have been begun.
   */
  readonly inTimeOrder?: boolean;
  /** Source: longer records are invalid; "16mb" by default. Bounds the memory of a reader. */
  readonly recordSizeMax?: Size;
  /** Source: bytes per read; "256kb" by default. */
  readonly readSize?: Size;
  /** Source: "auto" (the default) takes files whose names end with .gz or .zst as compressed. */
  readonly compression?: "auto" | "gzip" | "zstd" | "none";
  /**
   * Source: how text is encoded, by a name that `TextDecoder` knows, such as "latin1", "windows-1252" or "utf-16";
   * "utf-8" by default. Files in other encodings are not cut into pieces.
   */
  readonly encoding?: string;
  /**
   * Sink: what to do with part files that are there already. By default those that an earlier run of the same sink
   * wrote are replaced when this run commits (a run without an end adds to them), and a directory with others is
   * refused. "append" keeps all, "replace" replaces all.
   */
  readonly mode?: "append" | "replace";
  /**
   * Sink: rows of every kind, with the field "op" before their own: "+I" for an insert, "-U" and "+U" for the row
   * before an update and after it, "-D" for a delete. Default: false; updates are rows like any others, and a stream
   * with deletes is refused.
   */
  readonly op?: boolean;
  /** Sink: when a part file is complete. Not for a single file. */
  readonly roll?: Roll;
};

/** A part is complete when any of these has come; with checkpoints it lives on across them until then. */
export type Roll = {
  /** "128mb" by default. */
  readonly size?: Size;
  /** Default: any number. */
  readonly rows?: number;
  /**
   * Its age, looked at with each row and each checkpoint. Default: "1m" at the checkpoints of a job without an end,
   * whose rows are to be seen; no age where rows are seen at the end of the job.
   */
  readonly every?: Duration;
  /** Parts end with each checkpoint: the rows of a job without an end are seen sooner, in more and smaller files. */
  readonly everyCheckpoint?: boolean;
};

/** Files as a source of records `T`, and as a sink of any records. */
export interface Files<T> extends Source<T>, Sink<unknown> {}

export type FileKind = {
  /** Also the extension of the files that the sink writes. */
  readonly kind: "csv" | "jsonl";
  readonly type: TypeSpec | null;
  /** `id` tells generated functions of one format from those of another. */
  readonly format: (id: string) => RecordFormat<unknown>;
  readonly encoder: () => RowEncoder;
};

const FILE_OPTIONS: Readonly<Record<keyof FileOptions | "type", OptionKind | true>> = {
  type: true,
  invalid: oneOf("fail", "skip", "side"),
  splitSize: true,
  inTimeOrder: FLAG,
  recordSizeMax: true,
  readSize: true,
  compression: oneOf("auto", "gzip", "zstd", "none"),
  encoding: true,
  mode: oneOf("append", "replace"),
  op: FLAG,
  roll: true,
};

const SINK_ONLY = ["mode", "roll", "op"];
/** Of all formats. How a file is written (its delimiter, its quotes) sources and sinks may share. */
const SOURCE_ONLY = [
  "invalid",
  "splitSize",
  "inTimeOrder",
  "recordSizeMax",
  "readSize",
  "compression",
  "encoding",
  "skipLines",
  "array",
  "ragged",
];
/** They concern values of types. */
const TYPED_ONLY = ["decimal", "nulls"];
const SPLIT_BYTES = 16 * 1024 ** 2;

function given(options: object, names: readonly string[]): readonly string[] {
  return names.filter((name) => (options as Record<string, unknown>)[name] !== undefined);
}

export function fileConnector<T>(
  paths: string | readonly string[],
  options: FileOptions,
  { kind, type, format, encoder }: FileKind,
): Files<T> {
  const list = checkedPaths(kind, paths);
  const splitBytes = sizeOption("splitSize", options.splitSize ?? SPLIT_BYTES);
  const recordBytesMax = sizeOption("recordSizeMax", options.recordSizeMax ?? "16mb");
  const chunkBytes = sizeOption("readSize", options.readSize ?? "256kb");
  const codingOf = codings(options.compression ?? "auto", options.encoding ?? "utf-8");
  const reading = { chunkBytes, recordBytesMax, codingOf, invalid: options.invalid ?? "fail" };
  const sink = fileSink({
    paths: list,
    extension: kind,
    encoder: type === null ? encoder : () => typedEncoder(encoder(), type, kind),
    mode: options.mode ?? null,
    roll: options.roll === undefined ? null : rollLimits(options.roll),
    sourceOnly: given(options, SOURCE_ONLY),
  });
  return {
    kind,
    type,
    bounded: true,
    live: list.includes(STDIN_PATH),
    streams: options.inTimeOrder === true ? "one" : "several",
    invalid: reading.invalid,
    fits: true,
    describe: () => describeOptions(list, options),
    createEnumerator: (context) => {
      checkSourceOptions({
        paths: list,
        sinkOnly: given(options, SINK_ONLY),
        typedOnly: given(options, TYPED_ONLY),
        isTyped: type !== null,
        isSplit: splitBytes !== SPLIT_BYTES,
        inTimeOrder: options.inTimeOrder === true,
        isCompressed: options.compression === "gzip" || options.compression === "zstd",
        isTranscoded: codingOf("").encoding !== null,
      });
      const { inTimeOrder = false } = options;
      const splits = { ...reading, paths: list, splitBytes, inTimeOrder, format: format(`${context.uid}_splits`) };
      return new FileSplits(context, splits);
    },
    createReader: (context) => {
      const id = `${context.uid}_${context.subtaskIndex}`;
      return new FileReader<T>(context, { ...reading, format: format(id) as RecordFormat<T> });
    },
    ...(options.op === true ? withOp(sink) : sink),
  };
}

/** `more`: options that only this format has. */
export function checkFileOptions(
  kind: string,
  given: unknown,
  more: Readonly<Record<string, OptionKind | true>> = {},
): void {
  checkOptions({ of: kind, given, takes: { ...FILE_OPTIONS, ...more }, code: "CONNECTOR_OPTION_INVALID" });
}

function checkedPaths(kind: string, paths: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(paths) ? paths : [paths];
  const wrong = list.findIndex((path) => typeof path !== "string" || path === "");
  if (wrong === -1 && list.length > 0) return list as readonly string[];
  const given = list.length === 0 ? "an empty array" : describe(list[wrong]);
  const fix = "name a file or directory; if it comes from the environment or from params, see that it is set there";
  throw optionInvalid(`the path of ${kind} is ${given}`, fix);
}

function sizeOption(name: string, size: Size): number {
  const bytes = typeof size === "string" ? memorySizeParse(size) : size;
  if (bytes !== null && Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw optionInvalid(`${name}: ${JSON.stringify(size)}`, 'give a number of bytes, or a size such as "16mb"');
}

function rollLimits(roll: Roll): RollLimits {
  const takes = { size: true, rows: true, every: true, everyCheckpoint: FLAG } as const;
  checkOptions({ of: "roll", given: roll, takes, code: "CONNECTOR_OPTION_INVALID" });
  const rows = roll.rows ?? Number.POSITIVE_INFINITY;
  if (!(rows >= 1)) throw optionInvalid(`roll.rows: ${rows}`, "give a number of rows, at least 1");
  const ms = roll.every === undefined ? Number.POSITIVE_INFINITY : durationMs(roll.every, "the option every of roll");
  const checkpointMs = roll.everyCheckpoint === true ? 0 : ms;
  return { bytes: sizeOption("roll.size", roll.size ?? "128mb"), rows, ms, checkpointMs };
}

function codings(compression: "auto" | "gzip" | "zstd" | "none", label: string): (file: string) => FileCoding {
  const encoding = encodingOf(label);
  if (encoding === undefined) {
    throw optionInvalid(
      `encoding: ${JSON.stringify(label)}`,
      'give a name that TextDecoder knows: "utf-8", "latin1", "windows-1252", "utf-16", …',
    );
  }
  if (compression !== "auto") return () => ({ compression: compression === "none" ? null : compression, encoding });
  return (file) => {
    const ending = /\.(?:(gz(?:ip)?)|zstd?)$/i.exec(file);
    return { compression: ending === null ? null : ending[1] === undefined ? "zstd" : "gzip", encoding };
  };
}

/** Without the type, which is part of the plan by itself. */
function describeOptions(paths: readonly string[], options: FileOptions): Json {
  const plain: Record<string, Json> = { paths };
  for (const [name, value] of Object.entries(options))
    if (name !== "type" && value !== undefined) plain[name] = value as Json;
  return plain;
}
