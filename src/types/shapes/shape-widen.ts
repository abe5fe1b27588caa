// The narrowest spec that admits what either of two specs admits; the step by which learned types grow.
//
//   L3. Widening is monotone: the result admits every value of both, in the rules of "exact". Orders of fields that
//       contradict each other have no common struct and become "any", which keeps the order of each record.

import type { StructField, StructSpec, TypeSpec } from "../spec/type-spec.ts";

export const ANY: TypeSpec = { kind: "any" };

/** The type of the items of an empty list: no value at all. Never leaves the learner (`closeShape`). */
export const NEVER: TypeSpec = { kind: "union", members: [] };

/** `coarse`: structs with different fields become "any" instead of growing field by field; so do mixed types. */
export function widenShape(left: TypeSpec, right: TypeSpec, coarse: boolean): TypeSpec {
  if (isNever(left)) return right;
  if (isNever(right)) return left;
  if (left.kind === "any" || right.kind === "any") return ANY;
  if (left.kind === "nullable" || left.kind === "null" || right.kind === "nullable" || right.kind === "null") {
    return widenNullable(left, right, coarse);
  }
  if (left.kind === "union" || right.kind === "union") return widenUnion(members(left), members(right), coarse);
  return widenSame(left, right, coarse) ?? (coarse ? ANY : { kind: "union", members: [left, right] });
}

/** All fields may be null or absent: from here on only new types and new fields can make another version. */
export function relaxShape(spec: TypeSpec): TypeSpec {
  switch (spec.kind) {
    case "struct":
      return { kind: "struct", fields: spec.fields.map(relaxField) };
    case "nullable":
      return { kind: "nullable", inner: relaxShape(spec.inner) };
    case "list":
    case "set":
      return { kind: spec.kind, item: relaxShape(spec.item) };
    case "map":
      return { kind: "map", key: relaxShape(spec.key), value: relaxShape(spec.value) };
    case "union":
      return { kind: "union", members: spec.members.map(relaxShape) };
    default:
      return spec;
  }
}

function relaxField(field: StructField): StructField {
  const type = relaxShape(field.type);
  const plain = type.kind === "nullable" || type.kind === "any" || type.kind === "null" || isNever(type);
  return { name: field.name, type: plain ? type : { kind: "nullable", inner: type }, optional: true };
}

function isNever(spec: TypeSpec): boolean {
  return spec.kind === "union" && spec.members.length === 0;
}

function members(spec: TypeSpec): readonly TypeSpec[] {
  return spec.kind === "union" ? spec.members : [spec];
}

function widenNullable(left: TypeSpec, right: TypeSpec, coarse: boolean): TypeSpec {
  if (left.kind === "null" && right.kind === "null") return left;
  const inner = widenShape(withoutNull(left), withoutNull(right), coarse);
  return inner.kind === "any" ? ANY : { kind: "nullable", inner };
}

function withoutNull(spec: TypeSpec): TypeSpec {
  if (spec.kind === "null") return NEVER;
  return spec.kind === "nullable" ? spec.inner : spec;
}

/** At most one member of each kind: members of one kind are widened into one. */
function widenUnion(left: readonly TypeSpec[], right: readonly TypeSpec[], coarse: boolean): TypeSpec {
  const merged = [...left];
  for (const member of right) {
    const at = merged.findIndex((other) => isSameKind(other, member));
    if (at < 0 && coarse) return ANY;
    if (at < 0) merged.push(member);
    else merged[at] = widenSame(merged[at]!, member, coarse) ?? ANY;
  }
  if (merged.some((member) => member.kind === "any")) return ANY;
  return { kind: "union", members: merged };
}

function isSameKind(left: TypeSpec, right: TypeSpec): boolean {
  if (left.kind === "bytes" && right.kind === "bytes") return left.array === right.array;
  return left.kind === right.kind;
}

/** Null when the two are not of one kind. */
function widenSame(left: TypeSpec, right: TypeSpec, coarse: boolean): TypeSpec | null {
  if (!isSameKind(left, right)) return null;
  if (left.kind === "struct" && right.kind === "struct") return widenStruct(left, right, coarse);
  if (left.kind === "map" && right.kind === "map") {
    return {
      kind: "map",
      key: widenShape(left.key, right.key, coarse),
      value: widenShape(left.value, right.value, coarse),
    };
  }
  if ((left.kind === "list" || left.kind === "set") && (right.kind === "list" || right.kind === "set")) {
    return { kind: left.kind, item: widenShape(left.item, right.item, coarse) };
  }
  return left; // Kinds without parts.
}

function widenStruct(left: StructSpec, right: StructSpec, coarse: boolean): TypeSpec {
  const names = mergedOrder(left, right);
  if (names === null) return ANY;
  if (coarse && names.length > left.fields.length) return ANY;
  return {
    kind: "struct",
    fields: names.map((name) => widenField(name, fieldOf(left, name), fieldOf(right, name), coarse)),
  };
}

function widenField(
  name: string,
  left: StructField | undefined,
  right: StructField | undefined,
  coarse: boolean,
): StructField {
  if (left === undefined || right === undefined) return { ...(left ?? right)!, name, optional: true };
  const optional = left.optional || right.optional;
  // An optional field admits undefined by itself.
  if (optional && left.type.kind === "undefined") return { name, type: right.type, optional };
  if (optional && right.type.kind === "undefined") return { name, type: left.type, optional };
  return { name, type: widenShape(left.type, right.type, coarse), optional };
}

function fieldOf(spec: StructSpec, name: string): StructField | undefined {
  return spec.fields.find((field) => field.name === name);
}

/** One order that agrees with both, null when they contradict each other. */
function mergedOrder(left: StructSpec, right: StructSpec): readonly string[] | null {
  const leftNames = left.fields.map((field) => field.name);
  const rightNames = right.fields.map((field) => field.name);
  const inLeft = new Set(leftNames);
  const inRight = new Set(rightNames);
  const merged: string[] = [];
  let next = 0;
  for (const name of leftNames) {
    if (inRight.has(name)) {
      for (; next < rightNames.length && rightNames[next] !== name; next++) {
        const between = rightNames[next]!;
        if (inLeft.has(between)) return null;
        merged.push(between);
      }
      next++;
    }
    merged.push(name);
  }
  return [...merged, ...rightNames.slice(next)];
}
