// Estimates how many records would stand behind each row of a combiner, without one: records are sent as they are, and
// those of some groups are counted.
//
//   V1. A group is a key and a pane. Which are counted depends on the hash of the key alone: of all, then of every
//       second, every fourth, as there are more, so that the count of a group is that of all its records.
//   V2. A group is complete when its row would be sent: at the end of its pane, after the buffer time-out, or when
//       there would be no room for more. It is judged by complete groups, or as soon as those that are open come to
//       enough.

/** Groups that are counted at a time. */
const GROUPS_MAX = 512;
/** Of what is judged by, complete groups that are enough. */
const GROUPS_ENOUGH = 64;
/** It does not pay where so many records have not shown that it does. */
const RECORDS_MAX = 1_048_576;
const HASHES = 2 ** 32;
/** Panes that are told apart. */
const PANES = 2 ** 20;

type Group = { readonly pane: number; readonly hash: number; records: number };

export type SurveyOptions = {
  /** Records per row from which on a combiner pays. */
  readonly paysFrom: number;
  /** Records before which nobody says that it does. */
  readonly judgeAfter: number;
  /** Rows that it has room for. */
  readonly rowsMax: number;
};

export class ReductionSurvey {
  readonly #options: SurveyOptions;
  readonly #groups = new Map<number, Group>();
  /** Keys of which one is counted. A power of two. */
  #share = 1;
  #seen = 0;
  /** Of open groups. */
  #openRecords = 0;
  #rows = 0;
  #records = 0;

  constructor(options: SurveyOptions) {
    this.#options = options;
  }

  /** Nothing is counted at the moment. */
  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  /** A record has come; `hash`: of its key. */
  add(hash: number, pane: number): void {
    this.#seen += 1;
    const unsigned = hash >>> 0;
    if (unsigned % this.#share !== 0) return;
    const id = (pane % PANES) * HASHES + unsigned;
    const group = this.#groups.get(id);
    this.#openRecords += 1;
    if (group !== undefined) {
      group.records += 1;
      return;
    }
    this.#groups.set(id, { pane, hash: unsigned, records: 1 });
    if (this.#groups.size * this.#share > this.#options.rowsMax) this.complete(Infinity);
    else if (this.#groups.size > GROUPS_MAX) this.#countFewer();
  }

  /** The rows of the panes before `end` would be sent now. */
  complete(end: number): void {
    for (const [id, { pane, records }] of this.#groups) {
      if (pane >= end) continue;
      this.#groups.delete(id);
      this.#openRecords -= records;
      this.#rows += 1;
      this.#records += records;
    }
  }

  /** Whether a combiner would pay; null: not known yet. */
  pays(): boolean | null {
    const { paysFrom, judgeAfter } = this.#options;
    const rows = this.#rows + this.#groups.size;
    if (this.#seen >= judgeAfter && this.#records + this.#openRecords >= paysFrom * rows) return true;
    if (this.#rows >= Math.min(GROUPS_ENOUGH, judgeAfter)) return this.#records >= paysFrom * this.#rows;
    return this.#seen >= RECORDS_MAX ? false : null;
  }

  #countFewer(): void {
    this.#share *= 2;
    for (const [id, { hash, records }] of this.#groups) {
      if (hash % this.#share === 0) continue;
      this.#groups.delete(id);
      this.#openRecords -= records;
    }
  }
}
