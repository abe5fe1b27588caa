// What the rows of a stream say of the rows before them.

import { ROW_KIND, type RowKind } from "../types/bytes/row-kind.ts";

/**
 * "append": inserts alone. "upsert": inserts and updates; a row replaces the one before it with the same values in
 * the fields of `key`, and, where there are `deletes`, one of kind delete removes it. "retract": a change takes back
 * the old row as it was (updateBefore, delete) and gives the new one (updateAfter).
 */
export type Changelog =
  | { readonly kind: "append" }
  | { readonly kind: "upsert"; readonly key: readonly string[]; readonly deletes: boolean }
  | { readonly kind: "retract" };

/**
 * Which rows a sink takes. "rows": updates too, as rows like any others, but neither deletes nor what takes back a row.
 * "upsert": inserts, updates and deletes by a key (`SinkWriterContext.key`). "changes": every kind.
 */
export type SinkTakes = "rows" | "upsert" | "changes";

/** Kinds that the rows of a changelog may have. */
export function kindsOf({ kind, deletes = false }: { kind: Changelog["kind"]; deletes?: boolean }): readonly RowKind[] {
  const { insert, updateBefore, updateAfter, delete: removed } = ROW_KIND;
  if (kind === "append") return [insert];
  if (kind === "retract") return [insert, updateBefore, updateAfter, removed];
  return deletes ? [insert, updateAfter, removed] : [insert, updateAfter];
}
