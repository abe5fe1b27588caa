// A job over a file on the simulated disk: event time, a keyed function with state and timers, side outputs, windows,
// files.

import { SeededRandom } from "../../src/base/seeded-random.ts";
import { count, csv, job, jsonl, max, mean, sliding, state, t, tumbling } from "../../src/index.ts";
import type { SimDisk } from "../../src/testing/sim-disk.ts";
import { simulateJob } from "../../src/testing/simulate-job.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";

const Bar = t.struct({ date: t.timestamp, symbol: t.string, close: t.f64, volume: t.f64 });
const Move = t.struct({ symbol: t.string, at: t.f64, z: t.f64 });
const Welford = t.struct({ n: t.f64, mean: t.f64, m2: t.f64 });
const DAY_MS = 86_400_000;

export const moves = job({ name: "moves" }, (env) => {
  const bars = env
    .from("bars", csv("/data/bars.csv", { type: Bar }))
    .filter((bar) => bar.volume > 0)
    .eventTime({ at: "date", outOfOrder: "3d" });
  const bySymbol = bars.keyBy("symbol");
  const unusual = bars
    .map((bar) => ({ ...bar, turnover: bar.close * bar.volume }))
    .keyBy("symbol")
    .process({
      uid: "moves",
      out: Move,
      side: { silent: t.struct({ symbol: t.string, since: t.f64 }) },
      state: { stats: state.value(Welford, { init: () => ({ n: 0, mean: 0, m2: 0 }) }), last: state.value(t.f64) },
      onRecord(bar, ctx) {
        const { n, mean, m2 } = ctx.state.stats.get();
        const deviation = bar.close - mean;
        const spread = Math.sqrt(m2 / Math.max(1, n - 1));
        if (n > 5 && Math.abs(deviation) > 2 * spread) {
          ctx.emit({ symbol: ctx.key, at: bar.date, z: deviation / spread });
        }
        const next = mean + deviation / (n + 1);
        ctx.state.stats.set({ n: n + 1, mean: next, m2: m2 + deviation * (bar.close - next) });
        ctx.state.last.set(bar.date);
        ctx.timers.set("silence", bar.date + 10 * DAY_MS);
      },
      onTimer(_timer, ctx) {
        ctx.side.silent({ symbol: ctx.key, since: ctx.state.last.get() ?? -1 });
      },
    });
  unusual.to("moves-out", jsonl("/out/moves"));
  unusual.side.silent.to("silent-out", jsonl("/out/silent"));
  bars.rebalance().to("copy", jsonl("/out/copy"));
  bySymbol
    .window(tumbling("7d"))
    .aggregate({ bars: count(), highest: max("close") })
    .to("weekly", jsonl("/out/weekly"));
  bySymbol
    .window(sliding("14d", "2d"))
    .aggregate({ bars: count(), mean: mean("close") })
    .to("sliding", jsonl("/out/sliding"));
});

/** 300 bars of 9 symbols, a little out of order. */
function barsFile(): string {
  const random = new SeededRandom(2_026);
  const lines = ["date,symbol,close,volume"];
  for (let i = 0; i < 300; i += 1) {
    const day = Math.floor(i / 6) - random.below(3);
    const date = new Date(Date.UTC(2020, 0, 10) + day * DAY_MS).toISOString();
    lines.push(`${date},S${random.below(9)},${(100 + 30 * (random.next() - 0.5)).toFixed(2)},${random.below(1_000)}`);
  }
  return `${lines.join("\n")}\n`;
}

const BARS = barsFile();
export const movesInput = (disk: SimDisk): void => disk.put("/data/bars.csv", BARS);

export async function movesScenario(seed: number): Promise<Outcome> {
  const simulation = await simulateJob(moves, {
    seed,
    parallelism: 2 + (seed % 3),
    realLinks: seed % 5 === 0,
    prepare: movesInput,
  });
  return outcomeOf(simulation);
}
