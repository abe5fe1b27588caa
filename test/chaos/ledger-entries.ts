// What the ledger job reads: known in advance, to the job and to whoever checks what it wrote.

export type LedgerEntry = { readonly id: number; readonly account: string; readonly amount: number };

const ACCOUNTS = 23;

export function entryOf(id: number): LedgerEntry {
  return { id, account: `a${(id * 7) % ACCOUNTS}`, amount: ((id * 31) % 2_000) - 600 };
}
