// Who waits for segments, in which order, and when one's turn has come. Works on the pool's control memory from any
// thread.
//
// A request passes two queues. First its group's: it waits there until the group's limit has room for it. Then, with
// that room set aside, the pool's: it waits there until the pool has enough free segments. Both are first come first
// served.
//
//     group 1   [c]─[b]─[a]──room in the group──┐
//                                               ├──▶ [f]─[d]─[e]──segments free──▶ granted ──take──▶ leased
//     group 2   [g]─────────room in the group───┘     the pool's queue
//
// Q1. Of two requests of one group the earlier is granted first. Of two requests whose groups have room, the one that
//     got it first.
// Q2. A request held up by its own group's limit holds up nobody of another group.
// Q3. An allocation that does not queue takes nothing while a request that could use it waits (its group's queue and
//     the pool's are empty).
// Q4. A queue is longer than it must be only while some thread is between a section that freed something and the
//     `settle` that follows; should that thread end there, `settleAll` finishes its work.

import type { PoolControl } from "./pool-control.ts";
import * as c from "./pool-control.ts";

/** Takes a record for an allocation that need not wait and marks it granted. 0: it would have to wait. */
export function requestReserve(control: PoolControl, owner: number, count: number): number {
  const { words, token } = control;
  const group = words[owner + c.OWNER_GROUP]!;
  while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
  let request = words[c.REQUEST_FREE]!;
  if (
    request !== 0 &&
    words[c.QUEUE_HEAD] === 0 &&
    words[group + c.GROUP_HEAD] === 0 &&
    words[c.AVAILABLE]! >= count &&
    words[group + c.GROUP_USED]! + count <= words[group + c.GROUP_LIMIT]!
  ) {
    words[c.REQUEST_FREE] = words[request + c.REQUEST_NEXT]!;
    words[request + c.REQUEST_OWNER] = owner;
    words[request + c.REQUEST_COUNT] = count;
    words[request + c.REQUEST_TOKEN] = token;
    words[request + c.REQUEST_STATE] = c.STATE_GRANTED;
    words[group + c.GROUP_USED]! += count;
    words[c.AVAILABLE]! -= count;
  } else {
    request = 0;
  }
  words[c.LOCK] = -token;
  c.unlock(words, token);
  return request;
}

/** Enters the group's queue. 0: too many wait already. */
export function requestEnqueue(control: PoolControl, owner: number, count: number, bell: number): number {
  const { words, token } = control;
  const group = words[owner + c.OWNER_GROUP]!;
  while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
  let request = words[c.REQUEST_FREE]!;
  if (request !== 0 && words[c.WAITING]! < c.WAITING_MAX) {
    words[c.REQUEST_FREE] = words[request + c.REQUEST_NEXT]!;
    words[request + c.REQUEST_OWNER] = owner;
    words[request + c.REQUEST_COUNT] = count;
    words[request + c.REQUEST_NEXT] = 0;
    words[request + c.REQUEST_TICKET] = words[c.TICKET]!;
    words[request + c.REQUEST_BELL] = bell;
    words[request + c.REQUEST_TOKEN] = token;
    words[request + c.REQUEST_STATE] = c.STATE_GROUP_QUEUE;
    words[c.TICKET]! += 1;
    words[c.WAITING]! += 1;
    const tail = words[group + c.GROUP_TAIL]!;
    words[request + c.REQUEST_PREVIOUS] = tail;
    words[tail === 0 ? group + c.GROUP_HEAD : tail + c.REQUEST_NEXT] = request;
    words[group + c.GROUP_TAIL] = request;
  } else {
    request = 0;
  }
  words[c.LOCK] = -token;
  c.unlock(words, token);
  if (request !== 0) settle(control, group);
  return request;
}

