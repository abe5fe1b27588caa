// Savepoints from code, in this very process: what they are worth when a job is started from one.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { metadataOf } from "../../src/checkpoint/format/metadata.ts";
import { type RunningJob, type StartOptions, start } from "../../src/client/index.ts";
import type hours from "./fixtures/savepoint/hours.job.ts";

const HOURS = new URL("./fixtures/savepoint/hours.job.ts", import.meta.url);

type Given = Partial<StartOptions<typeof hours>>;

function setUp(context: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "millrace-savepoints-"));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  const [out, directory] = [join(root, "out"), join(root, "checkpoints")];
  const lines: string[] = [];
  const config = {
    "execution.checkpointing.dir": directory,
    "execution.checkpointing.interval": "50ms",
    "execution.checkpointing.data-inline-threshold": "0b",
  };
  const run = ({ params = {}, config: more, ...options }: Given = {}): Promise<RunningJob> =>
    start<typeof hours>(HOURS, {
      ...{ parallelism: 2, log: (line: string) => lines.push(line) },
      ...options,
      config: { ...config, ...more },
      params: { out, ...params },
    });
  return { root, out, directory, lines, run };
}

/** Resolves when the job has so many checkpoints more. */
async function checkpoints(running: RunningJob, more = 1): Promise<void> {
  const completed = async (): Promise<number> => {
    return (await running.metrics()).jobManager.numberOfCompletedCheckpoints ?? 0;
  };
  const wanted = (await completed()) + more;
  let ended: unknown = null;
  const end = (how: unknown): void => {
    ended = how;
  };
  void running.result.then(end, end);
  while ((await completed()) < wanted) {
    if (ended !== null) throw new Error("the job has ended", { cause: ended });
    await delay(5);
  }
}

function rowsIn<T>(directory: string): T[] {
  const parts = existsSync(directory) ? readdirSync(directory).filter((name) => name.startsWith("part-")) : [];
  const text = parts.map((part) => readFileSync(join(directory, part), "utf8")).join("");
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as T]));
}

const numbersIn = (out: string): number[] =>
  rowsIn<{ n: number }>(join(out, "rows"))
    .map(({ n }) => n)
    .sort((left, right) => left - right);

/** Each of the two subtasks of the source counts for itself, and is stopped where it is. */
function assertEachOnce(numbers: readonly number[], from = 0): void {
  for (const subtask of [0, 1]) {
    const own = numbers.filter((n) => n % 2 === subtask);
    const first = own[0] ?? subtask;
    if (from === 0) assert.equal(first, subtask);
    assert.deepEqual(
      own,
      own.map((_, index) => first + 2 * index),
    );
  }
}

/** What windows have counted is what was written, each row once. */
function assertCounted(out: string): void {
  const counted = rowsIn<{ rows: number; total: number }>(join(out, "windows"));
  const numbers = numbersIn(out);
  assert.equal(
    counted.reduce((sum, { rows }) => sum + rows, 0),
    numbers.length,
  );
  assert.equal(
    counted.reduce((sum, { total }) => sum + total, 0),
    numbers.reduce((sum, n) => sum + n, 0),
  );
}

/** Of all that is in a folder, with its names. */
function digestOf(folder: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    const path = join(folder, name);
    if (/^\.(lock|control)/.test(name)) continue;
    hash.update(name);
    if (statSync(path).isFile()) hash.update(readFileSync(path));
  }
  return hash.digest("hex");
}

const metadataIn = (folder: string) => metadataOf(folder, readFileSync(join(folder, "_metadata")));

