// Values that can be kept: texts from a batch may be parts of a longer one, all of which they would keep alive
// (types/batch/batch-reader.ts, R2). A detached value has texts of its own.
//
//   D1. Equal to the original in all that a codec sees, holes and identity within the value included; what was frozen
//       is frozen.
//   D2. Objects but plain ones, arrays, maps, sets, dates and typed arrays stay as they are, and so does what is nested
//       deeper than DEPTH_MAX.

/** Shorter texts are never parts of others. */
const SUBSTRING_UNITS = 13;
const DEPTH_MAX = 100;

export function detachedText(text: string): string {
  return text.length < SUBSTRING_UNITS ? text : `${text} `.slice(0, -1);
}

export function detached(value: unknown): unknown {
  if (typeof value === "string") return detachedText(value);
  return typeof value === "object" && value !== null ? new Detaching().object(value) : value;
}

class Detaching {
  /** Of objects within others: most values have none. */
  #copies: Map<object, object> | null = null;
  #depth = 0;

  object(value: object): object {
    const copy = emptyCopy(value);
    if (copy === null || this.#depth > DEPTH_MAX) return value;
    this.#copies?.set(value, copy);
    this.#depth += 1;
    if (copy instanceof Map) this.#fillMap(copy, value as Map<unknown, unknown>);
    else if (copy instanceof Set) this.#fillSet(copy, value as Set<unknown>);
    else this.#replaceParts(copy as Record<string, unknown>, value);
    this.#depth -= 1;
    return Object.isFrozen(value) ? Object.freeze(copy) : copy;
  }

  #fillMap(copy: Map<unknown, unknown>, value: Map<unknown, unknown>): void {
    for (const [key, item] of value) copy.set(this.#part(key, value, copy), this.#part(item, value, copy));
  }

  #fillSet(copy: Set<unknown>, value: Set<unknown>): void {
    for (const item of value) copy.add(this.#part(item, value, copy));
  }

  #replaceParts(copy: Record<string, unknown>, value: object): void {
    for (const name of Object.keys(copy)) {
      const part = copy[name];
      if (typeof part === "number") continue;
      const own = this.#part(part, value, copy);
      if (own !== part || typeof part === "string") copy[name] = own;
    }
  }

  #part(part: unknown, value: object, copy: object): unknown {
    if (typeof part === "string") return detachedText(part);
    if (typeof part !== "object" || part === null) return part;
    this.#copies ??= new Map([[value, copy]]);
    return this.#copies.get(part) ?? this.object(part);
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
    case Date.prototype:
      return new Date((value as Date).getTime());
    default:
      return ArrayBuffer.isView(value) && !(value instanceof DataView) ? viewCopy(value) : null;
  }
}

function viewCopy(view: ArrayBufferView): object {
  return Buffer.isBuffer(view) ? Buffer.from(view) : (view as Uint8Array).slice();
}

/** With its holes, and with whatever other properties it has. */
function arrayCopy(array: readonly unknown[]): unknown[] {
  return Object.assign(array.slice(), array);
}
