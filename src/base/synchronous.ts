// Functions of users are synchronous: what is asynchronous is refused, when it is declared or at the latest when a
// promise comes back. A promise that went on would be an empty object to all that follows.

import { type ErrorDetail, UserError } from "./errors.ts";

const FIX = "functions between source and sink are synchronous: remove async and await";

/** Throws FUNCTION_ASYNC for a function that can only give promises. */
export function refuseAsync(value: unknown, what: string, detail: ErrorDetail = {}): void {
  const name = typeof value === "function" ? value.constructor.name : "";
  if (name !== "AsyncFunction" && name !== "AsyncGeneratorFunction") return;
  throw new UserError("FUNCTION_ASYNC", `the function of ${what} is asynchronous`, { fix: FIX, ...detail });
}

/** The value, unless it is a promise. `who` returned it. */
export function refusePromise<T>(value: T, who: string): T {
  if (value instanceof Promise) throw promiseReturned(who);
  return value;
}

export function promiseReturned(who: string, detail: ErrorDetail = {}): UserError {
  return new UserError("FUNCTION_RETURNED_PROMISE", `${who} returned a promise`, { fix: FIX, ...detail });
}

/** For a record that is a promise: what an array, a generator, a source or `emit` gave. */
export function promiseEmitted(who: string, detail: ErrorDetail = {}): UserError {
  return new UserError("FUNCTION_RETURNED_PROMISE", `${who} gave a promise as a record`, {
    fix: "give the record itself: functions between source and sink are synchronous, without async and await",
    ...detail,
  });
}

/** For a promise within what was handed on, at `path`; null: somewhere. */
export function promiseHeld(path: string | null): UserError {
  const where = path === null ? "" : ` in its field ${path}`;
  return new UserError("FUNCTION_RETURNED_PROMISE", `a record holds a promise${where}`, {
    fix: "put the value itself there: functions between source and sink are synchronous, without async and await",
  });
}
