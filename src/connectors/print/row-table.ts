// Records as one table for people: a heading, a line per record, columns as wide as they need to be, numbers rounded
// alike and to the right.

import { cutText, padTextEnd, padTextStart, textWidth } from "../../base/text-width.ts";
import { ownField } from "../../types/spec/field-path.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { fieldType, isTime, valueText, withoutControls } from "./value-text.ts";

const CELL_WIDTH_MAX = 32;
const GAP = "  ";

/** `type` is that of a row; null when it is not declared. */
export function tableLines(rows: readonly unknown[], type: TypeSpec | null): readonly string[] {
  const records = rows.map((row) => (isPlain(row) ? row : { value: row }));
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const columns = names.map((name) => {
    const ofField = fieldType(type, name);
    const values = records.map((record) => ownField(record, name));
    return column(
      name,
      values.map((value) => (isTime(value, ofField) ? new Date(value) : value)),
    );
  });
  return ["", ...records].map((_, line) =>
    columns
      .map((cells) => cells[line])
      .join(GAP)
      .trimEnd(),
  );
}

function isPlain(row: unknown): row is Record<string, unknown> {
  return typeof row === "object" && row !== null && Object.getPrototypeOf(row) === Object.prototype;
}

/** Cells of one width, the heading first. */
function column(name: string, values: readonly unknown[]): readonly string[] {
  const numbers = values.filter((value) => typeof value === "number");
  const decimals = decimalsOf(numbers);
  const cells = [withoutControls(name), ...values.map((value) => cellText(value, decimals))];
  const width = Math.max(...cells.map(textWidth));
  const right = numbers.length > 0 && values.every((value) => value == null || typeof value === "number");
  return cells.map((cell) => (right ? padTextStart(cell, width) : padTextEnd(cell, width)));
}

/** Whole numbers have none, large ones two, small ones four. */
function decimalsOf(numbers: readonly number[]): number {
  if (numbers.every(Number.isInteger)) return 0;
  const largest = Math.max(...numbers.filter(Number.isFinite).map(Math.abs));
  return largest >= 100 ? 2 : largest >= 1 ? 3 : 4;
}

function cellText(value: unknown, decimals: number): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "number") {
    return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  }
  const text = (typeof value === "string" ? value : valueText(value)).replaceAll(/\s+/g, " ");
  return cutText(withoutControls(text), CELL_WIDTH_MAX);
}
