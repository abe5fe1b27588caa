// Twenty years of daily S&P 500 bars as an event-time stream: weekly and sliding four-week figures, and the days on
// which the index moved further than four standard deviations of all days before.
//
//   npm start                                         or
//   npx millrace run examples/01-market/job.ts --param out=DIR

import { col, csv, job, jsonl, max, min, print, sliding, state, sum, t, tumbling, weightedMean } from "millrace";
import { z } from "zod";

const Bar = t.struct({
  date: t.timestamp,
  open: t.f64,
  high: t.f64,
  low: t.f64,
  close: t.f64,
  adjclose: t.f64,
  volume: t.f64,
});

const Day = t.struct({
  symbol: t.string,
  date: t.timestamp,
  high: t.f64,
  low: t.f64,
  /** (high + low + close) / 3 */
  typical: t.f64,
  volume: t.f64,
  /** Natural logarithm of close / close of the day before; null on the first day. */
  logReturn: t.f64.nullable(),
});

const Alert = t.struct({
  symbol: t.string,
  date: t.timestamp,
  close: t.f64,
  logReturn: t.f64,
  /** Distance from the mean of all days before, in their standard deviations. */
  sigmas: t.f64,
});

/** Mean and variance of what was seen so far, by Welford's method. */
const Welford = t.struct({ count: t.f64, mean: t.f64, m2: t.f64 });

/** Days to see before a move can be called unusual: one year of trading. */
const DAYS_BEFORE_ALERTS = 252;
const SIGMAS = 4;

const Params = z.object({
  in: z.string().default("node_modules/vega-datasets/data/sp500-2000.csv"),
  out: z.string().default("out/market"),
});

export default job({ name: "market", params: Params }, (env, { in: input, out }) => {
  const days = env
    .from("bars", csv(input, { type: Bar }))
    .map((bar) => ({ symbol: "SPX", ...bar }))
    .eventTime({ at: "date", outOfOrder: "3d" })
    .keyBy("symbol")
    .process({
      uid: "returns",
      out: Day,
      side: { alerts: Alert },
      state: {
        previous: state.value(t.f64),
        moves: state.value(Welford, { init: () => ({ count: 0, mean: 0, m2: 0 }) }),
      },
      onRecord(bar, ctx) {
        const { symbol, date, high, low, close, volume } = bar;
        const previous = ctx.state.previous.get();
        const logReturn = previous === null ? null : Math.log(close / previous);
        ctx.state.previous.set(close);
        if (logReturn !== null) {
          const { count, mean, m2 } = ctx.state.moves.get();
          const sigmas = (logReturn - mean) / Math.sqrt(m2 / (count - 1));
          if (count >= DAYS_BEFORE_ALERTS && Math.abs(sigmas) > SIGMAS) {
            ctx.side.alerts({ symbol, date, close, logReturn, sigmas });
          }
          const delta = logReturn - mean;
          const nextMean = mean + delta / (count + 1);
          ctx.state.moves.set({ count: count + 1, mean: nextMean, m2: m2 + delta * (logReturn - nextMean) });
        }
        ctx.emit({ symbol, date, high, low, typical: (high + low + close) / 3, volume, logReturn });
      },
    });

  const figures = {
    vwap: weightedMean("typical", "volume"),
    volume: sum("volume"),
    high: max("high"),
    low: min("low"),
    variance: sum(col("logReturn").mul(col("logReturn"))),
  };
  const bySymbol = days.keyBy("symbol");
  // Weeks begin on Mondays; 1970-01-01 was a Thursday.
  const weekly = bySymbol
    .window(tumbling("7d", { offset: "4d" }))
    .allowLate("7d")
    .aggregate(figures);
  const fourWeeks = bySymbol.window(sliding("28d", "7d", { offset: "4d" })).aggregate(figures);

  const weeks = weekly.map(withVolatility).name("weekly volatility");
  weeks.to("weekly", jsonl(`${out}/weekly`));
  fourWeeks
    .map(withVolatility)
    .name("sliding volatility")
    .to("sliding", jsonl(`${out}/sliding`));
  weekly.side.late.to("late", jsonl(`${out}/late`));
  days.side.alerts.to("alerts", jsonl(`${out}/alerts`));

  // For people: the end of both, as tables.
  weeks
    .map(({ symbol, start, end: _, ...figures }) => ({ symbol, week: dateText(start), ...figures }))
    .to("latest-weeks", print({ table: { last: 12 } }))
    .parallelism(1);
  days.side.alerts
    .map(({ symbol, date, close, logReturn, sigmas }) => {
      return { symbol, date: dateText(date), close, movePercent: 100 * Math.expm1(logReturn), sigmas };
    })
    .to("latest-alerts", print({ table: { last: 12 } }))
    .parallelism(1);
});

const dateText = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** Realised volatility: the root of the sum of squared daily log returns in the window. */
function withVolatility<T extends { variance: number | null }>({
  variance,
  ...row
}: T): Omit<T, "variance"> & { volatility: number } {
  return { ...row, volatility: Math.sqrt(variance ?? 0) };
}
