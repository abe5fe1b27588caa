import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { col, collection, count, job, lit, sum, t, weightedMean } from "../../index.ts";
import { testJob } from "../../testing/index.ts";
import { layoutOf } from "../../types/spec/schema-spec.ts";
import { isExpr } from "./expr.ts";
import { fieldTypes } from "./field-types.ts";
import { checkCondition } from "./operand-check.ts";

const Row = t.struct({
  id: t.i64,
  name: t.string,
  size: t.enum("S", "M"),
  price: t.f64.nullable(),
  n: t.i32,
  ok: t.bool,
  at: t.timestamp,
  day: t.date,
  some: t.any,
  either: t.union(t.f64, t.string),
  maybe: t.string.optional(),
});
const fields = fieldTypes(layoutOf(Row));

function check(condition: unknown): void {
  assert.ok(isExpr(condition));
  checkCondition("filter", condition.spec, fields);
}

// biome-ignore lint/suspicious/noExplicitAny: the compiler refuses these, and `millrace run` does not ask it
const at = (name: string): any => col(name);

describe("an operand of another type than the expression computes with is refused", () => {
  const mistakes: readonly [condition: unknown, why: string][] = [
    [at("id").eq(1), "id = 1: values of the type i64 and f64 are not compared"],
    [at("id").ne(at("id")), "id != id: values of the type i64 and i64 are not compared"],
    [at("id").in([1, 2]), "id in (1, 2): values of the type i64 and f64 are not compared"],
    [at("id").orElse(0).gt(3), "orElse(id, 0): values of the type i64 and f64 are not compared"],
    [at("name").gt(9), "name > 9: values of the type string and f64 are not compared"],
    [at("price").lte("9"), 'price <= "9": values of the type f64 and string are not compared'],
    [at("day").gte(0), "day >= 0: values of the type date and f64 are not compared"],
    [at("day").gt(at("some")), "day > some: values of the type date are not compared"],
    [at("ok").eq("true"), 'ok = "true": values of the type bool and string are not compared'],
    [at("n").add(at("name")).gt(1), "n + name: name is of the type string where a number belongs"],
    [at("id").neg().lt(1), "neg(id): id is of the type i64 where a number belongs"],
    [at("n").contains("1"), 'contains(n, "1"): n is of the type i32 where a text belongs'],
    [at("day").lower().eq("x"), "lower(day): day is of the type date where a text belongs"],
    [at("ok").and(at("n")), "ok and n: n is of the type i32 where a boolean belongs"],
    [at("name").not(), "not(name): name is of the type string where a boolean belongs"],
    [at("n"), "n: n is of the type i32 where a boolean belongs"],
    [at("ok").or(at("n").add(1)), "ok or (n + 1): n + 1 is of the type f64 where a boolean belongs"],
  ];
  for (const [condition, why] of mistakes) {
    test(why, () => {
      const message = `filter cannot compute ${why}`;
      assert.throws(() => check(condition), { name: "UserError", code: "EXPRESSION_OPERAND", message });
    });
  }

  test("where filters and aggregates are declared", async () => {
    // biome-ignore lint/suspicious/noExplicitAny: as above
    const uses: readonly ((rows: any) => unknown)[] = [
      (rows) => rows.filter(at("id").eq(1)),
      (rows) => rows.keyBy("n").aggregate({ s: sum(at("id").add(1)) }),
      (rows) => rows.keyBy("n").aggregate({ c: count(), w: weightedMean("n", at("name").length().add(at("ok"))) }),
    ];
    for (const use of uses) {
      const declared = job({ name: "operands", unread: "allow" }, (env) => {
        use(env.from("in", collection([], { type: Row })));
      });
      await assert.rejects(testJob(declared), { name: "UserError", code: "EXPRESSION_OPERAND" });
    }
  });
});

test("operands of one kind, and those that only the records know, are taken", () => {
  for (const condition of [
    at("price")
      .gt(at("n"))
      .and(at("at").sub(at("n")).lt(5)),
    at("size")
      .eq("S")
      .or(at("name").lower().startsWith(at("size"))),
    at("size").in(["S", "X"]),
    at("price").isNull().or(at("day").isNotNull()),
    at("some").eq(1).and(at("some").gt("x")).and(at("some")),
    at("either").add(1).eq(at("either")),
    at("maybe").orElse("none").length().eq(4),
    at("ok"),
    at("ok").eq(lit(true)).not(),
    at("of.nothing").eq(3),
  ]) {
    assert.doesNotThrow(() => check(condition));
  }
});
