// What has changed from one checkpoint or savepoint to another: entries added, removed, and with another value.
//
//   D1. Keys are compared by key group, one of each at a time: memory is bounded by the two largest.

import { isDeepStrictEqual } from "node:util";
import { UserError } from "../../base/errors.ts";
import { type CheckpointReader, type ReadOperator, rowKey } from "./checkpoint-reader.ts";
import type { SavedRow } from "./saved-row.ts";

export type RowChange =
  | { readonly kind: "added"; readonly after: SavedRow }
  | { readonly kind: "removed"; readonly before: SavedRow }
  | { readonly kind: "changed"; readonly before: SavedRow; readonly after: SavedRow };

export type DiffVisitor = {
  readonly change: (uid: string, change: RowChange) => void;
  /** An operator with state by key that only one of them has. */
  readonly operator: (uid: string, only: "before" | "after") => void;
};

/** D1. Throws STATE_GROUPS_DIFFER. */
export async function stateDiff(
  before: CheckpointReader,
  after: CheckpointReader,
  visitor: DiffVisitor,
): Promise<void> {
  const [left, right] = [keyedOf(before), keyedOf(after)];
  for (const each of left) {
    const other = right.find(({ operator }) => operator.uid === each.operator.uid);
    if (other === undefined) visitor.operator(each.operator.uid, "before");
    else await operatorDiff([before, each], [after, other], visitor);
  }
  for (const { operator } of right) {
    if (!left.some((each) => each.operator.uid === operator.uid)) visitor.operator(operator.uid, "after");
  }
}

function keyedOf(reader: CheckpointReader): readonly ReadOperator[] {
  return reader.operators().filter(({ state }) => state.subtasks.some(({ keyed }) => keyed !== null));
}

type Side = readonly [CheckpointReader, ReadOperator];

async function operatorDiff(before: Side, after: Side, { change }: DiffVisitor): Promise<void> {
  const { uid } = before[1].operator;
  const groups = before[1].state.maxParallelism;
  if (after[1].state.maxParallelism !== groups) throw groupsDiffer(uid, groups, after[1].state.maxParallelism);
  for (let group = 0; group < groups; group += 1) {
    const old = await rowsOf(before, group);
    const now = await rowsOf(after, group);
    for (const [id, row] of old) {
      const other = now.get(id);
      if (other === undefined) change(uid, { kind: "removed", before: row });
      else if (!isDeepStrictEqual(row.value, other.value)) change(uid, { kind: "changed", before: row, after: other });
    }
    for (const [id, row] of now) if (!old.has(id)) change(uid, { kind: "added", after: row });
  }
}

async function rowsOf([reader, read]: Side, group: number): Promise<Map<string, SavedRow>> {
  const rows = new Map<string, SavedRow>();
  await reader.groupRows(read, group, {
    row: (row) => rows.set(rowKey([row.state, row.key, row.part]), row),
    undecoded: () => undefined,
  });
  return rows;
}

function groupsDiffer(uid: string, before: number, after: number): UserError {
  return new UserError(
    "STATE_GROUPS_DIFFER",
    `"${uid}" has ${before} key groups in one of them, and ${after} in the other: their keys cannot be compared`,
    { operator: uid, fix: "compare two of the same pipeline.max-parallelism" },
  );
}
