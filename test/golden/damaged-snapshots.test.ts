// A job that is started on a checkpoint which is not what was written: it goes on from the older one, and says so.
// (Every byte: src/checkpoint/damage-every-byte.test.ts.)

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Files, goldenRun, rowsIn } from "./golden-run.ts";

/** Moments of a file, of each kind of damage. */
const PLACES = [0, 0.3, 0.62, 0.999];

test("a job goes on from the older checkpoint where the newest is damaged, with all of its state", async () => {
  const first = await goldenRun();
  const { files, newest } = await goldenRun({ from: first.files });
  assert.equal(newest.id, 2);
  const rows = await rowsIn(files);
  const start = async (damaged: Files, what: string): Promise<void> => {
    const { log, files: after } = await goldenRun({ from: damaged });
    assert.ok(log.some((line) => / checkpoint 2 cannot be restored: .*; an older one is tried/.test(line)), what);
    assert.ok(log.some((line) => /(goes on|attempt 2 runs) from checkpoint 1, /.test(line)), what);
    assert.deepEqual(await rowsIn(after), rows, what);
  };
  for (const path of [...files.keys()].filter((each) => each.startsWith("chk-2/"))) {
    const bytes = Buffer.from(files.get(path)!);
    await start(new Map([...files].filter(([each]) => each !== path)), `${path} is gone`);
    for (const [index, place] of PLACES.entries()) {
      const at = Math.floor(bytes.length * place);
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << index;
      const damage = index % 2 === 0 ? flipped : bytes.subarray(0, at);
      await start(new Map([...files, [path, damage]]), `${path} at ${at}`);
    }
  }
});
