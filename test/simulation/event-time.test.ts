// Event time of whole jobs on virtual time: whoever comes first, late or never.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { count, job, tumbling } from "../../src/index.ts";
import { simulateJob } from "../../src/testing/simulate-job.ts";
import { type Collected, collecting } from "./collecting-sink.ts";
import { FILES, runSeeds } from "./scenarios.ts";
import { type Step, scripted } from "./scripted-source.ts";

test("files give the windows of all their rows under 80 seeds of files, splits, parallelisms, delays and cuts", () =>
  runSeeds(FILES, 80));

describe("splits that all fall idle", () => {
  type Row = { readonly k: string; readonly at: number };
  type Window = { readonly k: string; readonly start: number; readonly n: number };

  /** A split that says its event time ten times a second until it falls silent. */
  const saying = (k: string, at: number, untilMs: number): Step<Row>[] =>
    Array.from({ length: untilMs / 100 }, (_, index) => ({ atMs: index * 100, record: { k, at } }));

  /** The windows, with the time at which each was given: of one source with two splits, or of two with one each. */
  async function windowsOf(first: string, uids: readonly string[], seed: number): Promise<Collected<Window>[]> {
    const ahead = saying("a", 100_000, first === "ahead" ? 1_000 : 3_000);
    const behind = saying("b", 50_000, first === "behind" ? 1_000 : 3_000);
    const scripts = uids.length === 1 ? [[ahead, behind]] : [[ahead], [behind]];
    const { sink, seen } = collecting<Window>();
    const silent = job({ name: "silent" }, (env) => {
      const [one, ...others] = uids.map((uid, index) =>
        env.from(uid, scripted(scripts[index]!, { endMs: 60_000 })).eventTime({ at: "at", idle: "500ms" }),
      );
      const both = one!.union(...others).keyBy("k");
      both.window(tumbling("10s")).aggregate({ n: count() }).to("out", sink);
    });
    const { error } = await simulateJob(silent, { seed, parallelism: 2, cuts: false });
    assert.equal(error, null);
    return seen;
  }

  for (const uids of [["in"], ["left", "right"]]) {
    for (const first of ["ahead", "behind"]) {
      test(`of ${uids.join(" and ")} give what the furthest has reached, though the one ${first} fell idle first`, async () => {
        for (let seed = 1; seed <= 5; seed += 1) {
          const seen = await windowsOf(first, uids, seed);
          const early = seen.filter(({ atMs }) => atMs < 30_000).map(({ row: { k, start } }) => ({ k, start }));
          assert.deepEqual(early, [{ k: "b", start: 50_000 }], `SEED=${seed}`);
          assert.equal(seen.length, 2, `SEED=${seed}`);
        }
      });
    }
  }
});
