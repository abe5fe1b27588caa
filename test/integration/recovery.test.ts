// A job with a checkpoint directory, killed at any instant and started again, commits exactly what an undisturbed run
// would have: real processes, a real disk, looked at from outside.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { checkpointFiles, emittedIndices, metadataIn, newestId } from "../chaos/checkpoint-files.ts";
import { ledgerWrongs } from "../chaos/ledger-check.ts";
import { type DurableOptions, DurableRun } from "../chaos/recover-process.ts";

const scratch = mkdtempSync(join(tmpdir(), "millrace-recovery-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

let places = 0;

function place(): { readonly out: string; readonly checkpoints: string } {
  places += 1;
  return { out: join(scratch, `${places}/out`), checkpoints: join(scratch, `${places}/checkpoints`) };
}

/** Root may write everywhere: such jobs run as nobody. */
const NOBODY = 65_534;
const CAN_MOUNT = process.getuid?.() === 0 && process.platform === "linux";

/** Takes all the room there is. */
function fill(path: string): void {
  spawnSync("dd", ["if=/dev/zero", `of=${path}`, "bs=64k"]);
}

const RIGHT = { lost: 0, doubled: 0, corrupt: 0, outOfOrder: 0, examples: [] };

const parts = (out: string): number =>
  existsSync(out) ? readdirSync(out).filter((name) => name.startsWith("part-")).length : 0;

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** What an endless job had read when it was stopped is what it has committed. */
function assertStoppedWhole({ out, checkpoints }: ReturnType<typeof place>): void {
  const ids = emittedIndices(metadataIn(checkpoints, newestId(checkpoints)!), "entries");
  assert.ok(ids.size > 0);
  assert.deepEqual(ledgerWrongs(out, { ids }), RIGHT);
}

describe("a job that is killed and started again", { concurrency: 2 }, () => {
  test("bounded: commits at its end what an undisturbed run commits, also with another parallelism", async () => {
    const at = place();
    const rows = 20_000;
    const run = (parallelism: number, rate: number): DurableRun =>
      new DurableRun("ledger.job.ts", {
        ...{ checkpoints: at.checkpoints, parallelism },
        params: { out: at.out, rows, rate },
      });
    for (const parallelism of [2, 1, 3]) {
      const job = run(parallelism, 1_000);
      await job.checkpointed();
      await job.kill();
      assert.equal(parts(at.out), 0, "a bounded job shows nothing before its end");
    }
    const { code, stderr } = await run(2, 0).ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^goes on from checkpoint \d+, taken .* ago \(.*, parallelism 3\)$/m);
    assert.deepEqual(ledgerWrongs(at.out, { ids: range(rows) }), RIGHT);
    assert.deepEqual(
      readdirSync(at.checkpoints).filter((name) => !name.startsWith(".")),
      [],
      "it has finished: the next run begins anew",
    );
  });

  test("endless: killed after a checkpoint, after a commit, at another parallelism each time; SIGTERM ends it with 0", async () => {
    const at = place();
    const run = (parallelism: number): DurableRun =>
      new DurableRun("ledger.job.ts", {
        ...{ checkpoints: at.checkpoints, parallelism },
        params: { out: at.out, rows: 0, rate: 2_000 },
      });
    for (const [index, parallelism] of [2, 3, 1, 2].entries()) {
      const job = run(parallelism);
      const before = parts(at.out);
      if (index % 2 === 0) await job.checkpointed();
      else await job.until(() => parts(at.out) > before, "a commit");
      await job.kill();
    }
    for (const parallelism of [1, 2]) {
      const job = run(parallelism);
      await job.checkpointed();
      const { code, stderr } = await job.terminate();
      assert.equal(code, 0, stderr);
      assertStoppedWhole(at);
    }
  });
});

/** An endless job that has been killed after its third checkpoint. */
async function killedEndless(more: readonly string[] = []): Promise<ReturnType<typeof place>> {
  const at = place();
  const job = endless(at, { more });
  await job.checkpointed(2);
  await job.kill();
  return at;
}

function endless(at: ReturnType<typeof place>, options: Partial<DurableOptions> = {}): DurableRun {
  const { params, ...others } = options;
  return new DurableRun("ledger.job.ts", {
    checkpoints: at.checkpoints,
    params: { out: at.out, rows: 0, rate: 2_000, ...params },
    ...others,
  });
}

/** It goes on from where it was, and its output is whole. */
async function assertGoesOn(at: ReturnType<typeof place>): Promise<void> {
  const job = endless(at);
  await job.checkpointed();
  const { code, stderr } = await job.terminate();
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^goes on from checkpoint \d+, /m);
  assertStoppedWhole(at);
}

