// Where the process of a job can be reached: a file of its checkpoint directory names a port of the loopback device and
// a token, and whoever may read that file may ask the job for something.
//
//   <directory>/.control-<process>-<random>   {"port", "token", "job", "host", "pid", "since"}, for its owner alone
//
//   N1. A file of a process that is gone does no harm: nobody answers there, or somebody who does not know the token.
//       Whoever holds the lock of the directory removes those of others.
//   N2. A run that cannot be reached is told, and goes on.

import { randomBytes } from "node:crypto";
import * as fs from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Timers } from "../../base/env.ts";
import { ExternalError, UserError } from "../../base/errors.ts";
import { type Listening, loopbackConnect, loopbackListen } from "../../network/socket-node.ts";
import type { JobEnd } from "../../protocol/job-messages.ts";
import type { RunCommand, RunConnection, RunReply, RunSide } from "../../protocol/run-messages.ts";
import { type Controlled, RunControl } from "./run-control.ts";

const PREFIX = ".control-";
const PORT_MAX = 65_535;
/** A process that runs answers "hello" between two turns. */
const HELLO_MS = 30_000;
/** The connection tells when its process ends: nothing else is waited for. */
const FOR_EVER_MS = 2 ** 40;

type RunPlace = {
  readonly port: number;
  readonly token: string;
  readonly job: string;
  readonly host: string;
  readonly pid: number;
  /** ISO 8601. */
  readonly since: string;
};

/** A run that can be reached while it goes on. */
export type OpenRun = {
  /** Somebody has asked for its end. */
  readonly isAsked: boolean;
  /** Resolves when whoever has asked for something has an answer, and nothing is open any more. */
  ended(outcome: JobEnd["outcome"]): Promise<void>;
};

export type RunOpenOptions = {
  readonly timers: Timers;
  /** The checkpoint directory, whose lock this process holds. */
  readonly directory: string;
  readonly log: (line: string) => void;
};

/** N1, N2 */
export function runOpen(job: Controlled, { timers, directory, log }: RunOpenOptions): OpenRun {
  const token = randomBytes(24).toString("hex");
  const control = new RunControl(job, token);
  const file = join(directory, `${PREFIX}${process.pid}-${randomBytes(6).toString("hex")}`);
  const opened = opening({ timers, directory, file, control, place: { token, job: job.name } }).catch(
    (error: Error) => {
      log(`the job cannot be asked for anything from outside: ${error.message}`);
      return null;
    },
  );
  return {
    get isAsked() {
      return control.isAsked;
    },
    ended: async (outcome) => {
      const listens = await opened;
      await control.ended(outcome);
      // Should it stay, nobody answers there.
      await fs.rm(file, { force: true }).catch(() => undefined);
      await listens?.close();
    },
  };
}

type Opening = Pick<RunOpenOptions, "timers" | "directory"> & {
  readonly file: string;
  readonly control: RunControl;
  readonly place: Pick<RunPlace, "token" | "job">;
};

async function opening({ timers, directory, file, control, place }: Opening): Promise<Listening> {
  for (const name of await fs.readdir(directory)) {
    if (name.startsWith(PREFIX)) await fs.rm(join(directory, name), { force: true });
  }
  const listens = await loopbackListen(timers, (side: RunSide) => control.accept(side));
  try {
    const own: RunPlace = {
      ...{ ...place, port: listens.port, host: hostname(), pid: process.pid },
      since: new Date().toISOString(),
    };
    // Whole as soon as it has its name.
    const unfinished = `${file}.new`;
    await fs.writeFile(unfinished, `${JSON.stringify(own)}\n`, { flag: "wx", mode: 0o600 });
    await fs.rename(unfinished, file);
    return listens;
  } catch (error) {
    await listens.close();
    throw error;
  }
}

export type Run = {
  readonly job: string;
  /** Rejects with CONNECTION_LOST when its process ends before it has answered. */
  ask(command: RunCommand): Promise<RunReply>;
  close(): void;
};

/**
 * The run that goes on with this checkpoint directory. Throws CHECKPOINT_DIR_MISSING, RUN_MISSING, RUN_GONE or
 * RUN_NOT_PERMITTED.
 */
export async function runFind(directory: string, timers: Timers): Promise<Run> {
  const places = await placesIn(directory);
  for (const place of places) {
    const run = await runAt(place, timers);
    if (run !== null) return run;
  }
  const [last] = places;
  if (last === undefined) {
    throw new ExternalError("RUN_MISSING", `no job runs with the checkpoint directory ${directory}`, {
      fix: `start one: npx millrace run job.ts --checkpoint-dir ${directory}`,
    });
  }
  throw runGone(directory, last);
}

function runGone(directory: string, { job, pid, host, since }: RunPlace): ExternalError {
  const who = `process ${pid} on ${host}, which has run "${job}" with ${directory} since ${since},`;
  const isHere = host === hostname();
  return new ExternalError("RUN_GONE", `${who} ${isHere ? "is gone" : "cannot be reached from here"}`, {
    fix: isHere ? "start the job again: it goes on from its newest checkpoint" : `give the command on ${host}`,
  });
}

/** Null: nobody answers there, or somebody else. */
async function runAt({ port, token, job, pid, host }: RunPlace, timers: Timers): Promise<Run | null> {
  if (host !== hostname()) return null;
  const connection: RunConnection = loopbackConnect(port, { timers, name: `the job "${job}" (process ${pid})` });
  const reply = await connection.request({ token, kind: "hello" }, HELLO_MS).catch(() => null);
  if (reply?.kind !== "hello") {
    connection.close();
    return null;
  }
  return {
    job,
    ask: (command) => connection.request({ ...command, token }, FOR_EVER_MS),
    close: () => connection.close(),
  };
}

/** The newest first. */
async function placesIn(directory: string): Promise<readonly RunPlace[]> {
  const names = await fs.readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") {
      throw new UserError("CHECKPOINT_DIR_MISSING", `there is no directory ${directory}`, {
        fix: "give the directory that run has as --checkpoint-dir",
      });
    }
    throw error.code === "EACCES" ? notPermitted(directory) : error;
  });
  const places: RunPlace[] = [];
  for (const name of names) {
    if (!name.startsWith(PREFIX)) continue;
    const place = await placeRead(join(directory, name));
    if (place !== null) places.push(place);
  }
  return places.sort((left, right) => (left.since < right.since ? 1 : -1));
}

/** Null: it is gone, or is none. */
async function placeRead(file: string): Promise<RunPlace | null> {
  let text: string;
  try {
    text = await fs.readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") throw notPermitted(file);
    return null;
  }
  try {
    const { port, token, job, host, pid, since } = JSON.parse(text) as Partial<RunPlace>;
    if (typeof token !== "string" || typeof since !== "string") return null;
    if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > PORT_MAX) return null;
    return { port, token, since, job: String(job), host: String(host), pid: Number(pid) };
  } catch {
    return null;
  }
}

function notPermitted(path: string): UserError {
  return new UserError(
    "RUN_NOT_PERMITTED",
    `${path} belongs to another user, who alone may ask this job for anything`,
    {
      fix: "give the command as the user that the job runs as",
    },
  );
}
