// Functions of the user's inside aggregates and key accesses: what they throw is told with what they were doing. They
// run inside batches and while windows fire, where nobody else knows of the record.

import type { AggregateSet, CustomAggregate } from "../operators/aggregates/aggregate.ts";
import { functionFailure, keyFailure, recordText } from "./user-failure.ts";

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
  const failed = (step: keyof CustomAggregate, error: unknown, doing: string): Error =>
    functionFailure(error, { operator, who: `${step} of the aggregate "${name}"`, doing });
  return {
    create() {
      try {
        return functions.create();
      } catch (error) {
        throw failed("create", error, "for a new group");
      }
    },
    add(accumulator, record) {
      try {
        return functions.add(accumulator, record);
      } catch (error) {
        throw failed("add", error, `on the record ${recordText(record)}`);
      }
    },
    merge(left, right) {
      try {
        return functions.merge(left, right);
      } catch (error) {
        throw failed("merge", error, `on the accumulators ${recordText(left)} and ${recordText(right)}`);
      }
    },
    result(accumulator) {
      try {
        return functions.result(accumulator);
      } catch (error) {
        throw failed("result", error, `on the accumulator ${recordText(accumulator)}`);
      }
    },
  };
}
