import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { nodeEnv } from "../../src/base/env-node.ts";
import { jsonl } from "../../src/index.ts";
import { WriterUnderTest } from "../../src/operators/sink.contract.ts";
import { nodeDisk } from "../../src/storage/node-disk.ts";

const scratch = mkdtempSync(join(tmpdir(), "millrace-elsewhere-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const ELSEWHERE = join(import.meta.dirname, "fixtures/commit-elsewhere.ts");

function commitElsewhere(path: string, committables: string, endsBefore: number): NodeJS.Signals | null {
  const args = ["--conditions=millrace-source", ELSEWHERE, path, committables, String(endsBefore)];
  const { status, signal, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.ok(signal !== null || status === 0, stderr);
  return signal;
}

function rowsIn(directory: string): number[] {
  const parts = readdirSync(directory).filter((name) => name.endsWith(".jsonl") && !name.startsWith("."));
  const lines = parts.flatMap((name) => readFileSync(join(directory, name), "utf8").trimEnd().split("\n"));
  return lines.map((line) => (JSON.parse(line) as { n: number }).n).sort((left, right) => left - right);
}

const ROWS = Array.from({ length: 9 }, (_, n) => ({ n }));

for (const [kind, name, roll] of [
  ["a directory", "out", { rows: 4 }],
  ["a single file", "out.jsonl", undefined],
] as const) {
  test(`another process commits ${kind}, and where it is killed a further one goes on`, async () => {
    let kills = 0;
    // Every operation: the contract of sinks, simulated. A process takes its time to start.
    for (let endsBefore = 1; ; endsBefore += 3) {
      const directory = join(scratch, `${kind} ${endsBefore}`);
      const path = join(directory, name);
      const sink = jsonl(path, roll === undefined ? {} : { roll });
      const writer = new WriterUnderTest(sink, {
        env: nodeEnv(nodeDisk(), { logLevel: "error" }),
        settle: () => new Promise((resolve) => setImmediate(resolve)),
      });
      await writer.open();
      await writer.write(ROWS);
      const committables = JSON.stringify(await writer.prepareCommit());
      await writer.close();
      const killed = commitElsewhere(path, committables, endsBefore);
      if (killed !== null) {
        kills += 1;
        assert.equal(commitElsewhere(path, committables, 0), null);
      }
      const shown = rowsIn(name === "out" ? path : directory);
      assert.deepEqual(
        shown,
        ROWS.map(({ n }) => n),
        `killed before operation ${endsBefore}`,
      );
      if (killed === null) break;
    }
    assert.ok(kills >= 2, `${kills}`);
  });
}
