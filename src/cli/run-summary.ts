// What a run ended with, as people read it. Pure.

import { memorySizeText } from "../base/memory-size.ts";
import { isBounded, type Plan, type PlanOperator } from "../graph/plan.ts";
import type { JobOutcome } from "../jobmanager/job-state.ts";
import { countText, elapsedText, grouped } from "./number-text.ts";
import type { Palette } from "./palette.ts";
import type { RunCounts } from "./run-metrics.ts";

export type RunEnd = {
  readonly plan: Plan;
  readonly outcome: JobOutcome;
  readonly counts: RunCounts;
  /** Records that each sink took, by its uid. */
  readonly sinkRows: Readonly<Record<string, number>>;
  /** From the first task running to the end. */
  readonly runMs: number;
  readonly peakRssBytes: number;
};

export function summaryText(end: RunEnd, palette: Palette): string {
  const { plan, outcome, counts, sinkRows, runMs, peakRssBytes } = end;
  const mark = outcome === "finished" ? palette.green("✓") : outcome === "failed" ? palette.red("✗") : "■";
  const rate = runMs > 0 ? (counts.rowsIn * 1_000) / runMs : 0;
  const memory = `peak memory ${memorySizeText(Math.round(peakRssBytes / 1024 ** 2) * 1024 ** 2)}`;
  const odd = [
    [counts.late, "late"],
    [counts.invalid, "invalid"],
    [counts.skipped, "skipped"],
  ] as const;
  const lines = [
    `${mark} ${palette.bold(plan.name)} ${outcome} after ${elapsedText(runMs)}`,
    row(
      "rows",
      `${grouped(counts.rowsIn)} in, ${grouped(counts.rowsOut)} out${odd.map(([count, word]) => (count > 0 ? `, ${grouped(count)} ${word}` : "")).join("")}`,
    ),
    ...(outcome === "finished" || counts.rowsIn > 0 ? [row("speed", `${countText(rate)} rows/s; ${memory}`)] : []),
    ...(showsOutput(outcome, plan)
      ? plan.operators.flatMap((operator) => fileRow(operator, sinkRows[operator.uid] ?? 0))
      : []),
  ];
  return lines.join("\n");
}

/** A bounded job shows all of its output or none. */
function showsOutput(outcome: JobOutcome, plan: Plan): boolean {
  return outcome === "finished" || (outcome === "cancelled" && !isBounded(plan));
}

/** Where a sink wrote, if it wrote to files. */
function fileRow({ uid, kind, options }: PlanOperator, rows: number): string[] {
  const paths = kind === "sink" ? (options as { paths?: unknown }).paths : null;
  return Array.isArray(paths)
    ? [row("wrote", `${paths.join(", ")}  (${uid}, ${grouped(rows)} ${rows === 1 ? "row" : "rows"})`)]
    : [];
}

function row(label: string, text: string): string {
  return `  ${label.padEnd(6)} ${text}`;
}