test("a savepoint holds all that the job was, needs nothing but its folder, and stays as it is", async (context) => {
  const { root, out, directory, lines, run } = setUp(context);
  const path = join(root, "moved/savepoint");
  {
    await using first = await run();
    await checkpoints(first);
    const savepoint = await first.savepoint(join(root, "deep/er/savepoint"));
    assert.equal(savepoint.path, join(root, "deep/er/savepoint"));
    await checkpoints(first, 3); // It goes on.
    const { kind, files } = metadataIn(savepoint.path);
    assert.equal(kind, "savepoint");
    assert.deepEqual(
      Object.keys(files).sort(),
      readdirSync(savepoint.path)
        .filter((name) => name !== "_metadata")
        .sort(),
    );
    cpSync(join(root, "deep/er"), join(root, "moved"), { recursive: true });
  }
  assertEachOnce(numbersIn(out));
  const told = new RegExp(`^savepoint ${root}/deep/er/savepoint is there \\(.*B, took .*\\)$`);
  assert.equal(lines.filter((line) => told.test(line)).length, 1, lines.join("\n"));
  const seen = numbersIn(out);
  // Nothing else of the job is left.
  for (const gone of [directory, out, join(root, "deep")]) rmSync(gone, { recursive: true });
  const before = digestOf(path);
  lines.length = 0;
  const again = await run({ from: path });
  await checkpoints(again);
  const restored = metadataIn(path).id;
  const [own] = readdirSync(directory).filter((name) => name.startsWith("chk-"));
  const { files } = metadataIn(join(directory, own ?? ""));
  assert.deepEqual(
    Object.keys(files).filter((name) => !name.startsWith(`${own}/`)),
    [],
    "the first checkpoint is self-contained",
  );
  await checkpoints(again, 3);
  await again.stop({ drain: true });
  assert.equal(digestOf(path), before);
  assert.match(lines[0] ?? "", new RegExp(`^goes on from savepoint ${restored} at ${path}, taken .* ago`));
  const later = numbersIn(out);
  assertEachOnce(later, later[0]);
  assert.ok(later[0]! > 0 && seen.includes(later[0]! - 1), "it goes on right behind the savepoint");
  const all = later.at(-1)! + 1;
  const total = rowsIn<{ rows: number }>(join(out, "windows")).reduce((sum, { rows }) => sum + rows, 0);
  assert.ok(
    Math.abs(total - all) <= all / 2 && total > later.length,
    `${total} of ${all}: windows knew what was before`,
  );
});

test("started again from an older savepoint, files hold each row once, whatever was shown since", async (context) => {
  const { root, out, directory, lines, run } = setUp(context);
  const path = join(root, "savepoint");
  {
    await using first = await run();
    await checkpoints(first);
    await first.savepoint(path);
    await checkpoints(first, 3);
  }
  const shown = numbersIn(out).length;
  await assert.rejects(run({ from: path }), ({ code, fix }: { code: string; fix: string }) => {
    assert.match(fix, /leave out --from .* --fresh/);
    return code === "CHECKPOINT_DIR_OCCUPIED";
  });
  lines.length = 0;
  const again = await run({ from: path, fresh: true });
  assert.deepEqual(lines.slice(0, 1), [`the checkpoints there were are kept in ${directory}/aside-1`]);
  await checkpoints(again, 2);
  await again.stop({ drain: true });
  assertEachOnce(numbersIn(out));
  assertCounted(out);
  assert.ok(shown > 0);
});

test("a job that is stopped with a savepoint goes on from it, with another parallelism, as if nothing had been", async (context) => {
  const { root, out, run } = setUp(context);
  const first = await run();
  await checkpoints(first);
  const { outcome, savepoint } = await first.stop({ savepoint: join(root, "savepoint") });
  assert.deepEqual([outcome, savepoint?.path], ["stopped", join(root, "savepoint")]);
  assertEachOnce(numbersIn(out));
  const other = { "execution.checkpointing.dir": join(root, "other") };
  const again = await run({ from: savepoint!.path, config: other, parallelism: 1 });
  await checkpoints(again);
  const drained = await again.stop({ drain: true });
  assert.deepEqual([drained.outcome, drained.savepoint], ["stopped", null]);
  assertEachOnce(numbersIn(out));
  assertCounted(out);
  // There is nothing that it could go on with, also when it is asked for again and again.
  const rows = numbersIn(out);
  for (let time = 0; time < 2; time += 1) {
    const none = await (await run({ config: other, parallelism: 1 })).result;
    assert.equal(none.outcome, "finished");
  }
  assert.deepEqual(numbersIn(out), rows);
});

