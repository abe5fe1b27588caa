// Whether a value is a well-formed `TypeSpec`: snapshots bring specs from outside, users build them with `t.*`.
//
//   S1. A spec that passes is plain data, at most SPEC_DEPTH_MAX deep: everything that walks specs may recurse.

import { TYPED_ARRAY } from "../bytes/typed-array-bytes.ts";
import type { TypeSpec } from "../spec/type-spec.ts";

const SPEC_DEPTH_MAX = 64;
const SPEC_NODES_MAX = 20_000;

/** Null for a well-formed spec; else what is wrong with it and where. */
export function specProblem(spec: unknown): string | null {
  return problem(spec, "type", 0, { nodes: 0 });
}

type Budget = { nodes: number };
type Fields = Readonly<Record<string, unknown>>;

function problem(spec: unknown, path: string, depth: number, budget: Budget): string | null {
  if (depth > SPEC_DEPTH_MAX) return `${path}: types are nested more than ${SPEC_DEPTH_MAX} levels deep`;
  budget.nodes++;
  if (budget.nodes > SPEC_NODES_MAX) return `${path}: a type of more than ${SPEC_NODES_MAX} parts`;
  if (typeof spec !== "object" || spec === null || !("kind" in spec)) return `${path}: not a type`;
  const inner = (child: unknown, at: string): string | null => problem(child, at, depth + 1, budget);
  const fields = spec as Fields;
  switch (fields.kind as TypeSpec["kind"]) {
    case "f64":
    case "f32":
    case "i32":
    case "i64":
    case "bigint":
    case "bool":
    case "string":
    case "timestamp":
    case "date":
    case "null":
    case "undefined":
    case "any":
      return null;
    case "enum":
      return enumProblem(fields.values, path);
    case "bytes":
      return Object.hasOwn(TYPED_ARRAY, String(fields.array)) ? null : `${path}: no such typed array`;
    case "list":
    case "set":
      return inner(fields.item, `${path}[]`);
    case "map":
      return inner(fields.key, `${path}{}.key`) ?? inner(fields.value, `${path}{}.value`);
    case "nullable":
      return inner(fields.inner, path);
    case "union":
      return unionProblem(fields.members, path, inner);
    case "struct":
      return structProblem(fields.fields, path, inner);
    default:
      return `${path}: unknown kind ${JSON.stringify(fields.kind)}`;
  }
}

function enumProblem(values: unknown, path: string): string | null {
  if (!Array.isArray(values) || values.length === 0) return `${path}: an enum needs at least one value`;
  if (values.some((value) => typeof value !== "string")) return `${path}: the values of an enum are strings`;
  const repeated = values.find((value, index) => values.indexOf(value) !== index) as string | undefined;
  return repeated === undefined ? null : `${path}: the enum has ${JSON.stringify(repeated)} twice`;
}

type Inner = (child: unknown, at: string) => string | null;

function unionProblem(members: unknown, path: string, inner: Inner): string | null {
  if (!Array.isArray(members) || members.length === 0) return `${path}: a union needs at least one member`;
  for (const [index, member] of members.entries()) {
    const found = inner(member, `${path}|${index}`);
    if (found !== null) return found;
  }
  return null;
}

function structProblem(fields: unknown, path: string, inner: Inner): string | null {
  if (!Array.isArray(fields)) return `${path}: a struct needs a list of fields`;
  const names = new Set<string>();
  for (const field of fields as unknown[]) {
    if (typeof field !== "object" || field === null) return `${path}: not a field`;
    const { name, optional, type } = field as Fields;
    if (typeof name !== "string") return `${path}: a field without a name`;
    if (names.has(name)) return `${path}: the field ${JSON.stringify(name)} is there twice`;
    if (typeof optional !== "boolean") return `${path}.${name}: "optional" is not a boolean`;
    names.add(name);
    const found = inner(type, `${path}.${name}`);
    if (found !== null) return found;
  }
  return null;
}
