// A queue whose ends both cost the same however long it is: `Array.shift` moves all that is left of a long array.

/** First in, first out. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  /** The one that is to leave next. */
  get first(): T | undefined {
    return this.#items[this.#first];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#first];
    if (this.#first === this.#items.length) return undefined;
    this.#items[this.#first] = undefined;
    this.#first += 1;
    if (2 * this.#first > this.#items.length) this.#compact();
    return item;
  }

  /** From the one that is to leave next. */
  toArray(): T[] {
    return this.#items.slice(this.#first) as T[];
  }

  /** Each item is moved once for one that has left, on average. */
  #compact(): void {
    this.#items.copyWithin(0, this.#first);
    this.#items.length -= this.#first;
    this.#first = 0;
  }
}
