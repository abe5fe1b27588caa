import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { nodeEnv } from "../../base/env-node.ts";
import { UserError } from "../../base/errors.ts";
import type { CheckpointId } from "../../base/ids.ts";
import type { Savepoint } from "../../checkpoint/savepoint.ts";
import { loopbackConnect } from "../../network/socket-node.ts";
import { errorFromData } from "../../protocol/error-data.ts";
import type { StopHow } from "../../protocol/job-messages.ts";
import type { RunConnection } from "../../protocol/run-messages.ts";
import { nodeDisk } from "../../storage/node-disk.ts";
import { runFind, runOpen } from "./run-place-node.ts";

const { timers } = nodeEnv(nodeDisk());
const SAVEPOINT: Savepoint = { path: "/s", checkpoint: 3 as CheckpointId, bytes: 10 };

function setUp(context: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "millrace-control-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const asked: unknown[] = [];
  const log: string[] = [];
  const job = {
    name: "clicks",
    isEnding: false,
    savepoint: async (path: string | null): Promise<Savepoint> => {
      asked.push(path);
      if (path === "/bad") throw new UserError("SAVEPOINT_TARGET_EXISTS", "it is there", { fix: "take another" });
      return SAVEPOINT;
    },
    stopWith: async (how: StopHow): Promise<Savepoint | null> => {
      asked.push(how);
      if (how.drain) throw new UserError("JOB_NOT_RUNNING", "it does not run");
      job.isEnding = true;
      return null;
    },
    cancel: (): void => {
      asked.push("cancel");
      job.isEnding = true;
    },
  };
  const open = () => runOpen(job, { timers, directory, log: (line) => log.push(line) });
  const found = async (): Promise<Awaited<ReturnType<typeof runFind>>> => {
    for (;;) {
      const run = await runFind(directory, timers).catch(() => null);
      if (run !== null) return run;
    }
  };
  return { directory, asked, log, job, open, found };
}

test("a run is found by its directory, does what it is asked for, and says what went wrong", async (context) => {
  const { directory, asked, open, found } = setUp(context);
  writeFileSync(join(directory, ".control-1-of-a-dead-process"), "{");
  const opened = open();
  const run = await found();
  assert.equal(run.job, "clicks");
  assert.deepEqual(await run.ask({ kind: "savepoint", path: null }), { kind: "savepoint", savepoint: SAVEPOINT });
  const failed = await run.ask({ kind: "savepoint", path: "/bad" });
  assert.ok(failed.kind === "failed");
  const { code, fix } = errorFromData(failed.error);
  assert.deepEqual([code, fix], ["SAVEPOINT_TARGET_EXISTS", "take another"]);
  assert.deepEqual(asked, [null, "/bad"]);
  await opened.ended("finished");
  assert.deepEqual(readdirSync(directory), []);
  await assert.rejects(run.ask({ kind: "cancel" }), { code: "CONNECTION_LOST" });
  await assert.rejects(runFind(directory, timers), { code: "RUN_MISSING" });
});

test("who has asked for the end is answered when it is there; what was refused has ended nothing", async (context) => {
  const { job, open, found } = setUp(context);
  const opened = open();
  const run = await found();
  const refused = await run.ask({ kind: "stop", savepoint: null, drain: true });
  assert.ok(refused.kind === "failed" && refused.error.code === "JOB_NOT_RUNNING");
  assert.equal(opened.isAsked, false);
  const { promise: isSaved, resolve: saved } = Promise.withResolvers<Savepoint | null>();
  job.stopWith = () => isSaved;
  const stopped = run.ask({ kind: "stop", savepoint: null, drain: false });
  while (!opened.isAsked) await new Promise(setImmediate);
  let isOver = false;
  const over = opened.ended("stopped").then(() => {
    isOver = true;
  });
  await run.ask({ kind: "savepoint", path: "/s" });
  assert.equal(isOver, false);
  saved(null);
  assert.deepEqual(await stopped, { kind: "ended", outcome: "stopped", savepoint: null });
  await over;
});

test("without the token nothing is done; noise ends its connection alone", async (context) => {
  const { directory, asked, open, found } = setUp(context);
  const opened = open();
  const run = await found();
  const [name = ""] = readdirSync(directory);
  const { port, token } = JSON.parse(readFileSync(join(directory, name), "utf8")) as {
    readonly port: number;
    readonly token: string;
  };
  const stranger: RunConnection = loopbackConnect(port, { timers, name: "the run" });
  for (const guess of ["guessed", `${token.slice(0, -1)}?`, `${token}?`]) {
    const reply = await stranger.request({ kind: "cancel", token: guess }, 10_000);
    assert.ok(reply.kind === "failed" && reply.error.code === "RUN_TOKEN_UNKNOWN");
  }
  const noise = createConnection({ port, host: "127.0.0.1" });
  noise.on("error", () => undefined);
  noise.write("GET / HTTP/1.1\r\n\r\n");
  await new Promise((resolve) => noise.once("close", resolve));
  assert.deepEqual(asked, []);
  assert.equal((await run.ask({ kind: "savepoint", path: "/s" })).kind, "savepoint");
  stranger.close();
  run.close();
  await opened.ended("finished");
});

test("a process that is gone, or runs elsewhere, is told from none", async (context) => {
  const { directory } = setUp(context);
  const place = { port: 1, token: "x", job: "clicks", host: "elsewhere", pid: 7, since: "2026-01-01T00:00:00.000Z" };
  writeFileSync(join(directory, ".control-7-a"), JSON.stringify(place));
  await assert.rejects(runFind(directory, timers), { code: "RUN_GONE", fix: "give the command on elsewhere" });
  await assert.rejects(runFind(join(directory, "none"), timers), { code: "CHECKPOINT_DIR_MISSING" });
});
