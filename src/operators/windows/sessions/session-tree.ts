// The sessions of each key in the order of their starts: a treap over session rows, its root in the key's head.
//
//   head      │ i32 root, i32 unused │
//   session   … │ i32 those that start earlier, i32 those that start later │ …     links are row number + 1, 0 for none
//
// Most keys have one session, and a look at it is all. Where thousands are open, because records come far out of order
// or are allowed to be late, finding one takes a few dozen steps at most, whatever the order of arrival.
//
//   T1. In order: what hangs on a session's first link starts before it, on its second link after it.
//   T2. By rank: no session hangs on one of a lower rank. Ranks are hashes of row numbers, so trees are shallow, and a
//       key's tree depends on the rows alone.

import type { ManagedTable } from "../../../state/table/managed-table.ts";
import { mixEnd } from "../../../types/keys/key-hash.ts";

const NONE = -1;
const NULL = 0;

export type SessionTreeParts = {
  readonly heads: ManagedTable;
  readonly sessions: ManagedTable;
  /** Words of a session, from its address. */
  readonly startWord: number;
  readonly linksWord: number;
};

export class SessionTree {
  readonly #parts: SessionTreeParts;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;

  constructor(parts: SessionTreeParts) {
    this.#parts = parts;
    this.#f64 = parts.sessions.f64;
    this.#i32 = parts.sessions.i32;
  }

  /** Whether a head has no sessions. */
  isEmpty(head: number): boolean {
    return this.#i32[this.#rootAt(head)] === NULL;
  }

  /** The last session that starts at or before a time, -1 for none. */
  lastUpTo(head: number, timeMs: number): number {
    const group = this.#parts.heads.rowGroup(head);
    let found = NONE;
    for (let link = this.#i32[this.#rootAt(head)]!; link !== NULL; ) {
      const session = this.#session(group, link);
      const isUpTo = this.#startOf(session) <= timeMs;
      if (isUpTo) found = session;
      link = this.#i32[isUpTo ? this.#laterAt(session) : this.#earlierAt(session)]!;
    }
    return found;
  }

  insert(head: number, session: number): void {
    const { sessions } = this.#parts;
    const group = sessions.rowGroup(session);
    const own = sessions.rowNumber(session) + 1;
    const rank = rankOf(own);
    const startMs = this.#startOf(session);
    let place = this.#rootAt(head);
    for (let link = this.#i32[place]!; link !== NULL && rankOf(link) >= rank; link = this.#i32[place]!) {
      const other = this.#session(group, link);
      place = this.#startOf(other) < startMs ? this.#laterAt(other) : this.#earlierAt(other);
    }
    const below = this.#i32[place]!;
    this.#write(place, own);
    this.#split(group, below, session);
  }

  /** To be called before the session's start changes beyond that of another one, or its row goes. */
  remove(head: number, session: number): void {
    const { sessions } = this.#parts;
    const group = sessions.rowGroup(session);
    const own = sessions.rowNumber(session) + 1;
    const startMs = this.#startOf(session);
    let place = this.#rootAt(head);
    while (this.#i32[place] !== own) {
      const other = this.#session(group, this.#i32[place]!);
      place = this.#startOf(other) < startMs ? this.#laterAt(other) : this.#earlierAt(other);
    }
    this.#join(group, place, session);
  }

  /** Hangs a tree on a session, in two: what starts before it and what starts after it. */
  #split(group: number, tree: number, session: number): void {
    const startMs = this.#startOf(session);
    let earlierAt = this.#earlierAt(session);
    let laterAt = this.#laterAt(session);
    let link = tree;
    while (link !== NULL) {
      const other = this.#session(group, link);
      if (this.#startOf(other) < startMs) {
        this.#write(earlierAt, link);
        earlierAt = this.#laterAt(other);
        link = this.#i32[earlierAt]!;
      } else {
        this.#write(laterAt, link);
        laterAt = this.#earlierAt(other);
        link = this.#i32[laterAt]!;
      }
    }
    this.#write(earlierAt, NULL);
    this.#write(laterAt, NULL);
  }

  /** Puts what hangs on a session in its place. */
  #join(group: number, at: number, session: number): void {
    let place = at;
    let earlier = this.#i32[this.#earlierAt(session)]!;
    let later = this.#i32[this.#laterAt(session)]!;
    while (earlier !== NULL && later !== NULL) {
      if (rankOf(earlier) >= rankOf(later)) {
        this.#write(place, earlier);
        place = this.#laterAt(this.#session(group, earlier));
        earlier = this.#i32[place]!;
      } else {
        this.#write(place, later);
        place = this.#earlierAt(this.#session(group, later));
        later = this.#i32[place]!;
      }
    }
    this.#write(place, earlier === NULL ? later : earlier);
  }

  #write(at: number, link: number): void {
    this.#parts.sessions.writable(at >>> 1);
    this.#i32[at] = link;
  }

  #rootAt(head: number): number {
    return (head + this.#parts.heads.layout.valueWord) * 2;
  }

  #session(group: number, link: number): number {
    return this.#parts.sessions.rowAddress(group, link - 1);
  }

  #startOf(session: number): number {
    return this.#f64[session + this.#parts.startWord]!;
  }

  #earlierAt(session: number): number {
    return (session + this.#parts.linksWord) * 2;
  }

  #laterAt(session: number): number {
    return (session + this.#parts.linksWord) * 2 + 1;
  }
}

function rankOf(link: number): number {
  return mixEnd(link, 4);
}
