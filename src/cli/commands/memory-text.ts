// The table of `millrace memory explain`: one line a component, and below it where its size comes from. Pure.

import { wrappedLines } from "../../base/wrapped-lines.ts";
import type { MemoryRow } from "../../memory/memory-explain.ts";
import type { Palette } from "../terminal/palette.ts";
import { tableText } from "../terminal/table-text.ts";

const INDENT = 4;

/** Fits into `columns`, unless a single word does not. */
export function memoryText(rows: readonly MemoryRow[], columns: number, palette: Palette): string {
  const cells = rows.map(({ component, level, pretty, share }) => {
    return [`${"  ".repeat(level)}${component}`, pretty, `${(share * 100).toFixed(1)} %`];
  });
  const [head = "", ...lines] = tableText(["component", "size", "share"], cells, palette).split("\n");
  const text = lines.flatMap((line, index) => {
    const { level = 0, origin = "", key = null } = rows[index] ?? {};
    const indent = " ".repeat(2 * level + INDENT);
    const words = `${origin}${key === null ? "" : `; ${key}`}`.split(" ");
    return [line, ...wrappedLines(words, columns - indent.length).map((part) => palette.dim(indent + part))];
  });
  return [head, ...text].join("\n");
}
