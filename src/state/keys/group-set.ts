// Which key groups have something: the next one is found without looking at those between.
//
// A bit per group, and above it a bit per word that is not 0, until one word is left: three levels for 32,768 groups.

const NONE = -1;

export class GroupSet {
  readonly #levels: readonly Int32Array[];

  constructor(groups: number) {
    const levels: Int32Array[] = [];
    let bits = groups;
    do {
      bits = (bits + 31) >> 5;
      levels.push(new Int32Array(bits));
    } while (bits > 1);
    this.#levels = levels;
  }

  add(group: number): void {
    let bit = group;
    for (const words of this.#levels) {
      const before = words[bit >> 5]!;
      words[bit >> 5] = before | (1 << (bit & 31));
      if (before !== 0) return;
      bit >>= 5;
    }
  }

  delete(group: number): void {
    let bit = group;
    for (const words of this.#levels) {
      words[bit >> 5]! &= ~(1 << (bit & 31));
      if (words[bit >> 5] !== 0) return;
      bit >>= 5;
    }
  }

  /** The group that comes after `group`, the first one for -1; -1 for none. */
  next(group: number): number {
    return this.#from(0, group + 1);
  }

  #from(level: number, bit: number): number {
    const words = this.#levels[level];
    if (words === undefined) return NONE;
    let word = bit >> 5;
    let bits = word < words.length ? words[word]! & (-1 << (bit & 31)) : 0;
    if (bits === 0) {
      word = this.#from(level + 1, word + 1);
      if (word === NONE) return NONE;
      bits = words[word]!;
    }
    return (word << 5) | (31 - Math.clz32(bits & -bits));
  }
}
