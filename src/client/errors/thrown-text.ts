// What was thrown, as text: it may be anything, also an object whose getters throw. Pure.

import { messageOf } from "../../taskmanager/failures/user-failure.ts";

const UNREADABLE = "a value that cannot be read";

/** `RangeError: five`, `{ status: 404 }`. Never throws. */
export function thrownText(thrown: unknown): string {
  return readText(() => messageOf(thrown)) ?? UNREADABLE;
}

/** What `read` gives; null when that is no text, or throws. */
export function readText(read: () => unknown): string | null {
  try {
    const text = read();
    return typeof text === "string" ? text : null;
  } catch {
    return null;
  }
}
