// Files as people have them, and windows over them: what comes out depends on the files, not on who reads which first.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { millrace } from "./cli-process.ts";

const scratch = mkdtempSync(join(tmpdir(), "millrace-files-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const MODES = [["--local"], ["--parallelism", "1"], ["--parallelism", "2"], ["--parallelism", "4"]];

/** A folder with these files, of rows "device,hour" of one day or day by day. */
function folder(name: string, files: Readonly<Record<string, readonly string[]>>): string {
  const path = join(scratch, name);
  mkdirSync(path);
  for (const [file, rows] of Object.entries(files)) {
    writeFileSync(join(path, file), ["device,at", ...rows.map((row) => row.replace("@", ","))].join("\n"));
  }
  return path;
}

/** The counts of all windows, and how many rows were late. */
async function counts(job: string, params: Readonly<Record<string, string>>, mode: readonly string[]) {
  const given = Object.entries(params).flatMap(([name, value]) => ["--param", `${name}=${value}`]);
  const { code, stdout, stderr } = await millrace(["run", job, ...given, ...mode]);
  assert.equal(code, 0, stderr);
  const windows = stdout
    .split("\n")
    .flatMap((line) => {
      const [, device, start, n] = /device: "(\w+)" +start: (\S+) .*n: +([\d,]+) /.exec(line) ?? [];
      return device === undefined ? [] : [`${device} ${start} ${n}`];
    })
    .sort();
  return { windows, late: /(\d[\d,]*) late/.exec(stderr)?.[1] ?? "0", stderr };
}

describe("windows over files", { concurrency: 2 }, () => {
  test("lose no row of files that hold the same hours, in any mode", async () => {
    const rows = (device: string) => ["10", "15"].map((hour) => `${device}@2026-01-05T${hour}:00:00Z`);
    const path = folder("two-files", { "a.csv": rows("a"), "b.csv": rows("b") });
    const expected = ["a", "b"].flatMap((device) => {
      return ["10", "15"].map((hour) => `${device} 2026-01-05T${hour}:00:00.000Z 1`);
    });
    for (const mode of MODES) {
      const once = await counts("hours.job.ts", { in: path, format: "csv", inTimeOrder: "false" }, mode);
      assert.deepEqual([once.windows, once.late], [expected, "0"], mode.join(" "));
      const twice = await counts("hours-twice.job.ts", { in: path }, mode);
      assert.deepEqual([twice.windows, twice.late], [expected, "0"], `event time given twice, ${mode.join(" ")}`);
    }
  });

  test("lose no row of the parts of one's own sink, which are read in ranges by several subtasks", async () => {
    const out = join(scratch, "own-parts");
    const written = await millrace([
      "run",
      "own-parts.job.ts",
      "--parallelism",
      "4",
      ...["--param", "rows=20000", "--param", `out=${out}`],
    ]);
    assert.equal(written.code, 0, written.stderr);
    assert.equal(readdirSync(out).filter((name) => name.startsWith("part-")).length, 4);
    const hours = ["00", "01", "02", "03", "04", "05"].map((hour, index) => {
      return `all 1970-01-01T${hour}:00:00.000Z ${index === 5 ? "2000" : "3600"}`;
    });
    for (const mode of MODES) {
      const { windows, late } = await counts("hours.job.ts", { in: out, format: "jsonl", inTimeOrder: "false" }, mode);
      assert.deepEqual([windows.map((window) => window.replace(",", "")), late], [hours, "0"], mode.join(" "));
    }
  });

  test("come day by day from daily logs: numbers in names are numbers", async () => {
    const days = Array.from({ length: 11 }, (_, index) => index + 1);
    const files = days.map((day) => [`day-${day}.csv`, [`a@2026-01-${String(day).padStart(2, "0")}T12:00:00Z`]]);
    const path = folder("days", Object.fromEntries(files) as Record<string, string[]>);
    for (const mode of [["--local"], ["--parallelism", "4"]]) {
      for (const inTimeOrder of ["true", "false"]) {
        const { windows, late } = await counts("hours.job.ts", { in: path, format: "csv", inTimeOrder }, mode);
        assert.deepEqual([windows.length, late], [11, "0"], `${mode.join(" ")}, inTimeOrder ${inTimeOrder}`);
      }
    }
  });

  test("of files that do not follow one another, though the job says so, lose rows, and the summary says why", async () => {
    const rows = (day: number) =>
      Array.from({ length: 20 }, (_, hour) => `a@2026-01-0${day}T${String(hour).padStart(2, "0")}:00:00Z`);
    const path = folder("wrong-order", { "1.csv": rows(2), "2.csv": rows(1) });
    const { windows, late, stderr } = await counts("hours.job.ts", { in: path, format: "csv", inTimeOrder: "true" }, [
      "--local",
    ]);
    assert.equal(windows.length + Number(late), 40);
    assert.ok(Number(late) > 0);
    assert.match(
      stderr,
      /2\.csv holds rows that are older than \S*1\.csv allows, which comes to 2026-01-02T19:00:00\.000Z/,
    );
    assert.match(stderr, /order +20 rows are older than the files before allow: inTimeOrder does not hold/);
  });

  test("in batch mode are the same whether the newest row of a file comes first or last", async () => {
    const rows = Array.from({ length: 20_000 }, (_, hour) => {
      return `a@${new Date(Date.UTC(2026, 2, 1) - hour * 3_600_000).toISOString()}`;
    });
    const newest = folder("newest-first", { "statement.csv": rows });
    const oldest = folder("oldest-first", { "statement.csv": [...rows].reverse() });
    const expected = await counts("days-batch.job.ts", { in: oldest }, ["--local"]);
    assert.equal(expected.windows.length, 1 + Math.ceil(19_999 / 24));
    for (const mode of MODES) {
      const { windows, late } = await counts("days-batch.job.ts", { in: newest }, mode);
      assert.deepEqual([windows, late], [expected.windows, "0"], mode.join(" "));
    }
  });
});
