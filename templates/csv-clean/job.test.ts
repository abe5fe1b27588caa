import assert from "node:assert/strict";
import { test } from "node:test";
import { testJob } from "millrace/testing";
import clean from "./job.ts";

const orderedAt = Date.parse("2026-01-05T10:00:00Z");

test("an order without a country is set aside", async () => {
  await using run = await testJob(clean);
  run.source("orders").push({ id: "1", country: "", amount: 10, orderedAt });
  await run.end();
  const incomplete = await run.sink("incomplete").rows<{ record: { id: string } }>();
  assert.deepEqual(
    incomplete.map(({ record }) => record.id),
    ["1"],
  );
  assert.deepEqual(await run.sink("clean").rows(), []);
});

test("an order that is there twice counts once, and countries are written alike", async () => {
  await using run = await testJob(clean);
  const orders = run.source("orders");
  orders.push({ id: "1", country: "se", amount: 10, orderedAt });
  orders.push({ id: "1", country: "se", amount: 10, orderedAt });
  orders.push({ id: "2", country: "SE", amount: 30, orderedAt });
  await run.end();
  assert.deepEqual(await run.sink("countries").rows(), [{ country: "SE", orders: 2, total: 40, mean: 20 }]);
});
