// One size of the memory model with its origin, and the few ways in which one follows from others.

import { UserError } from "../base/errors.ts";
import { memorySizeText } from "../base/memory-size.ts";
import type { Configuration } from "../config/configuration.ts";
import { originText } from "../config/configuration.ts";
import type { Option } from "../config/option.ts";

export type MemoryTerm = {
  /** For people: "task heap". */
  readonly name: string;
  readonly bytes: number;
  /** "default", "config: KEY (ORIGIN)" or "derived: FORMULA". */
  readonly origin: string;
  /** The key to turn to change it; null when it only follows from others. */
  readonly key: string | null;
};

/** A part that is a fraction of something, within bounds. */
export type BoundedShare = {
  readonly name: string;
  readonly fraction: Option<number>;
  readonly min: Option<number>;
  readonly max: Option<number> | Option<number | null>;
};

export function termText(term: MemoryTerm): string {
  const key = term.key === null || term.origin.includes(term.key) ? "" : `${term.key}, `;
  return `${term.name} ${memorySizeText(term.bytes)} (${key}${term.origin})`;
}

/** The term as set, or by its default; null when it has neither. */
export function given(configuration: Configuration, option: Option<number>, name: string): MemoryTerm;
export function given(configuration: Configuration, option: Option<number | null>, name: string): MemoryTerm | null;
export function given(configuration: Configuration, option: Option<number | null>, name: string): MemoryTerm | null {
  const bytes = configuration.get(option);
  return bytes === null ? null : { name, bytes, origin: settingText(configuration, option), key: option.key };
}

export function derived(name: string, bytes: number, formula: string, key: string | null = null): MemoryTerm {
  return { name, bytes, origin: `derived: ${formula}`, key };
}

export function sum(name: string, terms: readonly MemoryTerm[], key: string | null = null): MemoryTerm {
  return derived(name, total(terms), terms.map(short).join(" + "), key);
}

/** What `terms` leave of `whole`. Throws MEMORY_IMPOSSIBLE when they exceed it. */
export function rest(name: string, whole: MemoryTerm, terms: readonly MemoryTerm[], key: string | null): MemoryTerm {
  const bytes = whole.bytes - total(terms);
  if (bytes < 0) {
    const parts = terms.map(termText).join(" + ");
    const message = `nothing is left for the ${name}: ${termText(whole)} is less than ${parts}`;
    throw impossible(message, `raise ${whole.key}, or lower one of the others`);
  }
  return derived(name, bytes, [whole, ...terms].map(short).join(" − "), key);
}

/** A fraction of `whole`. */
export function shareOf(configuration: Configuration, share: BoundedShare, whole: MemoryTerm): MemoryTerm {
  const fraction = configuration.get(share.fraction);
  return clamped(configuration, share, whole.bytes * fraction, `${fraction} × ${short(whole)}`);
}

/** The part that is a fraction of itself and `others` together. */
export function shareBeside(
  configuration: Configuration,
  share: BoundedShare,
  others: readonly MemoryTerm[],
): MemoryTerm {
  const fraction = configuration.get(share.fraction);
  const formula = `${fraction} / (1 − ${fraction}) × (${others.map(short).join(" + ")})`;
  const bytes = total(others) * (fraction / (1 - fraction)); // Infinite for 1: then the bound decides.
  const term = clamped(configuration, share, bytes, formula);
  if (Number.isFinite(term.bytes)) return term;
  throw impossible(`${share.fraction.key} is ${fraction}: nothing is left for the rest`, `lower ${share.fraction.key}`);
}

/** `term` when it lies within the bounds of `share`; else throws MEMORY_CONFLICT, which names `others` too. */
export function withinBounds(
  configuration: Configuration,
  share: BoundedShare,
  term: MemoryTerm,
  others: readonly MemoryTerm[],
): MemoryTerm {
  const { min, max } = bounds(configuration, share);
  if (term.bytes >= min && term.bytes <= max) return term;
  const most = max === Number.POSITIVE_INFINITY ? "any size" : `${memorySizeText(max)} (${share.max.key})`;
  const range = `${memorySizeText(min)} (${share.min.key}) to ${most}`;
  const causes = others.map(termText).join(" and ");
  throw conflict(
    `${causes} make the ${share.name} ${memorySizeText(term.bytes)}, which is not within ${range}`,
    `change one of them, or ${term.bytes < min ? share.min.key : share.max.key}`,
  );
}

export function impossible(message: string, fix: string): UserError {
  return new UserError("MEMORY_IMPOSSIBLE", message, { fix });
}

export function conflict(message: string, fix: string): UserError {
  return new UserError("MEMORY_CONFLICT", message, { fix });
}

function clamped(configuration: Configuration, share: BoundedShare, bytes: number, formula: string): MemoryTerm {
  const { min, max } = bounds(configuration, share);
  const { key } = share.fraction;
  if (bytes < min)
    return derived(share.name, min, `${formula}, raised to ${share.min.key} ${memorySizeText(min)}`, key);
  if (bytes > max)
    return derived(share.name, max, `${formula}, lowered to ${share.max.key} ${memorySizeText(max)}`, key);
  return derived(share.name, Math.floor(bytes), formula, key);
}

function bounds(configuration: Configuration, share: BoundedShare): { min: number; max: number } {
  const min = configuration.get(share.min);
  const max = configuration.get<number | null>(share.max) ?? Number.POSITIVE_INFINITY;
  if (min <= max) return { min, max };
  const text = (option: Option<number> | Option<number | null>, bytes: number) =>
    `${option.key} ${memorySizeText(bytes)} (${settingText(configuration, option)})`;
  throw conflict(
    `${text(share.min, min)} is more than ${text(share.max, max)}`,
    `lower ${share.min.key} or raise ${share.max.key}`,
  );
}

function settingText(configuration: Configuration, option: Option<unknown>): string {
  const origin = configuration.origin(option);
  return origin.kind === "default" ? "default" : `config: ${option.key} (${originText(origin)})`;
}

function total(terms: readonly MemoryTerm[]): number {
  return terms.reduce((bytes, term) => bytes + term.bytes, 0);
}

function short(term: MemoryTerm): string {
  return `${term.name} ${memorySizeText(term.bytes)}`;
}
