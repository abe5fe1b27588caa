// `millrace explain` as text. Pure.

import type { SourceLocation } from "../base/errors.ts";
import type { PartitionerSpec, PlanOperator } from "../graph/plan.ts";
import { specText } from "../types/spec-text.ts";
import type { ExplainedExchange, ExplainedTask, Explanation } from "./explain.ts";
import { keyText, operatorText, stateText } from "./operator-text.ts";

export type TextStyle = { readonly strong: (text: string) => string; readonly faint: (text: string) => string };

const PLAIN: TextStyle = { strong: (text) => text, faint: (text) => text };

const UID_MAX = 48;

/** Lines of text, without a line break at the end. */
export function explainText(explanation: Explanation, style: TextStyle = PLAIN): string {
  const { plan, tasks, slots } = explanation;
  const groups = slots.groups.map(({ name, slots: count, tasks: members }) => {
    return `${count} for group "${name}" (${members.length === 1 ? "task" : "tasks"} ${members.join(", ")})`;
  });
  return [
    `${style.strong(`job ${plan.name}`)}  ${plan.mode} · ${counted(plan.operators.length, "operator")} in ${counted(tasks.length, "task")}`,
    style.faint(`plan ${plan.hash}`),
    `needs ${counted(slots.needed, "slot")}: ${groups.join(", ")}`,
    ...tasks.flatMap((task) => ["", ...taskLines(explanation, task, style)]),
  ].join("\n");
}

function taskLines({ plan, exchanges }: Explanation, task: ExplainedTask, style: TextStyle): string[] {
  const operators = plan.operators.filter(({ uid }) => task.operators.includes(uid));
  const combiners = new Set(operators.filter(({ kind }) => kind === "preAggregate").map(({ uid }) => uid));
  return [
    `${style.strong(`task ${task.number}`)}  parallelism ${task.parallelism} of at most ${task.maxParallelism} · group "${task.slotGroup}"`,
    ...operators.flatMap((operator) => operatorLines(operator, plan.locations[operator.uid], style)),
    ...exchanges
      .filter(({ fromTask }) => fromTask === task.number)
      .flatMap((exchange) => exchangeLines(exchange, combiners.has(exchange.from), style)),
  ];
}

function operatorLines(operator: PlanOperator, location: SourceLocation | undefined, style: TextStyle): string[] {
  const { uid, name, kind, output, state, sides } = operator;
  const place =
    location === undefined ? "" : `  ${style.faint(`${location.file}:${location.line}:${location.column}`)}`;
  const title = name === uid || name === kind ? short(uid) : `${short(uid)} "${name}"`;
  const emits = [
    ...(output === null ? [] : [`gives ${specText(output)}`]),
    ...sides.map(({ name: side }) => `side.${side}`),
  ];
  return [
    `  ${style.strong(title)}  ${kind}${place}`,
    `      ${operatorText(operator)}`,
    ...(emits.length === 0 ? [] : [`      ${emits.join("; ")}`]),
    ...state.map((spec) => `      state ${stateText(spec)}`),
    ...(short(uid) === uid ? [] : [style.faint(`      uid ${uid}`)]),
  ];
}

function exchangeLines(exchange: ExplainedExchange, isCombined: boolean, style: TextStyle): string[] {
  const { from, output, to, toTask, partitioner, channels, fields, codec, whyNotChained } = exchange;
  const sender = output === "" ? short(from) : `${short(from)}.side.${output}`;
  const shipped = shippedText(isCombined, fields);
  const layout = codec === null ? "layout learned from the first records" : `as ${specText(codec)}`;
  return [
    `  → task ${toTask}  ${partitionerText(partitioner)}, ${counted(channels, "channel")}`,
    `      ${sender} → ${short(to)}: ${shipped}, ${layout}`,
    style.faint(`      not chained: ${whyNotChained}`),
  ];
}

function shippedText(isCombined: boolean, fields: readonly string[] | null): string {
  if (isCombined) return "partial rows";
  return fields === null ? "whole records" : `only ${fields.join(", ")}`;
}

function partitionerText(partitioner: PartitionerSpec): string {
  return partitioner.kind === "hash" ? `hash ${keyText(partitioner.key)}` : partitioner.kind;
}

/** Derived uids say all that an operator does; in running text their ends are enough. */
function short(uid: string): string {
  return uid.length <= UID_MAX ? uid : `${uid.slice(0, UID_MAX - 12)}…${uid.slice(-11)}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
