// The examples against independent computations with DuckDB, run as a user runs them.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { DuckDBInstance } from "@duckdb/node-api";

const ROOT = new URL("../../", import.meta.url).pathname;
const DATA = join(ROOT, "node_modules/vega-datasets/data");
const scratch = mkdtempSync(join(tmpdir(), "millrace-examples-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

type Row = Record<string, unknown>;

function runExample(job: string, name: string, options: readonly string[]): { out: string; stdout: string } {
  const out = join(scratch, name);
  const bin = join(ROOT, "bin/millrace.js");
  const run = spawnSync(process.execPath, [bin, "run", join(ROOT, job), "--param", `out=${out}`, ...options], {
    cwd: ROOT,
    encoding: "utf8",
  });
  assert.equal(run.status, 0, run.stderr);
  return { out, stdout: run.stdout };
}

function rowsOf(folder: string): Row[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".jsonl"))
    .flatMap((file) => readFileSync(join(folder, file), "utf8").split("\n"))
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Row);
}

async function query(sql: string): Promise<Row[]> {
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  const result = await connection.runAndReadAll(sql);
  return result
    .getRowObjects()
    .map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([key, value]) => [key, typeof value === "bigint" ? Number(value) : value]),
      ),
    );
}

/** Equal rows in equal order, numbers within rounding. */
function assertRows(actual: readonly Row[], expected: readonly Row[]): void {
  assert.equal(actual.length, expected.length);
  for (const [index, row] of expected.entries()) {
    for (const [key, value] of Object.entries(row)) {
      const other = actual[index]?.[key];
      if (typeof value === "number" && typeof other === "number") {
        assert.ok(
          Math.abs(other - value) <= 1e-9 * Math.max(1, Math.abs(value)),
          `row ${index}, ${key}: ${other}, not ${value}`,
        );
      } else assert.deepEqual(other, value, `row ${index}, ${key}`);
    }
  }
}

const byStart = (left: Row, right: Row): number =>
  Number(left.start) - Number(right.start) || (String(left.device) < String(right.device) ? -1 : 1);
const byTime = (left: Row, right: Row): number =>
  Number(left.at) - Number(right.at) || (String(left.device) < String(right.device) ? -1 : 1);

const MODES: readonly (readonly [string, readonly string[]])[] = [
  ["two slots", ["--parallelism", "2"]],
  ["one thread", ["--local"]],
];

const BARS = `
  WITH bars AS (
    SELECT epoch_ms(date::TIMESTAMP) AS date, high, low, close, volume, (high + low + close) / 3 AS typical,
           ln(close / lag(close) OVER (ORDER BY date)) AS r
    FROM read_csv('${DATA}/sp500-2000.csv', types = {'date': 'DATE', 'volume': 'DOUBLE'}))`;
const DAY = 86_400_000;

function marketWindows(size: number, slide: number): string {
  const offset = 4 * DAY;
  return `${BARS}, starts AS (
      SELECT DISTINCT start FROM bars, unnest(generate_series(0, ${size / slide - 1})) AS step(k),
        LATERAL (SELECT (floor((date - ${offset}) / ${slide}) - k) * ${slide} + ${offset} AS start))
    SELECT start::DOUBLE AS start, (start + ${size})::DOUBLE AS end, sum(typical * volume) / sum(volume) AS vwap, sum(volume) AS volume,
           max(high) AS high, min(low) AS low, sqrt(coalesce(sum(r * r), 0)) AS volatility
    FROM starts JOIN bars ON date >= start AND date < start + ${size}
    GROUP BY start ORDER BY start`;
}

/** With one reader: with two, the other one's watermark holds the lateness back. */
test("a bar that comes years too late goes to the late output, and changes no window", async () => {
  const [heading = "", first = "", ...rest] = readFileSync(join(DATA, "sp500-2000.csv"), "utf8").split("\n");
  const input = join(scratch, "late.csv");
  writeFileSync(input, [heading, ...rest, first].join("\n"));
  const { out } = runExample("examples/01-market/job.ts", "late", ["--parallelism", "1", "--param", `in=${input}`]);
  const [late, ...others] = rowsOf(join(out, "late"));
  assert.deepEqual([late?.date, others], [Date.parse(first.slice(0, 10)), []]);
  const expected = await query(marketWindows(7 * DAY, 7 * DAY));
  assert.equal(rowsOf(join(out, "weekly")).length, expected.length);
});

