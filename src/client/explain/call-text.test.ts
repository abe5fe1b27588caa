import assert from "node:assert/strict";
import { test } from "node:test";
import { callText } from "./call-text.ts";

test("a call is shown to its end, whatever brackets and texts are in it, and what follows it is not", () => {
  const line = `  x.map(({ a: [b] }) => f(b, ")", '\\'(', \`(\`)).filter((r) => r > 1).to("out", print());`;
  assert.equal(callText(line, 5), `map(({ a: [b] }) => f(b, ")", '\\'(', \`(\`))`);
  assert.equal(callText(line, line.indexOf("filter") + 1), "filter((r) => r > 1)");
});

test("a call that goes on in the next lines says so, and a long one is cut", () => {
  assert.equal(callText("    .flatMap((row) => {", 6), "flatMap((row) => { …");
  assert.equal(callText("  map(", 3), "map( …");
  assert.equal(callText(`map(${"x".repeat(200)})`, 1).length, 100);
});
