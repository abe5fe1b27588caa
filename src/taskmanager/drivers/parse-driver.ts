// Validates records against a schema inside a chain and applies the policy for invalid ones.

import { UserError } from "../../base/errors.ts";
import type { IssueCounts } from "../../metrics/issue-counts.ts";
import type { Output } from "../../operators/operator.ts";
import type { InvalidPolicy, InvalidRow } from "../../operators/source.ts";
import type { StandardIssue, StandardSchema } from "../../types/spec/standard-schema.ts";
import { INVALID } from "../chain/chain.ts";
import { recordText } from "../failures/user-failure.ts";

export type ParseOptions = {
  readonly uid: string;
  readonly schema: StandardSchema;
  readonly policy: InvalidPolicy;
  readonly counts: Pick<IssueCounts, "add">;
};

export class ParseDriver {
  /** What follows `side.invalid`. */
  invalid: Output | null = null;
  readonly #options: ParseOptions;
  readonly #validate: StandardSchema["~standard"]["validate"];

  constructor(options: ParseOptions) {
    this.#options = options;
    this.#validate = options.schema["~standard"].validate;
  }

  /** The validated record, or INVALID. */
  parse(record: unknown, timestampMs: number): unknown {
    const result = this.#validate(record);
    if (result instanceof Promise) throw asyncSchema(this.#options.uid);
    if (result.issues === undefined) return result.value;
    this.#refuse(record, timestampMs, result.issues.map(issueText));
    return INVALID;
  }

  #refuse(record: unknown, timestampMs: number, issues: readonly string[]): void {
    const { policy, uid } = this.#options;
    if (policy === "fail") {
      throw new UserError("RECORD_INVALID", `${issues.join("; ")} in ${recordText(record)}`, {
        fix: 'mend the data, or go on with parse(schema, { invalid: "skip" }) or { invalid: "side" }',
        operator: uid,
      });
    }
    this.#options.counts.add(issues);
    const row: InvalidRow = { raw: record, issues };
    if (policy === "side") this.invalid?.offer(row, timestampMs);
  }
}

function issueText(issue: StandardIssue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}

function asyncSchema(uid: string): UserError {
  return new UserError("SCHEMA_ASYNC", `the schema of "${uid}" validates asynchronously`, {
    fix: "use a schema without asynchronous checks; look things up in a source or a later operator instead",
    operator: uid,
  });
}
