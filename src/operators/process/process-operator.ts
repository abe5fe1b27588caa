// Runs a user's process function: keyed state, timers, side outputs, one or two inputs.
//
//   P1. The context is one object for the life of the operator; key, timestamp and state refer to the record at hand.
//   P2. Event-time timers due at or before a watermark fire before the watermark goes on, in order of time.
//   P3. A function that throws under the policy "skip" or "side" concerns its record only; state it wrote stays
//       written.

import type { Env } from "../../base/env.ts";
import { UserError } from "../../base/errors.ts";
import type { FiredTimer, KeyedStateStore, KeyedTimers, TimerService } from "../../state/keyed-state.ts";
import type { ByteReader, ByteWriter } from "../../types/codec.ts";
import type { Operator, OperatorContext, Output } from "../operator.ts";
import type { StateDeclarations } from "./state-declaration.ts";

/** The user's functions with their types erased. */
export type ProcessFunctions = {
  readonly onRecord?: (record: unknown, context: ProcessContext) => unknown;
  readonly onLeft?: (record: unknown, context: ProcessContext) => unknown;
  readonly onRight?: (record: unknown, context: ProcessContext) => unknown;
  readonly onTimer?: (timer: FiredTimer, context: ProcessContext) => unknown;
};

export type ProcessOptions = {
  readonly functions: ProcessFunctions;
  readonly state: StateDeclarations;
  readonly sides: readonly string[];
  /** Null: fail. Else told about a record (or a timer) on which the user's function threw. */
  readonly onThrow: ((error: unknown, record: unknown, timestampMs: number) => void) | null;
};

/** What a process function works with. Plain fields: they are set once per record. */
export class ProcessContext {
  key: unknown = undefined;
  /** Event time of the record or timer at hand, NaN without one. */
  timestamp = NaN;
  /** The operator's event time. */
  watermark = -Infinity;
  readonly state: Readonly<Record<string, unknown>>;
  readonly timers: TimerService & { readonly processing: TimerService };
  readonly side: Readonly<Record<string, (record: unknown) => void>>;
  readonly #env: Env;
  readonly #output: Output;

  constructor(context: OperatorContext, options: ProcessOptions, store: KeyedStateStore) {
    this.#env = context.env;
    this.#output = context.output;
    this.state = Object.fromEntries(
      Object.entries(options.state).map(([name, declared]) => [name, declared.handleOf(store, name)]),
    );
    this.timers = timersOf(store.timers);
    this.side = Object.fromEntries(
      options.sides.map((name) => {
        const output = context.side(name);
        return [name, (record: unknown) => void output.offer(record, this.timestamp)];
      }),
    );
  }

  /** Processing time, epoch milliseconds. */
  get now(): number {
    return this.#env.clock.nowMs();
  }

  /** Emits a record with the event time of the record or timer at hand. */
  emit(record: unknown): void {
    this.#output.offer(record, this.timestamp);
  }
}

export class ProcessOperator implements Operator {
  readonly #options: ProcessOptions;
  readonly #inputs: readonly (((record: unknown, context: ProcessContext) => unknown) | undefined)[];
  #opened: { context: OperatorContext; store: KeyedStateStore; user: ProcessContext } | null = null;

  constructor(options: ProcessOptions) {
    this.#options = options;
    const { onRecord, onLeft, onRight } = options.functions;
    this.#inputs = [onRecord ?? onLeft, onRight];
  }

  open(context: OperatorContext): void {
    const store = context.state;
    if (store === null)
      throw new UserError("PROCESS_WITHOUT_KEY", `process function "${context.uid}" has no key`, {
        fix: "call keyBy before process",
      });
    this.#opened = { context, store, user: new ProcessContext(context, this.#options, store) };
  }

  onRecord(record: unknown, timestampMs: number, key: unknown, hash: number, input: 0 | 1): void {
    const { store, user } = this.#open();
    store.setKey(key, hash);
    user.key = key;
    user.timestamp = timestampMs;
    const run = this.#inputs[input];
    if (run !== undefined) this.#call(run, record, timestampMs);
  }

  onWatermark(watermark: number): boolean {
    const { user } = this.#open();
    user.watermark = watermark;
    return this.#fire("event", watermark);
  }

  nextProcessingTimeMs(): number {
    return this.#open().store.timers.next("processing");
  }

  onProcessingTime(nowMs: number): boolean {
    return this.#fire("processing", nowMs);
  }

  onEndOfInput(): boolean {
    return true;
  }

  snapshot(_out: ByteWriter): void {
    // Everything is in the keyed store, which snapshots itself.
  }

  restore(_input: ByteReader): void {
    // See snapshot.
  }

  close(): void {
    this.#opened = null;
  }

  #open(): { context: OperatorContext; store: KeyedStateStore; user: ProcessContext } {
    if (this.#opened === null)
      throw new UserError("OPERATOR_CLOSED", "a process function was used before it was opened or after it was closed");
    return this.#opened;
  }

  #fire(domain: "event" | "processing", upToMs: number): boolean {
    const { context, store, user } = this.#open();
    const { onTimer } = this.#options.functions;
    const callback = (timer: FiredTimer): void => {
      user.key = timer.key;
      user.timestamp = domain === "event" ? timer.at : NaN;
      if (onTimer !== undefined)
        this.#call(onTimer as (record: unknown, context: ProcessContext) => unknown, timer, timer.at);
    };
    return store.timers.fire(domain, upToMs, callback, () => context.full());
  }

  #call(run: (record: unknown, context: ProcessContext) => unknown, argument: unknown, timestampMs: number): void {
    const { user, context } = this.#open();
    const { onThrow } = this.#options;
    if (onThrow === null) {
      const result = run(argument, user);
      if (result instanceof Promise) throw returnedPromise(context.uid);
      return;
    }
    try {
      const result = run(argument, user);
      if (result instanceof Promise) throw returnedPromise(context.uid);
    } catch (error) {
      onThrow(error, argument, timestampMs);
    }
  }
}

function timersOf(timers: KeyedTimers): TimerService & { readonly processing: TimerService } {
  const { event, processing } = timers;
  return {
    set: (name, atMs) => event.set(name, atMs),
    clear: (name) => event.clear(name),
    get: (name) => event.get(name),
    processing,
  };
}

function returnedPromise(uid: string): UserError {
  return new UserError("FUNCTION_RETURNED_PROMISE", `the process function "${uid}" returned a promise`, {
    fix: "process functions are synchronous: remove async and await",
    operator: uid,
  });
}
