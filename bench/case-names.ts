// The cases, in the order they run. Each is a script in bench/cases.

export const CASE_NAMES: readonly string[] = [
  "chain",
  "exchange",
  "keyed-sum",
  "keyed-agg",
  "window",
  "combiner",
  "steps",
  "in-order",
  "latency",
  "back-pressure",
  "checkpoint-backpressure",
  "start",
  "recover-slot",
  "recover-process",
  "checkpoint-overhead",
  "checkpoint-1g",
  "restore-1g",
  "simulate",
];
