// Devices that fall silent in replayed data are found where they do, however the job runs.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { CliProcess } from "./cli-process.ts";

const scratch = mkdtempSync(join(tmpdir(), "millrace-silences-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const SILENCES = 10;
const START = Date.UTC(2026, 0, 5);

/** The last reading before each silence is at second 499 of its 1,000; it is noticed 30 s later. */
const EXPECTED = [
  ...Array.from({ length: SILENCES }, (_, n) => ({ device: "d3", at: START + (n * 1_000 + 499 + 30) * 1_000 })),
  { device: "d4", at: START + (SILENCES * 1_000 - 301 + 30) * 1_000 },
];

describe("each silence is found at its time", () => {
  const modes = [["--local"], ["--parallelism", "1"], ["--parallelism", "2"], ["--parallelism", "4"]];
  // Within two hours everything may come in any order: nothing is released before the end.
  const cases = [
    ...modes.map((mode) => ({ mode, outOfOrder: "0ms", inOrder: true })),
    { mode: ["--parallelism", "4"], outOfOrder: "2h", inOrder: true },
    // One subtask's records come in the order of time: watermarks among them are enough.
    { mode: ["--local"], outOfOrder: "0ms", inOrder: false },
    { mode: ["--parallelism", "1"], outOfOrder: "0ms", inOrder: false },
  ];
  for (const { mode, outOfOrder, inOrder } of cases) {
    test(`with ${mode.join(" ")}, up to ${outOfOrder} out of order, ${inOrder ? "" : "not "}in event-time order`, async () => {
      const out = join(scratch, `${mode.join("-")}-${outOfOrder}-${inOrder}`);
      const given = [`silences=${SILENCES}`, `outOfOrder=${outOfOrder}`, `inOrder=${inOrder}`, `out=${out}`];
      const params = given.flatMap((param) => ["--param", param]);
      const { code, stderr } = await new CliProcess(["run", "silences.job.ts", ...params, ...mode]).ended;
      assert.equal(code, 0, stderr);
      const rows = readdirSync(out, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".jsonl"))
        .flatMap((name) => readFileSync(join(out, name), "utf8").trimEnd().split("\n"))
        .map((line) => JSON.parse(line) as { device: string; at: string });
      assert.deepEqual(
        rows
          .map(({ device, at }) => ({ device, at: new Date(at).getTime() }))
          .sort((left, right) => left.at - right.at),
        EXPECTED,
      );
    });
  }
});
