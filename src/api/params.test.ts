import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { t } from "../types/t.ts";
import { paramsParse } from "./params.ts";

const Params = z.object({ in: z.string(), limit: z.number().default(5), dry: z.boolean().optional() });

test("text becomes what the schema wants, and stays text where the schema wants text", async () => {
  assert.deepEqual(await paramsParse(Params, { in: "7", limit: "12", dry: "true" }), { in: "7", limit: 12, dry: true });
  assert.deepEqual(await paramsParse(t.struct({ n: t.f64 }), { n: "1.5" }), { n: 1.5 });
});

test("times and bigints are read as in a file", async () => {
  const schema = t.struct({ since: t.date, at: t.timestamp.nullable(), id: t.i64.optional() });
  assert.deepEqual(await paramsParse(schema, { since: "2026-01-31", at: "1970-01-01T00:01", id: "-7" }), {
    since: new Date(Date.UTC(2026, 0, 31)),
    at: 60_000,
    id: -7n,
  });
  await assert.rejects(paramsParse(schema, { since: "soon", at: "0", id: "1" }), {
    code: "PARAMS_INVALID",
    message: /^since: .*"soon"/,
    fix: "give a time like 2026-01-31, 2026-01-31T09:30Z or epoch milliseconds: --param since=…",
  });
  await assert.rejects(paramsParse(schema, { since: "0", at: "0", id: "1.5" }), {
    fix: "give a whole number: --param id=…",
  });
});

test("a duration is one as it is given, and stays what windows and event time take", async () => {
  const schema = t.struct({ gap: t.duration, wait: t.duration.optional() });
  for (const gap of ["10m", "1.5h", "500ms"]) assert.deepEqual(await paramsParse(schema, { gap }), { gap });
  for (const gap of ["10", "10 min", "m", "-5m", "1e3s", ""]) {
    await assert.rejects(paramsParse(schema, { gap }), {
      code: "PARAMS_INVALID",
      fix: 'give a duration like "5m": --param gap=…',
    });
  }
});

test("every issue is told with what was given", async () => {
  await assert.rejects(paramsParse(Params, { limit: "many" }), {
    code: "PARAMS_INVALID",
    message: /in: .*limit: .*"many"/,
  });
});

test("what was given is said once", async () => {
  await assert.rejects(paramsParse(t.struct({ n: t.f64 }), { n: "abc" }), {
    message: 'n: expected f64, got string "abc"',
  });
});

test("a misspelt parameter is told of together with the one that is missing for it", async () => {
  await assert.rejects(paramsParse(t.struct({ out: t.string, n: t.f64.optional() }), { ouut: "x", n: "1" }), {
    code: "PARAMS_INVALID",
    message: 'out: expected string, got nothing; there is no parameter "ouut": did you mean out?',
  });
  for (const schema of [Params, t.struct({ in: t.string, limit: t.f64.optional() })]) {
    await assert.rejects(paramsParse(schema, { in: "x", limti: "1" }), {
      code: "PARAMS_UNKNOWN",
      fix: "did you mean limit?",
    });
  }
});

test("a parameter that nobody declared is refused, even one that every object inherits", async () => {
  for (const name of ["inn", "toString", "constructor"]) {
    await assert.rejects(paramsParse(Params, { in: "x", [name]: "1" }), { code: "PARAMS_UNKNOWN" }, name);
    await assert.rejects(paramsParse(null, { [name]: "1" }), { code: "PARAMS_UNKNOWN" }, name);
  }
});
