// What differs between two plans, in lines people can read.

import { canonicalJson } from "../base/canonical-json.ts";
import type { Plan } from "./plan.ts";

const LINES_MAX = 20;

/** Uid of the first operator that is not the same in both; null when only edges or the job itself differ. */
export function firstDifference(expected: Plan, actual: Plan): string | null {
  const index = expected.operators.findIndex(
    (operator, at) => canonicalJson(operator) !== canonicalJson(actual.operators[at]),
  );
  return expected.operators[index]?.uid ?? null;
}

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
  compareEdges(expected, actual, lines);
  const shown = lines.slice(0, LINES_MAX);
  if (lines.length > LINES_MAX) shown.push(`… and ${lines.length - LINES_MAX} more`);
  return shown.length === 0 ? "no difference in the plans' content" : shown.join("\n");
}

function compareEdges(expected: Plan, actual: Plan, lines: string[]): void {
  const [before, after] = [edgeTexts(expected), edgeTexts(actual)];
  for (const [name, text] of before) {
    if (!after.has(name)) lines.push(`- edge ${name} is missing`);
    else if (after.get(name) !== text) lines.push(`~ edge ${name}: ${text} became ${after.get(name)}`);
  }
  for (const name of after.keys()) if (!before.has(name)) lines.push(`+ edge ${name} is new`);
}

function edgeTexts(plan: Plan): ReadonlyMap<string, string> {
  return new Map(
    plan.edges.map((edge) => {
      const output = edge.output === "" ? "" : `.${edge.output}`;
      return [`${edge.from}${output} -> ${edge.to}, input ${edge.input}`, canonicalJson(edge)];
    }),
  );
}

/** The places at which two values differ, as deep as both are objects or both lists. */
function compare(what: string, expected: unknown, actual: unknown, lines: string[]): void {
  const [before, after] = [canonicalJson(expected), canonicalJson(actual)];
  if (before === after) return;
  if (!isObject(expected) || !isObject(actual) || Array.isArray(expected) !== Array.isArray(actual)) {
    lines.push(`~ ${what}: ${before} became ${after}`);
    return;
  }
  for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    compare(`${what}${what.endsWith('"') ? ", " : "."}${key}`, expected[key], actual[key], lines);
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
