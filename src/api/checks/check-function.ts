// User functions are checked when the job is built, where the user's line is at hand.

import { UserError } from "../../base/errors.ts";
import { refuseAsync } from "../../base/synchronous.ts";
import { callSite } from "./call-site.ts";

/** The function, if it is one and synchronous. `example`: of a call with one. */
export function checkFunction(value: unknown, what: string, example = `${what}((record) => …)`): unknown {
  const location = callSite();
  const detail = location === null ? {} : { location };
  if (typeof value !== "function") {
    throw new UserError(
      "FUNCTION_EXPECTED",
      `${what} takes a function, not ${value === null ? "null" : typeof value}`,
      {
        fix: `give a function, for example ${example}`,
        ...detail,
      },
    );
  }
  refuseAsync(value, what, detail);
  return value;
}
