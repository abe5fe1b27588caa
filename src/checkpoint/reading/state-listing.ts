// What a checkpoint or savepoint holds: its operators, the states of each, and how much of each there is.

import type { SourceSplit } from "../../operators/source.ts";
import type { StateSpec } from "../../state/contract/keyed-state.ts";
import { storedText } from "../../state/contract/state-change.ts";
import { specText } from "../../types/spec/spec-text.ts";
import { handleBytes, operatorBytes, type SubtaskState } from "../format/metadata.ts";
import type { CheckpointReader, ReadOperator } from "./checkpoint-reader.ts";

export type ListedState = {
  readonly name: string;
  /** What it holds, as people read it; null: what an operator keeps for itself. */
  readonly type: string | null;
  readonly ttlMs: number | null;
  /** Values, lists, entries of maps, timers, windows, … */
  readonly entries: number;
};

export type ListedOperator = {
  readonly uid: string;
  readonly kind: string;
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** As it is stored. */
  readonly bytes: number;
  /** Type of its keys; null: it keeps nothing by key. */
  readonly key: string | null;
  readonly states: readonly ListedState[];
  /** Parts by key group that cannot be decoded, with their bytes. */
  readonly undecoded: Readonly<Record<string, number>>;
  /** What its subtasks keep beside, in bytes: of the operator, its watermarks, … */
  readonly parts: Readonly<Record<string, number>>;
  readonly splits: readonly SourceSplit[];
  /** What of a sink is prepared, and not known to be committed. */
  readonly committables: number;
  /** Subtasks that had come to their end. */
  readonly finished: number;
};

export async function stateListing(reader: CheckpointReader): Promise<readonly ListedOperator[]> {
  const listed: ListedOperator[] = [];
  for (const read of reader.operators()) listed.push(await listedOperator(reader, read));
  return listed;
}

async function listedOperator(reader: CheckpointReader, read: ReadOperator): Promise<ListedOperator> {
  const { operator, state } = read;
  const header = await reader.header(read);
  const declared = new Map(header?.states.map((spec) => [spec.name, spec]));
  const entries = new Map([...declared.keys()].map((name) => [name, 0]));
  const undecoded: Record<string, number> = {};
  await reader.rows(read, {
    row: ({ state: name }) => entries.set(name, (entries.get(name) ?? 0) + 1),
    undecoded: (name, bytes) => {
      undecoded[name] = (undecoded[name] ?? 0) + bytes;
    },
  });
  return {
    ...{ uid: operator.uid, kind: operator.kind, parallelism: state.parallelism, maxParallelism: state.maxParallelism },
    ...{ bytes: operatorBytes(state), key: header === null ? null : specText(header.key), undecoded },
    states: [...entries].map(([name, count]) => listedState(name, declared.get(name), count)),
    parts: partBytes(state.subtasks),
    splits: state.subtasks.flatMap(({ splits }) => splits),
    committables: state.subtasks.reduce((sum, { committables }) => sum + committables.length, 0),
    finished: state.subtasks.filter(({ finished }) => finished).length,
  };
}

function listedState(name: string, spec: StateSpec | undefined, entries: number): ListedState {
  return { name, type: spec === undefined ? null : storedText(spec), ttlMs: spec?.ttlMs ?? null, entries };
}

function partBytes(subtasks: readonly SubtaskState[]): Record<string, number> {
  const bytes: Record<string, number> = {};
  for (const [name, handle] of subtasks.flatMap(({ parts }) => Object.entries(parts))) {
    bytes[name] = (bytes[name] ?? 0) + handleBytes(handle);
  }
  return bytes;
}