test("a bounded job goes on from its savepoint to the output of an undisturbed run, also after it has finished", async (context) => {
  const { root, out, run } = setUp(context);
  const path = join(root, "savepoint");
  const rows = 3_000;
  const first = await run({ params: { rows, rate: 100 } });
  await checkpoints(first);
  const { outcome } = await first.stop({ savepoint: path });
  assert.equal(outcome, "cancelled");
  assert.deepEqual(numbersIn(out), []);
  const fast = { rows, rate: 100_000 };
  await (await run({ params: fast })).result;
  const whole = numbersIn(out);
  assert.equal(whole.length, rows);
  assertEachOnce(whole);
  await (await run({ params: fast, from: path })).result;
  assertEachOnce(numbersIn(out));
  assert.equal(numbersIn(out).length, rows);
  assertCounted(out);
});

test("what is no place for a savepoint is refused, and the job goes on", async (context) => {
  const { root, directory, run } = setUp(context);
  await using running = await run();
  await checkpoints(running);
  writeFileSync(join(root, "file"), "");
  const taken = await running.savepoint(join(root, "taken"));
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [join(root, "file"), "SAVEPOINT_TARGET_EXISTS", /there is a file at/],
    [taken.path, "SAVEPOINT_TARGET_EXISTS", /there is a savepoint or checkpoint at/],
    [join(directory, "chk-7"), "SAVEPOINT_TARGET_EXISTS", /what the job keeps there itself/],
    [join(root, "file/below"), "SAVEPOINT_NOT_WRITTEN", /could not be written: /],
    ["/proc/savepoint", "SAVEPOINT_NOT_WRITTEN", /could not be written: /],
  ];
  for (const [path, code, message] of cases) await assert.rejects(running.savepoint(path), { code, message }, path);
  await assert.rejects(running.stop({ savepoint: join(root, "file") }), { code: "SAVEPOINT_TARGET_EXISTS" });
  // A directory that is there gets a folder; so does the checkpoint directory by default. Two at once are two.
  mkdirSync(join(root, "all"));
  const made = await Promise.all([running.savepoint(join(root, "all")), running.savepoint(join(root, "all"))]);
  assert.equal(readdirSync(join(root, "all")).length, 2);
  for (const { path } of made) assert.match(path, new RegExp(`^${root}/all/savepoint-[0-9a-f]{6}-[0-9a-f]{12}$`));
  const usual = await running.savepoint();
  assert.ok(usual.path.startsWith(`${directory}/savepoint-`), usual.path);
  await checkpoints(running, 2);
  assert.deepEqual(
    readdirSync(root).filter((name) => name.startsWith(".")),
    [],
  );
});

test("savepoints need checkpoints, and a job that runs", async (context) => {
  const { root, run } = setUp(context);
  const none = await start<typeof hours>(HOURS, { params: { out: join(root, "none") }, log: () => undefined });
  await assert.rejects(none.savepoint(), { code: "SAVEPOINT_WITHOUT_CHECKPOINTS" });
  await assert.rejects(none.savepoint("" as never), { code: "SAVEPOINT_PATH_INVALID" });
  await none.cancel();
  const ended = await run();
  await ended.stop();
  await assert.rejects(ended.savepoint(join(root, "late")), { code: "JOB_NOT_RUNNING" });
  await assert.rejects(ended.stop({ drain: true }), { code: "JOB_NOT_RUNNING" });
  assert.deepEqual(
    readdirSync(root).filter((name) => name.includes("late") || name.startsWith(".")),
    [],
  );
});

