// The public API.

export { type Job, type JobEnv, job } from "./api/job.ts";
export type { Context, Timer } from "./api/process-types.ts";
export type { SinkHandle } from "./api/sink-handle.ts";
export type { Connected, Keyed, Split, Stream, Windowed } from "./api/stream.ts";
export type { EventTimeOptions, FailedRecord } from "./api/stream-types.ts";
export type { Duration } from "./base/duration.ts";
export { EngineError, ExternalError, InternalError, type SourceLocation, UserError } from "./base/errors.ts";
export { type ConfigValues, defineConfig } from "./config/configuration.ts";
export { blackhole } from "./connectors/blackhole/blackhole.ts";
export { collection } from "./connectors/collection/collection.ts";
export { datagen, generate } from "./connectors/datagen/datagen.ts";
export { type Field, gen } from "./connectors/datagen/fields.ts";
export { type CsvOptions, csv } from "./connectors/files/csv.ts";
export type { FileOptions, Files } from "./connectors/files/file-connector.ts";
export { jsonl } from "./connectors/files/jsonl.ts";
export { print } from "./connectors/print/print.ts";
export {
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
export { col, lit } from "./operators/expressions/expr.ts";
export { state } from "./operators/process/state-declaration.ts";
export type { Counter, Gauge, Histogram, Meter, UserMetrics } from "./operators/process/user-metrics.ts";
export type { Sink } from "./operators/sink.ts";
export type { InvalidRow, Source } from "./operators/source.ts";
export { session, sliding, tumbling } from "./operators/windows/window-spec.ts";
export type { Infer } from "./types/standard-schema.ts";
export { t } from "./types/t.ts";
