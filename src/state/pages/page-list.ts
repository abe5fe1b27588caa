// Addresses of pages one after the other, negative where there is none: grows by doubling, so that a million are noted
// in the time of a copy.

export class PageList {
  #items: Int32Array;
  #count = 0;

  /** `expected`: how many there will be about. */
  constructor(expected = 1024) {
    this.#items = new Int32Array(expected);
  }

  get length(): number {
    return this.#count;
  }

  /** Valid until the next `append`. */
  get pages(): Int32Array {
    return this.#items.subarray(0, this.#count);
  }

  /** Entries of a directory: negative ones are no pages. */
  append(entries: Int32Array): void {
    const start = this.#count;
    const end = start + entries.length;
    if (end > this.#items.length) {
      const items = new Int32Array(Math.max(end, this.#items.length * 2));
      items.set(this.pages);
      this.#items = items;
    }
    this.#items.set(entries, start);
    this.#count = end;
  }
}
