// The command line's entry point; `bin/millrace.js` loads it. Commands are imported when they are called: start-up
// matters.

import { closeSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { EngineError } from "../base/errors.ts";
import { errorReports } from "../client/errors/error-report.ts";
import { errorText } from "./errors/error-text.ts";
import { type CommandLine, commandHelp, commandLineParse, overviewHelp } from "./session/arguments.ts";
import { COMMANDS } from "./session/commands.ts";
import { EXIT } from "./session/exit-codes.ts";
import { Interrupts } from "./session/interrupts.ts";
import { guardUserCode } from "./session/user-code.ts";
import { Terminal } from "./terminal/terminal.ts";

const REPORT_VERSION = 1;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const realExit = process.exit.bind(process);
const terminal = new Terminal({ stdout: process.stdout, stderr: process.stderr, environment: process.env });
const interrupts = new Interrupts({
  exit,
  note: (text) => terminal.note(text),
  nowMs: () => performance.now(),
  listen: (onSignal) => {
    const heard = (signal: string): void => onSignal(signal === "SIGINT" ? "interrupted" : signal);
    for (const signal of SIGNALS) process.on(signal, heard);
    terminal.onReaderGone = () => onSignal("nobody reads standard output any more");
    return () => {
      for (const signal of SIGNALS) process.off(signal, heard);
    };
  },
});
terminal.onOutputFailed = (error) => interrupts.job?.fail(error);

function exit(code: number): void {
  // Node would wait for ever for a thread that V8 cannot interrupt.
  if (interrupts.job?.stranded) process.kill(process.pid, "SIGKILL");
  realExit(code);
}

async function main(args: readonly string[]): Promise<number> {
  const [first, second = ""] = args;
  if (first === "help" && /^\w/.test(second)) return command([...args.slice(1), "--help"]);
  if (first === "--version" || first === "-v") terminal.data(version());
  else if (first === undefined || first === "--help" || first === "-h" || first === "help") {
    terminal.data(overviewHelp(COMMANDS, docsPage()));
  } else return command(args);
  return EXIT.ok;
}

function version(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

/** Of this package, as a path that can be opened from here. */
function docsPage(): string {
  const page = join(fileURLToPath(new URL("../../docs/", import.meta.url)), "cli.md");
  const below = relative(process.cwd(), page);
  return below.startsWith("..") ? page : below;
}

async function command(args: readonly string[]): Promise<number> {
  let line: CommandLine;
  try {
    line = commandLineParse(args, COMMANDS);
  } catch (error) {
    return tell(reportsOf(error), args.includes("--json"));
  }
  if (line.help) {
    terminal.data(commandHelp(line.command, docsPage()));
    return EXIT.ok;
  }
  const { Session } = await import("./session/session.ts");
  const session = new Session(line);
  const asJson = line.flags.has("json");
  guardUserCode({ note: (text) => terminal.note(text), onLateError: (error) => onLateError(error, session) });
  // Nothing is left to do, and yet the command has not come to its end.
  process.once("beforeExit", () => {
    const code = tell(session.errorReports(session.neverLoaded(null)), asJson);
    session.dispose();
    void end(code);
  });
  session.onSlow = (slow) => interrupts.onTurns(!slow);
  session.onStuck = (error) => {
    const code = tell(session.errorReports(error), asJson);
    terminal.writeNow();
    session.dispose();
    closeSync(2); // Node would add that it waits for the debugger, which is our own other thread.
    exit(interrupts.job === null ? code : EXIT.jobFailed);
  };
  try {
    return await dispatch(session);
  } catch (error) {
    return tell(session.errorReports(error), asJson);
  } finally {
    session.dispose();
  }
}

type Session = InstanceType<typeof import("./session/session.ts").Session>;

async function dispatch(session: Session): Promise<number> {
  switch (session.line.command.name) {
    case "run":
      return (await import("./commands/run-command.ts")).runCommand(session, terminal, interrupts);
    case "dev":
      return (await import("./commands/dev-command.ts")).devCommand(session, terminal);
    case "explain":
      return (await import("./commands/explain-command.ts")).explainCommand(session, terminal);
    case "memory explain":
      return (await import("./commands/settings-commands.ts")).memoryExplainCommand(session, terminal);
    case "test":
      return (await import("./commands/test-command.ts")).testCommand(session, terminal);
    case "checkpoints":
      return (await import("./commands/checkpoints-command.ts")).checkpointsCommand(session.line, terminal);
    case "state ls":
      return (await import("./commands/state-command.ts")).stateListCommand(session.line, terminal);
    case "state get":
      return (await import("./commands/state-command.ts")).stateGetCommand(session.line, terminal);
    case "state export":
      return (await import("./commands/state-command.ts")).stateExportCommand(session.line, terminal);
    case "state diff":
      return (await import("./commands/state-command.ts")).stateDiffCommand(session.line, terminal);
    case "savepoint":
      return (await import("./commands/savepoint-commands.ts")).savepointCommand(session.line, terminal);
    case "savepoint dispose":
      return (await import("./commands/savepoint-commands.ts")).savepointDisposeCommand(session.line, terminal);
    case "stop":
      return (await import("./commands/savepoint-commands.ts")).stopCommand(session.line, terminal);
    case "cancel":
      return (await import("./commands/savepoint-commands.ts")).cancelCommand(session.line, terminal);
    case "init":
      return (await import("./commands/init-command.ts")).initCommand(session.line, terminal);
    default:
      return (await import("./commands/settings-commands.ts")).configShowCommand(session, terminal);
  }
}

/** Without a job there are no places to look up. */
function reportsOf(error: unknown): ReturnType<typeof errorReports> {
  return errorReports(error, { sources: null, plan: null, text: () => null });
}

/** Tells of errors that came before anything ran; gives the exit code. */
function tell(reports: ReturnType<typeof errorReports>, asJson: boolean): number {
  for (const report of reports) terminal.note(errorText(report, terminal.errPalette));
  if (asJson) terminal.data(JSON.stringify({ version: REPORT_VERSION, errors: reports }));
  return reports.every(({ domain }) => domain === "user") ? EXIT.usage : EXIT.jobFailed;
}

/** Fails the job that runs; without one, ends the command. */
function onLateError(error: EngineError, session: Session): void {
  if (interrupts.job !== null) {
    interrupts.job.fail(error);
    return;
  }
  void end(tell(session.errorReports(error), session.line.flags.has("json")));
}

async function end(code: number): Promise<void> {
  await terminal.flush();
  const lost = terminal.takeOutputError();
  if (lost === null) exit(code);
  else {
    tell(reportsOf(lost), false);
    await terminal.flush();
    exit(EXIT.jobFailed);
  }
}

await end(await main(process.argv.slice(2)));
