import assert from "node:assert/strict";
import { test } from "node:test";
import { testJob } from "millrace/testing";
import market from "./job.ts";

const at = (time: string) => Date.parse(`2026-01-05T${time}Z`);

test("a bar has the prices and the volume of its minute, and comes once the minute is over", async () => {
  await using run = await testJob(market);
  const trades = run.source("trades");
  trades.push({ symbol: "ACME", price: 100, quantity: 10, at: at("09:30:01") });
  trades.push({ symbol: "ACME", price: 104, quantity: 30, at: at("09:30:40") });
  trades.push({ symbol: "ACME", price: 99, quantity: 10, at: at("09:30:20") });
  trades.watermark(at("09:30:59"));
  assert.deepEqual(await run.sink("bars").take(), []);
  trades.watermark(at("09:31:00"));
  const bar = { open: 100, high: 104, low: 99, close: 104, vwap: 102.2, volume: 50, trades: 3 };
  assert.deepEqual(await run.sink("bars").take(), [
    { symbol: "ACME", minute: new Date("2026-01-05T09:30:00Z"), ...bar },
  ]);
});
