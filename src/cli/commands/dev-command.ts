// `millrace dev`: runs a job, each time in a process of its own, and again whenever it has changed.
//
//   D1. One run at a time: the next one begins when the one before has ended, which it is asked for as by Ctrl-C.
//   D2. Whatever a run comes to, only a change begins the next one. What is wrong with the job, the run says.
//   D3. A signal goes to the run, which may have had it from the terminal already, and ends the command with it.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { EXIT } from "../session/exit-codes.ts";
import type { Session } from "../session/session.ts";
import type { Terminal } from "../terminal/terminal.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export async function devCommand(session: Session, terminal: Terminal): Promise<number> {
  const { line } = session;
  await session.configuration(); // What is wrong with it, no change of the job mends.
  const { promise: interrupted, resolve: interrupt } = Promise.withResolvers<"interrupted">();
  let changed = Promise.withResolvers<"changed">();
  let run: ChildProcess | null = null;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      run?.kill(signal);
      interrupt("interrupted");
    });
  }
  const unwatch = await session.watch(() => changed.resolve("changed"));
  // Of two that have come, the first counts: who has said that it ends is not started again.
  while ((await Promise.race([interrupted, changed.promise])) === "changed") {
    changed = Promise.withResolvers();
    run = runOf(line.args);
    const ended = once(run, "close").then(([code]) => code as number | null);
    const first = await Promise.race([ended, changed.promise, interrupted]);
    if (first === "changed") run.kill("SIGINT");
    const code = await ended;
    run = null;
    if (first !== "changed" && code === EXIT.interrupted) break; // By a signal, or nobody reads what it prints.
    terminal.note(first === "changed" ? `changed  ${line.positional} starts again` : waiting(line.positional));
  }
  await unwatch();
  return EXIT.interrupted;
}

const waiting = (file: string): string => `waiting  ${file} starts again when it has changed; Ctrl-C ends`;

function runOf(args: readonly string[]): ChildProcess {
  const [, program = ""] = process.argv;
  return spawn(process.execPath, [...process.execArgv, program, "run", ...args], { stdio: "inherit" });
}
