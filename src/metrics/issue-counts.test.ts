import assert from "node:assert/strict";
import { test } from "node:test";
import { commonestIssue, IssueCounts } from "./issue-counts.ts";
import { MetricRegistry, metricMemory } from "./metric-registry.ts";

/** The metrics of one operator after records with these issues. */
function counted(issues: readonly (readonly string[])[]): Record<string, number> {
  const names: { name: string; index: number }[] = [];
  const registry = new MetricRegistry(metricMemory(), (definition) => names.push(definition));
  const counts = new IssueCounts(registry.scope({ vertex: 0, subtask: 0, operator: "in" }));
  for (const one of issues) counts.add(one);
  return Object.fromEntries(names.map(({ name, index }) => [name, registry.values[index]!]));
}

test("records are counted by the first of their issues, and the commonest one is found", () => {
  const metrics = counted([["short", "lines 3–5"], ["long"], ["long"], []]);
  assert.deepEqual(metrics, { numRecordsInErrors: 4, "numRecordsInErrors.short": 1, "numRecordsInErrors.long": 2 });
  assert.deepEqual(commonestIssue(metrics), { issue: "long", count: 2 });
  assert.equal(commonestIssue({ numRecordsInErrors: 3, numRecordsInErrorsOther: 7 }), null);
});

test("what stood in the record makes no issue of its own; columns, fields and hints do", () => {
  const kinds = (...issues: readonly string[]) =>
    Object.keys(counted(issues.map((issue) => [issue])))
      .slice(1)
      .map((name) => name.slice("numRecordsInErrors.".length));
  const cell = (text: string) => `column "a \\"b\\"": "${text}" is not a number`;
  assert.deepEqual(kinds(cell("x"), cell('\\"y'), 'column "c": "x" is not a number: say `trim: true`'), [
    'column "a \\"b\\"": … is not a number',
    'column "c": … is not a number: say `trim: true`',
  ]);
  assert.deepEqual(
    kinds('.n: expected a number, got "x"', '.n: expected a number, got ["\\n; "]', ".m: expected a number, got 1"),
    [".n: expected a number, got …", ".m: expected a number, got …"],
  );
  const array = "; if the file is one JSON array, say `array: true`";
  assert.deepEqual(kinds("not JSON: Unexpected token 'x'", "not JSON: at\nposition 3", `not JSON: end${array}`), [
    "not JSON",
    `not JSON${array}`,
  ]);
  assert.deepEqual(kinds("one\u001b[31m\ntwo", "x".repeat(161)), ["one [31m two", `${"x".repeat(160)}…`]);
});

test("the issues of one operator are bounded: further ones are counted in the sum only", () => {
  const metrics = counted(Array.from({ length: 40 }, (_, index) => [`issue ${index % 20}`]));
  assert.deepEqual([metrics.numRecordsInErrors, Object.keys(metrics).length], [40, 17]);
  assert.equal(metrics["numRecordsInErrors.issue 15"], 2);
});
