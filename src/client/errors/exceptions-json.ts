// A job's exception history in the form that Flink's REST interface has for it (`/jobs/:jobid/exceptions`), with what
// we know beyond that beside it.

import { errorFromData } from "../../protocol/error-data.ts";
import type { JobException, JobExceptions } from "../../protocol/job-messages.ts";
import type { ErrorReport } from "./error-report.ts";

/** Of an error, with places in the user's files. */
export type ReportOf = (error: ReturnType<typeof errorFromData>) => ErrorReport;

export function exceptionsJson({ entries, truncated }: JobExceptions, reportOf: ReportOf): object {
  return { exceptionHistory: { entries: entries.map((entry) => entryJson(entry, reportOf)), truncated } };
}

function entryJson(entry: JobException, reportOf: ReportOf): object {
  const { error, tasks, slot, count, attempt, firstAtMs, lastAtMs, fingerprint } = entry;
  const report = reportOf(errorFromData(error));
  return {
    exceptionName: report.code,
    stacktrace: traceText(report),
    timestamp: lastAtMs,
    failureLabels: {},
    taskName: tasks[0]?.name ?? null,
    endpoint: slot === null ? null : `slot ${slot}`,
    taskManagerId: slot === null ? null : "taskmanager",
    concurrentExceptions: [],
    ...{ count, attempt, firstTimestamp: firstAtMs, fingerprint, tasks },
    ...{ message: report.message, operator: report.operator, location: report.location, fix: report.fix },
  };
}

/** Message, places innermost first, causes. */
function traceText({ code, message, location, calledFrom, why, stack }: ErrorReport): string {
  const places = [...(location === null ? [] : [location]), ...calledFrom];
  const lines = [
    `${code}: ${message}`,
    ...places.map(({ file, line, column }) => `    at ${file}:${line}:${column}`),
    ...why.map((text) => `Caused by: ${text}`),
  ];
  return stack === null ? lines.join("\n") : `${lines.join("\n")}\n${stack}`;
}
