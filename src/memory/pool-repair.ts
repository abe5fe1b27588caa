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
  /** Requests in the order of their tickets, by the queue they are in; the key 0 is the pool's. */
  readonly queues: Map<number, number[]>;
};

/** Makes everything derived agree with the truth again, after `deadThread` ended while it held the lock. */
export function repair(control: PoolControl, deadThread: number): void {
  const { words } = control;
  dropRequests(control, deadThread);
  const derived = derive(control);
  words[c.FREE] = derived.free.length;
  words.set(derived.free, control.stackAt);
  words[c.AVAILABLE] = derived.available;
  for (let index = 1; index < c.OWNERS_MAX; index += 1) {
    words[control.ownersAt + index * c.OWNER_WORDS + c.OWNER_LEASED] = derived.leasedByOwner[index]!;
  }
  for (const [group, used] of derived.usedByGroup) words[group + c.GROUP_USED] = used;
  words[c.WAITING] = 0;
  for (const [group, requests] of derived.queues) {
    words[c.WAITING]! += requests.length;
    words[group === 0 ? c.QUEUE_HEAD : group + c.GROUP_HEAD] = linked(words, requests, c.REQUEST_NEXT);
    words[group === 0 ? c.QUEUE_TAIL : group + c.GROUP_TAIL] = requests.at(-1) ?? 0;
    for (const [index, request] of requests.entries()) words[request + c.REQUEST_PREVIOUS] = requests[index - 1] ?? 0;
  }
  freeListsBuild(control);
}

/**
 * Frees the requests of a thread that ended, since nobody is there to take them, and those that it was about to make or
 * to free.
 */
function dropRequests(control: PoolControl, deadThread: number): void {
  const { words } = control;
  for (let request = control.requestsAt; request < control.segmentsAt; request += c.REQUEST_WORDS) {
    const token = words[request + c.REQUEST_TOKEN]!;
    if (words[request + c.REQUEST_STATE] === c.STATE_FREE || (token !== 0 && token !== deadThread + 1)) continue;
    words[request + c.REQUEST_STATE] = c.STATE_FREE;
    words[request + c.REQUEST_TOKEN] = 0;
    words[request + c.REQUEST_SERIAL]! += 1;
  }
}

/** Links every unused owner and request into its free list. */
function freeListsBuild(control: PoolControl): void {
  const { words } = control;
  const owners: number[] = [];
  for (let owner = control.ownersAt + c.OWNER_WORDS; owner < control.requestsAt; owner += c.OWNER_WORDS) {
    if ((words[owner + c.OWNER_EPOCH]! & 1) === 0) owners.push(owner);
  }
  const requests: number[] = [];
  for (let request = control.requestsAt; request < control.segmentsAt; request += c.REQUEST_WORDS) {
    if (words[request + c.REQUEST_STATE] === c.STATE_FREE) requests.push(request);
  }
  words[c.OWNER_FREE] = linked(words, owners, c.OWNER_NEXT);
  words[c.REQUEST_FREE] = linked(words, requests, c.REQUEST_NEXT);
}

/** Every way in which the control memory contradicts itself; none in a sound pool. */
export function inconsistencies(control: PoolControl): string[] {
  const { words } = control;
  const found: string[] = [];
  const expect = (what: string, actual: number | undefined, expected: number) => {
    if (actual !== expected) found.push(`${what} is ${actual}, the segments and requests say ${expected}`);
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
  for (const [group, requests] of derived.queues) {
    const actual = chain(words, words[group === 0 ? c.QUEUE_HEAD : group + c.GROUP_HEAD]!);
    if (actual.join() !== requests.join()) found.push(`a queue is ${actual.join()} and not ${requests.join()}`);
    const previous = requests.map((request) => words[request + c.REQUEST_PREVIOUS]);
    if (previous.join() !== [0, ...requests].slice(0, -1).join())
      found.push(`a queue leads back to ${previous.join()}`);
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
  const queues = new Map<number, number[]>([[0, []]]);
  for (let group = control.groupsAt; group < control.ownersAt; group += c.GROUP_WORDS) {
    usedByGroup.set(group, 0);
    queues.set(group, []);
  }
  for (let index = 1; index < c.OWNERS_MAX; index += 1) {
    const group = words[control.ownersAt + index * c.OWNER_WORDS + c.OWNER_GROUP]!;
    if (leasedByOwner[index]! > 0) usedByGroup.set(group, (usedByGroup.get(group) ?? 0) + leasedByOwner[index]!);
  }
  const granted = deriveRequests(control, usedByGroup, queues);
  return { free, available: free.length - granted, leasedByOwner, usedByGroup, queues };
}

/**
 * Adds what requests use of their groups and sorts them into their queues. Returns the segments promised to granted
 * ones.
 */
function deriveRequests(control: PoolControl, usedByGroup: Map<number, number>, queues: Map<number, number[]>): number {
  const { words } = control;
  let granted = 0;
  for (let request = control.requestsAt; request < control.segmentsAt; request += c.REQUEST_WORDS) {
    const state = words[request + c.REQUEST_STATE]!;
    const count = words[request + c.REQUEST_COUNT]!;
    const group = words[words[request + c.REQUEST_OWNER]! + c.OWNER_GROUP]!;
    if (state === c.STATE_GRANTED) granted += count;
    if (state === c.STATE_GRANTED || state === c.STATE_POOL_QUEUE) {
      usedByGroup.set(group, (usedByGroup.get(group) ?? 0) + count);
    }
    if (state === c.STATE_POOL_QUEUE) queues.get(0)?.push(request);
    if (state === c.STATE_GROUP_QUEUE) queues.get(group)?.push(request);
  }
  const ticket = (request: number) => words[request + c.REQUEST_TICKET]!;
  for (const requests of queues.values()) {
    requests.sort((left, right) => (ticket(left) - ticket(right)) | 0); // Right across the wrap of the counter.
  }
  return granted;
}

/** Links records into a list and returns its head. */
function linked(words: Int32Array, records: readonly number[], next: number): number {
  for (const [index, record] of records.entries()) words[record + next] = records[index + 1] ?? 0;
  return records[0] ?? 0;
}

/** Requests of a queue, from its head. */
function chain(words: Int32Array, head: number): number[] {
  const requests: number[] = [];
  for (let request = head; request !== 0 && requests.length < c.REQUESTS_MAX; ) {
    requests.push(request);
    request = words[request + c.REQUEST_NEXT]!;
  }
  return requests;
}
