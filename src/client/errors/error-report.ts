// What is told about an error, wherever it is shown: plain data, with places in the user's files.
//
// Which place: where the engine says it happened (`location`), unless that is in a package; else the innermost cause's
// first frame in the user's files, and so on outwards; else where the operator concerned was declared.

import { causesBehind, EngineError, firstThrown, InternalError, type SourceLocation } from "../../base/errors.ts";
import type { Plan } from "../../graph/plan.ts";
import type { BundleSources } from "../bundle/bundle-sources-node.ts";
import { readText, thrownText } from "./thrown-text.ts";

export type ErrorReport = {
  readonly code: string;
  readonly domain: EngineError["domain"];
  readonly message: string;
  readonly operator: string | null;
  readonly location: SourceLocation | null;
  /** Lines of the user's file around the place. */
  readonly frame: readonly { readonly line: number; readonly text: string }[];
  /** Places in the user's files from which that place was called, innermost first. */
  readonly calledFrom: readonly SourceLocation[];
  /** Messages of the causes that the message itself does not tell, outermost first. */
  readonly why: readonly string[];
  readonly fix: string | null;
  /** Of errors that nobody but us can mend. */
  readonly stack: string | null;
};

export type ErrorContext = {
  /** Null before there is a bundle. */
  readonly sources: BundleSources | null;
  readonly plan: Plan | null;
  /** Text of a file named by a location; null when it cannot be had. */
  readonly text: (file: string) => string | null;
};

const FRAME_LINES = 1;
const CALLERS_MAX = 3;
const CAUSES_MAX = 10;

/** One report for each error that an AggregateError holds. */
export function errorReports(error: unknown, context: ErrorContext): readonly ErrorReport[] {
  return error instanceof AggregateError
    ? error.errors.map((one: unknown) => errorReport(engineError(one), context))
    : [errorReport(engineError(error), context)];
}

function errorReport(error: EngineError, context: ErrorContext): ErrorReport {
  const { sources, plan } = context;
  const causes = causesOf(error);
  const mapText = (text: string): string => sources?.mapText(text) ?? text;
  const message = mapText(error.message);
  const frames = [...causes].reverse().map(({ stack }) => sources?.frames(stack) ?? []);
  const named = error.location === undefined ? null : located(error.location, context);
  const found = frames.find(({ length }) => length > 0) ?? [];
  const [at = null, ...calledFrom] = named === null || (inPackage(named) && found.length > 0) ? found : [named];
  const declared = error.operator === undefined ? undefined : plan?.locations[error.operator];
  const location = at ?? (declared === undefined ? null : located(declared, context));
  const why = causes.slice(1).map(({ text }) => mapText(text));
  return {
    code: error.code,
    domain: error.domain,
    message,
    operator: error.operator ?? null,
    location,
    frame: location === null ? [] : frameOf(location, context),
    calledFrom: distinct(calledFrom, location).slice(0, CALLERS_MAX),
    why: why.filter((text, index) => !isTold(text, message) && why.indexOf(text) === index),
    fix: error.fix === undefined ? null : mapText(error.fix),
    stack: error.domain === "internal" ? mapText(causes.map(({ stack }) => stack).join("\ncaused by ")) : null,
  };
}

function engineError(thrown: unknown): EngineError {
  const error = firstThrown(thrown);
  if (error instanceof EngineError) return error;
  return new InternalError("UNEXPECTED", typeof error === "string" ? error : thrownText(error), { cause: error });
}

/** Also of an object that crossed threads: nothing but its kind is left, and the message shows it. */
function isTold(text: string, message: string): boolean {
  return message.includes(text) || /^\[object \w+\]$/.test(text);
}

/** The error and its causes, outermost first. */
function causesOf(error: Error): readonly { readonly text: string; readonly stack: string }[] {
  return [error, ...causesBehind(error, CAUSES_MAX)].flatMap((cause) => {
    if (!(cause instanceof Error)) return [];
    const text = readText(() => cause.message || cause.name) ?? thrownText(cause);
    return [{ text, stack: readText(() => cause.stack) ?? "" }];
  });
}

function located(location: SourceLocation, { sources }: ErrorContext): SourceLocation {
  return sources?.locate(location) ?? location;
}

/** Not the user's own: a place in their code that leads there says more. */
function inPackage({ file }: SourceLocation): boolean {
  return /(^|[\\/])node_modules[\\/]/.test(file);
}

function frameOf({ file, line }: SourceLocation, { text }: ErrorContext): ErrorReport["frame"] {
  const lines = text(file)?.split("\n") ?? [];
  const first = Math.max(1, line - FRAME_LINES);
  return lines
    .slice(first - 1, line + FRAME_LINES)
    .map((found, index) => ({ line: first + index, text: found.trimEnd() }));
}

function distinct(places: readonly SourceLocation[], but: SourceLocation | null): readonly SourceLocation[] {
  const text = ({ file, line }: SourceLocation): string => `${file}:${line}`;
  const seen = new Set(but === null ? [] : [text(but)]);
  return places.filter((place) => !seen.has(text(place)) && seen.add(text(place)));
}
