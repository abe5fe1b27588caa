// Who holds the segments of a pool, by name. The figures of one row belong together; those of different rows are read
// one after the other.

import type { PoolControl } from "./pool-control.ts";
import * as c from "./pool-control.ts";

declare const brand: unique symbol;
/**
 * Of one registration: never valid again once the owner was closed. The index of the owner's record below, its epoch
 * above.
 */
export type OwnerId = number & { readonly [brand]: "OwnerId" };

export type OwnerName = { readonly job: string; readonly task: string; readonly purpose: string };

export type OwnerReport = OwnerName & {
  readonly owner: OwnerId;
  /** The group whose limit bounds it; 0 is none but the pool itself. */
  readonly group: number;
  /** The thread that registered it. */
  readonly thread: number;
  readonly segments: number;
  readonly bytes: number;
  readonly segmentsPeak: number;
};

export function ownerIdOf(control: PoolControl, owner: number): OwnerId {
  const index = (owner - control.ownersAt) / c.OWNER_WORDS;
  return (control.words[owner + c.OWNER_EPOCH]! * c.OWNERS_MAX + index) as OwnerId;
}

/** Registered owners, those that hold most first. */
export function ownerReports(control: PoolControl): OwnerReport[] {
  const { words } = control;
  const rows: OwnerReport[] = [];
  for (let owner = control.ownersAt; owner < control.segmentsAt; owner += c.OWNER_WORDS) {
    if ((words[owner + c.OWNER_EPOCH]! & 1) === 0) continue;
    const index = (owner - control.ownersAt) / c.OWNER_WORDS;
    const segments = words[owner + c.OWNER_LEASED]!;
    rows.push({
      job: nameText(control, index, 0),
      task: nameText(control, index, 1),
      purpose: nameText(control, index, 2),
      owner: ownerIdOf(control, owner),
      group: (words[owner + c.OWNER_GROUP]! - control.groupsAt) / c.GROUP_WORDS,
      thread: words[owner + c.OWNER_THREAD]!,
      segments,
      bytes: segments * words[c.SEGMENT_SIZE]!,
      segmentsPeak: words[owner + c.OWNER_PEAK]!,
    });
  }
  return rows.sort((left, right) => right.segments - left.segments);
}

function nameText(control: PoolControl, ownerIndex: number, field: number): string {
  const { start, end } = c.nameRange(ownerIndex, field);
  const zero = control.names.subarray(start, end).indexOf(0);
  return control.names.toString("utf8", start, zero < 0 ? end : start + zero);
}
