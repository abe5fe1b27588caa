// Metrics of one task, by Flink's names. Numbers live in the slot's shared metric memory.
//
//   T1. At any moment the task is busy, idle, back-pressured or ended; its time is added up when that changes, and what
//       has passed since is the reader's to add (E1 of metric-store.ts).

import type { Clock } from "../../base/env.ts";
import type { MetricScope } from "../../metrics/metric-registry.ts";
import { type Activity, activityCode, activityCounter } from "../../metrics/task-activity.ts";

export type TaskMetricsOptions = {
  readonly scope: MetricScope;
  readonly clock: Clock;
  /** Gives the task a turn soon. */
  readonly wake: () => void;
  readonly hasInputs: boolean;
  readonly hasOutputs: boolean;
};

export class TaskMetrics {
  readonly wake: () => void;
  readonly #clock: Clock;
  readonly #values: Float64Array;
  readonly #recordsIn: number;
  readonly #bytesIn: number;
  readonly #buffersIn: number;
  readonly #bytesOut: number;
  readonly #buffersOut: number;
  readonly #inUsage: number;
  readonly #outUsage: number;
  readonly #watermark: number;
  readonly #times: Readonly<Record<Exclude<Activity, "ended">, number>>;
  readonly #activityAt: number;
  #activity: Activity = "ended";
  #sinceMs = 0;

  constructor({ scope, clock, wake, hasInputs, hasOutputs }: TaskMetricsOptions) {
    const counter = (name: string, used = true): number => (used ? scope.index("counter", name) : -1);
    const gauge = (name: string, used: boolean): number => (used ? scope.index("gauge", name) : -1);
    this.wake = wake;
    this.#clock = clock;
    this.#values = scope.values;
    this.#recordsIn = counter("numRecordsIn", hasInputs);
    this.#bytesIn = counter("numBytesIn", hasInputs);
    this.#buffersIn = counter("numBuffersIn", hasInputs);
    this.#bytesOut = counter("numBytesOut", hasOutputs);
    this.#buffersOut = counter("numBuffersOut", hasOutputs);
    this.#inUsage = gauge("inPoolUsage", hasInputs);
    this.#outUsage = gauge("outPoolUsage", hasOutputs);
    this.#watermark = gauge("currentInputWatermark", hasInputs);
    this.#times = {
      busy: counter(activityCounter("busy")),
      idle: counter(activityCounter("idle")),
      backPressured: counter(activityCounter("backPressured")),
    };
    this.#activityAt = scope.index("activity", "activity");
    this.#set(this.#watermark, -Infinity);
  }

  /** One batch has come. */
  received(records: number, bytes: number): void {
    this.#add(this.#recordsIn, records);
    this.#add(this.#bytesIn, bytes);
    this.#add(this.#buffersIn, 1);
  }

  /** What has been sent since the start. */
  sent(batches: number, bytes: number): void {
    this.#set(this.#buffersOut, batches);
    this.#set(this.#bytesOut, bytes);
  }

  /** Parts of the memory of links that are taken. */
  usage(input: number, output: number): void {
    this.#set(this.#inUsage, input);
    this.#set(this.#outUsage, output);
  }

  /** After the end of the input, Infinity, the last finite one stays: it says how far event time had come. */
  inputWatermark(watermark: number): void {
    if (watermark !== Infinity) this.#set(this.#watermark, watermark);
  }

  /** From `atMs` (monotonic) on the task is `next`; up to then it was `was`. */
  mark(next: Activity, atMs: number, was: Activity = this.#activity): void {
    const elapsedMs = atMs - this.#sinceMs;
    this.#activity = next;
    this.#sinceMs = atMs;
    // The other thread's monotonic clock has another zero. Written first: a reader may miss a moment, never see it
    // twice.
    this.#set(this.#activityAt, activityCode(next));
    if (this.#activityAt >= 0) this.#set(this.#activityAt + 1, this.#clock.nowMs());
    if (was !== "ended") this.#add(this.#times[was], elapsedMs);
  }

  #add(index: number, by: number): void {
    if (index >= 0) this.#values[index]! += by;
  }

  #set(index: number, value: number): void {
    if (index >= 0) this.#values[index] = value;
  }
}
