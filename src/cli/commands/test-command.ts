// `millrace test --chaos`: lets a job's process die again and again, and compares what it has committed with an
// undisturbed run.

import type { Job } from "../../api/job.ts";
import { EngineError, UserError } from "../../base/errors.ts";
import { jobPlan } from "../../client/job-plan.ts";
import { OPTIONS } from "../../config/options.ts";
import { nodeDisk } from "../../storage/node-disk.ts";
import { bundleAnew, jobLoad } from "../../taskmanager/runner/job-load-node.ts";
import { type ChaosDifference, type ChaosReport, chaosRun } from "../../testing/chaos.ts";
import { errorText } from "../errors/error-text.ts";
import { type CommandLine, lastValue, nextCommand, pairs } from "../session/arguments.ts";
import { EXIT } from "../session/exit-codes.ts";
import type { Session } from "../session/session.ts";
import type { Terminal } from "../terminal/terminal.ts";

const VERSION = 1;
const CRASHES_DEFAULT = 20;
const SEED_DEFAULT = 1;
const ROWS_SHOWN = 5;
const ROW_LENGTH = 160;

export async function testCommand(session: Session, terminal: Terminal): Promise<number> {
  const { line } = session;
  const crashes = numberOf(line, "chaos", CRASHES_DEFAULT);
  const seed = numberOf(line, "seed", SEED_DEFAULT);
  const [configuration, job] = await Promise.all([session.configuration(), session.job()]);
  const params = pairs(line, "param");
  const { plan } = (await jobPlan(job, params, configuration)).graph;
  const parallelism = configuration.get(OPTIONS.parallelism);
  let starts = 0;
  // The first one is there already, and its errors have their places in the user's files.
  const started = (): Promise<Job> => {
    starts += 1;
    return starts === 1 ? Promise.resolve(job) : jobLoad(bundleAnew(session.bundle!.url, starts));
  };
  const run = chaosRun({ job: started, plan, params, parallelism, crashes, seed, disk: nodeDisk() });
  let report: ChaosReport;
  try {
    report = await run;
  } catch (error) {
    if (error instanceof EngineError && error.code.startsWith("CHAOS_")) throw error;
    const reports = session.errorReports(error); // The job has run, and failed by itself.
    for (const each of reports) terminal.note(errorText(each, terminal.errPalette));
    if (line.flags.has("json")) terminal.data(JSON.stringify({ version: VERSION, errors: reports }));
    return EXIT.jobFailed;
  }
  if (line.flags.has("json")) terminal.data(JSON.stringify({ version: VERSION, job: plan.name, seed, ...report }));
  else terminal.note(reportText(plan.name, report, `${nextCommand(line, "test")} --chaos ${crashes} --seed ${seed}`));
  return report.failed === null ? EXIT.ok : EXIT.jobFailed;
}

function numberOf(line: CommandLine, option: string, otherwise: number): number {
  const given = lastValue(line, option);
  if (given === null) return otherwise;
  const value = Number(given);
  if (Number.isSafeInteger(value) && value > 0 && given.trim() !== "") return value;
  throw new UserError("CLI_OPTION_VALUE", `--${option} is ${JSON.stringify(given)}`, {
    fix: "give a number from 1 on",
  });
}

function reportText(name: string, { rows, runs, crashes, failed }: ChaosReport, again: string): string {
  if (failed === null) {
    return `✓ ${name} has the same ${count(rows, "row")} after ${count(crashes, "crash", "crashes")} in ${count(runs, "run")}`;
  }
  const what = failed.isUndisturbed
    ? `✗ ${name} has other rows when its tasks run in another order, without any crash`
    : `✗ ${name} has other rows than undisturbed: run ${failed.run}, with ${count(failed.crashes, "crash", "crashes")}`;
  const why = failed.isUndisturbed
    ? "clocks, randomness, or results that depend on which of several subtasks is first: no checkpoint can help these"
    : "something is kept outside of the state of operators: in a variable of the module, a field, a file, a service";
  const differences = failed.differences.map(differenceText);
  return [what, ...differences, `  why    ${why}`, `  again  ${again}`].join("\n");
}

function differenceText({ sink, lost, added }: ChaosDifference): string {
  const shown = (rows: readonly string[], sign: string): string[] => {
    const first = rows.slice(0, ROWS_SHOWN).map((row) => `    ${sign} ${row.slice(0, ROW_LENGTH)}`);
    return rows.length > ROWS_SHOWN ? [...first, `    ${sign} … and ${rows.length - ROWS_SHOWN} more`] : first;
  };
  const head = `  ${sink}: ${count(lost.length, "row")} lost, ${added.length.toLocaleString("en-US")} too many`;
  return [head, ...shown(lost, "-"), ...shown(added, "+")].join("\n");
}

function count(number: number, one: string, several = `${one}s`): string {
  return `${number.toLocaleString("en-US")} ${number === 1 ? one : several}`;
}
