// `millrace checkpoints`: which there are in a directory, and whether they can be restored.

import { resolve } from "node:path";
import { aboutText } from "../../base/duration.ts";
import { UserError } from "../../base/errors.ts";
import { memorySizeText } from "../../base/memory-size.ts";
import { checkpointsIn, type ListedCheckpoint } from "../../checkpoint/checkpoint-list.ts";
import { type OperatorState, operatorBytes, parallelismOf, stateBytes } from "../../checkpoint/format/metadata.ts";
import { DirectoryStorage } from "../../checkpoint/storage/directory-storage.ts";
import { nodeDisk } from "../../storage/node-disk.ts";
import type { CommandLine } from "../session/arguments.ts";
import { EXIT } from "../session/exit-codes.ts";
import { tableText } from "../terminal/table-text.ts";
import type { Terminal } from "../terminal/terminal.ts";

const VERSION = 1;

export async function checkpointsCommand({ positional, flags }: CommandLine, terminal: Terminal): Promise<number> {
  const disk = nodeDisk();
  const directory = resolve(process.cwd(), positional);
  if ((await disk.stat(directory))?.kind !== "directory") {
    throw new UserError("CHECKPOINT_DIR_MISSING", `there is no directory ${positional}`, {
      fix: "give the directory that run has as --checkpoint-dir, or one of those kept aside in it",
    });
  }
  const listed = await checkpointsIn(new DirectoryStorage(disk, directory));
  if (flags.has("json")) {
    terminal.data(JSON.stringify({ version: VERSION, directory, checkpoints: listed.map(checkpointJson) }));
  } else if (listed.length === 0) terminal.note(`there is no checkpoint in ${positional}`);
  else terminal.data(listText(listed, terminal));
  return EXIT.ok;
}

function listText(listed: readonly ListedCheckpoint[], { outPalette }: Terminal): string {
  const rows = listed.map((checkpoint) => checkpointRow(checkpoint, Date.now()));
  const table = tableText(["id", "job", "taken", "size", "operators", "parallelism", "state"], rows, outPalette);
  const newest = listed.find(({ metadata, damage }) => metadata !== null && damage === null)?.metadata;
  if (newest === undefined || newest === null) return table;
  const operators = newest.operators.map(operatorRow);
  const title = `${outPalette.bold(`operators of checkpoint ${newest.id}`)}, which the next run goes on from`;
  return `${table}\n\n${title}\n${tableText(["operator", "parallelism", "state"], operators, outPalette)}`;
}

function checkpointRow({ id, completed, metadata, damage }: ListedCheckpoint, nowMs: number): string[] {
  const state = !completed ? "never completed" : damage === null ? "whole" : `damaged: ${damage.message}`;
  if (metadata === null) return [String(id), "–", "–", "–", "–", "–", state];
  const { jobName, completedAt, operators, kind } = metadata;
  const age = aboutText(nowMs - Date.parse(completedAt));
  return [
    ...[kind === "savepoint" ? `${id} (savepoint)` : String(id), jobName, `${completedAt} (${age} ago)`],
    ...[memorySizeText(stateBytes(metadata)), String(operators.length), String(parallelismOf(metadata)), state],
  ];
}

function operatorRow(state: OperatorState): string[] {
  const bytes = operatorBytes(state);
  return [state.uid, String(state.parallelism), bytes === 0 ? "–" : memorySizeText(bytes)];
}

function checkpointJson({ id, completed, metadata, damage }: ListedCheckpoint): object {
  return {
    id,
    completed,
    readable: completed && damage === null,
    error: damage === null ? null : { code: damage.code, message: damage.message },
    ...(metadata !== null && {
      kind: metadata.kind,
      job: metadata.jobName,
      jobId: metadata.jobId,
      planHash: metadata.planHash,
      completedAt: metadata.completedAt,
      bytes: stateBytes(metadata),
      operators: metadata.operators.map((state) => ({
        ...{ uid: state.uid, parallelism: state.parallelism, maxParallelism: state.maxParallelism },
        bytes: operatorBytes(state),
      })),
    }),
  };
}
