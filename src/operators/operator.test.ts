// Every operator with state, and what the operator contract asks of it (operator.contract.ts).

import type { Emitted } from "../../test/operators/operator-driver.ts";
import { commonOptions, ROW, type Row, type StreamCase } from "../../test/operators/window-streams.ts";
import { heapStore } from "../state/heap/heap-store.ts";
import { t } from "../types/t.ts";
import { aggregateSet, collect, count, sum } from "./aggregates/aggregate.ts";
import { fieldTypes } from "./expressions/field-types.ts";
import { InOrderOperator } from "./in-order/in-order-operator.ts";
import { type OperatorSubject, operatorContract } from "./operator.contract.ts";
import { type ProcessContext, type ProcessFunctions, ProcessOperator } from "./process/process-operator.ts";
import { type StateHandles, state } from "./process/state-declaration.ts";
import { AggregateOperator } from "./running/aggregate-operator.ts";
import { ReduceOperator } from "./running/reduce-operator.ts";
import { PreAggregateOperator } from "./windows/combiner/pre-aggregate-operator.ts";
import { type PaneWindowSpec, session, sliding, tumbling, type WindowSpec } from "./windows/time/window-spec.ts";
import { windowOperator } from "./windows/window-operator.ts";

const PANE_MS = 5;
const BY_KEY = {
  key: { field: "key", of: null, type: { kind: "string" } },
  keyName: "key",
  fields: fieldTypes(ROW.spec),
} as const;

// -------------------------------------------------------------- aggregates

const running = (mode: "stream" | "batch"): OperatorSubject => ({
  make: () => {
    const set = aggregateSet({ n: count(), total: sum("value"), ids: collect("id") }, ["key"]);
    return new AggregateOperator({ ...BY_KEY, mode, set, partials: false });
  },
  overrun: 0,
});

const reduce: OperatorSubject = {
  make: () =>
    new ReduceOperator({
      state: { kind: "reducing", name: "value", type: ROW.spec, ttlMs: null },
      reduce: (left, right) => ({ ...(right as Row), value: folded((left as Row).value, (right as Row).value) }),
      onThrow: null,
    }),
  overrun: 0,
};

/** Depends on the order. */
const folded = (left: number, right: number): number => (left * 3 + right) % 1_009;

// -------------------------------------------------------------- windows

const windows = (window: WindowSpec, overrun: number): OperatorSubject => ({
  make: (testCase: StreamCase) => windowOperator({ ...commonOptions(testCase), window, partials: false }),
  overrun,
  merges: true,
});

const combiner = (window: PaneWindowSpec | null): OperatorSubject => ({
  make: () => {
    const set = aggregateSet({ n: count(), total: sum("value") }, ["key"]);
    const options = { ...BY_KEY, operator: "op", window, set, flushAfterMs: 5, check: null, sendsRecords: false };
    return new PreAggregateOperator(options);
  },
  overrun: 1,
  ungrouped: true,
  outcome: (rows, watermark) => settled(rows, window === null ? Infinity : PANE_MS, watermark),
});

