// What users pass to the stream API, checked when the job is built: JavaScript and casts get past the compiler. Errors
// take their place in the user's file from their stack (job.ts).

import { durationMs } from "../../base/duration.ts";
import { UserError } from "../../base/errors.ts";
import type { KeySpec } from "../../graph/plan.ts";
import { TIMESTAMP_UNITS } from "../../operators/event-time/timestamp.ts";
import type { StateDeclaration } from "../../operators/process/state-declaration.ts";
import type { Sink } from "../../operators/sink.ts";
import type { Source } from "../../operators/source.ts";
import type { WindowSpec } from "../../operators/windows/time/window-spec.ts";
import { checkOptions, checkValue, type OptionKind, oneOf } from "../../types/check-options.ts";
import { describe } from "../../types/spec/describe.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";

/** Refuses what is no declaration of a process function with the functions `inputs`. Others look at their values. */
export function checkProcess(declaration: unknown, ...inputs: readonly string[]): void {
  if (!isObject(declaration)) {
    throw new UserError("PROCESS_INVALID", `process takes a declaration, not ${describe(declaration)}`, {
      fix: 'write .process({ uid: "…", out: t.struct({ … }), onRecord(record, ctx) { … } })',
    });
  }
  const names = ["uid", "state", "out", "side", ...inputs, "onTimer"];
  checkOptions({ of: "process", given: declaration, takes: Object.fromEntries(names.map((name) => [name, true])) });
  const { state = {}, side = {} } = declaration as { state?: unknown; side?: unknown };
  if (!isObject(side)) throw processInvalid(`the side outputs are ${describe(side)}`, "side: { late: t.string }");
  if (!isObject(state)) throw processInvalid(`the state is ${describe(state)}`, STATE_EXAMPLE);
  for (const [name, declared] of Object.entries(state)) {
    const parts = declared as Partial<StateDeclaration<unknown>> | null | undefined;
    if (typeof parts?.specOf === "function" && typeof parts.handleOf === "function") continue;
    throw processInvalid(`the state ${JSON.stringify(name)} is ${describe(declared)}`, STATE_EXAMPLE);
  }
}

const STATE_EXAMPLE = "state: { total: state.value(t.f64) }";

function processInvalid(message: string, example: string): UserError {
  return new UserError("PROCESS_INVALID", `process: ${message}`, { fix: `write them like this: ${example}` });
}

const TIME: OptionKind = {
  takes: 'the name of the field, or a function: .eventTime({ at: "ts" })',
  accepts: (value) => typeof value === "string" || typeof value === "function",
};

const PAUSE: OptionKind = {
  takes: 'a duration of at least "1ms"',
  accepts: (value, what) => durationMs(value as string, what) >= 1,
};

export function checkEventTime(options: unknown): void {
  checkOptions({
    of: "eventTime",
    given: options,
    takes: { at: true, outOfOrder: true, idle: PAUSE, every: PAUSE, unit: oneOf(...TIMESTAMP_UNITS) },
  });
  checkValue({ what: "the option at of eventTime", value: (options as { at?: unknown }).at, kind: TIME });
}

/** A source of one's own says the layout of its records as a spec; null or nothing: it is learned from them. */
export function checkSourceType(uid: string, type: unknown): void {
  if (type === null || type === undefined || typeof (type as Partial<TypeSpec>).kind === "string") return;
  throw new UserError("SOURCE_INVALID", `the type of the source "${uid}" is ${describe(type)}, not a layout`, {
    fix: "give the spec of a t.* type, for example t.struct({ … }).spec, or null to learn it from the records",
  });
}

