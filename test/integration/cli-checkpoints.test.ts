// `millrace run` with a checkpoint directory, and `millrace checkpoints`, as users see them.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { CliProcess, millrace } from "./cli-process.ts";

type Listed = {
  readonly checkpoints: readonly {
    readonly id: number;
    readonly readable: boolean;
    readonly error: { readonly code: string } | null;
    readonly job: string;
    readonly bytes: number;
    readonly operators: readonly { readonly uid: string; readonly parallelism: number }[];
  }[];
};

async function listed(directory: string): Promise<Listed["checkpoints"]> {
  const { code, stdout, stderr } = await millrace(["checkpoints", directory, "--json"]);
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout) as Listed).checkpoints;
}

test("SIGTERM ends a job with a last checkpoint and 0; checkpoints lists it, and what is damaged", async (context) => {
  const root = mkdtempSync(join(tmpdir(), "millrace-checkpoints-"));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  const directory = join(root, "checkpoints");
  const options = [
    "-D",
    "execution.checkpointing.interval=100ms",
    "-D",
    "execution.checkpointing.data-inline-threshold=0b",
  ];
  const params = ["--param", `out=${root}/out`, "--param", `flag=${root}/flag`];
  const command = ["run", "../client/durable.job.ts", "--parallelism", "2", ...params, "--checkpoint-dir", directory];
  const run = new CliProcess([...command, ...options]);
  while (!existsSync(join(directory, "chk-2/_metadata")) && run.child.exitCode === null) await delay(5);
  run.child.kill("SIGTERM");
  const { code, stderr } = await run.ended;
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^begins anew: there is no checkpoint in .* yet\n/);
  const kept = /\n {2}kept {3}checkpoint (\d+): the next run goes on from it\n/.exec(stderr)?.[1];

  const [newest, older] = await listed(directory);
  assert.deepEqual([String(newest?.id), newest?.readable, newest?.job], [kept, true, "durable"]);
  assert.deepEqual(
    newest?.operators.map(({ uid, parallelism }) => [uid, parallelism]),
    [
      ["numbers", 2],
      ["numbers/map", 2],
      ["files", 2],
    ],
  );
  const [file = ""] = readdirSync(join(directory, `chk-${kept}`)).filter((name) => name !== "_metadata");
  truncateSync(join(directory, `chk-${kept}`, file), 3);
  const table = await millrace(["checkpoints", directory]);
  const [head, first, second] = table.stdout.split("\n");
  assert.match(head ?? "", /^id +job +taken +size +operators +parallelism +state$/);
  assert.match(
    first ?? "",
    new RegExp(`^${kept} +durable +\\d{4}-.* ago\\) .* 3 +2 +damaged: chk-${kept}/${file} is damaged: `),
  );
  assert.match(second ?? "", new RegExp(`^${older?.id} +durable +.* +whole$`));
  assert.match(table.stdout, new RegExp(`\noperators of checkpoint ${older?.id}, which the next run goes on from\n`));
  assert.equal((await listed(directory))[0]?.error?.code, "CHECKPOINT_OBJECT_DAMAGED");
});

test("checkpoints of a directory without any, and of none, say so", async (context) => {
  const root = mkdtempSync(join(tmpdir(), "millrace-checkpoints-"));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  const none = await millrace(["checkpoints", root]);
  assert.deepEqual([none.code, none.stdout, none.stderr], [0, "", `there is no checkpoint in ${root}\n`]);
  const missing = await millrace(["checkpoints", join(root, "nowhere")]);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /^✗ CHECKPOINT_DIR_MISSING {2}there is no directory .*nowhere\n {2}fix {2}/);
});

test("run refuses what it is to start from where it takes no checkpoints, by the name that it was given", async (context) => {
  const root = mkdtempSync(join(tmpdir(), "millrace-checkpoints-"));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  const command = ["run", "../client/durable.job.ts", "--param", `out=${root}/out`, "--param", `flag=${root}/flag`];
  for (const [given, name] of [
    [["--from", root], "--from"],
    [["-D", `execution.state-recovery.path=${root}`], "execution.state-recovery.path (command line)"],
    [["-D", "millrace.state-recovery.job-name=old"], "millrace.state-recovery.job-name (command line)"],
  ] as const) {
    const { code, stderr } = await millrace([...command, "--param", "count=1", ...given]);
    assert.notEqual(code, 0);
    assert.ok(stderr.includes(`${name} has no effect without checkpoints`), stderr);
  }
  assert.ok(!existsSync(join(root, "out")) || readdirSync(join(root, "out")).length === 0, "no job has run");
});
