// Bookings from several partitions, an account's balance in keyed state, two file sinks: the job dies, fails and is
// started again, with another parallelism, until its input has ended or it is stopped. In what it has committed then
// nothing is lost, doubled or wrong, and each account's bookings are in order.
//
// While it goes on: of a job without an end all that is visible is covered by the newest checkpoint; of a bounded
// one nothing is visible before all its tasks have come to their end. What was visible once is visible in the end.

import assert from "node:assert/strict";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import type { CheckpointMetadata } from "../../src/checkpoint/format/metadata.ts";
import type { Roll } from "../../src/connectors/files/file-connector.ts";
import { generate, type Job, job, jsonl, state, t } from "../../src/index.ts";
import type { SimDisk } from "../../src/testing/sim-disk.ts";
import { spread } from "../../src/testing/sim-machine.ts";
import { simulateStarts } from "../../src/testing/simulate-starts.ts";
import { type Crashed, type Less, NOTHING_LESS, WorldFailed, worldOf } from "./crash-world.ts";
import { rowsRead } from "./read-rows.ts";

const Booking = t.struct({ n: t.f64, account: t.f64 });
const Balance = t.struct({ n: t.f64, account: t.f64, count: t.f64, balance: t.f64 });
type Balance = { readonly n: number; readonly account: number; readonly count: number; readonly balance: number };

const ACCOUNTS = 7;
const ROWS_MAX = 400;
const RATE = 1_000;

export async function ledgerScenario(seed: number, less: Less = NOTHING_LESS): Promise<Crashed> {
  const random = new SeededRandom(seed ^ 0x1ed6e2);
  const isEndless = random.next() < 0.5;
  const rows = isEndless ? null : 1 + (random.below(ROWS_MAX) >> less.halvings);
  const { planned, ...world } = worldOf({ seed, random, less, drains: true });
  const { faults } = world;
  const rolls = [{}, {}, { rows: 1 + random.below(40) }, { everyCheckpoint: true }];
  const roll = rolls[random.below(rolls.length)]!;
  const stopMs = spread(random, 20, 600);
  const visible = new Set<string>();
  let newest: CheckpointMetadata | null = null;
  try {
    const starts = await simulateStarts(ledger(rows, roll, faults.pass), {
      ...world,
      ...(isEndless && { stopMs }),
      onEnded: (disk, at, wentBack) => {
        if (at === "damaged") return;
        newest = at;
        // What had been shown goes, and comes again.
        if (wentBack) visible.clear();
        else checkVisible(disk, visible, { isEndless, newest });
      },
      onOver: (disk) => {
        check(disk, newest?.drained === true ? drained(disk) : coveredInEnd(newest, rows));
        const gone = visible.difference(new Set(rowsOf(disk)));
        assert.deepEqual([...gone], [], "what was visible once");
      },
    });
    return { ...starts, cells: faults.cells };
  } catch (cause) {
    throw new WorldFailed(seed, { what: [`rows ${rows}`, faults.plan], size: { faults: planned, nodes: 0 }, cause });
  }
}

function ledger(rows: number | null, roll: Roll, pass: () => void): Job {
  return job({ name: "ledger" }, (env) => {
    const bookings = env.from(
      "bookings",
      generate(rows ?? Number.POSITIVE_INFINITY, (n) => ({ n, account: n % ACCOUNTS }), { type: Booking, rate: RATE }),
    );
    const checked = bookings
      .map((booking) => {
        pass();
        return booking;
      })
      .uid("checked");
    checked.to("bookings-out", jsonl("/out/bookings", { roll }));
    checked
      .keyBy("account")
      .process({
        uid: "balances",
        out: Balance,
        state: { balance: state.value(t.struct({ count: t.f64, sum: t.f64 }), { init: () => ({ count: 0, sum: 0 }) }) },
        onRecord({ n, account }, ctx) {
          const { count, sum } = ctx.state.balance.get();
          ctx.state.balance.set({ count: count + 1, sum: sum + n });
          ctx.emit({ n, account, count: count + 1, balance: sum + n });
        },
      })
      .to("balances-out", jsonl("/out/balances", { roll }));
  });
}

