// What follows from the truth of a pool's control memory (see `pool-control.ts`): computed anew after a thread ended
// while it held the lock, and compared in tests. The caller holds the lock and is not a thread that anyone terminates.

import type { PoolControl } from "./pool-control.ts";
import * as c from "./pool-control.ts";

type Derived = {
  /** Free segments, the lowest last: it is the first to be taken, so that memory is touched from its start. */
  readonly free: number[];
  readonly available: number;
  readonly leasedByOwner: Int32Array;
  readonly usedByGroup: Map<number, number>;
};

/** Makes everything derived agree with the truth again, after a thread ended while it held the lock. */
export function repair(control: PoolControl): void {
  const { words } = control;
  const unused = unusedOwners(control);
  for (const owner of unused) words[owner + c.OWNER_SET_ASIDE] = 0;
  words[c.OWNER_FREE] = linked(words, unused);
  const derived = derive(control);
  words[c.FREE] = derived.free.length;
  words.set(derived.free, control.stackAt);
  words[c.AVAILABLE] = derived.available;
  for (let index = 1; index < c.OWNERS_MAX; index += 1) {
    words[control.ownersAt + index * c.OWNER_WORDS + c.OWNER_LEASED] = derived.leasedByOwner[index]!;
  }
  for (const [group, used] of derived.usedByGroup) words[group + c.GROUP_USED] = used;
}

function unusedOwners({ words, ownersAt, segmentsAt }: PoolControl): number[] {
  const unused: number[] = [];
  for (let owner = ownersAt + c.OWNER_WORDS; owner < segmentsAt; owner += c.OWNER_WORDS) {
    if ((words[owner + c.OWNER_EPOCH]! & 1) === 0) unused.push(owner);
  }
  return unused;
}

/** Every way in which the control memory contradicts itself; none in a sound pool. */
export function inconsistencies(control: PoolControl): string[] {
  const { words } = control;
  const found: string[] = [];
  const expect = (what: string, actual: number | undefined, expected: number) => {
    if (actual !== expected) found.push(`${what} is ${actual}, the segments and owners say ${expected}`);
  };
  const derived = derive(control);
  expect("free", words[c.FREE], derived.free.length);
  expect("available", words[c.AVAILABLE], derived.available);
  const stack = words
    .slice(control.stackAt, control.stackAt + derived.free.length)
    .sort()
    .reverse();
  if (stack.some((segment, index) => segment !== derived.free[index]))
    found.push("the stack holds other segments than the free ones");
  for (let index = 1; index < c.OWNERS_MAX; index += 1) {
    const owner = control.ownersAt + index * c.OWNER_WORDS;
    expect(`leased by owner ${index}`, words[owner + c.OWNER_LEASED], derived.leasedByOwner[index]!);
    const orphaned = derived.leasedByOwner[index]! > 0 && (words[owner + c.OWNER_EPOCH]! & 1) === 0;
    if (orphaned) found.push(`owner ${index} is not registered and leases segments`);
  }
  for (const [group, used] of derived.usedByGroup) {
    expect(`used by group ${(group - control.groupsAt) / c.GROUP_WORDS}`, words[group + c.GROUP_USED], used);
  }
  return found;
}

function derive(control: PoolControl): Derived {
  const { words } = control;
  const free: number[] = [];
  const leasedByOwner = new Int32Array(c.OWNERS_MAX);
  for (let segment = words[c.SEGMENTS]! - 1; segment >= 0; segment -= 1) {
    const owner = words[control.segmentsAt + segment]! & c.OWNER_MASK;
    if (owner === 0) free.push(segment);
    else leasedByOwner[owner]! += 1;
  }
  const usedByGroup = new Map<number, number>();
  for (let group = control.groupsAt; group < control.ownersAt; group += c.GROUP_WORDS) usedByGroup.set(group, 0);
  let available = free.length;
  for (let index = 1; index < c.OWNERS_MAX; index += 1) {
    const owner = control.ownersAt + index * c.OWNER_WORDS;
    const setAside = words[owner + c.OWNER_SET_ASIDE]!;
    const used = leasedByOwner[index]! + setAside;
    const group = words[owner + c.OWNER_GROUP]!;
    if (used > 0) usedByGroup.set(group, (usedByGroup.get(group) ?? 0) + used);
    available -= setAside;
  }
  return { free, available, leasedByOwner, usedByGroup };
}

/** Links owners into a list and returns its head. */
function linked(words: Int32Array, owners: readonly number[]): number {
  for (const [index, owner] of owners.entries()) words[owner + c.OWNER_NEXT] = owners[index + 1] ?? 0;
  return owners[0] ?? 0;
}
