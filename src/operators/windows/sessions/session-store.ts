// The sessions of all keys: rows in managed memory, in order by key (session-tree.ts), listed by when they are due.
//
//   head      key ──▶ │ root of the key's tree │
//   session   (key, list) ──▶ │ start │ end │ links of the tree │ accumulators │
//   list      2 × ⌊due / grain⌋ + fired, due being the end (+ lateness once fired); grain is a part of the gap
//
// A session that grows stays in its list: when that comes up it is moved to where it belongs by then. So a record costs
// no list operation, and a session about one per gap.
//
//   S1. Two sessions of a key do not touch: the later one starts after the end of the earlier one. So their order stays
//       the same while they grow.
//   S2. The list of a session is between those of (start + gap) and of its end (both plus lateness when fired). By S1,
//       and because the grain is at most the gap, no two sessions of a key with the same `fired` are ever in one list.
//   S3. A head exists if and only if its key has sessions.
//   S4. Trees and heads are derived: a snapshot has session rows only.

import { assert } from "../../../base/errors.ts";
import type { KeyedTables } from "../../../state/contract/keyed-tables.ts";
import { KeyBatch } from "../../../state/keys/key-batch.ts";
import type { ManagedTable } from "../../../state/table/managed-table.ts";
import type { AggregateTable } from "../../aggregates/aggregate-table.ts";
import { PaneSet } from "../rows/pane-set.ts";
import { SessionTree } from "./session-tree.ts";

const NONE = -1;
/** Parts of a gap: each watermark looks at the sessions that end within one of them. */
const GRAINS = 64;

const START = 0;
const END = 1;
const LINKS = 2;
/** What a new session row has before its accumulators. */
export const SESSION_EXTRA: readonly number[] = [0, 0, 0];

export class SessionStore {
  readonly groups: AggregateTable;
  readonly lists = new PaneSet();
  readonly #heads: ManagedTable;
  readonly #tree: SessionTree;
  readonly #f64: Float64Array;
  readonly #words: number;
  readonly #grainMs: number;
  readonly #latenessMs: number;
  readonly #one = new KeyBatch(1);

  constructor(groups: AggregateTable, tables: KeyedTables, gapMs: number, latenessMs: number) {
    this.groups = groups;
    this.#heads = tables.table({
      name: `${groups.name} heads`,
      key: groups.table.spec.key,
      namespaced: false,
      listed: false,
      blob: false,
      valueWords: 1,
      initial: null,
    });
    this.#f64 = groups.table.f64;
    this.#words = groups.extraOffset;
    this.#tree = new SessionTree({
      heads: this.#heads,
      sessions: groups.table,
      startWord: this.#words + START,
      linksWord: this.#words + LINKS,
    });
    this.#grainMs = Math.max(1, Math.floor(gapMs / GRAINS));
    this.#latenessMs = latenessMs;
  }

  /** Brings the heads of staged keys into the cache. */
  prefetch(count: number): void {
    this.#heads.prefetch(this.groups.stage.keys.hashes, count);
  }

  /** Head of staged key `i`, -1 for none. */
  headOf(i: number): number {
    const { keys } = this.groups.stage;
    return this.#heads.findIn(this.#heads.groupOf(keys.hashes[i]!), keys, i);
  }

  /** The last session of a head that starts at or before a time, -1 for none. */
  lastUpTo(head: number, timeMs: number): number {
    return this.#tree.lastUpTo(head, timeMs);
  }

  startOf(session: number): number {
    return this.#f64[session + this.#words + START]!;
  }

  endOf(session: number): number {
    return this.#f64[session + this.#words + END]!;
  }

  isFired(session: number): boolean {
    return this.groups.table.namespace(session) % 2 !== 0;
  }

  /** A new session of staged key `i`. */
  add(i: number, startMs: number, endMs: number): number {
    const { groups } = this;
    const { keys } = groups.stage;
    const { table } = groups;
    const list = this.#listOf(endMs, false);
    keys.namespaces[i] = list;
    const session = table.resolveIn(table.groupOf(keys.hashes[i]!), keys, i);
    if (session === NONE) throw table.exceeded();
    this.lists.add(list);
    this.grow(session, startMs, endMs);
    this.#link(session, keys, i);
    return session;
  }

  grow(session: number, startMs: number, endMs: number): void {
    this.groups.table.writable(session);
    this.#f64[session + this.#words + START] = startMs;
    this.#f64[session + this.#words + END] = endMs;
  }

  /** Puts the session into the list in which it is due, as fired or not. Its address stays the same. */
  schedule(session: number, fired: boolean): void {
    const { table } = this.groups;
    const list = this.#listOf(this.endOf(session), fired);
    if (list === table.namespace(session)) return;
    const moved = table.moveToNamespace(session, list);
    if (moved === NONE) throw table.exceeded();
    assert(moved === session, `two sessions of a key in list ${list} (S2)`);
    this.lists.add(list);
  }

  /** The first list that can only hold sessions that are not due when event time has reached `watermark`. */
  listAfter(watermark: number): number {
    return 2 * (Math.floor(watermark / this.#grainMs) + 1);
  }

  /** Merges `from` into `into` and removes it. */
  merge(into: number, from: number): void {
    const { groups } = this;
    groups.table.writable(into);
    groups.program.merge(this.#f64, into + groups.offset, this.#f64, from + groups.offset);
    this.remove(from);
  }

  remove(session: number): void {
    this.#unlink(session);
    this.groups.remove(session);
  }

  /** A row came out of a snapshot. */
  restored(session: number): void {
    this.lists.add(this.groups.table.namespace(session));
    this.#link(session, this.#stageKey(session), 0);
  }

  #listOf(endMs: number, fired: boolean): number {
    return 2 * Math.floor((fired ? endMs + this.#latenessMs : endMs) / this.#grainMs) + (fired ? 1 : 0);
  }

  #stageKey(session: number): KeyBatch {
    const one = this.#one;
    one.position = 0;
    this.groups.table.stageKey(session, one, 0);
    return one;
  }

  #link(session: number, keys: KeyBatch, i: number): void {
    const heads = this.#heads;
    const head = heads.resolveIn(heads.groupOf(keys.hashes[i]!), keys, i);
    if (head === NONE) throw heads.exceeded();
    this.#tree.insert(head, session);
  }

  #unlink(session: number): void {
    const head = this.#heads.findIn(this.groups.table.rowGroup(session), this.#stageKey(session), 0);
    this.#tree.remove(head, session);
    if (this.#tree.isEmpty(head)) this.#heads.remove(head);
  }
}
