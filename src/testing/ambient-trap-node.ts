// Makes the ambient world fail while a simulation runs: whoever reads the clock, randomness or timers past `Env`, in
// the engine or in user code, would make a seed mean nothing.

import { UserError } from "../base/errors.ts";

/** Where the world leaks in, as users write it, and what to use instead. */
const USES: readonly (readonly [object, string, string])[] = [
  [globalThis, "setTimeout", "timers of a process function, or env.timers"],
  [globalThis, "setInterval", "timers of a process function, or env.timers"],
  [globalThis, "setImmediate", "env.timers.soon"],
  [globalThis.performance, "performance.now", "env.clock.monotonicMs()"],
  [Math, "Math.random", "env.random, or a hash of the record"],
  [globalThis.crypto, "crypto.randomUUID", "env.random, or a hash of the record"],
  [globalThis.crypto, "crypto.getRandomValues", "env.random"],
];

/** Sets the trap; dispose it to lift it. */
export function ambientTrap(): Disposable {
  const lifts = USES.map(([holder, use, instead]) => {
    const name = use.slice(use.indexOf(".") + 1);
    const own = Object.getOwnPropertyDescriptor(holder, name);
    const value = (): never => {
      throw ambientUse(use, instead);
    };
    Object.defineProperty(holder, name, { value, configurable: true, writable: true });
    return () => {
      if (own === undefined) Reflect.deleteProperty(holder, name);
      else Object.defineProperty(holder, name, own);
    };
  });
  const { Date: original } = globalThis;
  globalThis.Date = trappedDate(original);
  return {
    [Symbol.dispose]: () => {
      for (const lift of lifts) lift();
      globalThis.Date = original;
    },
  };
}

/** `new Date(ms)`, `Date.UTC` and the like are conversions, which stay. */
function trappedDate(original: DateConstructor): DateConstructor {
  const instead = "the event time, ctx.now or env.clock.nowMs()";
  return new Proxy(original, {
    get: (target, name, receiver) => {
      if (name !== "now") return Reflect.get(target, name, receiver);
      return () => {
        throw ambientUse("Date.now", instead);
      };
    },
    construct: (target, args, made) => {
      if (args.length === 0) throw ambientUse("new Date()", instead);
      return Reflect.construct(target, args, made) as object;
    },
    apply: () => {
      throw ambientUse("Date()", instead);
    },
  });
}

function ambientUse(name: string, instead: string): UserError {
  return new UserError("SIMULATION_AMBIENT", `${name} was used in a simulation`, {
    fix: `it would give another result each time: use ${instead}`,
  });
}
