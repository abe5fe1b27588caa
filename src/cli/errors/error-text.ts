// An error as people read it on a terminal. Pure.
//
//   ✗ USER_FUNCTION_THREW  map "enrich" threw TypeError: … on the record { … }
//      jobs/vwap.ts:14:6
//      13 │   .keyBy("symbol")
//    ▸ 14 │   .map((r) => ({ ...r, tags: r.tags.length }))
//         │    ^
//      15 │   .to("out", print());
//     why  …
//     fix  …

import type { SourceLocation } from "../../base/errors.ts";
import { textWidth } from "../../base/text-width.ts";
import type { ErrorReport } from "../../client/errors/error-report.ts";
import type { Palette } from "../terminal/palette.ts";

const LINE_MAX = 140;
const STACK_LINES_MAX = 20;

export function errorText(report: ErrorReport, palette: Palette): string {
  const { code, message, location, frame, calledFrom, why, fix, stack } = report;
  const lines = [`${palette.red("✗")} ${palette.bold(code)}  ${visible(message).replaceAll("\n", "\n   ")}`];
  if (location !== null) {
    lines.push(`   ${placeText(location)}`, ...frameLines(frame, location, palette));
    for (const place of calledFrom) lines.push(palette.dim(`   called from ${placeText(place)}`));
  }
  for (const reason of why) lines.push(`  ${palette.dim("why")}  ${visible(reason).replaceAll("\n", "\n       ")}`);
  if (fix !== null) lines.push(`  ${palette.dim("fix")}  ${visible(fix).replaceAll("\n", "\n       ")}`);
  if (stack !== null) lines.push(palette.dim(visible(stack.split("\n").slice(0, STACK_LINES_MAX).join("\n"))));
  return lines.join("\n");
}

function placeText({ file, line, column }: SourceLocation): string {
  return `${file}:${line}:${column}`;
}

function frameLines(frame: ErrorReport["frame"], { line, column }: SourceLocation, palette: Palette): string[] {
  const digits = String(frame.at(-1)?.line ?? line).length;
  const from = Math.max(0, column - LINE_MAX + 20); // A minified line is cut so that the place shows.
  return frame.flatMap(({ line: number, text }) => {
    const shown = `${String(number).padStart(digits)} │ ${visible(cut(text, from)).replaceAll("\t", "  ")}`;
    if (number !== line) return [palette.dim(`   ${shown}`)];
    const before = visible(text.slice(from, column - 1)).replaceAll("\t", "  ");
    return [
      ` ${palette.red("▸")} ${shown}`,
      palette.dim(`   ${" ".repeat(digits)} │ `) + " ".repeat(textWidth(before)) + palette.red("^"),
    ];
  });
}

function cut(text: string, from: number): string {
  return text.length - from > LINE_MAX ? `${text.slice(from, from + LINE_MAX - 1)}…` : text.slice(from);
}

/** Control characters, which data may hold, must not reach a terminal. */
function visible(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