/** Nothing is visible before a checkpoint covers it. */
function checkVisible(
  disk: SimDisk,
  visible: Set<string>,
  { isEndless, newest }: { readonly isEndless: boolean; readonly newest: CheckpointMetadata | null },
): void {
  const rows = rowsOf(disk);
  if (newest?.drained === true) {
    // Where its input has ended it does not say.
  } else if (isEndless) {
    const covered = new Set(rowsRead(newest, "bookings"));
    const ahead = rows.filter((line) => !covered.has((JSON.parse(line) as Balance).n));
    assert.deepEqual(ahead, [], "visible, and in no checkpoint");
  } else if (rows.length > 0 && newest !== null) {
    const subtasks = newest.operators.flatMap((operator) => operator.subtasks);
    assert.ok(
      subtasks.every(({ finished }) => finished),
      "visible before all tasks have come to their end",
    );
  }
  assert.equal(new Set(rows).size, rows.length, "a row twice");
  for (const row of rows) visible.add(row);
}

function coveredInEnd(newest: CheckpointMetadata | null, rows: number | null): readonly number[] {
  return rows === null ? rowsRead(newest, "bookings") : Array.from({ length: rows }, (_, n) => n);
}

/** Where its input was ended no checkpoint says: the balances have to be those of the bookings that there are. */
function drained(disk: SimDisk): readonly number[] {
  return partsOf(disk, "bookings").flatMap(({ lines }) => lines.map((line) => (JSON.parse(line) as Balance).n));
}

function check(disk: SimDisk, covered: readonly number[]): void {
  const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((left, right) => left - right);
  const bookings = partsOf(disk, "bookings").flatMap(({ lines }) => lines.map((line) => JSON.parse(line) as Balance));
  assert.deepEqual(sorted(bookings.map(({ n }) => n)), sorted(covered), "bookings");
  const parts = partsOf(disk, "balances");
  const balances = parts.flatMap(({ lines }) => lines.map((line) => JSON.parse(line) as Balance));
  assert.deepEqual(sorted(balances.map(({ n }) => n)), sorted(covered), "balances");
  for (let account = 0; account < ACCOUNTS; account += 1) {
    const own = balances.filter((row) => row.account === account).sort((left, right) => left.count - right.count);
    let balance = 0;
    for (const [index, row] of own.entries()) {
      balance += row.n;
      assert.deepEqual(row, { n: row.n, account: row.n % ACCOUNTS, count: index + 1, balance }, `account ${account}`);
    }
  }
  for (const { subtask, lines } of parts) {
    const counts = new Map<number, number>();
    for (const { account, count } of lines.map((line) => JSON.parse(line) as Balance)) {
      assert.ok(count > (counts.get(account) ?? 0), `account ${account} of subtask ${subtask} is out of order`);
      counts.set(account, count);
    }
  }
}

function rowsOf(disk: SimDisk): readonly string[] {
  return ["bookings", "balances"].flatMap((sink) => partsOf(disk, sink).flatMap(({ lines }) => lines));
}

type Part = { readonly subtask: string; readonly lines: readonly string[] };

/** What is visible of a sink, by subtask, in the order of its parts. */
function partsOf(disk: SimDisk, sink: string): readonly Part[] {
  const parts = new Map<string, string[]>();
  for (const path of disk.paths()) {
    const [, subtask] = /^\/out\/(?:\w+)\/part-(\d+)-\d+-/.exec(path.startsWith(`/out/${sink}/`) ? path : "") ?? [];
    if (subtask === undefined) continue;
    const lines = new TextDecoder().decode(disk.get(path)!).split("\n");
    assert.equal(lines.pop(), "", `${path} is torn`);
    parts.set(subtask, [...(parts.get(subtask) ?? []), ...lines]);
  }
  return [...parts].map(([subtask, lines]) => ({ subtask, lines }));
}
