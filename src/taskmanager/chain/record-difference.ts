// The first difference between a value and the copy that was made of it (state/budget/detached-value.ts): what a copy
// keeps as it is counts as the same, and so does 0 for -0, which checks of whole numbers make of it
// (types/record-guard.ts, U3).

import { types } from "node:util";
import { describe } from "../../types/spec/describe.ts";

/** `path`: "order.items[2]"; empty: the value itself. */
export type Difference = { readonly path: string; readonly was: string; readonly is: string };

export function difference(was: unknown, is: unknown): Difference | null {
  return new Comparing().values(was, is, "");
}

class Comparing {
  /** Objects within the copy that were compared: values may reach one by many ways, and themselves. */
  #seen: Set<object> | null = null;

  values(was: unknown, is: unknown, path: string): Difference | null {
    if (isSame(was, is)) return null;
    if (typeof was !== "object" || typeof is !== "object" || was === null || is === null) return differs(path, was, is);
    if (this.#seen?.has(was)) return null;
    if (path !== "") this.#seen = (this.#seen ?? new Set()).add(was); // most records are flat
    if (types.isDate(was) && types.isDate(is)) {
      return Object.is(was.getTime(), is.getTime()) ? null : differs(path, was, is);
    }
    return this.#parts(partsOf(was), partsOf(is), path);
  }

  #parts(was: object, is: object, path: string): Difference | null {
    for (const key of keysOf(was, is)) {
      const before = (was as Record<string, unknown>)[key];
      const now = (is as Record<string, unknown>)[key];
      if (isSame(before, now)) continue;
      const to = Array.isArray(is) || ArrayBuffer.isView(is) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
      const found = this.values(before, now, to);
      if (found !== null) return found;
    }
    return null;
  }
}

function isSame(was: unknown, is: unknown): boolean {
  return was === is || Object.is(was, is);
}

function keysOf(was: object, is: object): readonly string[] {
  const before = Object.keys(was);
  const now = Object.keys(is);
  const same = before.length === now.length && before.every((key, index) => key === now[index]);
  return same ? now : [...new Set([...before, ...now])];
}

function partsOf(value: object): object {
  if (types.isMap(value)) return [...value].flat();
  if (types.isSet(value)) return [...value];
  return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : value;
}

function differs(path: string, was: unknown, is: unknown): Difference {
  return { path, was: describe(was), is: describe(is) };
}