describe("a checkpoint directory", { concurrency: 2 }, () => {
  test("is one process's at a time", async () => {
    const at = place();
    const first = endless(at);
    await first.checkpointed();
    const { code, stderr } = await endless(at, { params: { out: `${at.out}-2` } }).ended;
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^✗ CHECKPOINT_DIR_LOCKED {2}the checkpoint directory .* is in use by job "ledger" \(process/);
    await first.kill();
    await assertGoesOn(at);
  });

  test("--fresh begins anew, and keeps aside what was there", async () => {
    const at = await killedEndless();
    const again = { checkpoints: at.checkpoints, out: `${at.out}-2` };
    const job = endless(again, { more: ["--fresh"] });
    await job.noted("are kept in"); // Until then the pointer is that of the checkpoints there were.
    await job.checkpointed(0);
    const { code, stderr } = await job.terminate();
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^the checkpoints there were are kept in .*\/aside-1$/m);
    assert.match(stderr, /^begins anew: there is no checkpoint in /m);
    assertStoppedWhole(again);
    await assertGoesOn({ checkpoints: `${at.checkpoints}/aside-1`, out: at.out });
  });

  test("of another job is refused, and so is one that has state of an operator that is no more", async () => {
    const at = await killedEndless();
    const other = new DurableRun("oracle.job.ts", {
      ...{ checkpoints: at.checkpoints, params: { out: `${at.out}-2`, rows: 0, rate: 1_000 } },
    });
    const refused = await other.ended;
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(
      refused.stderr,
      /^✗ CHECKPOINT_OF_OTHER_JOB {2}.* has the checkpoints of the job "ledger", not of "oracle"/,
    );
    const renamed = await endless(at, { params: { uid: "book" } }).ended;
    assert.equal(renamed.code, 2, renamed.stderr);
    assert.match(renamed.stderr, /^✗ CHECKPOINT_STATE_LEFT_OVER {2}checkpoint \d+ of "ledger" has state of "ledger"/);
    const before = newestId(at.checkpoints);
    await assertGoesOn(at);
    const dropped = endless(at, { params: { uid: "book" }, more: ["--allow-non-restored"] });
    await dropped.checkpointed();
    const { code, stderr } = await dropped.terminate();
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^state of "ledger", which the job does not have any more, is dropped$/m);
    assert.ok(newestId(at.checkpoints)! > before!);
  });

  test("that cannot be written to is told of before the job starts", { skip: process.getuid?.() !== 0 }, async () => {
    const at = place();
    mkdirSync(at.checkpoints, { recursive: true, mode: 0o755 });
    mkdirSync(at.out);
    chownSync(at.out, NOBODY, NOBODY);
    const { code, stderr } = await endless(at, { uid: NOBODY }).ended;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^✗ DISK_ACCESS {2}/);
    assert.deepEqual(readdirSync(at.checkpoints), []);
  });

  test("without room: checkpoints fail, the job says so and goes on once there is room", {
    skip: !CAN_MOUNT,
  }, async () => {
    const at = place();
    mkdirSync(at.checkpoints, { recursive: true });
    assert.equal(spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "none", at.checkpoints]).status, 0);
    try {
      const job = endless(at, { more: ["-D", "execution.checkpointing.tolerable-failed-checkpoints=1000000"] });
      await job.checkpointed();
      fill(`${at.checkpoints}/filler`);
      await job.noted("was given up", 2);
      rmSync(`${at.checkpoints}/filler`);
      await job.checkpointed();
      fill(`${at.checkpoints}/filler`);
      await job.noted("was given up", 4);
      await job.kill();
      rmSync(`${at.checkpoints}/filler`);
      await assertGoesOn(at);
    } finally {
      spawnSync("umount", ["-l", at.checkpoints]);
    }
  });
});

describe("a checkpoint that is damaged", { concurrency: 2 }, () => {
  const flipped = (path: string): void => {
    const bytes = readFileSync(path);
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = bytes[middle]! ^ 0x10;
    writeFileSync(path, bytes);
  };
  const DAMAGES: Readonly<Record<string, (path: string) => void>> = {
    flipped,
    truncated: (path) => truncateSync(path, Math.floor(readFileSync(path).length / 2)),
    missing: (path) => rmSync(path),
  };
  /** State in files of its own, too. */
  const FILES = ["-D", "execution.checkpointing.data-inline-threshold=0"];

  for (const [what, damage] of Object.entries(DAMAGES)) {
    test(`each of its files ${what}: the older one is used with a word, and no row is lost or doubled`, async () => {
      const at = await killedEndless(FILES);
      const id = newestId(at.checkpoints)!;
      const files = checkpointFiles(at.checkpoints, id);
      assert.ok(files.length >= 3, files.join());
      for (const file of files) {
        const copy = place();
        cpSync(at.checkpoints, copy.checkpoints, { recursive: true });
        cpSync(at.out, copy.out, { recursive: true });
        damage(file.replace(at.checkpoints, copy.checkpoints));
        const job = endless(copy);
        await job.checkpointed(id);
        const { code, stderr } = await job.terminate();
        assert.equal(code, 0, `${file}\n${stderr}`);
        assert.match(stderr, new RegExp(`checkpoint ${id} cannot be restored: `));
        assert.match(stderr, new RegExp(`(goes on|runs) from checkpoint ${id - 1}, `));
        assertStoppedWhole(copy);
      }
    });
  }

  test("and no other is left: the start is refused, never made from nothing", async () => {
    const at = await killedEndless();
    const names = readdirSync(at.checkpoints).filter((name) => name.startsWith("chk-"));
    for (const name of names)
      if (existsSync(join(at.checkpoints, name, "_metadata"))) flipped(join(at.checkpoints, name, "_metadata"));
    const { code, stderr } = await endless(at).ended;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^✗ CHECKPOINT_NONE_READABLE {2}/m);
  });
});

test("a record that throws each time ends the job after three tries, and is shown", async () => {
  const at = place();
  const job = endless(at, {
    params: { poison: 1_500 },
    more: ["-D", "restart-strategy.exponential-delay.initial-backoff=10ms"],
  });
  const { code, stderr } = await job.ended;
  assert.equal(code, 1, stderr);
  assert.match(
    stderr,
    /^✗ USER_FUNCTION_THREW {2}map "check" threw RangeError: this entry is poison on the record .*1500/m,
  );
  assert.match(stderr, /ledger\.job\.ts:\d+:\d+/);
});
