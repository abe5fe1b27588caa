// What `import … from "millrace"` offers.

export { type Duration, durationMs, durationText } from "./base/duration.ts";
export {
  EngineError,
  type ErrorDetail,
  type ErrorDomain,
  ExternalError,
  InternalError,
  type SourceLocation,
  UserError,
} from "./base/errors.ts";
