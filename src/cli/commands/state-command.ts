// `millrace state`: what checkpoints and savepoints hold, read without their jobs.

import { resolve } from "node:path";
import { durationText } from "../../base/duration.ts";
import { UserError } from "../../base/errors.ts";
import { memorySizeText } from "../../base/memory-size.ts";
import { nearest } from "../../base/nearest.ts";
import { checkpointAt } from "../../checkpoint/reading/checkpoint-place.ts";
import { CheckpointReader } from "../../checkpoint/reading/checkpoint-reader.ts";
import type { SavedRow } from "../../checkpoint/reading/saved-row.ts";
import { type RowChange, stateDiff } from "../../checkpoint/reading/state-diff.ts";
import { type ListedOperator, stateListing } from "../../checkpoint/reading/state-listing.ts";
import { nodeDisk } from "../../storage/node-disk.ts";
import { type CommandLine, lastValue, quoted } from "../session/arguments.ts";
import { EXIT } from "../session/exit-codes.ts";
import { tableText } from "../terminal/table-text.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { csvHead, rowCsv, rowJson, typedKey } from "./state-text.ts";

const VERSION = 1;

async function withReader<T>(path: string, use: (reader: CheckpointReader) => Promise<T>): Promise<T> {
  const { storage, metadata } = await checkpointAt(nodeDisk(), resolve(process.cwd(), path));
  const reader = new CheckpointReader(storage, metadata);
  try {
    return await use(reader);
  } finally {
    await reader.close();
  }
}

export function stateListCommand({ positional, flags }: CommandLine, terminal: Terminal): Promise<number> {
  return withReader(positional, async (reader) => {
    const { id, kind, jobName, completedAt } = reader.metadata;
    const operators = await stateListing(reader);
    if (flags.has("json")) {
      terminal.data(
        JSON.stringify({ version: VERSION, path: positional, kind, id, job: jobName, completedAt, operators }),
      );
    } else {
      terminal.data(`${kind} ${id} of ${jobName}, taken ${completedAt}\n`);
      terminal.data(listingText(operators, terminal));
    }
    return EXIT.ok;
  });
}

function listingText(operators: readonly ListedOperator[], { outPalette }: Terminal): string {
  const rows = operators.flatMap((operator) => {
    const { uid, kind, parallelism, bytes, key, states } = operator;
    const head = [uid, kind, String(parallelism), bytes === 0 ? "–" : memorySizeText(bytes)];
    const listed = states.map(({ name, type, ttlMs, entries }) => {
      const kept = ttlMs === null ? "" : `, kept for ${durationText(ttlMs)}`;
      return [name, String(entries), type === null ? "" : `${type}${kept}`];
    });
    const first = key === null ? ["", "", besideText(operator)] : ["", "", `by ${key}${besideText(operator, ", ")}`];
    return [[...head, ...first], ...listed.map((state) => ["", "", "", "", ...state])];
  });
  return tableText(["operator", "kind", "parallelism", "size", "state", "entries", "of"], rows, outPalette);
}

/** What it keeps that no key has. */
function besideText({ splits, committables, finished, undecoded }: ListedOperator, before = ""): string {
  const counted = (count: number, what: string): string[] => (count === 0 ? [] : [`${count} ${what}`]);
  const told = [
    ...counted(splits.length, splits.length === 1 ? "split" : "splits"),
    ...counted(committables, "to commit"),
    ...counted(finished, "finished"),
    ...Object.entries(undecoded).map(([name, bytes]) => `${name}: ${memorySizeText(bytes)}, not decoded`),
  ];
  return told.length === 0 ? "" : before + told.join(", ");
}

export function stateGetCommand({ positional, further }: CommandLine, terminal: Terminal): Promise<number> {
  const [uid = "", state = "", keyText = ""] = further;
  return withReader(positional, async (reader) => {
    const { read, header } = await stateOf(reader, uid, state);
    const key = typedKey(header.key, keyText);
    let found = 0;
    await reader.keyRows(read, header, key, {
      row: (row) => {
        if (row.state !== state) return;
        found += 1;
        terminal.data(rowJson(row));
      },
      undecoded: () => undefined,
    });
    if (found > 0) return EXIT.ok;
    throw new UserError("STATE_KEY_NOT_THERE", `${uid} has nothing in "${state}" for the key ${keyText}`, {
      fix: `millrace state export ${[positional, uid, state].map(quoted).join(" ")} shows all keys`,
    });
  });
}

export function stateExportCommand(line: CommandLine, terminal: Terminal): Promise<number> {
  const [uid = "", state = ""] = line.further;
  const isCsv = formatOf(line) === "csv";
  return withReader(line.positional, async (reader) => {
    const { read } = await stateOf(reader, uid, state);
    let isFirst = true;
    const visitor = {
      row: (row: SavedRow): void => {
        if (row.state !== state) return;
        if (isCsv && isFirst) terminal.data(csvHead(row));
        isFirst = false;
        terminal.data(isCsv ? rowCsv(row) : rowJson(row));
      },
      undecoded: () => undefined,
    };
    await reader.rows(read, visitor, () => terminal.flush());
    return EXIT.ok;
  });
}

