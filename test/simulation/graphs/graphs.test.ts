import { describe, test } from "node:test";
import { GRAPHS, runSeed } from "../scenarios.ts";

const SEEDS = 300;

describe("random graphs of which everything may fail", () => {
  // That each fault happened in each phase in which it can is for a campaign (`npm run simulate`): worlds change with
  // the code, and with them which cells so few of them fill.
  test("300 of them have committed the rows that an interpreter of one thread gives (K1, K2)", async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) await runSeed(GRAPHS, seed);
  });
});
