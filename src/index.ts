// The public API: what users call, and the types that what they call is inferred to have, so that a library of theirs
// can be compiled with `declaration: true`.

export { type Job, type JobEnv, type JobOptions, job } from "./api/job.ts";
export type { ConnectedProcess, Context, KeyedProcess, SideSchemas, SideValues, Timer } from "./api/process-types.ts";
export type { SinkHandle } from "./api/sink-handle.ts";
export type {
  Connected,
  InOrder,
  InOrderConnected,
  Keyed,
  NoSideOutputs,
  Split,
  Stream,
  Windowed,
} from "./api/stream.ts";
export type { EventTimeOptions, FailedRecord } from "./api/stream-types.ts";
export type { Disk, FileHandle, FileStat } from "./base/disk.ts";
export type { Duration } from "./base/duration.ts";
export type { Clock, Env, Timers } from "./base/env.ts";
export { EngineError, ExternalError, InternalError, type SourceLocation, UserError } from "./base/errors.ts";
export { type ConfigValues, defineConfig } from "./config/configuration.ts";
export { blackhole } from "./connectors/blackhole/blackhole.ts";
export { collection } from "./connectors/collection/collection.ts";
export { datagen, generate } from "./connectors/datagen/datagen.ts";
export { type Field, gen } from "./connectors/datagen/fields.ts";
export type { IndexedOptions } from "./connectors/datagen/indexed-source.ts";
export { type CsvOptions, csv } from "./connectors/files/csv/csv.ts";
export type { FileOptions, Files } from "./connectors/files/file-connector.ts";
export { type JsonlOptions, jsonl } from "./connectors/files/json/jsonl.ts";
export { stdin, stdout } from "./connectors/files/standard-streams.ts";
export { type PrintOptions, print } from "./connectors/print/print.ts";
export type { RowOp } from "./connectors/rows/op-field.ts";
export { rows } from "./connectors/rows/rows.ts";
export {
  type Aggregate,
  type AggregateResults,
  type Aggregates,
  aggregate,
  collect,
  count,
  distinctCount,
  first,
  last,
  max,
  maxBy,
  mean,
  min,
  minBy,
  quantile,
  stddev,
  sum,
  variance,
  weightedMean,
} from "./operators/aggregates/aggregate.ts";
export type { Changelog, SinkTakes } from "./operators/changelog.ts";
export {
  type BooleanExpr,
  type Column,
  col,
  type Expr,
  lit,
  type NumberExpr,
  type Orderable,
  type TextExpr,
} from "./operators/expressions/expr.ts";
export type { OperatorMetrics } from "./operators/operator.ts";
export {
  type StateDeclaration,
  type StateDeclarations,
  type StateHandles,
  state,
} from "./operators/process/state-declaration.ts";
export type { Counter, Gauge, Histogram, Meter, UserMetrics } from "./operators/process/user-metrics.ts";
export type {
  Committable,
  Sink,
  SinkCommitter,
  SinkCommitterContext,
  SinkWriter,
  SinkWriterContext,
} from "./operators/sink.ts";
export type {
  EnumeratorContext,
  IndexedSource,
  InvalidPolicy,
  InvalidRow,
  Json,
  PollResult,
  Source,
  SourceOutput,
  SourceReader,
  SourceReaderContext,
  SourceSplit,
  SplitEnumerator,
} from "./operators/source.ts";
export {
  type PaneWindowSpec,
  type SessionWindowSpec,
  session,
  sliding,
  tumbling,
  type WindowBounds,
  type WindowSpec,
} from "./operators/windows/time/window-spec.ts";
export type {
  AggregateFunction,
  AggregatingState,
  ListState,
  MapState,
  ReducingState,
  TimerService,
  ValueState,
} from "./state/contract/keyed-state.ts";
export { ROW_KIND, type RowKind } from "./types/bytes/row-kind.ts";
export type { Infer, StandardSchema } from "./types/spec/standard-schema.ts";
export type { TypedArrayName, TypeSpec } from "./types/spec/type-spec.ts";
export { type OptionalType, type Type, t } from "./types/t.ts";
