// The testing kit: `millrace/testing`.

export { type TestJob, type TestJobOptions, type TestSink, type TestSource, testJob } from "./test-job.ts";
