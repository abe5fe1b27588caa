// `millrace/client`: jobs from code.

export { EngineError, ExternalError, InternalError, UserError } from "../base/errors.ts";
export type { Savepoint } from "../checkpoint/savepoint.ts";
export type { ConfigValues } from "../config/configuration.ts";
export type { JobCounts, JobMetrics, MetricValues, TaskMetricValues } from "../protocol/job-messages.ts";
export type { ExceptionEntry, ExceptionHistory, JobSummary, StopOptions, StoppedSummary } from "./job-handle.ts";
export { type RunningJob, type StartOptions, start } from "./start-node.ts";
