// Values in the order of their times, whatever the order in which they come; with a limit the earliest ones.
//
//   L1. Of equal times the one that came first is first.
//   L2. What comes is put at the end; the list is sorted when it is read. So a record costs the same wherever its time
//       belongs, but for the share of a sort that it makes necessary.
//   L3. With a limit there are at most twice as many values.

export class TimedList {
  /** Estimate of its memory. */
  bytes: number;
  readonly #limit: number;
  readonly #itemBytes: (value: unknown) => number;
  readonly #times: number[] = [];
  readonly #values: unknown[] = [];
  #isSorted = true;
  /** What is not earlier has no place: as many as the limit are. */
  #end = Infinity;

  constructor(limit: number, emptyBytes: number, itemBytes: (value: unknown) => number) {
    this.bytes = emptyBytes;
    this.#limit = limit;
    this.#itemBytes = itemBytes;
  }

  /** Whether a value of this time would be kept. */
  takes(time: number): boolean {
    return time < this.#end;
  }

  add(time: number, value: unknown): void {
    const times = this.#times;
    const { length } = times;
    if (length > 0 && time < times[length - 1]!) this.#isSorted = false;
    times.push(time);
    this.#values.push(value);
    this.bytes += this.#itemBytes(value);
    const isFull = this.#isSorted ? length + 1 >= this.#limit : length + 1 >= 2 * this.#limit;
    if (isFull) this.#trim();
  }

  /** The values, in order. Read only, until the next call. */
  get values(): readonly unknown[] {
    this.#trim();
    return this.#values;
  }

  get times(): readonly number[] {
    this.#trim();
    return this.#times;
  }

  /** Sorts, and drops what is beyond the limit. */
  #trim(): void {
    if (!this.#isSorted) this.#sort();
    const [times, values] = [this.#times, this.#values];
    while (times.length > this.#limit) {
      times.pop();
      this.bytes -= this.#itemBytes(values.pop());
    }
    if (times.length === this.#limit) this.#end = times[times.length - 1]!;
  }

  #sort(): void {
    const times = this.#times.slice();
    const values = this.#values.slice();
    const order = Uint32Array.from(times.keys()).sort((left, right) => times[left]! - times[right]! || left - right);
    for (let n = 0; n < order.length; n += 1) {
      this.#times[n] = times[order[n]!]!;
      this.#values[n] = values[order[n]!];
    }
    this.#isSorted = true;
  }
}
