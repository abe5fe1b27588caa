// Errors as plain data, to cross threads and processes with code, place and causes intact.

import {
  causesBehind,
  EngineError,
  type ErrorDetail,
  type ErrorDomain,
  ExternalError,
  firstThrown,
  InternalError,
  type SourceLocation,
  UserError,
} from "../base/errors.ts";

export type EngineErrorData = {
  readonly code: string;
  readonly domain: ErrorDomain;
  readonly message: string;
  readonly fix: string | null;
  readonly operator: string | null;
  readonly location: SourceLocation | null;
  readonly stack: string;
  /** Outermost first. */
  readonly causes: readonly { readonly name: string; readonly message: string; readonly stack: string }[];
};

const CAUSES_MAX = 10;

export function errorData(thrown: unknown): EngineErrorData {
  const error = firstThrown(thrown);
  const engine =
    error instanceof EngineError
      ? error
      : new InternalError("UNEXPECTED", error instanceof Error ? `${error.name}: ${error.message}` : String(error), {
          cause: error,
        });
  const causes: { name: string; message: string; stack: string }[] = [];
  for (const at of causesBehind(engine, CAUSES_MAX)) {
    if (at instanceof Error) causes.push({ name: at.name, message: at.message, stack: at.stack ?? "" });
    else causes.push({ name: "Error", message: String(at), stack: "" });
  }
  return {
    code: engine.code,
    domain: engine.domain,
    message: engine.message,
    fix: engine.fix ?? null,
    operator: engine.operator ?? null,
    location: engine.location ?? null,
    stack: engine.stack ?? "",
    causes,
  };
}

/** The error again, on the other side. */
export function errorFromData(data: EngineErrorData): EngineError {
  const detail: ErrorDetail = {
    ...(data.fix !== null && { fix: data.fix }),
    ...(data.operator !== null && { operator: data.operator }),
    ...(data.location !== null && { location: data.location }),
    ...(data.causes.length > 0 && { cause: causeChain(data.causes) }),
  };
  const make = { user: UserError, external: ExternalError, internal: InternalError }[data.domain];
  const error = new make(data.code, data.message, detail);
  error.stack = data.stack;
  return error;
}

function causeChain(causes: EngineErrorData["causes"]): Error | undefined {
  let inner: Error | undefined;
  for (const cause of [...causes].reverse()) {
    const error = new Error(cause.message, inner === undefined ? undefined : { cause: inner });
    error.name = cause.name;
    error.stack = cause.stack;
    inner = error;
  }
  return inner;
}
