import assert from "node:assert/strict";
import { test } from "node:test";
import type { InvalidPolicy } from "../../operators/source.ts";
import type { StandardSchema } from "../../types/spec/standard-schema.ts";
import { INVALID } from "../chain/chain.ts";
import { ParseDriver } from "./parse-driver.ts";

/** Doubles even numbers, and says two things against others. */
const schema = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value: unknown) => {
      const n = (value as { n: number }).n;
      if (n % 2 === 0) return { value: { n: n * 2 } };
      return { issues: [{ message: "must be even", path: ["n"] }, { message: "odd one" }] };
    },
  },
} as unknown as StandardSchema;

function setUp(policy: InvalidPolicy, of: StandardSchema = schema) {
  const counted: (readonly string[])[] = [];
  const driver = new ParseDriver({
    uid: "check",
    schema: of,
    policy,
    counts: { add: (issues) => counted.push(issues) },
  });
  const aside: unknown[] = [];
  driver.invalid = {
    offer: (row, timestampMs) => {
      aside.push([row, timestampMs]);
      return true;
    },
  };
  return { driver, aside, counted: () => counted.length, issues: counted };
}

test("a valid record goes on as the schema gives it, and is neither counted nor set aside", () => {
  const { driver, aside, counted } = setUp("side");
  assert.deepEqual(driver.parse({ n: 2 }, 5), { n: 4 });
  assert.deepEqual([aside, counted()], [[], 0]);
});

test("an invalid record fails the task with all issues, is skipped and counted, or is set aside with its time", () => {
  const failing = setUp("fail");
  assert.throws(() => failing.driver.parse({ n: 1 }, 5), {
    code: "RECORD_INVALID",
    operator: "check",
    message: "n: must be even; odd one in { n: 1 }",
  });
  const skipping = setUp("skip");
  assert.equal(skipping.driver.parse({ n: 1 }, 5), INVALID);
  assert.deepEqual([skipping.aside, skipping.counted()], [[], 1]);
  const setting = setUp("side");
  assert.equal(setting.driver.parse({ n: 1 }, 5), INVALID);
  assert.deepEqual(setting.aside, [[{ raw: { n: 1 }, issues: ["n: must be even", "odd one"] }, 5]]);
  assert.deepEqual(setting.issues, [["n: must be even", "odd one"]]);
});

test("a schema that validates asynchronously is refused", () => {
  const slow = { "~standard": { ...schema["~standard"], validate: async () => ({ value: 1 }) } } as StandardSchema;
  assert.throws(() => setUp("skip", slow).driver.parse({}, 0), { code: "SCHEMA_ASYNC", operator: "check" });
});
