// A plan as a picture, for Graphviz (`--dot`) and Mermaid (`--mermaid`): operators in boxes, a frame around each task,
// exchanges as bold arrows. Pure.

import { changelogText } from "../../graph/changelog.ts";
import type { Explanation } from "./explain.ts";
import { operatorNames } from "./operator-names.ts";
import { partitionerText } from "./operator-text.ts";

type Arrow = { readonly from: number; readonly to: number; readonly label: string; readonly isExchange: boolean };

type Picture = {
  readonly tasks: readonly { readonly title: string; readonly operators: readonly number[] }[];
  /** Texts of one operator each: name, kind. */
  readonly boxes: readonly (readonly string[])[];
  readonly arrows: readonly Arrow[];
};

export function explainDot(explanation: Explanation): string {
  const { tasks, boxes, arrows } = pictureOf(explanation);
  const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  const quoted = (...lines: readonly string[]): string => `"${lines.map(escaped).join("\\n")}"`;
  return [
    `digraph ${quoted(explanation.plan.name)} {`,
    "  rankdir=LR; node [shape=box];",
    ...tasks.flatMap(({ title, operators }, index) => [
      `  subgraph cluster_${index + 1} {`,
      `    label=${quoted(title)};`,
      ...operators.map((at) => `    o${at} [label=${quoted(...(boxes[at] ?? []))}];`),
      "  }",
    ]),
    ...arrows.map(({ from, to, label, isExchange }) => {
      const settings = [...(label === "" ? [] : [`label=${quoted(label)}`]), ...(isExchange ? ["style=bold"] : [])];
      return `  o${from} -> o${to}${settings.length === 0 ? "" : ` [${settings.join(", ")}]`};`;
    }),
    "}",
  ].join("\n");
}

export function explainMermaid(explanation: Explanation): string {
  const { tasks, boxes, arrows } = pictureOf(explanation);
  // What would end a text or begin markup there is written as an entity.
  const escaped = (text: string): string => text.replace(/[#"<>&`]/g, (sign) => `#${sign.charCodeAt(0)};`);
  const quoted = (...lines: readonly string[]): string => `"${lines.map(escaped).join("<br>")}"`;
  return [
    "flowchart LR",
    ...tasks.flatMap(({ title, operators }, index) => [
      `  subgraph t${index + 1}[${quoted(title)}]`,
      ...operators.map((at) => `    o${at}[${quoted(...(boxes[at] ?? []))}]`),
      "  end",
    ]),
    ...arrows.map(({ from, to, label, isExchange }) => {
      return `  o${from} ${isExchange ? "==>" : "-->"}${label === "" ? "" : `|${quoted(label)}|`} o${to}`;
    }),
  ].join("\n");
}

function pictureOf({ plan, tasks, exchanges, changelogs }: Explanation): Picture {
  const names = operatorNames(plan);
  const indexOf = new Map(plan.operators.map(({ uid }, index) => [uid, index]));
  const at = (uid: string): number => indexOf.get(uid) ?? -1;
  const exchangeOf = new Map(
    exchanges.map((exchange) => [`${exchange.from} ${exchange.output} ${exchange.to}`, exchange]),
  );
  return {
    tasks: tasks.map(({ number, parallelism, operators }) => {
      return { title: `task ${number}, parallelism ${parallelism}`, operators: operators.map(at) };
    }),
    boxes: plan.operators.map(({ uid, kind }) => {
      const name = names.get(uid) ?? uid;
      return name === kind ? [name] : [name, kind];
    }),
    arrows: plan.edges.map(({ from, output, to, partitioner }, index) => {
      const exchange = exchangeOf.get(`${from} ${output} ${to}`);
      const side = output === "" ? [] : [`side.${output}`];
      const changelog = changelogs[index] ?? { kind: "append" };
      const label = [
        ...side,
        ...(exchange === undefined ? [] : [partitionerText(partitioner)]),
        ...(changelog.kind === "append" ? [] : [changelogText(changelog)]),
      ].join(", ");
      return { from: at(from), to: at(to), label, isExchange: exchange !== undefined };
    }),
  };
}
