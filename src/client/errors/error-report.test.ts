import assert from "node:assert/strict";
import { test } from "node:test";
import { ExternalError, InternalError, UserError } from "../../base/errors.ts";
import type { Plan } from "../../graph/plan.ts";
import { BundleSources } from "../bundle/bundle-sources-node.ts";
import { errorReports } from "./error-report.ts";

/** A bundle of one file, line by line the same: `job.ts:n` is the bundle's line n. */
const LINES = ["one", "two", "three", "four"];
const sources = new BundleSources({
  names: ["file:///p/job.ts?bundle=abc", "/p/job.ts"],
  cwd: "/p",
  map: JSON.stringify({
    version: 3,
    sources: ["job.ts"],
    sourcesContent: [LINES.join("\n")],
    names: [],
    mappings: LINES.map((_, index) => (index === 0 ? "AAAA" : "AACA")).join(";"),
  }),
});
const frame = (line: number) => `    at f (file:///p/job.ts?bundle=abc:${line}:1)`;
const plan = { locations: { op: { file: "/p/job.ts", line: 4, column: 1 } } } as unknown as Plan;
const context = { sources, plan, text: (file: string) => sources.text(file) };
const only = (error: unknown) => errorReports(error, context)[0] ?? assert.fail();

function withStack<E extends Error>(error: E, ...lines: string[]): E {
  error.stack = [`${error.name}: ${error.message}`, ...lines].join("\n");
  return error;
}

test("the place is the innermost cause's first frame in the user's file, with its callers", () => {
  const inner = withStack(new Error("inner"), frame(2), "    at g (node:internal:1:1)", frame(3), frame(3));
  const middle = withStack(new Error("middle", { cause: inner }), frame(1));
  const report = only(withStack(new UserError("CODE", "outer", { cause: middle }), frame(4)));
  assert.deepEqual(report.location, { file: "job.ts", line: 2, column: 1 });
  assert.deepEqual(report.calledFrom, [{ file: "job.ts", line: 3, column: 1 }]);
  assert.deepEqual(
    report.frame.map(({ text }) => text),
    ["one", "two", "three"],
  );
  assert.deepEqual(report.why, ["middle", "inner"]);
});

test("where the engine names a place, that is it", () => {
  const location = { file: "/p/job.ts", line: 3, column: 1 };
  const report = only(new UserError("CODE", "m", { location, cause: withStack(new Error("x"), frame(1)) }));
  assert.deepEqual(report.location, { file: "job.ts", line: 3, column: 1 });
});

test("without any frame it is where the operator was declared", () => {
  assert.deepEqual(only(withStack(new UserError("CODE", "m", { operator: "op" }))).location?.line, 4);
  assert.equal(only(withStack(new UserError("CODE", "m", { operator: "unknown" }))).location, null);
});

test("places in messages and fixes are the user's, and causes that the message tells are not told again", () => {
  const cause = withStack(new Error("boom"));
  const report = only(new UserError("CODE", "threw boom (other: /p/job.ts:2:1)", { fix: "see /p/job.ts:3:1", cause }));
  assert.equal(report.message, "threw boom (other: job.ts:2:1)");
  assert.equal(report.fix, "see job.ts:3:1");
  assert.deepEqual(report.why, []);
});

test("an error of ours shows its stack, mapped; one of the user's or the world's does not", () => {
  assert.match(only(withStack(new InternalError("CODE", "m"), frame(2))).stack ?? "", /at f \(job\.ts:2:1\)/);
  assert.equal(only(new UserError("CODE", "m")).stack, null);
  assert.equal(only(new ExternalError("CODE", "m")).stack, null);
});

test("an error of unknown kind is one of ours, whatever was thrown", () => {
  assert.deepEqual([only(new TypeError("x")).code, only(new TypeError("x")).message], ["UNEXPECTED", "TypeError: x"]);
  assert.equal(only("text").message, "text");
});

test("causes that cannot be read do no harm, and a thrown object is told by the message alone", () => {
  const throws = { get: () => assert.fail("unreadable") };
  const odd = Object.defineProperties(new Error("odd"), { message: throws, stack: throws, cause: throws });
  assert.deepEqual(only(new UserError("CODE", "m", { cause: odd })).why, [
    "Error: (an error was thrown whose text cannot be read)",
  ]);
  assert.equal(only(odd).code, "UNEXPECTED");
  assert.deepEqual(only(new UserError("CODE", "m { a: 1 }", { cause: new Error("[object Object]") })).why, []);
});

test("several errors at once give a report each", () => {
  const both = new AggregateError([new UserError("A", "a"), new UserError("B", "b")]);
  assert.deepEqual(
    errorReports(both, context).map(({ code }) => code),
    ["A", "B"],
  );
});
