// Failures of user functions, told with the operator, the record and the user's own error as the cause.

import { inspect, types } from "node:util";
import { userFrame } from "../../api/checks/call-site.ts";
import { durationText } from "../../base/duration.ts";
import { EngineError, ExternalError, firstThrown, gatheredIn, UserError, withOperator } from "../../base/errors.ts";
import { memorySizeText } from "../../base/memory-size.ts";
import { OPTIONS } from "../../config/options.ts";
import type { JobVertex } from "../../graph/job-graph.ts";
import { obeysOnError, type PlanOperator } from "../../graph/plan.ts";
import type { ProcessTimer } from "../../operators/process/process-operator.ts";

const RECORD_TEXT_MAX = 500;
const GATHERED_MAX = 3;

/** A record as people can read it, bounded. */
export function recordText(record: unknown): string {
  const text = inspect(record, { depth: 3, breakLength: Infinity, maxArrayLength: 10, maxStringLength: 200 });
  return text.length > RECORD_TEXT_MAX ? `${text.slice(0, RECORD_TEXT_MAX)}…` : text;
}

/** The error to report for an exception in `operator` at `record`. Errors of the engine pass through. */
export function userFailure(operator: PlanOperator, error: unknown, record: unknown): EngineError {
  return failure(error, {
    operator: operator.uid,
    who: `${operator.kind} "${operator.name}"`,
    doing: onRecord(record),
    fix: obeysOnError(operator) ? policyFix("records") : "mend the function",
  });
}

/** As `userFailure`, for an exception in `onTimer`. */
export function timerFailure(operator: PlanOperator, error: unknown, timer: ProcessTimer): EngineError {
  return failure(error, {
    operator: operator.uid,
    who: `onTimer of ${operator.kind} "${operator.name}"`,
    doing: `on the timer ${JSON.stringify(timer.name)} of the key ${recordText(timer.key)} at ${timer.at}`,
    fix: policyFix("timers"),
  });
}

/** As `userFailure`, for a function that belongs to no operator of its own: of keyBy, partitionBy, an aggregate. */
export function functionFailure(error: unknown, at: { operator: string; who: string; doing: string }): EngineError {
  return failure(error, { ...at, fix: "mend the function, or filter such records out before it" });
}

/** For a function of keyBy: `operator` is the one that takes the keyed records. */
export function keyFailure(operator: string, error: unknown, record: unknown): EngineError {
  return functionFailure(error, { operator, who: `keyBy before "${operator}"`, doing: onRecord(record) });
}

/** For a function of partitionBy, as `keyFailure`. */
export function partitionFailure(operator: string, error: unknown, record: unknown): EngineError {
  return functionFailure(error, { operator, who: `partitionBy before "${operator}"`, doing: onRecord(record) });
}

/** The error for an exception in a source or a sink, which work with the world outside. Errors of the engine pass. */
export function connectorFailure(kind: "source" | "sink", operator: string, thrown: unknown): EngineError {
  const error = readable(thrown);
  if (error instanceof EngineError) return withOperator(error, operator);
  return new ExternalError(
    kind === "source" ? "SOURCE_FAILED" : "SINK_FAILED",
    `the ${kind} "${operator}" threw ${messageOf(error)}`,
    {
      fix: `look at the cause; a ${kind} of your own may throw an ExternalError or UserError that says what to do`,
      operator,
      cause: error,
    },
  );
}

/** Calls a source or a sink, and names it when that throws. */
export function connectorCall<T>(kind: "source" | "sink", operator: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw connectorFailure(kind, operator, error);
  }
}

const onRecord = (record: unknown): string => `on the record ${recordText(record)}`;

const policyFix = (what: string): string =>
  `mend the function, or say what to do with such ${what}: .onError("skip") counts them, .onError("side") sets them aside`;

type FailureParts = {
  readonly operator: string;
  readonly who: string;
  readonly doing: string;
  readonly fix: string;
};

/**
 * What was thrown, if it can be read. A proxy, and an error whose text throws, run code of their own at each look: they
 * are told as what they are.
 */
function readable(raised: unknown): unknown {
  const thrown = firstThrown(raised);
  if (types.isProxy(thrown)) return new Error("(a Proxy was thrown, of which nothing can be told)");
  if (!(thrown instanceof Error)) return thrown;
  try {
    [thrown.name, thrown.message, thrown.stack].join();
    return thrown;
  } catch {
    return new Error("(an error was thrown whose text cannot be read)");
  }
}

function failure(thrown: unknown, { operator, who, doing, fix }: FailureParts): EngineError {
  const error = readable(thrown);
  if (error instanceof EngineError) return withOperator(error, operator);
  if (isFrozenWrite(error)) {
    return new UserError("RECORD_MUTATED", `${who} changed a record or a value of its state: ${messageOf(error)}`, {
      fix:
        "what was handed on is immutable, because others may hold it, and changes in place are not stored: " +
        "make a changed copy, like { ...record, field }, and return, emit or set that",
      operator,
      cause: error,
    });
  }
  return new UserError("USER_FUNCTION_THREW", `${who} threw ${messageOf(error)} ${doing}`, {
    fix,
    operator,
    cause: error,
  });
}

