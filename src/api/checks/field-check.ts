// Fields that operators read, checked against the declared type of the records where the user names them.

import { UserError } from "../../base/errors.ts";
import type { Aggregates } from "../../operators/aggregates/aggregate.ts";
import { aggregateExpressions } from "../../operators/aggregates/aggregate-spec.ts";
import { type ExprSpec, exprFields } from "../../operators/expressions/expr-spec.ts";
import { fieldAdvice, pathsBeside } from "../../operators/expressions/field-presence.ts";
import { fieldTypes } from "../../operators/expressions/field-types.ts";
import { checkCondition, checkOperands } from "../../operators/expressions/operand-check.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { userFrame } from "./call-site.ts";

/** Throws FIELD_UNKNOWN for a path that a declared record type does not have. */
export function checkFields(what: string, record: TypeSpec | null, paths: Iterable<string>): void {
  for (const path of paths) {
    const known = pathsBeside(record, path);
    if (known !== null) throw fieldUnknown(what, path, known);
  }
}

/** The same for the fields of a condition; throws EXPRESSION_OPERAND, too. */
export function checkFilter(condition: ExprSpec, record: TypeSpec | null): void {
  checkFields("filter", record, exprFields(condition));
  checkCondition("filter", condition, fieldTypes(record));
}

/** The same for what aggregates compute; the place is that of the aggregate. */
export function checkAggregateFields(aggregates: Aggregates<never>, record: TypeSpec | null): void {
  for (const [name, { spec, written }] of Object.entries(aggregates)) {
    try {
      const expressions = aggregateExpressions(spec);
      checkFields(`aggregate ${name}`, record, expressions.flatMap(exprFields));
      for (const each of expressions) checkOperands(`aggregate ${name}`, each, fieldTypes(record));
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
