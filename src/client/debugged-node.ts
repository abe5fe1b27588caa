import { url } from "node:inspector";

/** Nothing is watched then: whoever holds a thread at a breakpoint means it. */
export function isDebugged(): boolean {
  return url() !== undefined;
}
