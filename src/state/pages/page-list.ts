// Addresses of pages one after the other, -1 where there is none: grows by doubling, so that a million are noted in the
// time of a copy.

export class PageList {
  #items = new Int32Array(1024);
  #count = 0;

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
    const items = this.#items;
    items.set(entries, start);
    for (let n = start; n < end; n += 1) if (items[n]! < -1) items[n] = -1;
    this.#count = end;
  }
}
