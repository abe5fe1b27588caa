// What is wrong with what the oracle job has committed when it has finished, against a plain computation over all of
// its events.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { partsIn, type Wrongs, WrongsFound } from "./ledger-check.ts";
import { eventOf, type OracleEvent, OUT_OF_ORDER_MS, SESSION_GAP_MS, SILENT_MS } from "./oracle-events.ts";

const WINDOW_MS = 2_000;

type Row = Readonly<Record<string, string | number>>;

export function oracleWrongs(out: string, rows: number): Wrongs {
  const wrongs = new WrongsFound();
  const events = Array.from({ length: rows }, (_, n) => eventOf(n)).sort((left, right) => left.at - right.at);
  const byDevice = new Map<string, OracleEvent[]>();
  for (const event of events) byDevice.set(event.device, [...(byDevice.get(event.device) ?? []), event]);
  const windows = [...byDevice].flatMap(([device, own]) => windowsOf(device, own));
  const sessions = [...byDevice].flatMap(([device, own]) => sessionsOf(device, own));
  const silences = [...byDevice].flatMap(([device, own]) => silencesOf(device, own));
  compare(rowsIn(join(out, "windows"), wrongs), windows, { wrongs, name: "window" });
  compare(rowsIn(join(out, "sessions"), wrongs), sessions, { wrongs, name: "session" });
  // The silences at the very end are told or not: that depends on which source came to its end last.
  const endMs = (events.at(-1)?.at ?? 0) - 4 * OUT_OF_ORDER_MS;
  const isCertain = (row: Row): boolean => Number(row.at) < endMs;
  const found = rowsIn(join(out, "silences"), wrongs);
  compare(found.filter(isCertain), silences.filter(isCertain), { wrongs, name: "silence" });
  return wrongs.all;
}

/** Without the times that people read: they are texts in JSON. */
function rowsIn(directory: string, wrongs: WrongsFound): Row[] {
  if (!existsSync(directory)) return [];
  return [...partsIn(directory, wrongs).values()].flat().map((row) => {
    const { at, start, end, ...rest } = row as Row;
    const time = at ?? start;
    return { ...rest, at: typeof time === "string" ? Date.parse(time) : Number(time), ...(end !== undefined && {}) };
  });
}

function aggregated(device: string, events: readonly OracleEvent[], at: number): Row {
  return { device, events: events.length, total: events.reduce((sum, { value }) => sum + value, 0), at };
}

function windowsOf(device: string, events: readonly OracleEvent[]): Row[] {
  const starts = Map.groupBy(events, ({ at }) => Math.floor(at / WINDOW_MS) * WINDOW_MS);
  return [...starts].map(([start, own]) => aggregated(device, own, start));
}

function sessionsOf(device: string, events: readonly OracleEvent[]): Row[] {
  const sessions: OracleEvent[][] = [];
  for (const event of events) {
    const last = sessions.at(-1);
    if (last !== undefined && event.at - last.at(-1)!.at <= SESSION_GAP_MS) last.push(event);
    else sessions.push([event]);
  }
  return sessions.map((own) => aggregated(device, own, own[0]!.at));
}

function silencesOf(device: string, events: readonly OracleEvent[]): Row[] {
  const ends = events.filter(({ at }, index) => (events[index + 1]?.at ?? Infinity) > at + SILENT_MS);
  return ends.map(({ at }, index) => ({ device, silence: index + 1, at: at + SILENT_MS }));
}

function compare(found: readonly Row[], expected: readonly Row[], told: { wrongs: WrongsFound; name: string }): void {
  const { wrongs, name } = told;
  const keyOf = ({ device, at }: Row): string => `${name} ${device} ${new Date(Number(at)).toISOString()}`;
  const byKey = new Map(expected.map((row) => [keyOf(row), row]));
  const seen = new Set<string>();
  for (const row of found) {
    const key = keyOf(row);
    const right = byKey.get(key);
    if (seen.has(key)) wrongs.add("doubled", key);
    else if (right === undefined) wrongs.add("corrupt", `${key} is none: ${JSON.stringify(row)}`);
    else if (Object.entries(right).some(([field, value]) => row[field] !== value))
      wrongs.add("corrupt", `${JSON.stringify(row)}, and not ${JSON.stringify(right)}`);
    seen.add(key);
  }
  for (const key of byKey.keys()) if (!seen.has(key)) wrongs.add("lost", key);
}
