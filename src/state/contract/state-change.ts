// A state whose declaration has changed since a snapshot: whether what was stored is taken over, and how. Pure: from
// declarations alone, so that it is known before any task starts.
//
//   C1. What was stored under the declared type is taken as it is, under the older type of its migration by that; else
//       as the types themselves allow (types/values/type-change.ts): to the declared type, or to the older one.
//   C2. The time to live may change: what was stored without a time counts from its restore.

import { specText } from "../../types/spec/spec-text.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { isSameType, refusalText, typeChange } from "../../types/values/type-change.ts";
import type { DeclaredState, StateSpec } from "./keyed-state.ts";

type Convert = ((value: unknown) => unknown) | null;

export type StateChange =
  /** `migrated`: the user's function makes the value, of what `convert` gives. */
  | { readonly kind: "taken"; readonly convert: Convert; readonly migrated: boolean }
  | { readonly kind: "refused"; readonly reason: string };

/** C1 */
export function stateChange(saved: StateSpec, declared: DeclaredState): StateChange {
  const shape = shapeRefusal(saved, declared);
  if (shape !== null) return { kind: "refused", reason: shape };
  const from = storedType(saved);
  const to = storedType(declared);
  const older = declared.migratesFrom ?? null;
  const change = typeChange(from, to);
  const isOlder = older !== null && !isSameType(from, to) && isSameType(from, older);
  if (change.kind === "taken" && !isOlder) return { kind: "taken", convert: change.convert, migrated: false };
  const towards = older === null ? change : typeChange(from, older);
  if (towards.kind === "taken") return { kind: "taken", convert: towards.convert, migrated: true };
  return { kind: "refused", reason: refusalText(change.kind === "refused" ? change : towards) };
}

/** What a state holds, as people read it. */
export function storedText(spec: StateSpec): string {
  const type = specText(storedType(spec));
  if (spec.kind === "map") return `map from ${specText(spec.key)} to ${type}`;
  return spec.kind === "list" ? `list of ${type}` : `${spec.kind} ${type}`;
}

/** Type of the values that are stored one by one. */
export function storedType(spec: StateSpec): TypeSpec {
  switch (spec.kind) {
    case "value":
    case "reducing":
      return spec.type;
    case "aggregating":
      return spec.accumulator;
    case "list":
      return spec.item;
    case "map":
      return spec.value;
  }
}

function shapeRefusal(saved: StateSpec, declared: StateSpec): string | null {
  if (saved.kind !== declared.kind) return `it was of the kind ${saved.kind}, and is of the kind ${declared.kind}`;
  if (saved.kind === "map" && declared.kind === "map" && !isSameType(saved.key, declared.key)) {
    return `its keys were ${specText(saved.key)}, and are ${specText(declared.key)}`;
  }
  return null;
}