/** Errors of the engine that a function meets and that are no matter of the record at hand. */
const NOT_OF_THE_RECORD: ReadonlySet<string> = new Set([
  "EMIT_OVERDRAFT",
  "FUNCTION_EXITED",
  "FUNCTION_RETURNED_PROMISE",
  "METRIC_NAME",
  "OPERATOR_CLOSED",
  "STATE_BUDGET_EXCEEDED",
  "TIMER_ENDLESS",
  "TIMER_WITHOUT_HANDLER",
]);

/**
 * Whether `onError` decides about an exception: it does about whatever the user's function throws, and about what the
 * engine refuses of that record (a value that does not fit its state, a flatMap result that is no iterable). Limits of
 * the engine and functions that are wrong for every record fail the job.
 */
export function concernsRecord(thrown: unknown): boolean {
  const error = readable(thrown);
  if (isFrozenWrite(error)) return false;
  return !(error instanceof EngineError) || (error.domain !== "internal" && !NOT_OF_THE_RECORD.has(error.code));
}

/** The error for a map that returned undefined or null where fields are read; null when it is another error. */
export function returnedNothing(map: PlanOperator, thrown: unknown, record: unknown): UserError | null {
  const error = readable(thrown);
  if (!(error instanceof TypeError)) return null;
  const [, verb, field] =
    /^Cannot (read|destructure) propert\w+ (?:of \w+ \(reading )?'(.*?)'/.exec(error.message) ?? [];
  if (verb === undefined) return null;
  const returned = / null\b/.test(error.message) ? "null" : "undefined";
  return new UserError(
    "MAP_RETURNED_NOTHING",
    `map "${map.name}" returned ${returned} where its field "${field}" is read, on the record ${recordText(record)}`,
    {
      fix: "return a record on every path of the function; to leave records out, put a filter before it or use flatMap",
      operator: map.uid,
    },
  );
}

/** The error for what a function left behind (a promise, a timer), when that failed after the function had returned. */
export function threwLate(what: string, thrown: unknown): UserError {
  const error = readable(thrown);
  return new UserError("FUNCTION_THREW_LATE", `code that no operator was waiting for ${what}: ${messageOf(error)}`, {
    fix: "user functions are synchronous; start no promises or timers that outlive the call",
    cause: error,
  });
}

/** The error for a call of process.exit, to be thrown at its caller. */
export function exitCalled(code: unknown): UserError {
  return new UserError("FUNCTION_EXITED", `user code called process.exit(${code === undefined ? "" : String(code)})`, {
    fix: "throw an error instead; the job ends when its input does",
  });
}

export function messageOf(thrown: unknown): string {
  const error = readable(thrown);
  return error instanceof Error ? `${error.name}: ${error.message || gatheredText(error)}` : recordText(error);
}

/** Node gathers what each address of a host said in an error without a message. */
function gatheredText(error: Error): string {
  return gatheredIn(error).slice(0, GATHERED_MAX).map(messageOf).join("; ");
}

/** V8's messages for writes to a frozen object; only strict mode throws them, and modules are strict. */
function isFrozenWrite(error: unknown): boolean {
  return (
    error instanceof TypeError &&
    /read only property|object is not extensible|Cannot delete property|Cannot redefine property/.test(error.message)
  );
}

/** A slot holds more objects than its heap is meant for. */
export function outOfHeap(limitBytes: number, cause?: unknown): UserError {
  const limit = memorySizeText(limitBytes);
  return new UserError("SLOT_OUT_OF_MEMORY", `user code keeps more than the slot's heap of ${limit}`, {
    fix: `keep less on the heap (state belongs in keyed state), or raise ${OPTIONS.taskHeapSize.key}`,
    cause,
  });
}

/** `who`: the code that hangs, and where. `stack`: what its thread was doing; null: not known. */
export function neverReturned(who: string, stuckMs: number, stack: string | null): UserError {
  const error = new UserError(
    "FUNCTION_NEVER_RETURNED",
    `${who} has not returned for ${durationText(Math.round(stuckMs / 100) * 100)}`,
    {
      fix: `look for a loop that does not end; if the work is really that long, raise ${OPTIONS.watchdogTimeout.key}`,
    },
  );
  return withCulprit(error, stack, []);
}

/**
 * Says where the user code is that a slot was ended for. `stack`: what its thread was doing, as it was seen from
 * outside; null: it was not. A sample may find the thread elsewhere, or not at all: what is known for certain is which
 * chains it may have been, and, when only one function can be meant, where that is declared.
 */
export function withCulprit(error: UserError, stack: string | null, chains: readonly JobVertex[]): UserError {
  const isSeen = stack !== null && userFrame(stack) !== null;
  if (!isSeen && chains.length > 0) {
    const names = chains.map(({ name }) => JSON.stringify(name)).join(", ");
    error.message += chains.length === 1 ? `; the task ${names} was running` : `; these tasks were running: ${names}`;
    const [culprit, ...others] = chains.flatMap(({ operators }) => operators.filter(obeysOnError));
    if (culprit !== undefined && others.length === 0) error.operator = culprit.uid;
  }
  if (stack !== null) error.stack = `${error.name}: ${error.message}\n${stack}`;
  return error;
}
