// A job must not read what it writes: it would eat its own output, and in the next run that of this one.

import { type Disk, STDIN_PATH } from "../../base/disk.ts";
import { type SourceLocation, UserError } from "../../base/errors.ts";
import { readsWritten, realPathToBe } from "../../connectors/files/paths/overlap.ts";
import { writtenTo } from "../../connectors/files/sink/target-path.ts";
import type { Plan, PlanOperator } from "../../graph/plan.ts";

/** The options of file sources and sinks that matter here. */
type FileOptions = { readonly source?: unknown; readonly sink?: unknown; readonly paths?: readonly string[] };

const FILES: ReadonlySet<unknown> = new Set(["csv", "jsonl"]);

/** Throws a UserError with both places. */
export async function checkTargets({ operators, locations }: Plan, disk: Disk): Promise<void> {
  const sources = operators.filter(({ kind, options }) => kind === "source" && isFiles(options));
  const sinks = operators.filter(({ kind, options }) => kind === "sink" && isFiles(options));
  const place = (location: SourceLocation | undefined): string =>
    location === undefined ? "" : ` (${location.file}:${location.line}:${location.column})`;
  checkStdin(sources, locations);
  const targets = new Map<string, PlanOperator>();
  for (const sink of sinks) {
    const location = locations[sink.uid];
    const detail = { operator: sink.uid, ...(location && { location }) };
    const [target = ""] = pathsOf(sink);
    const real = await realPathToBe(disk, target);
    const other = targets.get(real);
    if (other !== undefined) {
      const both = `the sinks "${other.uid}"${place(locations[other.uid])} and "${sink.uid}" both write to ${target}`;
      throw new UserError("SINK_TARGET_SHARED", both, { fix: "give each sink a place of its own", ...detail });
    }
    targets.set(real, sink);
    const written = writtenTo(target, kindOf(sink));
    for (const source of sources) {
      for (const path of pathsOf(source)) {
        if (!(await readsWritten(disk, path, written))) continue;
        const reads = `the source "${source.uid}"${place(locations[source.uid])} reads ${path}`;
        throw new UserError("SINK_FEEDS_SOURCE", `the sink "${sink.uid}" writes to ${target}, and ${reads}`, {
          fix: "write to a place outside of what the job reads: otherwise it reads its own output, now or in its next run",
          ...detail,
        });
      }
    }
  }
}

/** What one source has read of it, another would miss. */
function checkStdin(sources: readonly PlanOperator[], locations: Plan["locations"]): void {
  const [first, second] = sources.filter((source) => pathsOf(source).includes(STDIN_PATH));
  if (first === undefined || second === undefined) return;
  const location = locations[second.uid];
  throw new UserError("STDIN_SHARED", `the sources "${first.uid}" and "${second.uid}" both read standard input`, {
    fix: "read it once, and give the stream to both",
    operator: second.uid,
    ...(location && { location }),
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