test("what a job cannot start from is told before anything is changed", async (context) => {
  const { root, out, directory, lines, run } = setUp(context);
  const path = join(root, "savepoint");
  {
    await using first = await run();
    await checkpoints(first);
    await first.savepoint(path);
  }
  const before = digestOf(directory);
  writeFileSync(join(root, "file"), "");
  mkdirSync(join(root, "empty"));
  const damaged = join(root, "damaged");
  cpSync(path, damaged, { recursive: true });
  const [file = ""] = readdirSync(path).filter((name) => name !== "_metadata");
  const bytes = readFileSync(join(path, file));
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(join(damaged, file), bytes);
  const newer = join(root, "newer");
  cpSync(path, newer, { recursive: true });
  const text = readFileSync(join(path, "_metadata"));
  const body = text.subarray(text.indexOf("\n") + 1);
  const check = (version: number): string => crc32(body, version).toString(16).padStart(8, "0");
  writeFileSync(join(newer, "_metadata"), Buffer.concat([Buffer.from(`millrace checkpoint ${check(9)} 9\n`), body]));
  const cases: readonly (readonly [Given, string, RegExp])[] = [
    [{ from: join(root, "nowhere") }, "RESTORE_PATH_INVALID", /there is nothing/],
    [{ from: join(root, "file") }, "RESTORE_PATH_INVALID", /is no directory/],
    [{ from: join(root, "empty") }, "RESTORE_PATH_INVALID", /neither a checkpoint nor a savepoint/],
    [{ from: root }, "RESTORE_PATH_INVALID", /neither a checkpoint nor a savepoint/],
    [{ from: damaged }, "CHECKPOINT_OBJECT_DAMAGED", /is damaged: /],
    [{ from: newer }, "CHECKPOINT_VERSION_UNKNOWN", /is of version 9; known is up to \d+/],
    [{ from: path, params: { uid: "other" } }, "CHECKPOINT_STATE_LEFT_OVER", /has state of "hours"/],
    [{ from: path, renamedFrom: "clicks" }, "CHECKPOINT_OF_OTHER_JOB", /of the job "hours", not of "clicks"/],
    [
      { from: join(directory, "chk-1/../savepoint"), config: { "execution.state-recovery.claim-mode": "CLAIM" } },
      "RESTORE_PATH_INVALID",
      /there is nothing/,
    ],
  ];
  for (const [given, code, message] of cases) {
    await assert.rejects(run({ ...given, fresh: true }), { code, message }, String(given.from));
    assert.equal(digestOf(directory), before, code);
  }
  lines.length = 0;
  const dropped = await run({ from: path, fresh: true, params: { uid: "other" }, allowNonRestored: true });
  await dropped.cancel();
  assert.ok(lines.includes('state of "hours", which the job does not have any more, is dropped'), lines.join("\n"));
  assertEachOnce(numbersIn(out));
});

test("checkpoints of other directories are started from as savepoints are, and so is one that was put aside", async (context) => {
  const { root, out, directory, lines, run } = setUp(context);
  {
    await using first = await run();
    await checkpoints(first, 2);
  }
  const [newest] = readFileSync(join(directory, "latest"), "utf8").split(" ");
  const other = { "execution.checkpointing.dir": join(root, "other") };
  for (const from of [directory, join(directory, newest!)]) {
    lines.length = 0;
    const before = digestOf(directory);
    await (await run({ from, config: other, fresh: true })).cancel();
    assert.ok(
      lines.some((line) => line.startsWith(`goes on from checkpoint ${newest!.slice(4)} of ${directory}, taken`)),
    );
    assert.equal(digestOf(directory), before);
  }
  lines.length = 0;
  const again = await run({ from: join(directory, newest!), fresh: true });
  await checkpoints(again);
  await again.stop();
  assert.match(lines[1] ?? "", new RegExp(`^goes on from checkpoint \\d+ of ${directory}/aside-1, taken`));
  assertEachOnce(numbersIn(out));
});

test("checkpoints of a cancelled job go when the configuration says so, and those of a stopped one stay", async (context) => {
  const { directory, run } = setUp(context);
  const kept = (): number =>
    readdirSync(directory).filter((name) => name.startsWith("chk-") || name === "latest").length;
  const config = { "execution.checkpointing.externalized-checkpoint-retention": "DELETE_ON_CANCELLATION" };
  const first = await run({ config });
  await checkpoints(first);
  await first.stop();
  assert.ok(kept() > 0);
  const second = await run({ config });
  await checkpoints(second);
  const { path } = await second.savepoint();
  await second.cancel();
  assert.equal(kept(), 0);
  const claimed = { ...config, "execution.state-recovery.claim-mode": "CLAIM" };
  const third = await run({ config: claimed, from: path });
  while (existsSync(path)) await delay(5); // Claimed, it goes once there are enough checkpoints of its own.
  await third.cancel();
  assert.deepEqual(readdirSync(directory), []);
});
