// What a path with signs in it stands for, one name at a time: the matching is picomatch's.
//
//   a/b*/{c,d}/**/*.csv  =  names "a", "b*", "{c,d}", then, from "**" on, one pattern for all that lies below

/// <reference path="./picomatch.d.ts" />

import picomatch from "picomatch/posix.js";
import { UserError } from "../../../base/errors.ts";

export type NamePattern =
  /** `literal`: the name as it is written, for a file or directory that is called just so; null when it is no name. */
  | { readonly kind: "name"; readonly literal: string | null; readonly matches: (name: string) => boolean }
  /** For paths of any depth, relative to the directory that is reached. */
  | { readonly kind: "below"; readonly hidden: boolean; readonly matches: (path: string) => boolean };

export type PathPattern = {
  /** The directory above the first sign. */
  readonly fixed: string;
  /** Not empty; "below" is the last one if it is there. */
  readonly names: readonly NamePattern[];
};

const SIGNS = /[*?[{]|[!+@]\(/;
const ANY = /[*?]/;
/** Where a pattern writes a name that begins with "." or "_". */
const HIDDEN = /(^|[/{,(|])[._]/;
const CHOICES_MAX = 1_000;

const OPTIONS = { posix: true, nonegate: true, debug: true, expandRange };

/** Null for a path without signs. */
export function pathPattern(path: string): PathPattern | null {
  if (!SIGNS.test(path)) return null;
  const names = namesOf(path);
  const first = names.findIndex((name) => SIGNS.test(name));
  const fixed = names.slice(0, first).join("/");
  const deep = names.findIndex((name) => name === "**" || name.includes("/"));
  const patterns = names.slice(first, deep < 0 ? undefined : deep).map((name): NamePattern => {
    const matches = matcher(name, path);
    const hidden = HIDDEN.test(name);
    const literal = SIGNS.test(name) && ANY.test(name) ? null : name;
    return { kind: "name", literal, matches: (found) => matches(found) && (hidden || !isHidden(found)) };
  });
  if (deep >= 0) {
    const below = names.slice(deep).join("/");
    patterns.push({ kind: "below", hidden: HIDDEN.test(below), matches: matcher(below, path) });
  }
  return { fixed: fixed === "" && path.startsWith("/") ? "/" : fixed === "" ? "." : fixed, names: patterns };
}

/** Names that begin with "." or "_": files that are not data are called so. */
export function isHidden(name: string): boolean {
  return name.startsWith(".") || name.startsWith("_");
}

/** `path` with each sign escaped: it stands for itself. */
export function patternEscape(path: string): string {
  return path.replace(/[[\]{}()*?!+@\\]/g, "\\$&");
}

/** At the slashes that stand in no bracket, brace or parenthesis. Empty names but the first one do not count. */
function namesOf(path: string): string[] {
  const names = [""];
  let depth = 0;
  for (const part of path.match(/\\.?|[{}()/]|[^\\{}()/]+/gs) ?? []) {
    if (part === "{" || part === "(") depth += 1;
    if (part === "}" || part === ")") depth -= 1;
    if (part === "/" && depth <= 0) names.push("");
    else names[names.length - 1] += part;
  }
  return names.filter((name, index) => name !== "" || index === 0);
}

function matcher(pattern: string, path: string): (name: string) => boolean {
  try {
    return picomatch(pattern, OPTIONS);
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const reason = (cause as Error).message.replace(/^.*\/: /s, "").toLowerCase();
    throw new UserError("PATH_PATTERN_INVALID", `${path} is not a pattern: ${reason}`, {
      fix: `mend it, or write \\ before signs that stand for themselves: ${patternEscape(path)}`,
      cause,
    });
  }
}

/** `{1..10}`, `{01..12}`, `{a..f}`, each with a step. */
function expandRange(...parts: readonly unknown[]): string {
  const [from, to, by = 1] = parts.filter((part) => typeof part === "string" || typeof part === "number").map(String);
  const isNumber = /^-?\d+$/.test(from!) && /^-?\d+$/.test(to!);
  if (!isNumber && !(from!.length === 1 && to!.length === 1)) return `{${parts.slice(0, -1).join("..")}}`;
  const place = (text: string): number => (isNumber ? Number(text) : text.charCodeAt(0));
  const start = place(from!);
  const step = Math.max(1, Math.abs(Number(by))) * Math.sign(place(to!) - start || 1);
  const count = 1 + Math.floor((place(to!) - start) / step);
  if (!(count <= CHOICES_MAX)) {
    throw new UserError("PATH_PATTERN_INVALID", `{${from}..${to}} stands for more than ${CHOICES_MAX} names`, {
      fix: "use * instead",
    });
  }
  const width = /^-?0\d/.test(from!) || /^-?0\d/.test(to!) ? Math.max(from!.length, to!.length) : 0;
  const choice = (at: number): string => {
    if (isNumber) return `${at < 0 ? "-" : ""}${String(Math.abs(at)).padStart(at < 0 ? width - 1 : width, "0")}`;
    return String.fromCharCode(at).replace(/[^\w]/, "\\$&");
  };
  return `(${Array.from({ length: count }, (_, index) => choice(start + index * step)).join("|")})`;
}
