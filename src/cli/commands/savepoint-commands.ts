// `millrace savepoint`, `stop` and `cancel`: what a job that runs in another process of this machine is asked for.

import { resolve } from "node:path";
import { nodeEnv } from "../../base/env-node.ts";
import { InternalError } from "../../base/errors.ts";
import { memorySizeText } from "../../base/memory-size.ts";
import type { Savepoint } from "../../checkpoint/savepoint.ts";
import { savepointDispose } from "../../checkpoint/savepoint-dispose.ts";
import { runFind } from "../../client/control/run-place-node.ts";
import { errorFromData } from "../../protocol/error-data.ts";
import type { RunCommand, RunReply } from "../../protocol/run-messages.ts";
import { nodeDisk } from "../../storage/node-disk.ts";
import { type CommandLine, lastValue, quoted } from "../session/arguments.ts";
import { EXIT } from "../session/exit-codes.ts";
import type { Terminal } from "../terminal/terminal.ts";

const VERSION = 1;

export async function savepointCommand(line: CommandLine, terminal: Terminal): Promise<number> {
  const path = line.positional === "" ? null : absolute(line.positional);
  const { job, reply } = await asked(line, { kind: "savepoint", path });
  if (reply.kind !== "savepoint") throw misunderstood(reply);
  const { savepoint } = reply;
  if (line.flags.has("json")) terminal.data(JSON.stringify({ version: VERSION, job, savepoint }));
  else terminal.data(savepoint.path);
  terminal.note(savepointText(savepoint));
  return EXIT.ok;
}

export async function stopCommand(line: CommandLine, terminal: Terminal): Promise<number> {
  const drain = line.flags.has("drain");
  const given = lastValue(line, "savepoint");
  const isWanted = given !== null || line.flags.has("savepoint");
  const savepoint = isWanted ? { path: given === null ? null : absolute(given) } : null;
  const { job, reply } = await asked(line, { kind: "stop", savepoint, drain });
  return tellEnd(reply, { job, line, terminal, what: drain ? "drained" : "stopped" });
}

export async function cancelCommand(line: CommandLine, terminal: Terminal): Promise<number> {
  const { job, reply } = await asked(line, { kind: "cancel" });
  return tellEnd(reply, { job, line, terminal, what: "cancelled" });
}

export async function savepointDisposeCommand({ positional }: CommandLine, terminal: Terminal): Promise<number> {
  const isGone = await savepointDispose(nodeDisk(), absolute(positional));
  const rest = isGone ? "" : "; its folder stays, for there is more in it";
  terminal.note(`disposed of the savepoint ${positional}${rest}`);
  return EXIT.ok;
}

type Asked = { readonly job: string; readonly reply: RunReply };

async function asked(line: CommandLine, command: RunCommand): Promise<Asked> {
  const { timers } = nodeEnv(nodeDisk());
  const run = await runFind(absolute(lastValue(line, "run") ?? ""), timers);
  try {
    const reply = await run.ask(command);
    if (reply.kind === "failed") throw errorFromData(reply.error);
    return { job: run.job, reply };
  } finally {
    run.close();
  }
}

type Told = {
  readonly job: string;
  readonly line: CommandLine;
  readonly terminal: Terminal;
  readonly what: string;
};

function tellEnd(reply: RunReply, { job, line, terminal, what }: Told): number {
  if (reply.kind !== "ended") throw misunderstood(reply);
  const { outcome, savepoint } = reply;
  if (line.flags.has("json")) terminal.data(JSON.stringify({ version: VERSION, job, outcome, savepoint }));
  else if (savepoint !== null) terminal.data(savepoint.path);
  const hasFailed = outcome === "failed";
  const how = hasFailed ? "has failed, as its own output says" : outcome === "finished" ? "has finished" : `is ${what}`;
  terminal.note(`the job "${job}" ${how}`);
  if (savepoint !== null) terminal.note(savepointText(savepoint));
  return hasFailed ? EXIT.jobFailed : EXIT.ok;
}

function savepointText({ path, bytes, checkpoint }: Savepoint): string {
  const size = memorySizeText(bytes);
  return `the savepoint (${size}, checkpoint ${checkpoint}) can be started from:  --from ${quoted(path)}`;
}

function misunderstood({ kind }: RunReply): InternalError {
  return new InternalError("RUN_ANSWER_UNKNOWN", `the process of the job has answered with "${kind}"`);
}

function absolute(path: string): string {
  return resolve(process.cwd(), path);
}
