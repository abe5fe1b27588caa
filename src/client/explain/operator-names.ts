// Operators as people name them: by uid, but where that is long because it was derived from aggregates, without these.
// Pure.

import type { Plan, PlanOperator } from "../../graph/plan.ts";
import { aggregateText, type NamedAggregate } from "../../operators/aggregates/aggregate-spec.ts";

const UID_MAX = 48;

/** Names by uid. Two operators never have the same: where both would, both keep their uids. */
export function operatorNames({ operators }: Pick<Plan, "operators">): ReadonlyMap<string, string> {
  const isLong = ({ uid, kind }: PlanOperator): boolean => uid.length > UID_MAX && kind !== "preAggregate";
  const texts = operators
    .filter(isLong)
    .map(aggregatesInUid)
    .filter((text) => text !== "");
  const longestFirst = [...new Set(texts)].sort((left, right) => right.length - left.length);
  const shortOf = (uid: string): string => longestFirst.reduce((name, text) => name.replaceAll(`/${text}`, ""), uid);
  const uses = new Map<string, number>();
  for (const { uid } of operators) uses.set(shortOf(uid), (uses.get(shortOf(uid)) ?? 0) + 1);
  return new Map(operators.map(({ uid }) => [uid, uses.get(shortOf(uid)) === 1 ? shortOf(uid) : uid]));
}

/** As `api/stream.ts` writes them. */
function aggregatesInUid({ options }: PlanOperator): string {
  const { aggregates = [] } = (options ?? {}) as { readonly aggregates?: unknown };
  return (aggregates as readonly NamedAggregate[]).map(aggregateText).join(",");
}
