// A call as its file has it, for people: as much of it as stands in the line. Pure.

const LENGTH_MAX = 100;
const TEXT_OR_BRACKET = /(["'`])(?:\\.|(?!\1).)*\1|[()[\]{}]/g;

/** `map((r) => r.n)` of a line and the column, from 1, at which the call stands; ends in `…` where it goes on below. */
export function callText(line: string, column: number): string {
  const text = line.slice(column - 1).trim();
  const end = callEnd(text);
  const call = end === null ? `${text.replace(/[\s,;]+$/, "")} …` : text.slice(0, end);
  return call.length > LENGTH_MAX ? `${call.slice(0, LENGTH_MAX - 1)}…` : call;
}

/** Where the call's last parenthesis stands; null when it is in another line. */
function callEnd(text: string): number | null {
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(TEXT_OR_BRACKET)) {
    if ("([{".includes(token)) depth += 1;
    if (")]}".includes(token)) depth -= 1;
    if (depth === 0 && token === ")") return index + 1;
  }
  return null;
}
