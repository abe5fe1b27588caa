import { test } from "node:test";
import { MARKET, runSeeds } from "./scenarios.ts";

test("the market example gives the same rows under 40 seeds of delays, chunks, flushes, schedules and cuts", () =>
  runSeeds(MARKET, 40));
