import { test } from "node:test";
import { MARKET, runSeeds } from "./scenarios.ts";

test("the market example gives the same rows under 200 seeds of delays, chunks, flushes and schedules", () =>
  runSeeds(MARKET, 200));
