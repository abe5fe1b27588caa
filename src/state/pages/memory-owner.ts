// Who holds managed memory: one operator in one subtask of a job, with an account for each of its states.
//
//   O1. `usedBytes` is the sum of its accounts, `peakBytes` the most that it ever was.
//   O2. Figures change, and are told, page by page: nothing is counted per record.

/** A number that no owner has: its page is free, or its owner has ended. */
export const NOBODY = 0;

export type MemoryOwnerName = {
  readonly job: string;
  /** Uid. */
  readonly operator: string;
  readonly subtask: number;
  readonly parallelism: number;
};

/** What one state of an owner holds. */
export type MemoryAccount = {
  readonly owner: MemoryOwner;
  /** Uid, as the owner has it. */
  readonly operator: string;
  readonly state: string;
  bytes: number;
  /** What helps beside more memory. Default: what helps for state that the user has declared. */
  readonly advice?: string;
};

/** Is told of frozen pages. */
export interface PageWatcher {
  /** The page changes, or goes, after this call. `saved`: where what it holds was saved, 0 for nowhere. */
  changing(page: number, saved: number): void;
}

/** Made and ended by the allocator, whose pages it holds. */
export class MemoryOwner {
  readonly name: MemoryOwnerName;
  /** In the allocator's list of pages; NOBODY once it has ended. */
  number: number;
  usedBytes = 0;
  peakBytes = 0;
  /** Of its pages. */
  readonly watchers = new Set<PageWatcher>();
  readonly #accounts: MemoryAccount[] = [];
  readonly #told: (owner: MemoryOwner) => void;

  /** `told` is called whenever a figure has changed. */
  constructor(name: MemoryOwnerName, number: number, told: (owner: MemoryOwner) => void) {
    this.name = name;
    this.number = number;
    this.#told = told;
  }

  get operator(): string {
    return this.name.operator;
  }

  /** `"sum"`, with the subtask where there are several. */
  get text(): string {
    const { subtask, parallelism } = this.name;
    const which = parallelism > 1 ? ` (subtask ${subtask + 1} of ${parallelism})` : "";
    return `"${this.operator}"${which}`;
  }

  /** An account of its own for each call; the states of a job bound them. */
  account(state: string, advice?: string): MemoryAccount {
    const account = { owner: this, operator: this.operator, state, bytes: 0, ...(advice !== undefined && { advice }) };
    this.#accounts.push(account);
    return account;
  }

  /** Those that hold something. */
  get holding(): readonly MemoryAccount[] {
    return this.#accounts.filter(({ bytes }) => bytes > 0);
  }

  /** A frozen page is about to change. */
  changing(page: number, saved: number): void {
    for (const watcher of this.watchers) watcher.changing(page, saved);
  }

  charge(account: MemoryAccount, bytes: number): void {
    account.bytes += bytes;
    this.usedBytes += bytes;
    if (this.usedBytes > this.peakBytes) this.peakBytes = this.usedBytes;
    this.#told(this);
  }
}
