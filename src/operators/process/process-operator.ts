// Runs a user's process function: keyed state, timers, side outputs, one or two inputs.
//
//   P1. The context is one object for the life of the operator; key, timestamp and state refer to the record at hand.
//   P2. Event-time timers due at or before a watermark fire before the watermark goes on, in order of time.
//   P3. A function that throws under the policy "skip" or "side" concerns its record only; state it wrote stays
//       written.
//   P4. What user code is given may be kept and emitted, but for the context: a timer is an object of its own, and the
//       context's methods work without it.
//       A context and its methods are of use during a call only: afterwards they throw (user-call.ts).
//   P5. Timers that are due fire until the turn is over, and go on in the next one. But where far more fire than were
//       set, `onTimer` sets due ones for ever, and the turn is not left: so the watchdog sees that it does not end.
//       Where they fire at one and the same time, the call that sets the next one fails, at its line.

import type { Env } from "../../base/env.ts";
import { UserError } from "../../base/errors.ts";
import { promiseReturned } from "../../base/synchronous.ts";
import type { FiredTimer, KeyedStateStore, TimerService } from "../../state/contract/keyed-state.ts";
import type { Operator, OperatorContext } from "../operator.ts";
import type { StateDeclarations } from "./state-declaration.ts";
import { timersDuring, UserCall } from "./user-call.ts";
import { type UserMetrics, userMetrics } from "./user-metrics.ts";
import { type Freeze, userState } from "./user-state.ts";

/** The user's functions with their types erased. */
export type ProcessFunctions = {
  readonly onRecord?: (record: unknown, context: ProcessContext) => unknown;
  readonly onLeft?: (record: unknown, context: ProcessContext) => unknown;
  readonly onRight?: (record: unknown, context: ProcessContext) => unknown;
  readonly onTimer?: (timer: ProcessTimer, context: ProcessContext) => unknown;
};

/** Timers of one run that fire turn by turn (P5): so many for each that is set, and so many more. */
const FIRED_PER_TIMER = 100;
const FIRED_MORE = 100_000;

/** A timer as user code sees it. */
export type ProcessTimer = Readonly<Omit<FiredTimer, "hash">>;

export type ProcessOptions = {
  readonly functions: ProcessFunctions;
  readonly state: StateDeclarations;
  readonly sides: readonly string[];
  /** Under checks: makes what state gives and takes unchangeable. */
  readonly freeze: Freeze | null;
  /** Null: fail. Else told about a record on which the user's function threw. */
  readonly onThrow: ((error: unknown, record: unknown, timestampMs: number) => void) | null;
  /** Told about a timer on which the user's function threw; throws when the policy is to fail. */
  readonly onTimerThrow: (error: unknown, timer: ProcessTimer, timestampMs: number) => void;
};

/** What a process function works with. */
export class ProcessContext {
  /** The operator's event time. */
  watermark = -Infinity;
  readonly state: Readonly<Record<string, unknown>>;
  readonly timers: TimerService & { readonly processing: TimerService };
  readonly side: Readonly<Record<string, (record: unknown) => void>>;
  /** Emits a record with the event time of the record or timer at hand. */
  readonly emit: (record: unknown) => void;
  readonly metrics: UserMetrics;
  readonly #env: Env;
  readonly #call: UserCall;

  constructor(context: OperatorContext, options: ProcessOptions, at: { store: KeyedStateStore; call: UserCall }) {
    const { output, uid } = context;
    const { store, call } = at;
    this.#env = context.env;
    this.#call = call;
    this.metrics = userMetrics(uid, context.metrics);
    this.emit = (record) => {
      if (!call.underWay) call.late("ctx.emit");
      output.offer(record, call.timestamp);
    };
    for (const [name, { migration }] of Object.entries(options.state)) {
      if (migration !== null) store.migrate(name, migration);
    }
    const made = userState(store, call, options.freeze);
    this.state = Object.fromEntries(
      Object.entries(options.state).map(([name, declared]) => [name, declared.handleOf(made, name)]),
    );
    const timersOf = (name: string, service: TimerService): TimerService =>
      timersDuring(call, name, options.functions.onTimer === undefined ? unheard(uid, service) : service);
    const { event, processing } = store.timers;
    this.timers = { ...timersOf("ctx.timers", event), processing: timersOf("ctx.timers.processing", processing) };
    this.side = Object.fromEntries(
      options.sides.map((name) => {
        const aside = context.side(name);
        return [
          name,
          (record: unknown) => {
            if (!call.underWay) call.late(`ctx.side.${name}`);
            aside.offer(record, call.timestamp);
          },
        ];
      }),
    );
  }

