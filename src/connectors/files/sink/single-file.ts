// One file as the target of a sink, for results that are small: written beside its place under another name, and
// renamed when the job has ended. One subtask writes it.
//
//   <name>                                    the result of the last run that ended well
//   .<name>.<sink>.<job>.<attempt>.tmp        in progress
//   .<name>.millrace.json                     {"uid"} of the sink that wrote the file
//
// What a commit of part of a run would show is no result: runs without an end are refused. (With checkpoints, parts
// will wait hidden, and be put together at the end.)

import { basename, dirname } from "node:path/posix";
import type { Disk } from "../../../base/disk.ts";
import { UserError } from "../../../base/errors.ts";
import type { SinkWriterContext } from "../../../operators/sink.ts";
import { checkCommitted, type PendingFile, type TargetMode } from "./file-target.ts";
import { sinkId } from "./part-names.ts";
import { textRead, textReplace } from "./small-file.ts";

/** Plain data: what `commit` needs, wherever it runs. */
export type SingleCommit = {
  readonly kind: "single";
  readonly directory: string;
  readonly uid: string;
  readonly files: readonly PendingFile[];
};

export class SingleFile {
  readonly directory: string;
  readonly isSingle = true;
  readonly #name: string;
  readonly #context: SinkWriterContext;
  readonly #mode: TargetMode;

  constructor(path: string, { context, mode }: { context: SinkWriterContext; mode: TargetMode }) {
    this.directory = dirname(path);
    this.#name = basename(path);
    this.#context = context;
    this.#mode = mode;
  }

  async open(): Promise<void> {
    const { disk, uid, jobId, attempt } = this.#context;
    if ((await disk.stat(this.directory)) === null) await disk.makeDirectory(this.directory);
    const path = `${this.directory}/${this.#name}`;
    const stat = await disk.stat(path);
    if (stat?.kind === "directory") {
      throw new UserError("SINK_TARGET_IS_DIRECTORY", `${path} is a directory; by its name it is a single file`, {
        fix: `write ${path}/ to have part files in that directory, or remove it`,
        operator: uid,
      });
    }
    if (this.#mode === "own" && stat !== null && (await ownerOf(disk, this.directory, this.#name)) !== uid) {
      throw new UserError("SINK_TARGET_OCCUPIED", `there is a file ${path}, which the sink "${uid}" did not write`, {
        fix: 'use another name, or mode: "replace" to replace it',
        operator: uid,
      });
    }
    const prefix = `.${this.#name}.${sinkId(uid)}.`;
    for (const name of await disk.list(this.directory)) {
      if (!name.startsWith(prefix) || !name.endsWith(".tmp")) continue;
      const [job, of] = name.slice(prefix.length).split(".");
      if (job !== jobId || Number(of) < attempt) await disk.remove(`${this.directory}/${name}`);
    }
  }

  nextFile(): { from: string; to: string } {
    const { uid, jobId, attempt } = this.#context;
    return { from: `.${this.#name}.${sinkId(uid)}.${jobId}.${attempt}.tmp`, to: this.#name };
  }

  async prepare(files: readonly PendingFile[]): Promise<SingleCommit> {
    const { disk, uid } = this.#context;
    await disk.syncDirectory(this.directory); // The name survives a crash before the commit.
    return { kind: "single", directory: this.directory, uid, files };
  }
}

/** Every step is done, or found done already. */
export async function singleCommit(disk: Disk, { directory, uid, files }: SingleCommit): Promise<void> {
  for (const { from, to, size } of files) {
    if ((await disk.stat(`${directory}/${from}`)) === null) {
      await checkCommitted(disk, `${directory}/${to}`, size);
      continue;
    }
    await textReplace(disk, ownerPath(directory, to), `${JSON.stringify({ uid })}\n`);
    await disk.rename(`${directory}/${from}`, `${directory}/${to}`);
  }
  await disk.syncDirectory(directory);
}

async function ownerOf(disk: Disk, directory: string, name: string): Promise<string | null> {
  const text = await textRead(disk, ownerPath(directory, name));
  try {
    return text === null ? null : (JSON.parse(text) as { uid: string }).uid;
  } catch {
    return null; // Torn by a crash.
  }
}

function ownerPath(directory: string, name: string): string {
  return `${directory}/.${name}.millrace.json`;
}
