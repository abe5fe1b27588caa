import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { operatorTables } from "../../../../test/operators/operator-tables.ts";
import { KeyBatch } from "../../../state/keys/key-batch.ts";
import type { ManagedTable } from "../../../state/table/managed-table.ts";
import { SessionTree } from "./session-tree.ts";

const KEY = 42;
const SPEC = { name: "sessions", key: "number", listed: false, blob: false, initial: null } as const;

/** The tree of one key, and its sessions by start. */
class Sessions {
  readonly tree: SessionTree;
  readonly head: number;
  readonly byStart = new Map<number, number>();
  readonly #heads: ManagedTable;
  readonly #table: ManagedTable;
  readonly #key = new KeyBatch(1);

  constructor() {
    const keyGroups = { first: 0, last: 0 };
    const { tables } = operatorTables({ limitBytes: 16 << 20, keyGroups, maxParallelism: 1 });
    const heads = tables.table({ ...SPEC, namespaced: false, valueWords: 1 });
    this.#heads = heads;
    this.#table = tables.table({ ...SPEC, namespaced: true, valueWords: 2 });
    const { valueWord } = this.#table.layout;
    this.tree = new SessionTree({
      heads,
      sessions: this.#table,
      startWord: valueWord,
      linksWord: valueWord + 1,
    });
    this.#key.numbers[0] = KEY;
    this.#key.hashNumbers(1);
    this.head = heads.resolveIn(0, this.#key, 0);
  }

  add(start: number): void {
    if (this.byStart.has(start)) return;
    this.#key.namespaces[0] = start;
    const session = this.#table.resolveIn(0, this.#key, 0);
    this.#table.f64[session + this.#table.layout.valueWord] = start;
    this.tree.insert(this.head, session);
    this.byStart.set(start, session);
  }

  /** Steps of the longest search. */
  depth(): number {
    const { i32, layout } = this.#table;
    const below = [{ link: i32[(this.head + this.#heads.layout.valueWord) * 2] as number, depth: 1 }];
    let most = 0;
    for (let next = below.pop(); next !== undefined; next = below.pop()) {
      if (next.link === 0) continue;
      most = Math.max(most, next.depth);
      const links = (this.#table.rowAddress(0, next.link - 1) + layout.valueWord + 1) * 2;
      for (const at of [links, links + 1]) below.push({ link: i32[at] as number, depth: next.depth + 1 });
    }
    return most;
  }

  remove(start: number): void {
    const session = this.byStart.get(start);
    if (session === undefined) return;
    this.tree.remove(this.head, session);
    this.#table.remove(session);
    this.byStart.delete(start);
  }
}

describe("the sessions of a key", () => {
  test("are found by time, whatever was added and removed in which order", () => {
    const act = fc.record({ isRemoval: fc.boolean(), start: fc.nat(60) });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 200, size: "max" }), (acts) => {
        const sessions = new Sessions();
        for (const { isRemoval, start } of acts) {
          if (isRemoval) sessions.remove(start);
          else sessions.add(start);
          assert.equal(sessions.tree.isEmpty(sessions.head), sessions.byStart.size === 0);
          const starts = [...sessions.byStart.keys()].sort((left, right) => left - right);
          for (let time = -1; time <= 61; time += 1) {
            const last = starts.findLast((each) => each <= time);
            const expected = last === undefined ? -1 : (sessions.byStart.get(last) as number);
            assert.equal(sessions.tree.lastUpTo(sessions.head, time), expected);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test("are thousands without a search becoming long, whether they come in order, backwards or anyhow", () => {
    const orders: readonly ((n: number) => number)[] = [(n) => n, (n) => -n, (n) => Math.imul(n, 0x9e3779b1) >>> 0];
    for (const startOf of orders) {
      const sessions = new Sessions();
      for (let n = 0; n < 20_000; n += 1) sessions.add(startOf(n));
      assert.ok(sessions.depth() < 60, `${sessions.depth()} steps`);
      for (let n = 0; n < 19_000; n += 1) sessions.remove(startOf(n));
      assert.ok(sessions.depth() < 40, `${sessions.depth()} steps`);
    }
  });
});
