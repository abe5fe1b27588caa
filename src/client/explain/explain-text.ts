// `millrace explain` as text. Pure.
//
// Where the plan has names of the engine's own, as for the fields of partial rows, the text has words. Whoever wants
// the plan itself takes the JSON.

import { durationText } from "../../base/duration.ts";
import { wrappedLines } from "../../base/wrapped-lines.ts";
import { changelogText } from "../../graph/changelog.ts";
import type { Plan, PlanOperator } from "../../graph/plan.ts";
import { specText } from "../../types/spec/spec-text.ts";
import type { ExplainedExchange, ExplainedTask, Explanation } from "./explain.ts";
import { operatorNames } from "./operator-names.ts";
import { operatorText, partialRowsText, partitionerText, stateText } from "./operator-text.ts";
import { timeTexts } from "./time-text.ts";

export type ExplainTextOptions = {
  /** Width for lines that can be broken. */
  readonly columns: number;
  readonly strong?: (text: string) => string;
  readonly faint?: (text: string) => string;
};

const DETAIL = " ".repeat(6);
const BRANCH_WIDTH = 3;
const CONTINUED = " ".repeat(8);
const BREAK = /(?<=[,;→]) /;

/** Lines of text, without a line break at the end. */
export function explainText(explanation: Explanation, options: ExplainTextOptions): string {
  const text = new ExplanationText(explanation.plan, options);
  return text.lines(explanation).join("\n");
}

class ExplanationText {
  readonly #columns: number;
  readonly #strong: (text: string) => string;
  readonly #faint: (text: string) => string;
  readonly #plan: Plan;
  readonly #names: ReadonlyMap<string, string>;

  constructor(plan: Plan, { columns, strong = (text) => text, faint = (text) => text }: ExplainTextOptions) {
    this.#columns = columns;
    this.#strong = strong;
    this.#faint = faint;
    this.#plan = plan;
    this.#names = operatorNames(plan);
  }

  lines(explanation: Explanation): string[] {
    const { plan, tasks, slots, checkpoints } = explanation;
    const groups = slots.groups.map(({ name, slots: count, tasks: members }) => {
      return `${count} for group "${name}" (${members.length === 1 ? "task" : "tasks"} ${members.join(", ")})`;
    });
    return [
      `${this.#strong(`job ${plan.name}`)}  ${plan.mode} · ${counted(plan.operators.length, "operator")} in ${counted(tasks.length, "task")}`,
      this.#faint(`plan ${plan.hash}`),
      `needs ${counted(slots.needed, "slot")}: ${groups.join(", ")}`,
      ...(checkpoints === null
        ? []
        : [`checkpoints each ${durationText(checkpoints.intervalMs)} in ${checkpoints.directory}`]),
      ...tasks.flatMap((task) => ["", ...this.#task(task, explanation)]),
    ];
  }

  #task(task: ExplainedTask, explanation: Explanation): string[] {
    const { number, parallelism, maxParallelism, slotGroup, operators } = task;
    return [
      `${this.#strong(`task ${number}`)}  parallelism ${parallelism} of at most ${maxParallelism} · group "${slotGroup}"`,
      ...this.#tree(operators[0] ?? "", task, explanation),
      ...explanation.exchanges
        .filter(({ fromTask }) => fromTask === number)
        .flatMap((exchange) => this.#exchange(exchange)),
    ];
  }

  /** An operator and what hangs on it in its task: one below the other, with branches where there are several. */
  #tree(uid: string, task: ExplainedTask, explanation: Explanation, depth = 0): string[] {
    const lines = this.#operator(uid, explanation, depth);
    const edges = this.#plan.edges.filter(({ from, to }) => from === uid && task.operators.includes(to));
    const [only] = edges;
    if (only !== undefined && edges.length === 1 && only.output === "") {
      return [...lines, ...this.#tree(only.to, task, explanation, depth)];
    }
    const branches = edges.flatMap(({ to, output }, index) => {
      const [head = "", ...rest] = this.#tree(to, task, explanation, depth + 1);
      const [fork, beside] = index === edges.length - 1 ? ["└─ ", "   "] : ["├─ ", "│  "];
      const from = output === "" ? "" : `side.${output} → `;
      return [`  ${fork}${from}${head.trimStart()}`, ...rest.map((line) => `  ${beside}${line.slice(2)}`)];
    });
    return [...lines, ...branches];
  }

  #operator(uid: string, explanation: Explanation, depth: number): string[] {
    const operator = this.#find(uid);
    const { name, kind, output, state, sides } = operator;
    const location = this.#plan.locations[uid];
    const place =
      location === undefined ? "" : `  ${this.#faint(`${location.file}:${location.line}:${location.column}`)}`;
    const title = name === uid || name === kind ? this.#name(uid) : `${this.#name(uid)} "${name}"`;
    const changes = new Set(
      this.#plan.edges.flatMap((edge, index) => {
        const changelog = explanation.changelogs[index];
        const isAppend = edge.from !== uid || changelog === undefined || changelog.kind === "append";
        return isAppend ? [] : [changelogText(changelog)];
      }),
    );
    const emits = [
      ...(output === null || kind === "preAggregate" ? [] : [`gives ${specText(output)}`]),
      ...sides.map(({ name: side }) => `side.${side}`),
    ];
    const texts = [
      operatorText(operator, explanation.calls[uid] ?? null, explanation.guarantees[uid]),
      ...timeTexts(operator, explanation),
      emits.join("; "),
      ...changes,
    ];
    return [
      `  ${this.#strong(title)}  ${kind}${place}`,
      ...[...texts, ...state.map((spec) => `state ${stateText(spec)}`)]
        .filter((text) => text !== "")
        .flatMap((text) => this.#details(text, depth)),
    ];
  }

  #exchange({ from, output, to, toTask, partitioner, channels, fields, codec, whyNotChained }: ExplainedExchange) {
    const sender = output === "" ? this.#name(from) : `${this.#name(from)}.side.${output}`;
    const combiner = this.#find(from).kind === "preAggregate" ? this.#find(from) : null;
    const records = fields === null ? "whole records" : `only ${fields.join(", ")}`;
    const layout = codec === null ? "layout learned from the first records" : `as ${specText(codec)}`;
    const shipped = combiner === null ? `${records}, ${layout}` : partialRowsText(combiner);
    return [
      `  → task ${toTask}  ${partitionerText(partitioner)}, ${counted(channels, "channel")}`,
      ...this.#details(`${sender} → ${this.#name(to)}: ${shipped}`),
      ...this.#details(`not chained: ${whyNotChained}`).map((line) => this.#faint(line)),
    ];
  }

  #details(text: string, depth = 0): string[] {
    const lines = wrappedLines(text.split(BREAK), this.#columns - CONTINUED.length - depth * BRANCH_WIDTH);
    return lines.map((line, index) => `${index === 0 ? DETAIL : CONTINUED}${line}`);
  }

  #find(uid: string): PlanOperator {
    return this.#plan.operators.find((operator) => operator.uid === uid) as PlanOperator;
  }

  #name(uid: string): string {
    return this.#names.get(uid) ?? uid;
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
