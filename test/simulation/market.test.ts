import { test } from "node:test";
import { MARKET, runSeeds } from "./scenarios.ts";

// Nothing but a limit for a hang: on a busy machine the seeds take several times as long.
test(
  "the market example gives the same rows under 200 seeds of delays, chunks, flushes and schedules",
  {
    timeout: 170_000,
  },
  () => runSeeds(MARKET, 200),
);
