// Rows in columns as wide as their content. Pure.

import type { Palette } from "./palette.ts";

export function tableText(head: readonly string[], rows: readonly (readonly string[])[], palette: Palette): string {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const text = (row: readonly string[]): string => {
    return row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  };
  return [palette.bold(text(head)), ...rows.map(text)].join("\n");
}