for (const [mode, options] of MODES) {
  describe(`with ${mode}`, () => {
    test("the market example computes the windows and alerts that DuckDB computes", async () => {
      const { out, stdout } = runExample("examples/01-market/job.ts", `market ${mode}`, options);
      assertRows(rowsOf(join(out, "weekly")).sort(byStart), await query(marketWindows(7 * DAY, 7 * DAY)));
      assertRows(rowsOf(join(out, "sliding")).sort(byStart), await query(marketWindows(28 * DAY, 7 * DAY)));
      assert.deepEqual(rowsOf(join(out, "late")), []);
      const alerts = await query(`${BARS}, scored AS (
          SELECT *, avg(r) OVER before AS mean, stddev_samp(r) OVER before AS sd, count(r) OVER before AS n FROM bars
          WINDOW before AS (ORDER BY date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))
        SELECT date::DOUBLE AS date, close, r AS "logReturn", (r - mean) / sd AS sigmas FROM scored
        WHERE n >= 252 AND abs((r - mean) / sd) > 4 ORDER BY date`);
      assert.ok(alerts.length > 10);
      assertRows(rowsOf(join(out, "alerts")), alerts);
      assert.match(
        stdout,
        /^latest-weeks: the last 12 of 1059 rows\n {2}symbol {2}week +vwap +volume +high +low +volat/m,
      );
      assert.match(stdout, /^ {2}SPX +2020-04-13 +2,806\.19 +27,017,230,000 /m);
      assert.match(stdout, new RegExp(`^latest-alerts: the last 12 of ${alerts.length} rows$`, "m"));
    });

    test("the sensor example computes the statistics, spikes and silences that DuckDB computes", async () => {
      const { out } = runExample("examples/02-iot/job.ts", `iot ${mode}`, options);
      const rolling = await query(`${READINGS}
        SELECT device, start::DOUBLE AS start, (start + ${7 * DAY})::DOUBLE AS end, count(*)::DOUBLE AS readings, avg(value) AS mean,
               stddev_samp(value) AS stddev, min(value) AS min, max(value) AS max
        FROM readings, unnest(generate_series(0, 6)) AS step(k), LATERAL (SELECT (floor(ts / ${DAY}) - k) * ${DAY} AS start)
        GROUP BY device, start ORDER BY start, device`);
      assertRows(rowsOf(join(out, "rolling")).sort(byStart), rolling);
      const alerts = rowsOf(join(out, "alerts")).sort(byTime);
      assertRows(
        alerts.filter((row) => row.kind === "spike"),
        await query(SPIKES),
      );
      assertRows(
        alerts.filter((row) => row.kind === "silent"),
        await query(SILENCES),
      );
    });
  });
}

const READINGS = `
  WITH hourly AS (SELECT *, epoch_ms(date::TIMESTAMP) AS ts FROM read_csv('${DATA}/seattle-weather-hourly-normals.csv', types = {'date': 'TIMESTAMP'})),
  daily AS (SELECT *, epoch_ms(date::TIMESTAMP) AS ts FROM read_csv('${DATA}/weather.csv', types = {'date': 'DATE'})),
  readings AS (
    SELECT 'seattle-normals/pressure' AS device, ts, pressure AS value FROM hourly UNION ALL
    SELECT 'seattle-normals/temperature', ts, temperature FROM hourly UNION ALL
    SELECT 'seattle-normals/wind', ts, wind FROM hourly UNION ALL
    SELECT location || '/rain', ts, precipitation FROM daily WHERE precipitation > 0 UNION ALL
    SELECT location || '/temp-max', ts, temp_max FROM daily UNION ALL
    SELECT location || '/temp-min', ts, temp_min FROM daily UNION ALL
    SELECT location || '/wind', ts, wind FROM daily)`;

const SPIKES = `${READINGS}, scored AS (
    SELECT *, avg(value) OVER before AS mean, stddev_samp(value) OVER before AS sd, count(*) OVER before AS n FROM readings
    WINDOW before AS (PARTITION BY device ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))
  SELECT device, ts::DOUBLE AS "at", value, (value - mean) / sd AS sigmas FROM scored
  WHERE n >= 30 AND abs((value - mean) / sd) > 4 ORDER BY ts, device`;

const SILENCES = `${READINGS}, gaps AS (
    SELECT device, ts, lead(ts) OVER (PARTITION BY device ORDER BY ts) AS next FROM readings)
  SELECT device, (ts + ${3 * DAY})::DOUBLE AS "at" FROM gaps
  WHERE coalesce(next, (SELECT max(ts) FROM readings) + 1) > ts + ${3 * DAY} ORDER BY "at", device`;
