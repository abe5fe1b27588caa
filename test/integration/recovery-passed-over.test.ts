// A checkpoint that an older one has stood in for, and that can be read again: what it had shown is written again, so
// that it must not count any more.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { emittedIndices, metadataIn, newestId } from "../chaos/checkpoint-files.ts";
import { ledgerWrongs } from "../chaos/ledger-check.ts";
import { DurableRun } from "../chaos/recover-process.ts";

const scratch = mkdtempSync(join(tmpdir(), "millrace-passed-over-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

for (const damaged of [1, 2]) {
  test(`the ${damaged} newest that could not be read for a while are not gone on from afterwards`, async () => {
    const checkpoints = join(scratch, `${damaged}/checkpoints`);
    const out = join(scratch, `${damaged}/out`);
    const endless = (interval: string): DurableRun =>
      new DurableRun("ledger.job.ts", {
        checkpoints,
        params: { out, rows: 0, rate: 2_000 },
        more: ["execution.checkpointing.num-retained=5", `execution.checkpointing.interval=${interval}`].flatMap(
          (value) => ["-D", value],
        ),
      });
    const parts = (): number => readdirSync(out).filter((name) => name.startsWith("part-")).length;
    const first = endless("700ms");
    await first.checkpointed(6);
    const then = parts();
    await first.until(() => parts() > then + 2, "a commit");
    await first.kill();
    const names = new Set(readdirSync(out));
    const newest = newestId(checkpoints)!;
    const metadata = Array.from({ length: damaged }, (_, index) =>
      join(checkpoints, `chk-${newest - index}/_metadata`),
    );
    const whole = metadata.map((path) => readFileSync(path));
    for (const path of metadata) writeFileSync(path, "damaged");
    const second = endless("1h"); // It ends before it has a checkpoint of its own.
    const hasWritten = (): boolean => readdirSync(out).some((name) => name.startsWith(".part-") && !names.has(name));
    await second.until(hasWritten, "rows after the older one, in place of what the damaged ones had shown");
    await second.kill();
    for (const [index, path] of metadata.entries())
      for (const each of [path, `${path}.passed-over`]) if (existsSync(each)) writeFileSync(each, whole[index]!);
    const third = endless("100ms");
    await third.noted("goes on from checkpoint");
    assert.match(third.stderr, new RegExp(`^goes on from checkpoint ${newest - damaged}, `, "m"));
    await third.checkpointed();
    const { code, stderr } = await third.terminate();
    assert.equal(code, 0, stderr);
    const ids = emittedIndices(metadataIn(checkpoints, newestId(checkpoints)!), "entries");
    assert.deepEqual(ledgerWrongs(out, { ids }), { lost: 0, doubled: 0, corrupt: 0, outOfOrder: 0, examples: [] });
  });
}
