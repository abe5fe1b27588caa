// The records that a keyed head works on next. Their keys are read before the first of them is worked on, so that the
// operator can have the state of all of them loaded at once.

/** Enough for the loads to overlap; all that is loaded stays in the first-level cache. */
export const KEY_RUN_MAX = 128;

export class KeyRun {
  readonly records: unknown[] = new Array<unknown>(KEY_RUN_MAX).fill(null);
  readonly keys: unknown[] = new Array<unknown>(KEY_RUN_MAX).fill(null);
  readonly hashes = new Int32Array(KEY_RUN_MAX);
  /** Records to take. What is taken and not worked on, because an output is full, has to be taken again. */
  size = KEY_RUN_MAX;

  /** `worked` of the records that were taken are done. */
  end(worked: number, taken: number): void {
    this.size = worked < taken ? worked : Math.min(KEY_RUN_MAX, this.size * 2);
    this.records.fill(null, 0, taken);
    this.keys.fill(null, 0, taken);
  }
}
