// Metrics that user code makes, by name and kind: what a process function reaches as `ctx.metrics`.
//
//   U1. A name belongs to one kind for the life of the operator, and never to a metric of the engine.
//   U2. Their number is bounded: names that are made from data would fill the memory of all metrics.
//   U3. Asking for a metric again gives the same one; an update makes no object and throws nothing.

import { UserError } from "../../base/errors.ts";
import type { OperatorMetrics } from "../operator.ts";

/** Counts up or down; its value is the sum over subtasks. */
export type Counter = {
  /** Adds `by`, 1 by default. */
  readonly inc: (by?: number) => void;
};

/** A value at the moment; the last one set counts. */
export type Gauge = { readonly set: (value: number) => void };

/** A distribution: count, least, greatest, mean and quantiles of what was observed. */
export type Histogram = { readonly update: (value: number) => void };

/** Counts events, and is read as a rate per second. */
export type Meter = {
  /** `by` events have happened, 1 by default. */
  readonly mark: (by?: number) => void;
};

export type UserMetrics = {
  readonly counter: (name: string) => Counter;
  readonly gauge: (name: string) => Gauge;
  readonly histogram: (name: string) => Histogram;
  readonly meter: (name: string) => Meter;
};

const NAME = /^[A-Za-z_][\w.-]{0,79}$/;
const METRICS_MAX = 200;
const OF_ENGINE =
  /^(num(Records(In|InErrors|Out(\..*)?)|Bytes(In|Out)|LateRecordsDropped)(PerSecond)?|current(In|Out)putWatermark)$/;

type Kind = keyof UserMetrics;

export function userMetrics(uid: string, metrics: OperatorMetrics): UserMetrics {
  const kinds = new Map<string, Kind>();
  const made = <T>(kind: Kind, make: (name: string) => T): ((name: string) => T) => {
    const known = new Map<string, T>();
    return (name) => {
      let metric = known.get(name);
      if (metric === undefined) {
        checkName(uid, { name, kind, other: kinds.get(name), count: kinds.size });
        metric = make(name);
        kinds.set(name, kind);
        known.set(name, metric);
      }
      return metric;
    };
  };
  return {
    counter: made("counter", (name) => {
      metrics.count(name, 0); // Seen as 0 from the start.
      return {
        inc: (by = 1) => {
          if (Number.isFinite(by)) metrics.count(name, by);
        },
      };
    }),
    gauge: made("gauge", (name) => ({ set: (value) => metrics.gauge(name, value) })),
    histogram: made("histogram", (name) => ({ update: (value) => metrics.observe(name, value) })),
    meter: made("meter", (name) => {
      metrics.mark(name, 0);
      return {
        mark: (by = 1) => {
          if (Number.isFinite(by)) metrics.mark(name, by);
        },
      };
    }),
  };
}

type Wanted = { readonly name: string; readonly kind: Kind; readonly other: Kind | undefined; readonly count: number };

function checkName(uid: string, { name, kind, other, count }: Wanted): void {
  const refuse = (message: string, fix: string): never => {
    throw new UserError("METRIC_NAME", `${kind} ${JSON.stringify(name)} of "${uid}" ${message}`, {
      fix,
      operator: uid,
    });
  };
  if (typeof name !== "string" || !NAME.test(name))
    refuse("has no valid name", "use a letter, then letters, digits, _, . and -, at most 80");
  if (OF_ENGINE.test(name)) refuse("has the name of a metric of the engine", "choose another name");
  if (other !== undefined) refuse(`is a ${other} already`, "give each metric a name of its own");
  if (count >= METRICS_MAX)
    refuse(`is one metric too many: there are ${count}`, "use a fixed set of names, and emit as records what varies");
}
