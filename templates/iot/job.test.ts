import assert from "node:assert/strict";
import { test } from "node:test";
import { testJob } from "millrace/testing";
import iot from "./job.ts";

test("a device is silent a minute after its last reading, and back with its next one", async () => {
  await using run = await testJob(iot);
  const readings = run.source("readings");
  readings.push({ device: "a", celsius: 20, at: 0 });
  readings.watermark(59_999);
  assert.deepEqual(await run.sink("alerts").take(), []);
  readings.watermark(60_001);
  assert.deepEqual(await run.sink("alerts").take(), [{ device: "a", kind: "silent", at: 60_000, lastCelsius: 20 }]);
  readings.push({ device: "a", celsius: 21, at: 90_000 });
  readings.watermark(90_001);
  assert.deepEqual(await run.sink("alerts").take(), [{ device: "a", kind: "back", at: 90_000, lastCelsius: 21 }]);
});

test("a device that goes on is never silent, though its readings arrive a few seconds out of order", async () => {
  await using run = await testJob(iot);
  const readings = run.source("readings");
  for (const at of [30_000, 26_000, 90_000, 86_000]) readings.push({ device: "a", celsius: 20, at });
  readings.watermark(100_000);
  assert.deepEqual(await run.sink("alerts").take(), []);
});
