// Durations as users write them: "5s", "100ms", "1m", "2h", "7d".

import { UserError } from "./errors.ts";

export type Duration = `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/** Refuses a literal with a space in it, which the type of durations alone cannot: `30 s`. */
export type Unspaced<D extends Duration> = D extends `${string} ${string}` ? never : D;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const FORM = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/;

export function isDuration(text: string): boolean {
  return Number.isFinite(Number(FORM.exec(text)?.[1]));
}

/** Milliseconds of a duration. Throws DURATION_MALFORMED. `what` it is, as in "the gap of a session". */
export function durationMs(text: string, what = ""): number {
  const match = FORM.exec(text);
  const unit = match?.[2];
  const amount = Number(match?.[1]);
  if (unit === undefined || !Number.isFinite(amount)) {
    throw new UserError(
      "DURATION_MALFORMED",
      `${what}${what === "" ? "" : " is "}not a duration: ${JSON.stringify(text)}`,
      {
        fix: 'write a number and a unit, for example "500ms", "5s", "1m", "2h" or "7d"',
      },
    );
  }
  return amount * (UNIT_MS[unit] ?? 0);
}

/** Shortest exact form for people: 65_000 is "1m 5s". */
export function durationText(ms: number): string {
  if (!Number.isFinite(ms)) return "–";
  if (Math.abs(ms) < 1_000) return `${Math.round(ms * 100) / 100}ms`;
  const sign = ms < 0 ? "-" : "";
  let rest = Math.abs(ms);
  const parts: string[] = [];
  for (const unit of ["d", "h", "m", "s"]) {
    const size = UNIT_MS[unit] ?? 1;
    const count = unit === "s" ? Math.round((rest / size) * 1_000) / 1_000 : Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * size;
  }
  return sign + parts.slice(0, 2).join(" ");
}

/** As exact as people want it: "7ms", "1.3s", "2m 5s". */
export function aboutText(ms: number): string {
  const step = ms < 1_000 ? 1 : ms < 10_000 ? 100 : 1_000;
  return durationText(Math.max(0, Math.round(ms / step) * step));
}
