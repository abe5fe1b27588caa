// `millrace explain`: the plan and what it comes to, without running anything.

import { type Explanation, explain } from "../../client/explain/explain.ts";
import { explainDot, explainMermaid } from "../../client/explain/explain-graph.ts";
import { explainText } from "../../client/explain/explain-text.ts";
import { jobPlan } from "../../client/job-plan.ts";
import { type CommandLine, nextCommand, pairs } from "../session/arguments.ts";
import { EXIT } from "../session/exit-codes.ts";
import type { Session } from "../session/session.ts";
import type { Terminal } from "../terminal/terminal.ts";

function explainedAs(explanation: Explanation, { flags }: CommandLine, terminal: Terminal): string {
  if (flags.has("json")) return JSON.stringify(explanation);
  if (flags.has("dot")) return explainDot(explanation);
  if (flags.has("mermaid")) return explainMermaid(explanation);
  const { bold, dim } = terminal.outPalette;
  return explainText(explanation, { columns: terminal.columns, strong: bold, faint: dim });
}

export async function explainCommand(session: Session, terminal: Terminal): Promise<number> {
  const { line } = session;
  const [configuration, job] = await Promise.all([session.configuration(), session.job()]);
  const { graph } = await jobPlan(job, pairs(line, "param"), configuration);
  const sources = session.bundle?.sources;
  const explanation = explain(graph, {
    locate: (location) => sources?.locate(location) ?? location,
    text: (file) => sources?.text(file) ?? null,
    configuration,
  });
  terminal.data(explainedAs(explanation, line, terminal));
  terminal.note(`next   ${nextCommand(line, "run")}${line.flags.has("local") ? " --local" : ""}`);
  return EXIT.ok;
}
