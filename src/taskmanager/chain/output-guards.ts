// Records are held to the declared type of the output that they leave by, at once and not only where they are sent: the
// check that a link by reference makes (result-partition.ts, P4), but of whole records, whatever fields the receiver
// reads. What users wrote is so refused at its line in every mode.
//
// Measured on records of 7 fields, 3 of them strings (bench case `chain`): 4 ns each; 4 to 9 ns where they are offered
// one by one (types/record-guard.ts).

import type { OperatorKind, PlanOperator } from "../../graph/plan.ts";
import { outputType } from "../../graph/record-type.ts";
import { compileRecordGuard, type RecordGuard } from "../../types/record-guard.ts";
import { specMismatch } from "../../types/values/spec-mismatch.ts";
import { recordMisfit } from "../failures/exchange-refusal.ts";

export type OutputGuard = {
  /** Index in the chain. */
  readonly operator: number;
  readonly output: string;
  readonly fits: RecordGuard;
  /** Passes over fields that nobody declared: to count them all is most of the work. */
  readonly fieldsFit: RecordGuard;
  /** Throws for a record that does not fit. */
  refuse(record: unknown): never;
};

/** What these give comes from the user as it is; others make or validate their records, or let them through. */
const GIVES_USERS_RECORDS: ReadonlySet<OperatorKind> = new Set(["source", "map", "flatMap", "process"]);

/** Guards of all outputs of a chain that have a declared type, but for those that `isChecked` otherwise. */
export function declaredGuards(
  operators: readonly PlanOperator[],
  name: string,
  isChecked: (operator: PlanOperator, output: string) => boolean,
): readonly OutputGuard[] {
  return operators.flatMap((operator, index) =>
    ["", ...operator.sides.map((side) => side.name)].flatMap((output): OutputGuard[] => {
      const spec = outputType(operator, output);
      if (spec === null || !GIVES_USERS_RECORDS.has(operator.kind) || isChecked(operator, output)) return [];
      const label = `${name} ${operator.uid} ${output}`;
      const fits = compileRecordGuard(spec, "refuse", label);
      const fieldsFit = compileRecordGuard(spec, "ignore", `${label} fields`);
      const refuse = (record: unknown): never => {
        throw recordMisfit(operator.uid, record, specMismatch(spec, record, "refuse"));
      };
      return [{ operator: index, output, fits, fieldsFit, refuse }];
    }),
  );
}
