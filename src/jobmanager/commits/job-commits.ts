// The commits of a job as values: what was prepared, who tries to commit it, how far that is. Pure.
//
//   C1. A commit is done only when it was acknowledged. One that fails for a reason outside is tried again, each time
//       later; one whose slot was lost is tried in another one. What cannot be committed is given up, and named.

import type { PreparedSink, TaskId } from "../../protocol/slot-messages.ts";

/** What one sink of one task has prepared. */
export type Commit = {
  readonly task: TaskId;
  readonly prepared: PreparedSink;
  /** That has prepared it, or tries to commit it. */
  readonly slot: number;
  /** How often it was, or is being, tried. */
  readonly tries: number;
  /** "lost": it was given up. */
  readonly phase: "prepared" | "tried" | "committed" | "lost";
};

/** By `commitKey`. */
export type Commits = ReadonlyMap<string, Commit>;

/** Tells a slot to commit, after a pause. */
export type CommitTry = { readonly commit: Commit; readonly delayMs: number };

export function commitKey(task: TaskId, sink: string): string {
  return `${task} ${sink}`;
}

export function commitsWith(commits: Commits, commit: Commit): Commits {
  return new Map(commits).set(commitKey(commit.task, commit.prepared.sink), commit);
}

export function isSettled({ phase }: Commit): boolean {
  return phase === "committed" || phase === "lost";
}

/** Before the second try; each later one waits twice as long. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 10_000;

/** C1. The commit after a try that failed, and the next try; `slots`: that can make it. */
export function commitAfterFailure(
  commit: Commit,
  { slots, retries }: { readonly slots: readonly number[]; readonly retries: number },
): { readonly commit: Commit; readonly retry: CommitTry | null } {
  const slot = slots.includes(commit.slot) ? commit.slot : slots[0];
  if (slot === undefined || commit.tries > retries) return { commit: { ...commit, phase: "lost" }, retry: null };
  const delayMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** (commit.tries - 1));
  const next = { ...commit, slot, tries: commit.tries + 1 };
  return { commit: next, retry: { commit: next, delayMs } };
}

const NAMED_MAX = 10;

/** What a failed job says of its output, once commits had begun. */
export function commitsText(commits: Commits): string {
  const all = [...commits.values()];
  const lost = all.filter(({ phase }) => phase !== "committed");
  if (lost.length === 0) return "all of its output is committed";
  const committed = all.filter(({ phase }) => phase === "committed");
  const done = committed.length === 0 ? "nothing else is committed" : `committed: ${namesOf(committed)}`;
  return `not committed, or not all of it: ${namesOf(lost)}; ${done}`;
}

/** `"out" subtasks 1, 3 (6 tries), "side" subtask 2`; subtasks count from 1, as for people. */
function namesOf(commits: readonly Commit[]): string {
  const bySink = new Map<string, Commit[]>();
  for (const commit of commits) {
    const { sink } = commit.prepared;
    bySink.set(sink, [...(bySink.get(sink) ?? []), commit]);
  }
  return [...bySink].map(([sink, ofSink]) => `"${sink}" ${subtasksOf(ofSink)}`).join(", ");
}

function subtasksOf(commits: readonly Commit[]): string {
  const sorted = commits.map(({ task }) => Number(task.split("/")[1]) + 1).sort((left, right) => left - right);
  const named = sorted.slice(0, NAMED_MAX).join(", ");
  const more = sorted.length - NAMED_MAX;
  const tries = Math.max(...commits.map((commit) => (commit.phase === "lost" ? commit.tries : 0)));
  return (
    `${sorted.length === 1 ? "subtask" : "subtasks"} ${named}${more > 0 ? ` and ${more} more` : ""}` +
    (tries > 0 ? ` (${tries === 1 ? "one try" : `${tries} tries`})` : "")
  );
}
