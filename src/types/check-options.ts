// Option objects as users write them, checked where they are written: `millrace run` does not check types, and
// JavaScript has none. Whoever is misunderstood in silence loses data. Errors take their place in the user's file from
// their stack (api/job.ts).

import { type SourceLocation, UserError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { describe } from "./spec/describe.ts";

/** What an option takes. */
export type OptionKind = {
  /** After "give", for example "a whole number from 1 on". */
  readonly takes: string;
  /** `what`: whose value it is, for those that throw errors of their own. */
  readonly accepts: (value: unknown, what?: string) => boolean;
  /** The texts that are accepted, when they can be counted. */
  readonly values?: readonly string[];
};

type CheckedOptions = {
  /** Whose options they are: "csv". */
  readonly of: string;
  readonly given: unknown;
  /** By name. True: whoever works with the value checks it. */
  readonly takes: Readonly<Record<string, OptionKind | true>>;
  /** For values; misspelt names are OPTION_UNKNOWN. */
  readonly code?: string;
};

/** Refuses names that nobody would read, and values that are not of their kind. What is undefined counts as absent. */
export function checkOptions({ of, given, takes, code = "OPTION_INVALID" }: CheckedOptions): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new UserError(code, `${of} takes its options in an object, not ${describe(given)}`, {
      fix: `write them as { name: value }; it has ${namesText(takes)}`,
    });
  }
  if (Object.hasOwn(takes, "type") && "~standard" in given) {
    throw new UserError(code, `${of} takes its options in an object, not a type alone`, {
      fix: "write it as { type: … }",
    });
  }
  for (const [name, value] of Object.entries(given)) {
    const kind = Object.hasOwn(takes, name) ? takes[name] : undefined;
    if (kind === undefined) throw optionUnknown(of, name, takes);
    if (kind !== true && value !== undefined) checkValue({ what: `the option ${name} of ${of}`, value, kind, code });
  }
}

type CheckedValue = {
  /** "the name of an operator" */
  readonly what: string;
  readonly value: unknown;
  readonly kind: OptionKind;
  readonly code?: string;
};

export function checkValue({ what, value, kind, code = "OPTION_INVALID" }: CheckedValue): void {
  if (kind.accepts(value, what)) return;
  const meant = typeof value === "string" ? nearest(value, kind.values ?? []) : null;
  throw new UserError(code, `${what} is ${describe(value)}`, {
    fix: `${meant === null ? "" : `did you mean ${JSON.stringify(meant)}? `}give ${kind.takes}`,
  });
}

export const FLAG: OptionKind = { takes: "true or false", accepts: (value) => typeof value === "boolean" };

export const FUNCTION: OptionKind = { takes: "a function", accepts: (value) => typeof value === "function" };

export const NAME: OptionKind = {
  takes: "a text that is not empty",
  accepts: (value) => typeof value === "string" && value !== "",
};

export const NUMBER: OptionKind = { takes: "a number", accepts: Number.isFinite };

export const TEXTS: OptionKind = {
  takes: "an array of texts",
  accepts: (value) => Array.isArray(value) && value.every((each) => typeof each === "string"),
};

export function wholeNumberFrom(least: number): OptionKind {
  return {
    takes: `a whole number from ${least} on`,
    accepts: (value) => Number.isInteger(value) && (value as number) >= least,
  };
}

export function oneOf(...values: readonly string[]): OptionKind {
  return {
    takes: `one of ${values.map((value) => JSON.stringify(value)).join(", ")}`,
    accepts: (value) => values.includes(value as string),
    values,
  };
}

/** `where`: after "has no effect". */
export function withoutEffect(
  option: string,
  where: string,
  fix: string,
  location: SourceLocation | null = null,
): UserError {
  return new UserError("OPTION_WITHOUT_EFFECT", `${option} has no effect ${where}`, {
    fix,
    ...(location && { location }),
  });
}

function optionUnknown(of: string, name: string, takes: CheckedOptions["takes"]): UserError {
  const meant = nearest(name, Object.keys(takes));
  return new UserError("OPTION_UNKNOWN", `${of} has no option ${JSON.stringify(name)}`, {
    fix: meant === null ? `it has ${namesText(takes)}` : `did you mean ${meant}?`,
  });
}

const namesText = (takes: CheckedOptions["takes"]): string => Object.keys(takes).join(", ");
