// An error for programs: as it came, with places and stacks in the user's own files.

import type { EngineError } from "../../base/errors.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Bundle } from "../bundle/bundle-node.ts";
import { errorReports } from "./error-report.ts";

export type ErrorOrigin = { readonly bundle: Bundle; readonly plan: Plan | null };

export function toldError(error: EngineError, { bundle: { sources }, plan }: ErrorOrigin): EngineError {
  const [report] = errorReports(error, { sources, plan, text: (file) => sources.text(file) });
  error.message = report?.message ?? error.message;
  error.location = report?.location ?? undefined;
  for (let at: unknown = error; at instanceof Error; at = at.cause) at.stack = sources.mapText(at.stack ?? "");
  return error;
}
