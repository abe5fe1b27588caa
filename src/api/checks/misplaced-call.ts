// What plain JavaScript and casts let through: methods of another stage of a stream, misspelt ones, and side outputs
// that an operator has not.

import { UserError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { ABSENT_METHODS } from "./absent-methods.ts";

/** Class of what calls give, `what` it is to users, and what to do about a method of another stage. */
export type Stage = {
  readonly type: { readonly prototype: object };
  readonly what: string;
  readonly fix: (method: string) => string;
};

/**
 * Makes the methods of each stage an error in all others, and those that only other engines have an error in all. Gives
 * the names of all methods.
 */
export function refuseMisplaced(stages: readonly Stage[]): ReadonlySet<string> {
  const all = new Set(stages.flatMap(({ type }) => methodsOf(type.prototype)));
  for (const { type, what, fix } of stages) {
    for (const method of all) {
      if (method in type.prototype) continue;
      const refuse = (): never => {
        throw new UserError("CALL_MISPLACED", `${what} has no method ${method}`, { fix: fix(method) });
      };
      Object.defineProperty(type.prototype, method, { value: refuse });
    }
    for (const [method, instead] of Object.entries(ABSENT_METHODS)) {
      if (method in type.prototype) continue;
      const refuse = (): never => {
        throw new UserError("METHOD_UNKNOWN", `there is no method ${method}`, { fix: instead });
      };
      Object.defineProperty(type.prototype, method, { value: refuse });
    }
  }
  return all;
}

function methodsOf(prototype: object): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(prototype))
    .filter(([name, { value }]) => name !== "constructor" && typeof value === "function")
    .map(([name]) => name);
}

/** For a builder that threw: the method that was meant; null when it threw something else. */
export function misspeltFix(error: unknown, methods: Iterable<string>): string | null {
  if (!(error instanceof TypeError)) return null;
  const [, called] = /\.([\w$]+) is not a function$/.exec(error.message) ?? [];
  const similar = called === undefined ? null : nearest(called, methods);
  return similar === null || similar === called ? null : `did you mean .${similar}(…)?`;
}

/** Side outputs by name; another name is an error where it is read. */
export function sideOutputs<S extends object>(sides: S): S {
  return new Proxy(sides, {
    get(target, name) {
      if (typeof name === "symbol" || name in target) return Reflect.get(target, name) as unknown;
      throw unknownSide(name, Object.keys(target));
    },
  });
}

function unknownSide(name: string, known: readonly string[]): UserError {
  const similar = nearest(name, known);
  const its = known.length === 0 ? "it has none" : `it has ${known.join(", ")}`;
  return new UserError("SIDE_OUTPUT_UNKNOWN", `the stream has no side output ${JSON.stringify(name)}: ${its}`, {
    fix:
      similar !== null
        ? `did you mean .side.${similar}?`
        : name === "errors"
          ? 'ask for it where records can fail: .onError("side").side.errors'
          : "read a side output from the call that makes it, before any other: window aggregates have late, process has those that it declares",
  });
}
