import { UserError } from "../base/errors.ts";

/** A record came without event time to an operator that needs one: for its windows, or because it works in order. */
export function timestampMissing(operator: string, needs: "windows" | "order"): UserError {
  const place = needs === "windows" ? `the windows of ${operator}` : `${operator}, which works in order`;
  return new UserError("TIMESTAMP_MISSING", `a record without event time reached ${place}`, {
    operator,
    fix: 'say where event times are, before keyBy: .eventTime({ at: "ts" })',
  });
}
