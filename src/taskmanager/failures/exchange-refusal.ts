// The errors for records that an exchange does not send: told with the operator that made the record, so that the
// user's line is the one to mend, and with the record.

import { UserError } from "../../base/errors.ts";
import { edgesInto, type OperatorKind, type Plan, type PlanEdge, type PlanOperator } from "../../graph/plan.ts";
import type { Refusal } from "../../network/result-partition.ts";
import { AnyWriter } from "../../types/any/any-writer.ts";
import { ByteSink } from "../../types/bytes/byte-buffer.ts";
import type { Mismatch } from "../../types/bytes/codec.ts";
import { unsupportedFix } from "../../types/values/codec-error.ts";
import { recordText } from "./user-failure.ts";

export function exchangeRefusal(plan: Plan, edge: PlanEdge): Refusal {
  const operator = makerOf(plan, edge);
  return {
    misfit: (record, mismatch) => recordMisfit(operator, record, mismatch),
    tooLarge(record, bytes, maxBytes) {
      const message = `a record that leaves "${operator}" takes ${bytes} bytes${largestText(record)}; the maximum is ${maxBytes}`;
      return new UserError("RECORD_TOO_LARGE", message, {
        fix: "send less per record, or raise millrace.network.record-size-max",
        operator,
      });
    },
  };
}

/** For a record that leaves an operator and does not fit its type. */
export function recordMisfit(operator: string, record: unknown, mismatch: Mismatch | null): UserError {
  const message = `${misfitText(mismatch)}, in a record that leaves "${operator}": ${recordText(record)}`;
  return mismatch?.unsupported
    ? new UserError("CODEC_UNSUPPORTED", message, { fix: unsupportedFix(mismatch.actual), operator })
    : new UserError("CODEC_MISMATCH", message, {
        fix: "return what the declared type says, or declare what is returned",
        operator,
      });
}

function misfitText(mismatch: Mismatch | null): string {
  if (mismatch === null) return "something does not fit";
  const what = mismatch.path === "" ? "the record" : `field ${mismatch.path}`;
  return mismatch.unsupported
    ? `${what} is ${mismatch.actual}, which cannot be carried from one task to another`
    : `${what} is ${mismatch.actual}, not ${mismatch.expected}`;
}

const PASSING: ReadonlySet<OperatorKind> = new Set(["filter", "eventTime", "preAggregate"]);

/** The operator whose output the records are: filters, event time and combiners let records through as they are. */
function makerOf(plan: Plan, edge: PlanEdge): string {
  const byUid = new Map<string, PlanOperator>(plan.operators.map((operator) => [operator.uid, operator]));
  let from = edge;
  for (;;) {
    const kind = byUid.get(from.from)?.kind;
    const [before, other] = edgesInto(plan, from.from);
    const passes = from.output === "" && PASSING.has(kind ?? "map");
    if (!passes || before === undefined || other !== undefined) return from.from;
    from = before;
  }
}

/** Names the field to look at; only for records that are not sent, so that it may take its time. */
function largestText(record: unknown): string {
  if (typeof record !== "object" || record === null) return "";
  const writer = new AnyWriter();
  const sizes = Object.entries(record).map(([name, value]) => {
    const sink = new ByteSink();
    writer.write(value, sink);
    return { name, bytes: sink.position };
  });
  const [largest] = sizes.sort((left, right) => right.bytes - left.bytes);
  return largest === undefined ? "" : `, ${largest.bytes} of them its field ${JSON.stringify(largest.name)}`;
}
