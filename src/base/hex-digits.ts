import type { Random } from "./env.ts";

/** So many hexadecimal digits at random, for names that nobody else has. */
export function hexDigits(random: Random, count: number): string {
  return Array.from({ length: count }, () => Math.floor(random.next() * 16).toString(16)).join("");
}
