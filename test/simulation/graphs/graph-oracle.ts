// What a random graph means: every stream as a list, and what its sinks have to have in the end.

import { type Graph, type GraphOperator, type Row, recordOf, sinksOf } from "./graph.ts";
import { countedRow, expanded, fired, isAside, keyOf, mapped, passes, seen, windowRow } from "./graph-rows.ts";

export type SinkExpected =
  /** These rows, in any order. */
  | { readonly kind: "rows"; readonly rows: readonly string[] }
  /**
   * Of windows with late records: the last row of each window counts. Together with the records that came too late, in
   * another sink, it has each input once.
   */
  | {
      readonly kind: "windows";
      readonly input: readonly Row[];
      readonly operator: LateOperator;
      readonly side: string;
    };

export type LateOperator = Extract<GraphOperator, { readonly kind: "late" }>;

export const lineOf = ({ id, tag, at }: Row): string => `${id} ${tag} ${at}`;

/**
 * By the names of the sinks; side outputs of late windows are checked with their windows. `read`: the
 * rows of a source that count; all of them by default.
 */
export function expectedOf(graph: Graph, read?: (source: number) => readonly Row[]): ReadonlyMap<string, SinkExpected> {
  const sinks = new Map<string, SinkExpected>();
  const rows = (name: string, list: readonly Row[]): void =>
    void sinks.set(name, { kind: "rows", rows: list.map(lineOf).sort() });
  const streams: (readonly Row[])[] = graph.sources.map(
    (source, index) => read?.(index) ?? Array.from({ length: source.rows }, (_, n) => recordOf(index, source, n)),
  );
  const late = new Map<number, SinkExpected>();
  for (const [index, { from, operator }] of graph.nodes.entries()) {
    const input = operator.kind === "union" ? [...streams[from]!, ...streams[operator.with]!] : streams[from]!;
    const name = `n${index}-side`;
    if (operator.kind === "late") late.set(streams.length, { kind: "windows", input, operator, side: name });
    if (operator.kind === "count") rows(name, countsOf(operator.modulus, input));
    if (operator.kind === "split") rows(name, input.filter(isAside));
    streams.push(interpreted(operator, input));
  }
  for (const index of sinksOf(graph)) {
    const windows = late.get(index);
    if (windows === undefined) rows(`s${index}`, streams[index]!);
    else sinks.set(`s${index}`, windows);
  }
  return sinks;
}

function interpreted(operator: GraphOperator, input: readonly Row[]): readonly Row[] {
  switch (operator.kind) {
    case "map":
      return input.map((row) => mapped(operator.by, row));
    case "filter":
      return input.filter((row) => passes(operator.modulus, row));
    case "repeat":
    case "generate":
      return input.flatMap((row) => [...expanded(operator.times, row)]);
    case "broadcast":
      return Array.from({ length: operator.times }, () => input.map((row) => mapped(0, row))).flat();
    case "count":
      return input.map(seen);
    case "split":
      return input.filter((row) => !isAside(row)).map(seen);
    case "timers":
      return input.map((row) => fired(row, row.at + operator.afterMs));
    case "tumbling":
      return windowsOf({ modulus: operator.modulus, slideMs: operator.sizeMs, slides: 1 }, input);
    case "sliding":
      return windowsOf(operator, input);
    case "session":
      return sessionsOf(operator, input);
    default:
      return input; // Unions, and windows with late records, which nobody reads.
  }
}

function countsOf(modulus: number, input: readonly Row[]): Row[] {
  const byKey = Map.groupBy(input, (row) => keyOf(modulus, row));
  return [...byKey].flatMap(([key, rows]) => rows.map((_, index) => countedRow(key, index + 1)));
}

type Slides = { readonly modulus: number; readonly slideMs: number; readonly slides: number };

function windowsOf({ modulus, slideMs, slides }: Slides, input: readonly Row[]): Row[] {
  const placed = input.flatMap((row) => {
    const last = Math.floor(row.at / slideMs) * slideMs;
    return Array.from({ length: slides }, (_, back) => ({ row, start: last - back * slideMs }));
  });
  const groups = Map.groupBy(placed, ({ row, start }) => `${keyOf(modulus, row)} ${start}`);
  return [...groups.values()].map((own) => {
    const [{ row, start } = { row: { id: 0, tag: "", at: 0 }, start: 0 }] = own;
    const high = Math.max(...own.map((each) => each.row.id));
    const end = start + slideMs * slides;
    return windowRow({ key: keyOf(modulus, row), start, end, n: own.length, high }, false);
  });
}

function sessionsOf(
  { modulus, gapMs }: { readonly modulus: number; readonly gapMs: number },
  input: readonly Row[],
): Row[] {
  const byKey = Map.groupBy(input, (row) => keyOf(modulus, row));
  return [...byKey].flatMap(([key, rows]) => {
    const sessions: Row[][] = [];
    for (const row of rows.toSorted((left, right) => left.at - right.at)) {
      const last = sessions.at(-1);
      if (last !== undefined && row.at - last.at(-1)!.at <= gapMs) last.push(row);
      else sessions.push([row]);
    }
    return sessions.map((own) => {
      const [start, end] = [own[0]!.at, own.at(-1)!.at + gapMs];
      return windowRow({ key, start, end, n: own.length, high: Math.max(...own.map(({ id }) => id)) }, true);
    });
  });
}
