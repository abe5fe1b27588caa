// What differs between two plans, in lines people can read.

import { canonicalJson } from "../base/canonical-json.ts";
import type { Plan } from "./plan.ts";

const LINES_MAX = 20;

export function planDiff(expected: Plan, actual: Plan): string {
  const lines: string[] = [];
  for (const key of ["version", "name", "mode", "params"] as const) {
    compare(`job ${key}`, expected[key], actual[key], lines);
  }
  const others = new Map(actual.operators.map((operator) => [operator.uid, operator]));
  for (const operator of expected.operators) {
    const other = others.get(operator.uid);
    others.delete(operator.uid);
    if (other === undefined) lines.push(`- operator "${operator.uid}" (${operator.kind}) is missing`);
    else compare(`operator "${operator.uid}"`, operator, other, lines);
  }
  for (const extra of others.values()) lines.push(`+ operator "${extra.uid}" (${extra.kind}) is new`);
  const edgeText = (plan: Plan): Map<string, string> =>
    new Map(plan.edges.map((edge) => [`${edge.from}${edge.output === "" ? "" : `.${edge.output}`} -> ${edge.to}`, canonicalJson(edge)]));
  const [before, after] = [edgeText(expected), edgeText(actual)];
  for (const [name, text] of before) {
    if (!after.has(name)) lines.push(`- edge ${name} is missing`);
    else if (after.get(name) !== text) lines.push(`~ edge ${name}: ${text} became ${after.get(name)}`);
  }
  for (const name of after.keys()) if (!before.has(name)) lines.push(`+ edge ${name} is new`);
  const shown = lines.slice(0, LINES_MAX);
  if (lines.length > LINES_MAX) shown.push(`… and ${lines.length - LINES_MAX} more`);
  return shown.length === 0 ? "no difference in the plans' content" : shown.join("\n");
}

function compare(what: string, expected: unknown, actual: unknown, lines: string[]): void {
  if (canonicalJson(expected) === canonicalJson(actual)) return;
  if (!isObject(expected) || !isObject(actual)) {
    lines.push(`~ ${what}: ${canonicalJson(expected)} became ${canonicalJson(actual)}`);
    return;
  }
  for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    const [before, after] = [canonicalJson(expected[key]), canonicalJson(actual[key])];
    if (before !== after) lines.push(`~ ${what}, ${key}: ${before} became ${after}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