  get key(): unknown {
    if (!this.#call.underWay) this.#call.late("ctx.key");
    return this.#call.key;
  }

  /** Event time of the record or timer at hand, NaN without one. */
  get timestamp(): number {
    if (!this.#call.underWay) this.#call.late("ctx.timestamp");
    return this.#call.timestamp;
  }

  /** Processing time, epoch milliseconds. */
  get now(): number {
    return this.#env.clock.nowMs();
  }
}

type Opened = {
  readonly context: OperatorContext;
  readonly store: KeyedStateStore;
  readonly call: UserCall;
  readonly user: ProcessContext;
};

export class ProcessOperator implements Operator {
  readonly #options: ProcessOptions;
  readonly #inputs: readonly (((record: unknown, context: ProcessContext) => unknown) | undefined)[];
  #opened: Opened | null = null;
  /** Timers of the run under way that have fired, and how many may turn by turn (P5). */
  #fired = 0;
  #firedMax = 0;
  /** The greatest time of a timer of the run under way, and how many have fired since it was reached. */
  #latest = -Infinity;
  #still = 0;

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
    const call = new UserCall(context.uid);
    this.#opened = { context, store, call, user: new ProcessContext(context, this.#options, { store, call }) };
  }

  prefetch(hashes: Int32Array, count: number): void {
    this.#open().store.prefetch(hashes, count);
  }

  onRecord(record: unknown, timestampMs: number, key: unknown, hash: number, input: 0 | 1): void {
    const { store, call } = this.#open();
    store.setKey(key, hash);
    call.key = key;
    call.timestamp = timestampMs;
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

  close(): void {
    this.#opened = null;
  }

  #open(): Opened {
    if (this.#opened === null)
      throw new UserError("OPERATOR_CLOSED", "a process function was used before it was opened or after it was closed");
    return this.#opened;
  }

  #fire(domain: "event" | "processing", upToMs: number): boolean {
    const { context, store, call } = this.#open();
    if (this.#fired === 0 && store.timers.next(domain) > upToMs) return true; // Most often.
    const { onTimer } = this.#options.functions;
    const callback = ({ name, at, key }: FiredTimer): void => {
      this.#fired += 1;
      if (at > this.#latest) {
        this.#latest = at;
        this.#still = 0;
      }
      this.#still += 1;
      call.endless = this.#still > this.#firedMax;
      call.firing = this.#latest;
      call.key = key;
      call.timestamp = domain === "event" ? at : NaN;
      if (onTimer !== undefined) this.#callTimer(onTimer, { name, at, key, domain }); // P4
    };
    if (this.#fired === 0) this.#latest = -Infinity;
    if (this.#fired === 0) this.#firedMax = store.timers.count * FIRED_PER_TIMER + FIRED_MORE;
    let started = false;
    const stop = (): boolean => {
      if (started) return this.#fired > this.#firedMax ? context.full() : context.pause(1);
      started = true; // Some work is done in each call.
      return false;
    };
    const droppedBefore = store.timers.dropped;
    const all = store.timers.fire(domain, upToMs, callback, stop);
    const dropped = store.timers.dropped - droppedBefore;
    if (dropped > 0) context.metrics.count("numTimersDropped", dropped);
    if (all) this.#fired = 0;
    call.endless = false;
    return all;
  }

  #callTimer(onTimer: NonNullable<ProcessFunctions["onTimer"]>, timer: ProcessTimer): void {
    const { user, call, context } = this.#open();
    call.underWay = true;
    try {
      if (onTimer(timer, user) instanceof Promise) throw returnedPromise(context.uid);
    } catch (error) {
      this.#options.onTimerThrow(error, timer, call.timestamp);
    } finally {
      call.underWay = false;
    }
  }

  #call(run: (record: unknown, context: ProcessContext) => unknown, argument: unknown, timestampMs: number): void {
    const { user, call, context } = this.#open();
    const { onThrow } = this.#options;
    call.underWay = true;
    try {
      const result = run(argument, user);
      if (result instanceof Promise) throw returnedPromise(context.uid);
    } catch (error) {
      if (onThrow === null) throw error;
      onThrow(error, argument, timestampMs);
    } finally {
      call.underWay = false;
    }
  }
}

/** Timers of an operator without `onTimer`: nobody would hear them. */
function unheard(uid: string, service: TimerService): TimerService {
  return {
    set: (name) => nobodyHears(uid, name),
    clear: (name) => service.clear(name),
    get: (name) => service.get(name),
  };
}

function nobodyHears(uid: string, name: string): never {
  throw new UserError(
    "TIMER_WITHOUT_HANDLER",
    `the process function "${uid}" sets the timer ${JSON.stringify(name)}, and has no onTimer`,
    { fix: "give it the function that is called when a timer is due: onTimer(timer, ctx) { … }", operator: uid },
  );
}

function returnedPromise(uid: string): UserError {
  return promiseReturned(`the process function "${uid}"`, { operator: uid });
}
