// What stands for a row where there is none: so that a file without rows has its header.

import type { TypeSpec } from "../../../types/spec/type-spec.ts";

/** Null where the columns are not known. */
export function rowWithoutValues(type: TypeSpec | null | undefined): object | null {
  if (type?.kind !== "struct") return null;
  return Object.fromEntries(type.fields.map(({ name }) => [name, null]));
}