/** What partial rows of panes that have ended come to: how many there are of a pane is for the combiner to say. */
function settled(rows: readonly Emitted[], paneMs: number, watermark: number): Record<string, Record<string, number>> {
  const sums: Record<string, Record<string, number>> = {};
  const hasEnded = (pane: number) => watermark === Infinity || (pane + 1) * paneMs - 1 <= watermark;
  for (const { row } of rows) {
    if (!hasEnded(Number(row["#pane"]))) continue;
    const group = `${row.key} ${row["#pane"]}`;
    const into = sums[group] ?? {};
    sums[group] = into;
    for (const [word, value] of Object.entries(row)) {
      if (/^#\d/.test(word)) into[word] = (into[word] ?? 0) + Number(value);
    }
  }
  return sums;
}

// -------------------------------------------------------------- process functions

const STATE = {
  seen: state.value(t.f64, { init: () => 0 }),
  recent: state.value(t.f64, { ttl: "9ms" }),
  ids: state.list(t.f64),
  byValue: state.map(t.string, t.f64),
  total: state.reducing(t.f64, folded),
  spread: state.aggregating(t.struct({ least: t.f64, most: t.f64 }), {
    create: () => ({ least: Infinity, most: -Infinity }),
    add: ({ least, most }, value: number) => ({ least: Math.min(least, value), most: Math.max(most, value) }),
    merge: (left, right) => ({ least: Math.min(left.least, right.least), most: Math.max(left.most, right.most) }),
    result: ({ least, most }) => most - least,
  }),
};

const stateOf = (context: ProcessContext) => context.state as StateHandles<typeof STATE>;

function remember({ id, value }: Row, context: ProcessContext): void {
  const { seen, recent, ids, byValue, total, spread } = stateOf(context);
  seen.set(seen.get() + 1);
  recent.set(id);
  if (ids.get().length === 5) ids.clear();
  ids.add(id);
  if (value === 0) byValue.clear();
  else byValue.set(`${value}`, id);
  total.add(value);
  spread.add(value);
}

function recall(context: ProcessContext): Record<string, unknown> {
  const { seen, recent, ids, byValue, total, spread } = stateOf(context);
  return {
    key: context.key,
    seen: seen.get(),
    recent: recent.get(),
    ids: ids.get(),
    byValue: Object.fromEntries(byValue.entries()),
    total: total.get(),
    spread: spread.get(),
  };
}

function schedule({ id, value }: Row, { timers, timestamp, now }: ProcessContext): void {
  timers.set(`t${value % 3}`, timestamp + value * 2);
  if (id % 5 === 0) timers.clear("t0");
  timers.processing.set(`p${value % 2}`, now + value);
}

const functions: ProcessFunctions = {
  onRecord(record, context) {
    const row = record as Row;
    context.emit({ before: true, ...recall(context) });
    remember(row, context);
    schedule(row, context);
    if (row.value % 2 === 1) context.side.odd?.({ key: row.key, id: row.id });
    context.emit(recall(context));
  },
  onTimer({ name, at, domain }, context) {
    const watermark = domain === "event" ? context.watermark : null;
    context.emit({ ...recall(context), name, at, domain, watermark, t1: context.timers.get("t1") });
    if (stateOf(context).seen.get() % 4 === 0) context.timers.set("again", at + 7);
    stateOf(context).seen.set(stateOf(context).seen.get() + 1);
  },
};

/** Records of one side wait for those of the other. */
const joining: ProcessFunctions = {
  onLeft(record, context) {
    remember(record as Row, context);
    context.timers.set("forget", context.timestamp + 20);
  },
  onRight(record, context) {
    const { id, key } = record as Row;
    for (const left of stateOf(context).ids.get()) context.emit({ key, left, right: id });
    schedule(record as Row, context);
    context.side.odd?.({ key, id });
  },
  onTimer({ name, at }, context) {
    if (name === "forget") stateOf(context).ids.clear();
    context.emit({ ...recall(context), name, at });
  },
};

const process = (own: ProcessFunctions, overrun: number, inputs: 1 | 2): OperatorSubject => ({
  make: () =>
    new ProcessOperator({
      functions: own,
      state: STATE,
      sides: ["odd"],
      freeze: null,
      onThrow: null,
      onTimerThrow: (error) => {
        throw error;
      },
    }),
  overrun,
  inputs,
});

// -------------------------------------------------------------- in event-time order

const inOrder = (subject: OperatorSubject): OperatorSubject => ({
  ...subject,
  make: (testCase) =>
    new InOrderOperator({
      inner: subject.make(testCase),
      types: [ROW.spec, ROW.spec],
      lateOutput: testCase.lateOutput,
      freeze: null,
      failure: (error) => error,
    }),
});

// -------------------------------------------------------------- all of them

const OPERATORS: Readonly<Record<string, OperatorSubject>> = {
  "running aggregates": running("stream"),
  "aggregates of a batch job": running("batch"),
  reduce,
  "reduce in the heap store": { ...reduce, store: heapStore },
  "a process function": process(functions, 2, 1),
  "a process function in the heap store": { ...process(functions, 2, 1), store: heapStore },
  "a process function of two inputs": process(joining, 5, 2),
  "a process function of two inputs in the heap store": { ...process(joining, 5, 2), store: heapStore },
  "running aggregates in event-time order": { ...inOrder(running("stream")), merges: true },
  "reduce in event-time order": { ...inOrder(reduce), merges: true },
  "a process function in event-time order": { ...inOrder(process(functions, 2, 1)), merges: true },
  "a process function of two inputs in event-time order": inOrder(process(joining, 5, 2)),
  "tumbling windows": { ...windows(tumbling("5ms"), 0), whole: true },
  "sliding windows": { ...windows(sliding("6ms", "2ms"), 3), whole: true },
  "session windows": windows(session("4ms"), 2),
  "a combiner": combiner(tumbling(`${PANE_MS}ms`)),
  "a combiner without windows": combiner(null),
};

for (const [name, subject] of Object.entries(OPERATORS)) operatorContract(name, subject);
