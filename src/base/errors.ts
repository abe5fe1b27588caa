// Errors of the engine.
//
// Three kinds and no more (docs/STYLE.md, rule 9):
//   bug                assert(...)          always on, carries the values, fails the task attempt
//   expected outcome   null, false, a value never an exception
//   operating error    EngineError          stable code, who must act, whether a retry can help, cause
//
// `code` is stable: tests, docs/errors.md and users' scripts refer to it. Once released it is never reused.

import { types } from "node:util";

export type ErrorDomain = "user" | "external" | "internal";

/**
 * A place in the user's source, after source maps: `file` is relative to the job's project, `line` and `column` start
 * at 1.
 */
export type SourceLocation = { readonly file: string; readonly line: number; readonly column: number };

export type ErrorDetail = {
  /** What the user can do about it, one sentence. */
  readonly fix?: string;
  /** Where in the user's code it happened or was declared. */
  readonly location?: SourceLocation;
  /** Uid of the operator concerned. */
  readonly operator?: string;
  readonly cause?: unknown;
};

export abstract class EngineError extends Error {
  /** Who must act. */
  abstract readonly domain: ErrorDomain;
  /** Whether recovery may help by trying again. */
  abstract readonly retryable: boolean;
  readonly code: string;
  readonly fix: string | undefined;
  operator: string | undefined;
  location: SourceLocation | undefined;

  constructor(code: string, message: string, detail: ErrorDetail = {}) {
    super(message, "cause" in detail ? { cause: detail.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    this.fix = detail.fix;
    this.location = detail.location;
    this.operator = detail.operator;
  }
}

/** The job, its parameters, its data or its configuration are at fault: trying again changes nothing. */
export class UserError extends EngineError {
  readonly domain = "user";
  readonly retryable = false;
}

/** Something outside failed (disk, network, another system): trying again may help. */
export class ExternalError extends EngineError {
  readonly domain = "external";
  readonly retryable = true;
}

/** The engine broke one of its own rules. */
export class InternalError extends EngineError {
  readonly domain = "internal";
  readonly retryable = false;
}

/** Says which operator an error concerns, if it does not say so itself. */
export function withOperator<E>(error: E, operator: string): E {
  if (!types.isProxy(error) && error instanceof EngineError) error.operator ??= operator;
  return error;
}

/** Runs something of an operator's, and says so of what it throws. */
export function asOperator<T>(operator: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw withOperator(error, operator);
  }
}

/**
 * What went wrong first: a `SuppressedError` says that something was thrown and that cleaning up after it failed as
 * well, and has no text of its own.
 */
export function firstThrown(thrown: unknown): unknown {
  let at = thrown;
  while (!types.isProxy(at) && at instanceof SuppressedError) at = at.suppressed;
  return at;
}

/** The causes of an error and the errors that it gathers, outermost first, at most `max`. */
export function causesBehind(error: Error, max: number): readonly unknown[] {
  const found: unknown[] = [];
  const add = (thrown: unknown): void => {
    const cause = firstThrown(thrown);
    if (cause === undefined || cause === null || found.length >= max) return;
    found.push(cause);
    if (!types.isProxy(cause) && cause instanceof Error) addBehind(cause);
  };
  const addBehind = (at: Error): void => {
    for (const one of gatheredIn(at)) add(one);
    add(read(() => at.cause));
  };
  addBehind(error);
  return found;
}

/** What an `AggregateError` gathers; of any other error nothing. */
export function gatheredIn(error: Error): readonly unknown[] {
  const errors = error instanceof AggregateError ? read(() => error.errors) : [];
  return Array.isArray(errors) ? errors : [];
}

/** Errors of users may run code of their own at a look. */
function read(look: () => unknown): unknown {
  try {
    return look();
  } catch {
    return undefined;
  }
}

/** Ends a `switch` over a union: a new member does not compile until it is handled. */
export function unreachable(value: never): never {
  throw new InternalError("UNREACHABLE", `unreachable: ${JSON.stringify(value)}`);
}

/** A bug when false: always on, and the message should carry the values. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InternalError("ASSERTION", message);
}
