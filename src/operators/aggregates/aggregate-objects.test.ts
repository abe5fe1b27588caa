import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { t } from "../../types/t.ts";
import { fieldTypes } from "../expressions/field-types.ts";
import * as of from "./aggregate.ts";
import { aggregateLayout } from "./aggregate-layout.ts";
import { AggregateObjects } from "./aggregate-objects.ts";

const ROW = t.struct({ y: t.f64, s: t.string });

/** What is advised when the budget holds no object of an aggregate. */
const ADVICE: Record<string, { aggregates: of.Aggregates<never>; fix: RegExp; not: RegExp }> = {
  "larger errors where the objects are sketches": {
    aggregates: { p95: of.quantile("y", 0.95) } as never,
    fix: /^Raise the\.key, .*give the sketches a larger error/,
    not: /use sketches/,
  },
  "sketches, or a limit, where values are collected": {
    aggregates: { all: of.collect("s") } as never,
    fix: /^Raise the\.key, .*give collect a limit, or use sketches/,
    not: /larger error/,
  },
  "smaller accumulators where they are the user's own": {
    aggregates: { own: of.aggregate({ create: () => 0, add: (n) => n, merge: (n) => n, result: (n) => n }) } as never,
    fix: /^Raise the\.key, .*smaller accumulators/,
    not: /sketches/,
  },
};

describe("a used up share of the heap advises", () => {
  for (const [what, { aggregates, fix, not }] of Object.entries(ADVICE)) {
    test(what, () => {
      const layout = aggregateLayout(of.aggregateSet(aggregates, []), fieldTypes(ROW.spec), true);
      const budget = { limitBytes: 1, configKey: "the.key", usedBytes: 0 };
      const objects = new AggregateObjects(layout.heaps, { operator: "op", state: "groups" }, budget);
      assert.throws(
        () => objects.open(),
        (error: Error & { code: string; fix: string }) => {
          assert.equal(error.code, "STATE_BUDGET_EXCEEDED");
          assert.match(error.fix, fix);
          assert.doesNotMatch(error.fix, not);
          return true;
        },
      );
    });
  }
});
