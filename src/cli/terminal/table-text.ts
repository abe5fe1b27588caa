// Rows in columns as wide as their content. Pure.

import { padTextEnd, textWidth } from "../../base/text-width.ts";
import type { Palette } from "./palette.ts";

export function tableText(head: readonly string[], rows: readonly (readonly string[])[], palette: Palette): string {
  const widths = head.map((name, column) =>
    Math.max(textWidth(name), ...rows.map((row) => textWidth(row[column] ?? ""))),
  );
  const text = (row: readonly string[]): string => {
    return row
      .map((cell, column) => padTextEnd(cell, widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  };
  return [palette.bold(text(head)), ...rows.map(text)].join("\n");
}
