// How many records had which issue, so that a run can say what was wrong with most of them. What stood in the record
// is left out of the issue: it would make each one different.

import type { MetricScope } from "./metric-registry.ts";

const ERRORS = "numRecordsInErrors";
/** Of an operator in one subtask; what comes after them is counted in the sum only. */
const KINDS_MAX = 16;
const KIND_LENGTH_MAX = 160;

export class IssueCounts {
  readonly #scope: MetricScope;
  readonly #kinds = new Set<string>();

  constructor(scope: MetricScope) {
    this.#scope = scope;
  }

  /** Counts one record, by the first of its issues. */
  add([first]: readonly string[]): void {
    this.#scope.count(ERRORS);
    if (first === undefined) return;
    const kind = issueKind(first);
    if (!this.#kinds.has(kind)) {
      if (this.#kinds.size === KINDS_MAX) return;
      this.#kinds.add(kind);
    }
    this.#scope.count(`${ERRORS}.${kind}`);
  }
}

/** The issue that most records of an operator had, from its metrics; null when there is none. */
export function commonestIssue(
  metrics: Readonly<Record<string, unknown>>,
): { readonly issue: string; readonly count: number } | null {
  let commonest: { issue: string; count: number } | null = null;
  for (const [name, count] of Object.entries(metrics)) {
    if (!name.startsWith(`${ERRORS}.`) || typeof count !== "number") continue;
    if (count > (commonest?.count ?? 0)) commonest = { issue: name.slice(ERRORS.length + 1), count };
  }
  return commonest;
}

const CELL = /^(column "(?:[^"\\]|\\.)*": )"(?:[^"\\]|\\.)*"/;
/** What JSON has instead, or what makes it none, up to a hint. */
const JSON_VALUE = /(^not JSON|, got ).*?(; (?:if|each) .*)?$/s;

/** `column "qty": "x7" is not a number` without the "x7". */
function issueKind(issue: string): string {
  const kind = issue
    .replace(CELL, "$1…")
    .replace(JSON_VALUE, (_, start: string, hint = "") => `${start}${start === ", got " ? "…" : ""}${hint}`)
    .replace(/\p{Cc}+/gu, " ");
  return kind.length > KIND_LENGTH_MAX ? `${kind.slice(0, KIND_LENGTH_MAX)}…` : kind;
}
