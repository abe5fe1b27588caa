// What tests pass to `testJob` and `harness`, checked: an assertion about a misspelt name would hold for ever.

import { callSite } from "../api/checks/call-site.ts";
import { isJob } from "../api/job.ts";
import { UserError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { meterName } from "../metrics/metric-rates.ts";
import type { MetricEntry } from "../metrics/metric-store.ts";
import type { InvalidRow } from "../operators/source.ts";
import { checkValue, type OptionKind, TEXTS } from "../types/check-options.ts";
import type { RecordGuard } from "../types/record-guard.ts";
import { describe } from "../types/spec/describe.ts";
import type { TypeSpec } from "../types/spec/type-spec.ts";
import { codecError } from "../types/values/codec-error.ts";
import { specMismatch } from "../types/values/spec-mismatch.ts";

/** A number or a Date. */
export const TIME: OptionKind = {
  takes: "epoch milliseconds or a Date",
  accepts: (value) => Number.isFinite(value instanceof Date ? value.getTime() : value),
};

/** In milliseconds; Infinity is the end of time. */
export function timeMsOf(what: string, at: unknown): number {
  const timeMs = at instanceof Date ? at.getTime() : at;
  if (typeof timeMs === "number" && !Number.isNaN(timeMs)) return timeMs;
  checkValue({ what, value: at, kind: { ...TIME, accepts: () => false } });
  return Number.NaN;
}

const BAD_ROW: OptionKind = {
  takes: 'what side.invalid would get: { raw, issues: ["…"] }, with file and line if they matter',
  accepts: (value) => {
    const { raw, issues, file, line } = Object(value) as Partial<InvalidRow>;
    const isPlace = ["string", "undefined"].includes(typeof file) && ["number", "undefined"].includes(typeof line);
    return raw !== undefined && TEXTS.accepts(issues) && isPlace;
  },
};

export function checkBadRow(row: unknown): void {
  checkValue({ what: "the row given to invalid", value: row, kind: BAD_ROW });
}

/** Refuses at the line of the test, and not where the record is read. `what`: after "the". */
export function checkRecord(fits: RecordGuard | null, type: TypeSpec | null, record: unknown, what: string): void {
  if (fits === null || type === null || fits(record, true)) return;
  const mismatch = specMismatch(type, record) ?? { path: "", expected: "", actual: "", unsupported: false };
  const location = callSite();
  throw codecError(mismatch, what, {
    fix: "give what the declared type says; for a row that cannot be read a source has invalid(row)",
    ...(location && { location }),
  });
}

export function inputEnded(of: string): UserError {
  return new UserError("TEST_SOURCE_ENDED", `${of} has ended, nothing can follow`, { fix: "push before end()" });
}

export function checkJob(of: "testJob" | "harness", given: unknown): void {
  if (isJob(given)) return;
  throw new UserError("JOB_EXPECTED", `${of} takes a job, not ${describe(given)}`, {
    fix: 'give what job(…) returned, for example the default export of its file: import orders from "./job.ts"',
  });
}

export function uidUnknown(what: string, uid: string, known: Iterable<string>): UserError {
  const names = [...known];
  const meant = nearest(String(uid), names);
  const location = callSite();
  return new UserError("TEST_UID_UNKNOWN", `the job has no ${what} ${JSON.stringify(uid)}`, {
    fix: `${meant === null ? "" : `did you mean ${JSON.stringify(meant)}? `}it has: ${names.join(", ") || "none"}`,
    ...(location && { location }),
  });
}

/** Metrics of operators (docs/metrics.md): some are defined when they are first counted. */
const OF_OPERATORS = [
  "numRecordsIn",
  "numRecordsOut",
  "numRecordsInErrors",
  "numTimersDropped",
  "numLateRecordsDropped",
  "numBytesIn",
  "numBytesOut",
  "currentInputWatermark",
  "currentOutputWatermark",
];

type KnownMetrics = {
  readonly entries: readonly MetricEntry[];
  readonly operators: readonly { readonly kind: string; readonly sides: readonly { readonly name: string }[] }[];
};

/**
 * Refuses the name of a metric that does not exist. Process functions make metrics of their own, perhaps later: a name
 * that is more than two edits away from all of the engine's may be one of those.
 */
export function checkMetricName(name: string, { entries, operators }: KnownMetrics): void {
  const sides = operators.flatMap((operator) => operator.sides.map((side) => `numRecordsOut.${side.name}`));
  const counters = [...OF_OPERATORS, ...sides];
  for (const entry of entries) if (entry.operator === null) counters.push(entry.name);
  const ofEngine = new Set([...counters, ...counters.flatMap((counter) => meterName(counter) ?? [])]);
  const ofUsers = entries.flatMap((entry) => (entry.operator === null ? [] : [entry.name]));
  if (ofEngine.has(name) || ofUsers.includes(name)) return;
  const mayCome = operators.some(({ kind }) => kind === "process");
  if (mayCome && nearest(String(name), ofEngine, 2) === null) return;
  const meant = nearest(String(name), [...ofEngine, ...ofUsers]);
  throw new UserError("TEST_METRIC_UNKNOWN", `no operator has a metric ${JSON.stringify(name)}`, {
    fix: meant === null ? `the engine's are: ${OF_OPERATORS.join(", ")}` : `did you mean ${meant}?`,
  });
}