/** Hands the segments of a granted request to its owner, and ends the request. */
export function requestTake(control: PoolControl, request: number): Int32Array {
  const segments = new Int32Array(control.words[request + c.REQUEST_COUNT]!);
  for (let index = 0; index < segments.length; index += 1) segments[index] = takeOne(control, request);
  giveBack(control, request, control.words[request + c.REQUEST_SERIAL]!);
  return segments;
}

function takeOne(control: PoolControl, request: number): number {
  const { words, token } = control;
  const owner = words[request + c.REQUEST_OWNER]!;
  const ownerIndex = (owner - control.ownersAt) / c.OWNER_WORDS;
  while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
  const free = words[c.FREE]! - 1;
  const segment = words[control.stackAt + free]!;
  words[request + c.REQUEST_COUNT]! -= 1;
  words[control.segmentsAt + segment]! |= ownerIndex;
  words[c.FREE] = free;
  const leased = words[owner + c.OWNER_LEASED]! + 1;
  words[owner + c.OWNER_LEASED] = leased;
  if (leased > words[owner + c.OWNER_PEAK]!) words[owner + c.OWNER_PEAK] = leased;
  if (words[c.SEGMENTS]! - free > words[c.LEASED_PEAK]!) words[c.LEASED_PEAK] = words[c.SEGMENTS]! - free;
  words[c.LOCK] = -token;
  c.unlock(words, token);
  return segment;
}

/**
 * Gives up a request at whatever point it is. A record that is free, or was used again since `serial`, is left alone.
 */
export function requestCancel(control: PoolControl, request: number, serial: number): void {
  // In this order, since it may be granted in between.
  if (!leaveQueue(control, request, serial)) giveBack(control, request, serial);
}

/** Ends a request that waits. False: it does not. */
function leaveQueue(control: PoolControl, request: number, serial: number): boolean {
  const { words, token } = control;
  while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
  const state = words[request + c.REQUEST_STATE]!;
  const group = words[words[request + c.REQUEST_OWNER]! + c.OWNER_GROUP]!;
  const waits = state === c.STATE_GROUP_QUEUE || state === c.STATE_POOL_QUEUE;
  const leaves = waits && words[request + c.REQUEST_SERIAL] === serial;
  if (leaves) {
    const inGroup = state === c.STATE_GROUP_QUEUE;
    const previous = words[request + c.REQUEST_PREVIOUS]!;
    const next = words[request + c.REQUEST_NEXT]!;
    const head = inGroup ? group + c.GROUP_HEAD : c.QUEUE_HEAD;
    const tail = inGroup ? group + c.GROUP_TAIL : c.QUEUE_TAIL;
    words[previous === 0 ? head : previous + c.REQUEST_NEXT] = next;
    words[next === 0 ? tail : next + c.REQUEST_PREVIOUS] = previous;
    words[c.WAITING]! -= 1;
    words[group + c.GROUP_USED]! -= inGroup ? 0 : words[request + c.REQUEST_COUNT]!;
    words[request + c.REQUEST_STATE] = c.STATE_FREE;
    words[request + c.REQUEST_TOKEN] = 0;
    words[request + c.REQUEST_SERIAL]! += 1;
    words[request + c.REQUEST_NEXT] = words[c.REQUEST_FREE]!;
    words[c.REQUEST_FREE] = request;
  }
  words[c.LOCK] = -token;
  c.unlock(words, token);
  if (leaves) settle(control, group);
  return leaves;
}

/** Ends a granted request and returns what it has not taken. */
function giveBack(control: PoolControl, request: number, serial: number): void {
  const { words, token } = control;
  while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
  const group = words[words[request + c.REQUEST_OWNER]! + c.OWNER_GROUP]!;
  const count = words[request + c.REQUEST_COUNT]!;
  const ends = words[request + c.REQUEST_STATE] === c.STATE_GRANTED && words[request + c.REQUEST_SERIAL] === serial;
  if (ends) {
    words[c.AVAILABLE]! += count;
    words[group + c.GROUP_USED]! -= count;
    words[request + c.REQUEST_STATE] = c.STATE_FREE;
    words[request + c.REQUEST_TOKEN] = 0;
    words[request + c.REQUEST_SERIAL]! += 1;
    words[request + c.REQUEST_NEXT] = words[c.REQUEST_FREE]!;
    words[c.REQUEST_FREE] = request;
  }
  words[c.LOCK] = -token;
  c.unlock(words, token);
  if (ends && count > 0) settle(control, group);
}

