// `millrace explain`: the plan and what it comes to, without running anything.

import { explain } from "../../client/explain/explain.ts";
import { explainText } from "../../client/explain/explain-text.ts";
import { jobPlan } from "../../client/job-plan.ts";
import { nextCommand, pairs } from "../arguments.ts";
import { EXIT } from "../exit-codes.ts";
import type { Session } from "../session.ts";
import type { Terminal } from "../terminal/terminal.ts";

export async function explainCommand(session: Session, terminal: Terminal): Promise<number> {
  const { line } = session;
  const [configuration, job] = await Promise.all([session.configuration(), session.job()]);
  const { graph } = await jobPlan(job, pairs(line, "param"), configuration);
  const explanation = explain(graph, (location) => session.bundle?.sources.locate(location) ?? location);
  const { bold, dim } = terminal.outPalette;
  terminal.data(
    line.flags.has("json")
      ? JSON.stringify(explanation)
      : explainText(explanation, { columns: terminal.columns, strong: bold, faint: dim }),
  );
  terminal.note(`next   ${nextCommand(line, "run")}${line.flags.has("local") ? " --local" : ""}`);
  return EXIT.ok;
}
