// Functions of the user's inside aggregates and key accesses: what they throw is told with what they were doing. They
// run inside batches and while windows fire, where nobody else knows of the record.

import { refusePromise } from "../../base/synchronous.ts";
import type { AggregateSet, CustomAggregate } from "../../operators/aggregates/aggregate.ts";
import { functionFailure, keyFailure, recordText } from "../failures/user-failure.ts";

/** The custom aggregates of an operator, by the names of their results. */
export function userAggregates(operator: string, custom: AggregateSet["custom"]): AggregateSet["custom"] {
  return new Map([...custom].map(([name, functions]) => [name, userAggregate(operator, name, functions)]));
}

/** A function that gives a record's key. */
export function userKey(operator: string, key: (record: unknown) => unknown): (record: unknown) => unknown {
  return (record) => {
    try {
      return key(record);
    } catch (error) {
      throw keyFailure(operator, error, record);
    }
  };
}

function userAggregate(operator: string, name: string, functions: CustomAggregate): CustomAggregate {
  const of = `of the aggregate "${name}"`;
  const who = { create: `create ${of}`, add: `add ${of}`, merge: `merge ${of}`, result: `result ${of}` };
  const failed = (step: keyof CustomAggregate, error: unknown, doing: string): Error =>
    functionFailure(error, { operator, who: who[step], doing });
  return {
    create() {
      try {
        return refusePromise(functions.create(), who.create);
      } catch (error) {
        throw failed("create", error, "for a new group");
      }
    },
    add(accumulator, record) {
      try {
        return refusePromise(functions.add(accumulator, record), who.add);
      } catch (error) {
        throw failed("add", error, `on the record ${recordText(record)}`);
      }
    },
    merge(left, right) {
      try {
        return refusePromise(functions.merge(left, right), who.merge);
      } catch (error) {
        throw failed("merge", error, `on the accumulators ${recordText(left)} and ${recordText(right)}`);
      }
    },
    result(accumulator) {
      try {
        return refusePromise(functions.result(accumulator), who.result);
      } catch (error) {
        throw failed("result", error, `on the accumulator ${recordText(accumulator)}`);
      }
    },
  };
}
