// Names of the files that a sink writes. Those of two attempts never meet: each carries job and attempt.
//
//   part-<subtask>-<number>-<run>.<ext>                      committed, visible; run = eight signs of the job, attempt
//   .part-<subtask>-<number>.<sink>.<job>.<attempt>.tmp      in progress; sink = eight hex digits of its uid

import { mix32 } from "../../../base/seeded-random.ts";

export type Part = {
  readonly subtask: number;
  readonly number: number;
  /** First eight signs of the job's id; "" for parts that do not say. */
  readonly job: string;
  readonly attempt: number;
};

const PART = /^part-(\d+)-(\d+)(?:-(.+)-(\d+))?\.\w+$/;
const IN_PROGRESS = /^\.part-(\d+)-(\d+)\.([0-9a-f]{8})\.(.+)\.(\d+)\.tmp$/;

export function partName({ subtask, number, job, attempt, extension }: Part & { extension: string }): string {
  return `${partStem(subtask, number)}-${runId(job)}-${attempt}.${extension}`;
}

export function partOf(name: string): Part | null {
  const match = PART.exec(name);
  if (match === null) return null;
  const [subtask = "", number = "", job = "", attempt = "0"] = match.slice(1);
  return { subtask: Number(subtask), number: Number(number), job, attempt: Number(attempt) };
}

/** Whether who reads the parts of this extension would take the file for one of them. */
export function isLikePart(name: string, extension: string): boolean {
  return partOf(name) !== null || (!name.startsWith(".") && name.endsWith(`.${extension}`));
}

type InProgress = Part & { readonly sink: string };

export function inProgressName(file: Part & { uid: string }): string {
  return `.${partStem(file.subtask, file.number)}.${sinkId(file.uid)}.${file.job}.${file.attempt}.tmp`;
}

export function inProgressOf(name: string): InProgress | null {
  const match = IN_PROGRESS.exec(name);
  if (match === null) return null;
  const [subtask = "", number = "", sink = "", job = "", attempt = ""] = match.slice(1);
  return { subtask: Number(subtask), number: Number(number), sink, job, attempt: Number(attempt) };
}

/** What a job's id is in the names of parts. */
export function runId(job: string): string {
  return job.slice(0, 8);
}

/** Eight hex digits of the sink's uid, for file names. */
export function sinkId(uid: string): string {
  let hash = 0;
  for (let index = 0; index < uid.length; index += 1) hash = mix32(hash + uid.charCodeAt(index) + 1);
  return hash.toString(16).padStart(8, "0");
}

/** Numbers with leading zeros, so that names sort as the parts were written. */
function partStem(subtask: number, number: number): string {
  return `part-${String(subtask).padStart(3, "0")}-${String(number).padStart(5, "0")}`;
}