/** Moves on whoever can after segments, or room in `group`, came free. */
export function settle(control: PoolControl, group: number): void {
  for (let moved = true; moved; ) {
    const ofGroup = groupStep(control, group);
    const ofPool = poolStep(control);
    moved = ofGroup || ofPool;
  }
}

/** As `settle` for every group; rings again for all that was granted, since the bell may not have rung. */
export function settleAll(control: PoolControl): void {
  const { words } = control;
  for (let group = control.groupsAt; group < control.ownersAt; group += c.GROUP_WORDS) settle(control, group);
  for (let request = control.requestsAt; request < control.segmentsAt; request += c.REQUEST_WORDS) {
    if (words[request + c.REQUEST_STATE] === c.STATE_GRANTED) ring(control, words[request + c.REQUEST_BELL]!);
  }
}

/** Moves the head of the group's queue to the end of the pool's queue, if the group has room for it. */
function groupStep(control: PoolControl, group: number): boolean {
  const { words, token } = control;
  while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
  const request = words[group + c.GROUP_HEAD]!;
  const used = words[group + c.GROUP_USED]! + words[request + c.REQUEST_COUNT]!;
  const moves = request !== 0 && used <= words[group + c.GROUP_LIMIT]!;
  if (moves) {
    const next = words[request + c.REQUEST_NEXT]!;
    words[group + c.GROUP_HEAD] = next;
    words[next === 0 ? group + c.GROUP_TAIL : next + c.REQUEST_PREVIOUS] = 0;
    const tail = words[c.QUEUE_TAIL]!;
    words[request + c.REQUEST_PREVIOUS] = tail;
    words[request + c.REQUEST_NEXT] = 0;
    words[tail === 0 ? c.QUEUE_HEAD : tail + c.REQUEST_NEXT] = request;
    words[c.QUEUE_TAIL] = request;
    words[group + c.GROUP_USED] = used;
    words[request + c.REQUEST_TICKET] = words[c.TICKET]!;
    words[request + c.REQUEST_STATE] = c.STATE_POOL_QUEUE;
    words[c.TICKET]! += 1;
  }
  words[c.LOCK] = -token;
  c.unlock(words, token);
  return moves;
}

/** Grants the head of the pool's queue, if there is enough. */
function poolStep(control: PoolControl): boolean {
  const { words, token } = control;
  while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
  const request = words[c.QUEUE_HEAD]!;
  const count = words[request + c.REQUEST_COUNT]!;
  const bell = words[request + c.REQUEST_BELL]!;
  const moves = request !== 0 && count <= words[c.AVAILABLE]!;
  if (moves) {
    const next = words[request + c.REQUEST_NEXT]!;
    words[c.QUEUE_HEAD] = next;
    words[next === 0 ? c.QUEUE_TAIL : next + c.REQUEST_PREVIOUS] = 0;
    words[c.WAITING]! -= 1;
    words[request + c.REQUEST_STATE] = c.STATE_GRANTED;
    words[c.AVAILABLE]! -= count;
  }
  words[c.LOCK] = -token;
  c.unlock(words, token);
  if (moves) ring(control, bell);
  return moves;
}

/** Wakes whoever sleeps on a bell; -1 is no bell. */
function ring(control: PoolControl, bell: number): void {
  if (control.bells === null || bell < 0) return;
  Atomics.add(control.bells, bell, 1);
  Atomics.notify(control.bells, bell);
}
