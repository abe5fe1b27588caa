// The sink of CSV and JSON Lines: a directory of part files, or one file.

import { holderText, STDOUT_PATH } from "../../../base/disk.ts";
import { UserError } from "../../../base/errors.ts";
import type { Sink, SinkClaim, SinkClaimContext } from "../../../operators/sink.ts";
import { optionInvalid } from "../format/csv-dialect.ts";
import type { RowEncoder } from "../format/row-encoder.ts";
import { fileCommitter } from "./file-committer.ts";
import { FileTarget, type TargetMode } from "./file-target.ts";
import { FileWriter, type RollLimits } from "./file-writer.ts";
import { SingleFile } from "./single-file.ts";
import { StdoutWriter } from "./stdout-writer.ts";
import { isFileTarget } from "./target-path.ts";

export type FileSinkOptions = {
  readonly paths: readonly string[];
  readonly extension: string;
  readonly encoder: () => RowEncoder;
  /** Null: not given. */
  readonly mode: "append" | "replace" | null;
  readonly roll: RollLimits | null;
  /** Names of options that are given and that only sources heed. */
  readonly sourceOnly: readonly string[];
};

const NEVER: RollLimits = { bytes: Infinity, rows: Infinity, ms: Infinity, checkpointMs: Infinity };
const ROLL_DEFAULT: RollLimits = { ...NEVER, bytes: 128 * 1024 ** 2 };
/** Of a job without an end, whose rows are seen once their part is complete. */
const CHECKPOINT_MS_DEFAULT = 60_000;

/** Whoever reads the file by its name would read it wrongly. */
const OTHER_ENDING: Readonly<Record<string, RegExp>> = {
  csv: /[^/]\.(jsonl|ndjson|json)$/i,
  jsonl: /[^/]\.(csv|tsv)$/i,
};

type FileSink = Pick<Sink<unknown>, "claim" | "guarantee" | "parallelism" | "createWriter" | "createCommitter">;

export function fileSink(options: FileSinkOptions): FileSink {
  const [path = ""] = options.paths;
  if (path === STDOUT_PATH) return stdoutSink(options);
  const isSingle = options.paths.length === 1 && isFileTarget(path);
  return {
    guarantee: "exactly-once",
    ...(isSingle && { parallelism: 1 }),
    claim: (context) => claim(options, isSingle, context),
    createWriter: (context) => {
      const { extension } = options;
      const mode: TargetMode = options.mode ?? "own";
      const target = isSingle
        ? new SingleFile(path, { context, mode })
        : new FileTarget(path, { context, extension, mode });
      const roll = isSingle ? NEVER : rollOf(options.roll ?? ROLL_DEFAULT, context.bounded);
      return new FileWriter(context, { target, encoder: options.encoder(), roll });
    },
    createCommitter: ({ disk }) => fileCommitter(disk),
  };
}

function rollOf(roll: RollLimits, bounded: boolean): RollLimits {
  return bounded || roll.checkpointMs !== Infinity ? roll : { ...roll, checkpointMs: CHECKPOINT_MS_DEFAULT };
}

function stdoutSink(options: FileSinkOptions): FileSink {
  return {
    guarantee: "at-least-once",
    parallelism: 1,
    claim: async (context) => {
      checkOptions(options, false, context);
      const [name] = [options.mode !== null && "mode", options.roll !== null && "roll"].filter((one) => one !== false);
      if (name !== undefined) throw optionInvalid(`${name} of standard output`, "leave it out: there are no files");
      return { release: async () => {} };
    },
    createWriter: (context) => new StdoutWriter(context, options.encoder()),
  };
}

async function claim(options: FileSinkOptions, isSingle: boolean, context: SinkClaimContext): Promise<SinkClaim> {
  const { disk, uid, jobName } = context;
  checkOptions(options, isSingle, context);
  const path = options.paths[0]!.replace(/(?<=.)\/+$/, "");
  const slash = path.lastIndexOf("/");
  const directory = isSingle ? (slash < 0 ? "." : path.slice(0, slash) || "/") : path;
  const name = isSingle ? `.${path.slice(slash + 1)}.millrace-lock` : ".millrace-lock";
  const kind = (await disk.stat(directory))?.kind;
  if (kind === undefined) await disk.makeDirectory(directory);
  else if (kind !== "directory") {
    throw new UserError("SINK_TARGET_IS_FILE", `${directory} is a file; a sink writes a directory of part files`, {
      fix: "remove the file, or give another path: one that ends with .csv or .jsonl is that of a single file",
      operator: uid,
    });
  }
  const attempt = await disk.lock(`${directory}/${name}`, `job "${jobName}"`);
  if (attempt.kind === "locked") return attempt;
  const { file, isCertain } = attempt.by;
  const who = holderText(attempt.by);
  throw new UserError(
    "SINK_TARGET_LOCKED",
    isCertain
      ? `${path} is being written to by ${who}`
      : `${path} was being written to by ${who}, and whether that still runs cannot be told from here`,
    {
      fix: isCertain
        ? "wait until it has ended, stop it, or let this run write somewhere else"
        : `if it does not run any more, remove ${file}`,
      operator: uid,
    },
  );
}

function checkOptions(options: FileSinkOptions, isSingle: boolean, { bounded }: SinkClaimContext): void {
  const { paths, sourceOnly, mode, roll } = options;
  const [path = ""] = paths;
  if (paths.length !== 1) throw optionInvalid("several paths", "a sink writes to one directory or file");
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path) || /[*?]/.test(path)) {
    throw new UserError("PATH_UNSUPPORTED", `a sink cannot write to ${path}`, {
      fix: "give a directory, or a file by its name, on this machine's disks",
    });
  }
  if (/\.(gz|gzip|zst)$/i.test(path))
    throw optionInvalid(`the path ${path}`, "a sink does not compress: leave the ending out");
  const other = OTHER_ENDING[options.extension]?.exec(path)?.[1];
  if (other !== undefined) {
    const fix = `let csv write .csv and .tsv, and jsonl .jsonl, .ndjson and .json; for a directory, write ${path}/`;
    throw optionInvalid(`${options.extension} into a file that ends with .${other}`, fix);
  }
  if (sourceOnly.length > 0) {
    throw optionInvalid(`${sourceOnly.join(", ")} of a sink`, "leave it out: only a source heeds it");
  }
  if (!isSingle) return;
  const fix = `to write part files, give a directory: ${path.replace(/\.\w+$/, "")}/`;
  if (!bounded) throw new UserError("SINK_FILE_ENDLESS", `${path} is a single file, and this job has no end`, { fix });
  if (mode === "append") throw optionInvalid('mode: "append" of a single file', fix);
  if (roll !== null) throw optionInvalid("roll of a single file", fix);
}
