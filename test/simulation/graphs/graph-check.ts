// What a random graph has committed, against what it had to.
//
// In the end: the rows of an undisturbed run, each once. Before: nothing that is not among them, nothing twice, and
// what was visible once stays, unless the checkpoint that had shown it is damaged.

import assert from "node:assert/strict";
import type { SimDisk } from "../../../src/testing/sim-disk.ts";
import { type Row, tapOf } from "./graph.ts";
import { type LateOperator, lineOf, type SinkExpected } from "./graph-oracle.ts";
import { keyOf } from "./graph-rows.ts";

type Expected = ReadonlyMap<string, SinkExpected>;

/** What is visible of each sink, as sorted lines. */
export type Visible = ReadonlyMap<string, readonly string[]>;

export function visibleOf(disk: SimDisk): Visible {
  const visible = new Map<string, string[]>();
  for (const path of disk.paths()) {
    const sink = /^\/out\/([\w-]+)\/part-[^/]*$/.exec(path)?.[1];
    if (sink === undefined) continue;
    const lines = new TextDecoder().decode(disk.get(path)!).split("\n");
    assert.equal(lines.pop(), "", `${path} is torn`);
    visible.set(sink, [...(visible.get(sink) ?? []), ...lines.map((line) => lineOf(JSON.parse(line) as Row))]);
  }
  for (const lines of visible.values()) lines.sort();
  return visible;
}

/**
 * While it goes on. `cutBack`: it went on from an older checkpoint or savepoint, and what came after that went.
 * `expected`: null where that is known only in the end.
 */
export function checkMeanwhile(expected: Expected | null, before: Visible, now: Visible, cutBack: boolean): void {
  for (const [sink, lines] of cutBack ? [] : before) {
    assert.deepEqual(surplus(lines, now.get(sink) ?? []), [], `${sink}: what was visible once`);
  }
  for (const [sink, each] of expected ?? []) {
    if (each.kind !== "rows") continue;
    assert.deepEqual(surplus(now.get(sink) ?? [], each.rows), [], `${sink}: not to be there, or twice`);
  }
}

export function checkAtEnd(expected: Expected, visible: Visible): void {
  for (const [sink, each] of expected) {
    if (each.kind === "windows") checkWindows(sink, each, visible);
    else assert.deepEqual(visible.get(sink) ?? [], each.rows, sink);
  }
}

/** Each input is in a window or among the late ones, and not in both. */
function checkWindows(
  sink: string,
  { input, operator, side }: Extract<SinkExpected, { readonly kind: "windows" }>,
  visible: Visible,
): void {
  const late = visible.get(side) ?? [];
  assert.deepEqual(surplus(late, input.map(lineOf).sort()), [], `${side}: no records of the input, or twice`);
  const lateByWindow = Map.groupBy(late.map(rowOf), (row) => placeOf(operator, row));
  const counts = new Map<string, number>();
  for (const row of (visible.get(sink) ?? []).map(rowOf)) {
    const [place = ""] = row.tag.slice(1).split("-");
    counts.set(place, Math.max(row.id, counts.get(place) ?? 0));
  }
  const rows = visible.get(sink) ?? [];
  assert.equal(new Set(rows).size, rows.length, `${sink}: a result twice`);
  const windows = Map.groupBy(input, (row) => placeOf(operator, row));
  for (const [place, own] of windows) {
    const found = (counts.get(place) ?? 0) + (lateByWindow.get(place)?.length ?? 0);
    assert.equal(found, own.length, `${sink} ${place}: ${counts.get(place)} in the window, the others late`);
    counts.delete(place);
  }
  assert.deepEqual([...counts.keys()], [], `${sink}: windows of no record`);
}

function placeOf({ modulus, sizeMs }: LateOperator, row: Row): string {
  return `${keyOf(modulus, row)}@${Math.floor(row.at / sizeMs) * sizeMs}`;
}

/** What a sink behind a source shows of it. */
export function readOf(visible: Visible, source: number): readonly Row[] {
  return (visible.get(tapOf(source)) ?? []).map(rowOf);
}

function rowOf(line: string): Row {
  const [id, tag = "", at] = line.split(" ");
  return { id: Number(id), tag, at: Number(at) };
}

/** What of the first list, sorted, is not in the second, each as often as it is there. */
function surplus(lines: readonly string[], from: readonly string[]): string[] {
  const found: string[] = [];
  let at = 0;
  for (const line of lines) {
    while (at < from.length && from[at]! < line) at += 1;
    if (from[at] === line) at += 1;
    else found.push(line);
  }
  return found;
}
