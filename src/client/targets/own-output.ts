// A job must not read what it writes: it would eat its own output, and in the next run that of this one.

import { basename, dirname } from "node:path/posix";
import { type Disk, STDIN_PATH } from "../../base/disk.ts";
import { EngineError, type ErrorDetail, UserError, withOperator } from "../../base/errors.ts";
import { type Read, readOf, readsWritten, realPathToBe } from "../../connectors/files/paths/overlap.ts";
import { isLikePart } from "../../connectors/files/sink/part-names.ts";
import { writtenTo } from "../../connectors/files/sink/target-path.ts";
import type { Plan, PlanOperator } from "../../graph/plan.ts";

/** The options of file sources and sinks that matter here. */
type FileOptions = {
  readonly source?: unknown;
  readonly sink?: unknown;
  readonly paths?: readonly string[];
  readonly mode?: unknown;
};

const FILES: ReadonlySet<unknown> = new Set(["csv", "jsonl"]);

type Locations = Plan["locations"];

/** Throws a UserError with both places. */
export async function checkTargets({ operators, locations }: Plan, disk: Disk): Promise<void> {
  const sources = operators.filter(({ kind, options }) => kind === "source" && isFiles(options));
  const sinks = operators.filter(({ kind, options }) => kind === "sink" && isFiles(options));
  checkStdin(sources, locations);
  if (sinks.length === 0) return;
  await checkApart(sinks, locations, disk);
  const reads = await readsOf(sources, locations, disk);
  for (const sink of sinks) {
    const [target = ""] = pathsOf(sink);
    const written = writtenTo(target, kindOf(sink));
    for (const { source, path, read } of reads) {
      if (!(await readsWritten(disk, read, written))) continue;
      const reader = `the source "${source.uid}"${place(source, locations)} reads ${path}`;
      throw new UserError("SINK_FEEDS_SOURCE", `the sink "${sink.uid}" writes to ${target}, and ${reader}`, {
        fix: "write to a place outside of what the job reads: otherwise it reads its own output, now or in its next run",
        ...detailOf(sink, locations),
      });
    }
  }
}

/** No two write to the same file, or mix their files in one directory. */
async function checkApart(sinks: readonly PlanOperator[], locations: Locations, disk: Disk): Promise<void> {
  const targets: { readonly real: string; readonly sink: PlanOperator }[] = [];
  for (const sink of sinks) {
    const real = await realPathToBe(disk, pathsOf(sink)[0] ?? "");
    for (const { real: otherReal, sink: other } of targets) {
      if (otherReal !== real && !isMixedUp(sink, real, otherReal) && !isMixedUp(other, otherReal, real)) continue;
      const [, shared] = [pathsOf(other)[0] ?? "", pathsOf(sink)[0] ?? ""].sort((a, b) => b.length - a.length);
      const both = `the sinks "${other.uid}"${place(other, locations)} and "${sink.uid}" both write to ${shared}`;
      const fix = "give each sink a place of its own";
      throw new UserError("SINK_TARGET_SHARED", both, { fix, ...detailOf(sink, locations) });
    }
    targets.push({ real, sink });
  }
}

function place({ uid }: PlanOperator, locations: Locations): string {
  const location = locations[uid];
  return location === undefined ? "" : ` (${location.file}:${location.line}:${location.column})`;
}

function detailOf({ uid }: PlanOperator, locations: Locations): ErrorDetail {
  const location = locations[uid];
  return { operator: uid, ...(location && { location }) };
}

type SourceRead = { readonly source: PlanOperator; readonly path: string; readonly read: Read };

async function readsOf(
  sources: readonly PlanOperator[],
  locations: Locations,
  disk: Disk,
): Promise<readonly SourceRead[]> {
  const reads: SourceRead[] = [];
  for (const source of sources) {
    for (const path of pathsOf(source)) {
      const read = await readOf(disk, path).catch((error: unknown) => {
        if (error instanceof EngineError) error.location ??= locations[source.uid];
        throw withOperator(error, source.uid);
      });
      reads.push({ source, path, read });
    }
  }
  return reads;
}

/** Whether the next run would find `other` right in the directory of `sink`, and take it for somebody else's part. */
function isMixedUp(sink: PlanOperator, directory: string, other: string): boolean {
  const { mode } = sink.options as FileOptions;
  if (mode !== undefined || dirname(other) !== directory) return false;
  return writtenTo(pathsOf(sink)[0]!, kindOf(sink)).file !== null && isLikePart(basename(other), kindOf(sink));
}

/** What one source has read of it, another would miss. */
function checkStdin(sources: readonly PlanOperator[], locations: Locations): void {
  const [first, second] = sources.filter((source) => pathsOf(source).includes(STDIN_PATH));
  if (first === undefined || second === undefined) return;
  throw new UserError("STDIN_SHARED", `the sources "${first.uid}" and "${second.uid}" both read standard input`, {
    fix: "read it once, and give the stream to both",
    ...detailOf(second, locations),
  });
}

function isFiles(options: PlanOperator["options"]): boolean {
  const { source, sink, paths } = (options ?? {}) as FileOptions;
  return FILES.has(source ?? sink) && Array.isArray(paths);
}

function pathsOf({ options }: PlanOperator): readonly string[] {
  return (options as FileOptions).paths ?? [];
}

function kindOf({ options }: PlanOperator): string {
  return String((options as FileOptions).sink);
}
