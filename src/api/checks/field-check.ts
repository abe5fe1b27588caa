// Fields that operators read, checked against the declared type of the records where the user names them.

import { UserError } from "../../base/errors.ts";
import type { Aggregates } from "../../operators/aggregates/aggregate.ts";
import { aggregateReads } from "../../operators/aggregates/aggregate-spec.ts";
import { fieldAdvice, pathsBeside } from "../../operators/expressions/field-presence.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { userFrame } from "./call-site.ts";

/** Throws FIELD_UNKNOWN for a path that a declared record type does not have. */
export function checkFields(what: string, record: TypeSpec | null, paths: Iterable<string>): void {
  for (const path of paths) {
    const known = pathsBeside(record, path);
    if (known !== null) throw fieldUnknown(what, path, known);
  }
}

/** The same; the place is that of the aggregate. */
export function checkAggregateFields(aggregates: Aggregates<never>, record: TypeSpec | null): void {
  for (const [name, { spec, written }] of Object.entries(aggregates)) {
    try {
      checkFields(`aggregate ${name}`, record, aggregateReads(spec));
    } catch (error) {
      const place = userFrame(written.stack ?? "");
      if (error instanceof UserError && place !== null) error.location = place;
      throw error;
    }
  }
}

function fieldUnknown(what: string, path: string, known: readonly string[]): UserError {
  return new UserError("FIELD_UNKNOWN", `${what} names the field "${path}", which the records do not have`, {
    fix: fieldAdvice(path, known),
  });
}
