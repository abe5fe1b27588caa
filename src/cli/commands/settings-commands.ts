// `millrace memory explain` and `millrace config show`: what holds, and why.

import { UserError } from "../../base/errors.ts";
import { memoryOwnerRows } from "../../client/explain/memory-owners.ts";
import { machineBytes } from "../../client/machine-node.ts";
import { type Configuration, configShow } from "../../config/configuration.ts";
import type { JobGraph } from "../../graph/job-graph.ts";
import { memoryExplain } from "../../memory/memory-explain.ts";
import { taskManagerMemory } from "../../memory/task-manager-memory.ts";
import { PROGRAM, pairs } from "../session/arguments.ts";
import { EXIT } from "../session/exit-codes.ts";
import type { Session } from "../session/session.ts";
import { tableText } from "../terminal/table-text.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { memoryText } from "./memory-text.ts";

const VERSION = 1;

export async function memoryExplainCommand(session: Session, terminal: Terminal): Promise<number> {
  const { configuration, graph } = await memoryConfiguration(session);
  const memory = taskManagerMemory(configuration, { machineBytes: machineBytes() });
  const rows = [...memoryExplain(memory), ...(graph === null ? [] : memoryOwnerRows(graph, memory))];
  if (session.line.flags.has("json")) terminal.data(JSON.stringify({ version: VERSION, components: rows }));
  else terminal.data(memoryText(rows, terminal.columns, terminal.outPalette));
  terminal.note(`next   ${PROGRAM} config show --origin`);
  return EXIT.ok;
}

/** With a job, there are as many slots as it has when it runs. */
async function memoryConfiguration(
  session: Session,
): Promise<{ readonly configuration: Configuration; readonly graph: JobGraph | null }> {
  const { positional, values } = session.line;
  if (positional === "" && values.param !== undefined) {
    throw new UserError("CLI_ARGUMENT_MISSING", "millrace memory explain needs job.ts to give --param to", {
      fix: `write ${PROGRAM} memory explain job.ts, or leave out --param`,
    });
  }
  const configuration = await session.configuration();
  if (positional === "") return { configuration, graph: null };
  const { jobPlan, withSlots } = await import("../../client/job-plan.ts");
  const { graph } = await jobPlan(await session.job(), pairs(session.line, "param"), configuration);
  return { configuration: withSlots(configuration, graph), graph };
}

export async function configShowCommand(session: Session, terminal: Terminal): Promise<number> {
  const { flags } = session.line;
  const rows = configShow(await session.configuration());
  if (flags.has("json")) terminal.data(JSON.stringify({ version: VERSION, options: rows }));
  else {
    const origins = flags.has("origin");
    const cells = rows.map(({ key, value, origin, default: byDefault }) => {
      return [key, value ?? "–", ...(origins ? [origin, byDefault ?? "–"] : [])];
    });
    terminal.data(tableText(["key", "value", ...(origins ? ["origin", "default"] : [])], cells, terminal.outPalette));
  }
  terminal.note(`next   ${PROGRAM} ${flags.has("origin") ? "memory explain" : "config show --origin"}`);
  return EXIT.ok;
}
