// How much of its input a bounded job has read: bytes of its files, records of sources that know their number.

import type { Disk } from "../../base/disk.ts";
import { filesFind } from "../../connectors/files/paths/files-find.ts";
import type { Plan, PlanOperator } from "../../graph/plan.ts";
import type { JobMetrics } from "../../protocol/job-messages.ts";

/** Of a source: how much there is, and the metric that counts what has been read. */
export type InputSize = {
  readonly uid: string;
  readonly metric: "numBytesIn" | "numRecordsOut";
  readonly total: number;
};

/** Null where some source's end is not known. Files that cannot be looked up are none of this line's business. */
export async function inputSizes(
  { operators }: Pick<Plan, "operators">,
  disk: Disk,
): Promise<readonly InputSize[] | null> {
  const sources = operators.filter(({ kind }) => kind === "source");
  const sizes = await Promise.all(sources.map((source) => inputSize(source, disk).catch(() => null)));
  return sizes.every((size) => size !== null) ? sizes : null;
}

async function inputSize({ uid, options }: PlanOperator, disk: Disk): Promise<InputSize | null> {
  const { bounded, paths, count } = options as { bounded?: boolean; paths?: readonly string[]; count?: number | null };
  if (bounded !== true) return null;
  if (typeof count === "number") return { uid, metric: "numRecordsOut", total: count };
  if (paths === undefined) return null;
  const files = await filesFind(disk, paths);
  if (files.some(({ isStream }) => isStream)) return null;
  return { uid, metric: "numBytesIn", total: files.reduce((bytes, { size }) => bytes + size, 0) };
}

/** That of the source that has most before it, from 0 to 1. */
export function inputProgress(sizes: readonly InputSize[] | null, operators: JobMetrics["operators"]): number | null {
  if (sizes === null) return null;
  const read = ({ uid, metric, total }: InputSize): number => {
    return total === 0 ? 1 : Math.min(1, Number(operators[uid]?.[metric] ?? 0) / total);
  };
  return Math.min(1, ...sizes.map(read));
}
