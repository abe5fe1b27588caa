// Failures of user functions, told with the operator, the record and the user's own error as the cause.

import { inspect } from "node:util";
import { EngineError, UserError } from "../base/errors.ts";
import type { PlanOperator } from "../graph/plan.ts";

const RECORD_TEXT_MAX = 500;

/** A record as people can read it, bounded. */
export function recordText(record: unknown): string {
  const text = inspect(record, { depth: 3, breakLength: Infinity, maxArrayLength: 10, maxStringLength: 200 });
  return text.length > RECORD_TEXT_MAX ? `${text.slice(0, RECORD_TEXT_MAX)}…` : text;
}

/** The error to report for an exception in `operator` at `record`. Errors of the engine pass through. */
export function userFailure(operator: PlanOperator, error: unknown, record: unknown): EngineError {
  if (error instanceof EngineError) return error;
  if (isFrozenWrite(error)) {
    return new UserError(
      "RECORD_MUTATED",
      `"${operator.name}" (${operator.kind}) changed a record: ${messageOf(error)}`,
      {
        fix: "records are immutable, because other operators may hold them: return a changed copy, like { ...record, field }",
        operator: operator.uid,
        cause: error,
      },
    );
  }
  const message = `${operator.kind} "${operator.name}" threw ${messageOf(error)} on the record ${recordText(record)}`;
  return new UserError("USER_FUNCTION_THREW", message, {
    fix: 'mend the function, or say what to do with such records: .onError("skip") counts them, .onError("side") sets them aside',
    operator: operator.uid,
    cause: error,
  });
}

/** The error for a function that returned a promise where a value is due. */
export function promiseReturned(operator: PlanOperator): UserError {
  return new UserError(
    "FUNCTION_RETURNED_PROMISE",
    `the function of ${operator.kind} "${operator.name}" returned a promise`,
    {
      fix: "functions between source and sink are synchronous: remove async and await",
      operator: operator.uid,
    },
  );
}

/** The error for what a function left behind (a promise, a timer), when that failed after the function had returned. */
export function threwLate(what: string, error: unknown): UserError {
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

export function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : recordText(error);
}

/** V8's messages for writes to a frozen object; only strict mode throws them, and modules are strict. */
function isFrozenWrite(error: unknown): boolean {
  return (
    error instanceof TypeError &&
    /read only property|object is not extensible|Cannot delete property|Cannot redefine property/.test(error.message)
  );
}
