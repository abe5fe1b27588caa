// Fields that operators read, checked against the declared type of the records where the user names them.

import { UserError } from "../base/errors.ts";
import { aggregateReads, type NamedAggregate } from "../operators/aggregates/aggregate-spec.ts";
import { fieldAdvice, pathsBeside } from "../operators/expressions/field-presence.ts";
import type { TypeSpec } from "../types/type-spec.ts";

/** Throws FIELD_UNKNOWN for a path that a declared record type does not have. */
export function checkFields(what: string, record: TypeSpec | null, paths: Iterable<string>): void {
  for (const path of paths) {
    const known = pathsBeside(record, path);
    if (known !== null) throw fieldUnknown(what, path, known);
  }
}

export function checkAggregateFields(aggregates: readonly NamedAggregate[], record: TypeSpec | null): void {
  for (const { name, spec } of aggregates) checkFields(`aggregate ${name}`, record, aggregateReads(spec));
}

export function fieldUnknown(what: string, path: string, known: readonly string[]): UserError {
  return new UserError("FIELD_UNKNOWN", `${what} names the field "${path}", which the records do not have`, {
    fix: fieldAdvice(path, known),
  });
}
