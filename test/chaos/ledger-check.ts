// What is wrong with what the ledger job has committed: seen from outside, against what it had to write.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { entryOf } from "./ledger-entries.ts";

export type Wrongs = {
  readonly lost: number;
  readonly doubled: number;
  /** Lines that are none, and values that are not what they had to be. */
  readonly corrupt: number;
  /** Within one part, which one subtask wrote from first to last. */
  readonly outOfOrder: number;
  /** The first few, for people. */
  readonly examples: readonly string[];
};

const EXAMPLES_MAX = 8;

/** Collects what is wrong. */
export class WrongsFound {
  readonly #counts = { lost: 0, doubled: 0, corrupt: 0, outOfOrder: 0 };
  readonly #examples: string[] = [];

  add(kind: "lost" | "doubled" | "corrupt" | "outOfOrder", example: string): void {
    this.#counts[kind] += 1;
    if (this.#examples.length < EXAMPLES_MAX) this.#examples.push(`${kind}: ${example}`);
  }

  get all(): Wrongs {
    return { ...this.#counts, examples: this.#examples };
  }
}

/** Rows of each visible part, in the order of the parts' names. */
export function partsIn(directory: string, wrongs: WrongsFound): Map<string, unknown[]> {
  const names = readdirSync(directory).filter((name) => name.startsWith("part-"));
  return new Map(names.sort().map((name) => [name, rowsOf(join(directory, name), wrongs)]));
}

function rowsOf(path: string, wrongs: WrongsFound): unknown[] {
  const text = readFileSync(path, "utf8");
  if (text !== "" && !text.endsWith("\n")) wrongs.add("corrupt", `${path} ends in the middle of a line`);
  return text.split("\n").flatMap((line): unknown[] => {
    if (line === "") return [];
    try {
      return [JSON.parse(line)];
    } catch {
      wrongs.add("corrupt", `${path}: ${line}`);
      return [];
    }
  });
}

type Booked = { readonly account: string; readonly seq: number; readonly id: number; readonly balance: number };

export type LedgerExpected = {
  /** Ids of the entries that had to be booked. */
  readonly ids: Iterable<number>;
};

/** Each expected entry is booked once, numbers of an account have no gap, its balance is that of what came before. */
export function ledgerWrongs(directory: string, { ids }: LedgerExpected): Wrongs {
  const wrongs = new WrongsFound();
  const byAccount = new Map<string, Booked[]>();
  const seen = new Map<number, string>();
  for (const [part, rows] of partsIn(directory, wrongs)) {
    checkOrder(part, rows as Booked[], wrongs);
    for (const row of rows as Booked[]) {
      const before = seen.get(row.id);
      if (before !== undefined) wrongs.add("doubled", `entry ${row.id} in ${before} and ${part}`);
      else rowsInto(byAccount, row.account, row);
      seen.set(row.id, part);
    }
  }
  for (const [account, booked] of byAccount) checkAccount(account, booked, wrongs);
  const expected = new Set(ids);
  for (const id of expected) if (!seen.has(id)) wrongs.add("lost", `entry ${id}`);
  for (const id of seen.keys()) if (!expected.has(id)) wrongs.add("corrupt", `entry ${id} was not read`);
  return wrongs.all;
}

function checkOrder(part: string, rows: readonly Booked[], wrongs: WrongsFound): void {
  const last = new Map<string, number>();
  for (const { account, seq } of rows) {
    if (seq <= (last.get(account) ?? 0)) wrongs.add("outOfOrder", `${account} ${seq} in ${part}`);
    last.set(account, seq);
  }
}

function checkAccount(account: string, booked: Booked[], wrongs: WrongsFound): void {
  let balance = 0;
  for (const [index, row] of booked.sort((left, right) => left.seq - right.seq).entries()) {
    const entry = entryOf(row.id);
    balance += entry.amount;
    const isRight = entry.account === account && row.seq === index + 1 && row.balance === balance;
    if (!isRight) wrongs.add("corrupt", `${JSON.stringify(row)}, and not number ${index + 1} with ${balance}`);
  }
}

function rowsInto(byAccount: Map<string, Booked[]>, account: string, row: Booked): void {
  const rows = byAccount.get(account);
  if (rows === undefined) byAccount.set(account, [row]);
  else rows.push(row);
}
