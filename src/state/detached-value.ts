// Values that can be kept: texts from a batch may be parts of a longer one, all of which they would keep alive
// (types/batch-reader.ts, R2). A detached value has texts of its own.
//
//   D1. Equal to the original in all that a codec sees, holes and identity within the value included; what was frozen
//       is frozen.
//   D2. Objects but plain ones, arrays, maps and sets stay as they are, and so does what is nested deeper than
//       DEPTH_MAX.

/** Shorter texts are never parts of others. */
export const SUBSTRING_UNITS = 13;
const DEPTH_MAX = 100;

export function detachedText(text: string): string {
  return text.length < SUBSTRING_UNITS ? text : `${text} `.slice(0, -1);
}

export function detached(value: unknown): unknown {
  if (typeof value === "string") return detachedText(value);
  return typeof value === "object" && value !== null ? new Detaching().object(value) : value;
}

class Detaching {
  readonly #copies = new Map<object, object>();
  #depth = 0;

  object(value: object): object {
    const known = this.#copies.get(value);
    if (known !== undefined) return known;
    const copy = emptyCopy(value);
    if (copy === null || this.#depth > DEPTH_MAX) return value;
    this.#copies.set(value, copy);
    this.#depth += 1;
    this.#fill(copy, value);
    this.#depth -= 1;
    return Object.isFrozen(value) ? Object.freeze(copy) : copy;
  }

  #fill(copy: object, value: object): void {
    if (copy instanceof Map) {
      for (const [key, item] of value as Map<unknown, unknown>) copy.set(this.#part(key), this.#part(item));
    } else if (copy instanceof Set) {
      for (const item of value as Set<unknown>) copy.add(this.#part(item));
    } else {
      const fields = copy as Record<string, unknown>;
      for (const name of Object.keys(copy)) fields[name] = this.#part(fields[name]);
    }
  }

  #part(value: unknown): unknown {
    if (typeof value === "string") return detachedText(value);
    return typeof value === "object" && value !== null ? this.object(value) : value;
  }
}

/** Of the same kind; objects and arrays with their parts as they are. Null for what stays as it is. */
function emptyCopy(value: object): object | null {
  switch (Object.getPrototypeOf(value)) {
    case Object.prototype:
      return { ...value };
    case Array.prototype:
      return arrayCopy(value as unknown[]);
    case Map.prototype:
      return new Map();
    case Set.prototype:
      return new Set();
    default:
      return null;
  }
}

/** With its holes, and with whatever other properties it has. */
function arrayCopy(array: readonly unknown[]): unknown[] {
  return Object.assign(array.slice(), array);
}