/** What a source of one's own says its records are. */
export function checkChangelog(uid: string, { changelog, type }: Pick<Source<unknown>, "changelog" | "type">): void {
  if (changelog === undefined) return;
  const { kind, key, deletes } = (changelog ?? {}) as { kind?: unknown; key?: unknown; deletes?: unknown };
  if (kind === "append" || kind === "retract") return;
  const wrong = (what: string): UserError =>
    new UserError("SOURCE_INVALID", `the changelog of the source "${uid}" ${what}`, {
      fix: 'give { kind: "append" }, { kind: "retract" }, or { kind: "upsert", key: ["id"], deletes: true } with the fields of the key',
    });
  if (kind !== "upsert") throw wrong(`has the kind ${describe(kind)}`);
  if (!Array.isArray(key) || key.length === 0) throw wrong("has no fields as its key");
  if (typeof deletes !== "boolean") throw wrong("does not say whether there are deletes");
  const fields = type?.kind === "struct" ? type.fields.map(({ name }) => name) : key;
  const missing = key.find((name) => typeof name !== "string" || !fields.includes(name));
  if (missing !== undefined) throw wrong(`has in its key ${describe(missing)}, which is no field`);
}

/** Which rows a sink of one's own takes. */
export function checkTakes(uid: string, takes: unknown): void {
  if (takes === undefined || ["rows", "upsert", "changes"].includes(takes as string)) return;
  throw new UserError("SINK_INVALID", `the sink "${uid}" takes ${describe(takes)}`, {
    fix: 'give takes one of "rows", "upsert", "changes", or leave it out',
  });
}

export function checkGuarantee(uid: string, { guarantee, takes }: Pick<Sink<unknown>, "guarantee" | "takes">): void {
  if (!["exactly-once", "idempotent-upsert", "at-least-once"].includes(guarantee)) {
    throw new UserError("SINK_INVALID", `the guarantee of the sink "${uid}" is ${describe(guarantee)}`, {
      fix: 'say "exactly-once", "idempotent-upsert" or "at-least-once"',
    });
  }
  if (guarantee !== "idempotent-upsert" || takes === "upsert") return;
  throw new UserError("SINK_INVALID", `the sink "${uid}" is idempotent-upsert, and takes no rows by their key`, {
    fix: 'say takes: "upsert", so that a row that comes again has a key to write over; or guarantee: "at-least-once"',
  });
}

export function checkWindow(window: WindowSpec): WindowSpec {
  if (isObject(window) && ["tumbling", "sliding", "session"].includes(window.kind)) return window;
  const example = typeof window === "string" ? JSON.stringify(window) : '"1m"';
  throw new UserError("WINDOW_INVALID", `window takes a window, not ${describe(window)}`, {
    fix: `say which kind of window: .window(tumbling(${example})), sliding(…) or session(…)`,
  });
}

/**
 * `union` and `connect` take what the stream API made: instances of `type`. Untyped, because comparing the types of
 * whole streams is expensive for the compiler.
 */
export function checkStreams(method: "union" | "connect", type: object, given: readonly unknown[]): void {
  for (const value of given) {
    if (value instanceof (type as new () => object)) continue;
    const [what, fix] =
      method === "union"
        ? ["streams", "give the streams themselves: a.union(b, c)"]
        : ["a keyed stream", "key the other stream first: a.connect(b.keyBy(…))"];
    throw new UserError("STREAM_EXPECTED", `${method} takes ${what}, not ${describe(value)}`, { fix });
  }
}

/** Keys of both inputs have to be able to be equal, as far as their types are known. */
export function checkSameKeys(left: KeySpec, right: KeySpec): void {
  if (left.type === null || right.type === null) return;
  const [ours, theirs] = [keyFamily(left.type), keyFamily(right.type)];
  if (ours === theirs) return;
  throw new UserError("KEY_TYPES_DIFFER", `connect joins streams whose keys are ${ours} and ${theirs}`, {
    fix: "key both by the same type, for example with keyBy((record) => String(record.id), t.string)",
  });
}

/** What equal keys have in common: all numbers are one family. */
function keyFamily(type: TypeSpec): string {
  switch (type.kind) {
    case "nullable":
      return keyFamily(type.inner);
    case "f32":
    case "i32":
    case "f64":
    case "timestamp":
      return "numbers";
    case "string":
    case "enum":
      return "strings";
    case "i64":
    case "bigint":
      return "bigints";
    case "bool":
      return "booleans";
    case "struct":
      return `{ ${type.fields.map((field) => `${field.name}: ${keyFamily(field.type)}`).join(", ")} }`;
    default:
      return `of kind ${type.kind}`;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
