// The testing kit: `millrace/testing`.

export { type Harness, type HarnessOptions, harness, type RecordOptions } from "./harness.ts";
export { type TestJob, type TestJobOptions, type TestSink, type TestSource, testJob } from "./test-job.ts";