function formatOf(line: CommandLine): "csv" | "jsonl" {
  const format = lastValue(line, "format") ?? "jsonl";
  if (format === "csv" || format === "jsonl") return format;
  throw new UserError("CLI_OPTION_VALUE", `--format ${format} is no format`, { fix: "write jsonl or csv" });
}

/** Throws STATE_NOT_THERE. */
async function stateOf(reader: CheckpointReader, uid: string, state: string) {
  const read = reader.operator(uid);
  const header = await reader.header(read);
  const names = header === null ? [] : reader.stateNames(read, header);
  if (header !== null && names.includes(state)) return { read, header };
  const near = nearest(state, names);
  throw new UserError("STATE_NOT_THERE", `${uid} has no state "${state}" in it`, {
    fix:
      near !== null
        ? `did you mean ${near}?`
        : names.length === 0
          ? "it keeps nothing by key: millrace state ls shows what there is"
          : `it has ${names.join(", ")}`,
  });
}

const SHOWN = 10;
const KINDS = ["added", "removed", "changed"] as const;
const SIGNS = { added: "+", removed: "-", changed: "~" } as const;

type Counted = { added: number; removed: number; changed: number; shown: RowChange[] };

export async function stateDiffCommand(line: CommandLine, terminal: Terminal): Promise<number> {
  const [other = ""] = line.further;
  const limit = limitOf(line);
  const states = new Map<string, Map<string, Counted>>();
  const only: { uid: string; in: "before" | "after" }[] = [];
  await withReader(line.positional, (before) =>
    withReader(other, (after) =>
      stateDiff(before, after, {
        change: (uid, change) => count(states, uid, change, limit),
        operator: (uid, where) => only.push({ uid, in: where }),
      }),
    ),
  );
  if (line.flags.has("json")) terminal.data(diffJson(states, only, [line.positional, other]));
  else terminal.data(diffText(states, only, [line.positional, other]));
  return EXIT.ok;
}

function limitOf(line: CommandLine): number {
  const text = lastValue(line, "limit") ?? String(SHOWN);
  if (/^\d+$/.test(text)) return Number(text);
  throw new UserError("CLI_OPTION_VALUE", `--limit ${text} is no number of entries`, { fix: "write --limit 100" });
}

function rowOf(change: RowChange): SavedRow {
  return change.kind === "removed" ? change.before : change.after;
}

function count(states: Map<string, Map<string, Counted>>, uid: string, change: RowChange, limit: number): void {
  const { state } = rowOf(change);
  const ofOperator = states.get(uid) ?? new Map<string, Counted>();
  const counted = ofOperator.get(state) ?? { added: 0, removed: 0, changed: 0, shown: [] };
  states.set(uid, ofOperator.set(state, counted));
  if (counted[change.kind] < limit) counted.shown.push(change);
  counted[change.kind] += 1;
}

type Only = readonly { readonly uid: string; readonly in: "before" | "after" }[];

function diffText(
  states: ReadonlyMap<string, ReadonlyMap<string, Counted>>,
  only: Only,
  paths: readonly string[],
): string {
  const lines = [...states].flatMap(([uid, ofOperator]) =>
    [...ofOperator].flatMap(([state, counted]) => stateDiffLines(uid, state, counted)),
  );
  const missing = only.map(({ uid, in: where }) => `${uid}  only in ${where === "before" ? paths[0] : paths[1]}`);
  const all = [...missing, ...lines];
  return all.length === 0 ? "no entry differs" : all.join("\n");
}

function stateDiffLines(uid: string, state: string, counted: Counted): string[] {
  const counts = KINDS.filter((kind) => counted[kind] > 0).map((kind) => `${counted[kind]} ${kind}`);
  const shown = counted.shown.map((change) => `  ${SIGNS[change.kind]} ${changeText(change)}`);
  const total = KINDS.reduce((sum, kind) => sum + counted[kind], 0);
  const more = total > shown.length ? [`  … ${total - shown.length} more: --limit shows them`] : [];
  return [`${uid}  ${state}  ${counts.join(", ")}`, ...shown, ...more];
}

function changeText(change: RowChange): string {
  if (change.kind !== "changed") return rowJson(rowOf(change));
  return `${rowJson(change.before)}\n  → ${rowJson(change.after)}`;
}

function diffJson(
  states: ReadonlyMap<string, ReadonlyMap<string, Counted>>,
  only: Only,
  paths: readonly string[],
): string {
  const [before, after] = paths;
  const operators = [...states].flatMap(([uid, ofOperator]) =>
    [...ofOperator].map(([state, { shown, ...counts }]) => ({ uid, state, ...counts, entries: shown.map(changeJson) })),
  );
  return JSON.stringify({ version: VERSION, before, after, only, states: operators });
}

function changeJson(change: RowChange): object {
  const json = (row: SavedRow): unknown => JSON.parse(rowJson(row));
  return {
    kind: change.kind,
    ...(change.kind !== "added" && { before: json(change.before) }),
    ...(change.kind !== "removed" && { after: json(change.after) }),
  };
}
