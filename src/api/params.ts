// Job parameters: text on the command line, typed values in the builder.

import { UserError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { layoutOf } from "../types/spec/schema-spec.ts";
import { bigintOf, dateOf, numberOf } from "../types/spec/source-value.ts";
import type { StandardIssue, StandardSchema } from "../types/spec/standard-schema.ts";
import { timeParse } from "../types/spec/time-text.ts";
import type { TypeSpec } from "../types/spec/type-spec.ts";

export type ParamsText = Readonly<Record<string, string>>;

/**
 * Validates parameters. Where the schema refuses a text, the value that it reads as is tried instead: a time or a
 * bigint where the schema is known to want one, else a number, a boolean or another JSON value, so that `t.f64` and
 * `z.number()` work as one expects. Throws PARAMS_INVALID with every issue.
 */
export async function paramsParse(schema: StandardSchema | null, text: ParamsText): Promise<unknown> {
  if (schema === null) {
    const [unknown] = Object.keys(text);
    if (unknown !== undefined) {
      throw new UserError("PARAMS_UNKNOWN", `the job takes no parameters, but "${unknown}" was given`, {
        fix: "leave it out, or declare it in job({ params: … })",
      });
    }
    return {};
  }
  let input: Record<string, unknown> = { ...text };
  let result = await schema["~standard"].validate(input);
  if (result.issues !== undefined) {
    input = converted(schema, input, result.issues);
    result = await schema["~standard"].validate(input);
  }
  if (result.issues !== undefined) throw paramsInvalid(schema, result.issues, text);
  refuseUnknown(schema, result.value, text);
  return result.value;
}

function converted(
  schema: StandardSchema,
  input: Readonly<Record<string, unknown>>,
  issues: readonly StandardIssue[],
): Record<string, unknown> {
  const output: Record<string, unknown> = { ...input };
  for (const issue of issues) {
    const name = pathOf(issue)[0];
    const value = name === undefined ? undefined : input[name];
    if (name !== undefined && typeof value === "string") output[name] = readAs(value, kindOf(schema, name));
  }
  return output;
}

/** Of a parameter; null when the schema does not tell. */
function kindOf(schema: StandardSchema, name: string): TypeSpec["kind"] | null {
  const layout = layoutOf(schema);
  const type = layout?.kind === "struct" ? layout.fields.find((field) => field.name === name)?.type : undefined;
  return (type?.kind === "nullable" ? type.inner.kind : type?.kind) ?? null;
}

/** The text itself when it does not read as one: the schema then refuses that. */
function readAs(text: string, kind: TypeSpec["kind"] | null): unknown {
  if (kind === "i64" || kind === "bigint") return bigintOf(kind, text) ?? text;
  if (kind === "date" || kind === "timestamp") {
    const timeMs = timeParse(text, 0, text.length);
    if (Number.isNaN(timeMs)) return text;
    return kind === "date" ? (dateOf(timeMs) ?? text) : timeMs;
  }
  const value = jsonValue(text);
  if (typeof value !== "number") return value;
  const number = numberOf(kind === "f32" || kind === "i32" ? kind : "f64", value);
  return Number.isNaN(number) ? text : number;
}

function jsonValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Schemas drop what they do not know; a misspelt parameter must not vanish. */
function refuseUnknown(schema: StandardSchema, value: unknown, text: ParamsText): void {
  if (typeof value !== "object" || value === null) return;
  for (const name of Object.keys(text)) {
    if (Object.hasOwn(value, name)) continue;
    const known = [...new Set([...declaredNames(schema), ...Object.keys(value)])];
    const meant = nearest(name, known);
    throw new UserError("PARAMS_UNKNOWN", `the job has no parameter "${name}"`, {
      fix: meant === null ? `it takes: ${known.join(", ") || "none"}` : `did you mean ${meant}?`,
    });
  }
}

/** Also those that are optional and were not given, as far as the schema tells: a `t.struct`, or zod's `shape`. */
function declaredNames(schema: StandardSchema): readonly string[] {
  const layout = layoutOf(schema);
  if (layout?.kind === "struct") return layout.fields.map(({ name }) => name);
  const { shape } = schema as { shape?: unknown };
  return typeof shape === "object" && shape !== null ? Object.keys(shape) : [];
}

function pathOf(issue: StandardIssue): string[] {
  return (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part));
}

function paramsInvalid(schema: StandardSchema, issues: readonly StandardIssue[], text: ParamsText): UserError {
  const lines = issues.map((issue) => {
    const path = pathOf(issue).join(".");
    const value = Object.hasOwn(text, path) ? JSON.stringify(text[path]) : null;
    const given = value === null || issue.message.includes(value) ? "" : ` (given: ${value})`;
    const name = path === "" ? "parameters" : path;
    return `${issue.message.startsWith(`${name}:`) ? "" : `${name}: `}${issue.message}${given}`;
  });
  return new UserError("PARAMS_INVALID", [...lines, ...misspelt(schema, issues, text)].join("; "), {
    fix:
      issues.map((issue) => formFix(schema, issue, text)).find((fix) => fix !== null) ??
      "give parameters as --param name=value",
  });
}

const FORMS: { readonly [kind in TypeSpec["kind"]]?: string } = {
  bool: "true or false",
  f64: "a number",
  f32: "a number",
  i32: "a whole number",
  i64: "a whole number",
  bigint: "a whole number",
  date: "a time like 2026-01-31, 2026-01-31T09:30Z or epoch milliseconds",
  timestamp: "a time like 2026-01-31, 2026-01-31T09:30Z or epoch milliseconds",
};

/** For a parameter that was given, and was none of what it has to be. */
function formFix(schema: StandardSchema, issue: StandardIssue, text: ParamsText): string | null {
  const [name = ""] = pathOf(issue);
  const isText = kindOf(schema, name) === "string";
  const form = isText && /duration/.test(issue.message) ? 'a duration like "5m"' : FORMS[kindOf(schema, name) ?? "any"];
  return form === undefined || !Object.hasOwn(text, name) ? null : `give ${form}: --param ${name}=…`;
}

/** Parameters that the schema does not have, perhaps meant for missing ones. */
function misspelt(schema: StandardSchema, issues: readonly StandardIssue[], text: ParamsText): string[] {
  const concerned = issues.map((issue) => pathOf(issue)[0] ?? "");
  const missing = concerned.filter((name) => !Object.hasOwn(text, name));
  const declared = declaredNames(schema);
  return Object.keys(text).flatMap((name) => {
    if (concerned.includes(name) || declared.includes(name)) return [];
    const meant = nearest(name, missing);
    if (meant === null && declared.length === 0) return [];
    return [`there is no parameter "${name}"${meant === null ? "" : `: did you mean ${meant}?`}`];
  });
}
